"""Loops of DAG tasks with exit handlers: Argo goes over the items in order and waits for the first handler."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import LeafDone, LeafOutcome, NodePhase, OutcomeKind
from tests.unit.fubini.engines.embedded.support import Platform, leaf, workflow

DONE = LeafOutcome(OutcomeKind.EXITED, exit_code=0)


def loop(template: dict[str, Any], *, items: int = 2, **task: Any) -> dict[str, Any]:
    each = {"name": "each", "template": template["name"], "withItems": list(range(items))}
    each["hooks"] = {"exit": {"template": "note"}}
    last = {"name": "last", "template": "note", "dependencies": ["each"]}
    return workflow([{"name": "main", "dag": {"tasks": [{**each, **task}, last]}}, template, leaf("note")])


def end(platform: Platform, name: str) -> None:
    """One leaf ends, whatever came before it in the queue."""
    task = next(task for task in platform.queue if platform.state.nodes[task.node_id].name == name)
    platform.queue.remove(task)
    platform.feed(LeafDone(platform.now, task.node_id, task.generation, DONE))


def handlers(platform: Platform) -> list[str]:
    return [name for name in platform.phases() if name.endswith(".onExit")]


@pytest.mark.parametrize("restart", [False, True])
def test_items_that_end_before_the_first_handler_have_none_of_their_own(restart: bool) -> None:
    platform = Platform(loop(leaf("work")), restart=restart).start()
    end(platform, "wf.each(0:0)")
    end(platform, "wf.each(1:1)")
    assert platform.phases()["wf.each"] == "Succeeded"
    assert handlers(platform) == ["wf.each(0:0).onExit", "wf.each.onExit"]
    end(platform, "wf.each.onExit")
    assert platform.state.phase is NodePhase.RUNNING  # the first item's handler runs
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED and handlers(platform) == [
        "wf.each(0:0).onExit",
        "wf.each.onExit",
    ]


@pytest.mark.parametrize("restart", [False, True])
def test_an_item_that_ends_after_the_handlers_before_it_gets_its_own(restart: bool) -> None:
    platform = Platform(loop(leaf("work")), restart=restart).start()
    end(platform, "wf.each(0:0)")
    end(platform, "wf.each(0:0).onExit")
    assert platform.phases()["wf.each"] == "Running"
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert handlers(platform) == ["wf.each(0:0).onExit", "wf.each(1:1).onExit", "wf.each.onExit"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_later_item_that_ends_first_has_its_handler_and_holds_back_no_earlier_one(restart: bool) -> None:
    platform = Platform(loop(leaf("work")), restart=restart).start()
    end(platform, "wf.each(1:1)")
    end(platform, "wf.each(0:0)")
    assert handlers(platform) == ["wf.each(1:1).onExit", "wf.each(0:0).onExit", "wf.each.onExit"]
    assert platform.go_on().state.phase is NodePhase.SUCCEEDED


@pytest.mark.parametrize("restart", [False, True])
def test_items_that_take_no_time_do_not_start_after_the_first_of_them(restart: bool) -> None:
    platform = Platform(loop({"name": "wait", "suspend": {"duration": "0"}}), restart=restart).run()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert "wf.each(1:1)" not in platform.phases()
    assert handlers(platform) == ["wf.each(0:0).onExit", "wf.each.onExit"]


def test_a_condition_that_cannot_be_read_leaves_out_no_other_item() -> None:
    platform = Platform(loop(leaf("work"), items=3, when="a b == c", hooks={})).run()
    phases = platform.phases()
    assert [phases[f"wf.each({n}:{n})"] for n in range(3)] == ["Error"] * 3
    assert phases["wf.each"] == "Error" and phases["wf.last"] == "Omitted"
