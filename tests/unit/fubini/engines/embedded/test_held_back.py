"""What a limit holds back starts once there is room, also after a restart; going on after a pause starts nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import NodePhase, Signal, SignalKind
from tests.unit.fubini.engines.embedded.support import Platform, leaf, workflow

NOTE = {"name": "note", "container": {"image": "i", "command": ["note"]}}


def looped(kind: str) -> dict[str, Any]:
    step = {"name": "ask", "template": "ask", "withItems": [1, 2, 3], "hooks": {"exit": {"template": "note"}}}
    body = {"dag": {"tasks": [step]}} if kind == "dag" else {"steps": [[step]]}
    return workflow([{"name": "main", **body}, {"name": "ask", "suspend": {}}, NOTE], parallelism=1)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("kind", ["dag", "steps"])
def test_exit_handlers_that_all_come_at_once_wait_for_the_run_s_limit(kind: str, restart: bool) -> None:
    platform = Platform(looped(kind), restart=restart).start()
    platform.feed(Signal(platform.now, SignalKind.RESUME))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    handlers = [name for name in platform.phases() if name.endswith(".onExit")]
    assert len(handlers) == (
        2 if kind == "dag" else 3
    )  # a graph's loop is over with its first handler, and has its own
    assert platform.most_open == 1


def test_a_leaf_that_gets_its_lock_at_once_is_not_in_its_own_way() -> None:
    template = leaf("work", synchronization={"mutexes": [{"name": "m"}]})
    steps = {"name": "main", "steps": [[{"name": "a", "template": "work", "withItems": [1, 2]}]]}
    platform = Platform(workflow([steps, template], parallelism=1)).run()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert platform.most_open == 1


def test_a_run_that_goes_on_after_a_pause_starts_nothing_twice() -> None:
    tasks = {"name": "main", "dag": {"tasks": [{"name": "a", "template": "work", "withItems": [1, 2, 3, 4]}]}}
    platform = Platform(workflow([{**tasks, "parallelism": 2}, leaf("work")], parallelism=2)).start()
    platform.feed(Signal(platform.now, SignalKind.SUSPEND))
    platform.finish_one()  # makes room while nothing may start
    platform.feed(Signal(platform.now, SignalKind.RESUME))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED, platform.state.message
    assert len({task.node_id for task in platform.opened}) == len(platform.opened) == 4
