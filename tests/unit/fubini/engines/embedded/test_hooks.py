"""Hooks of tasks that cannot run: the task is an Error, what depends on it is settled, the run ends."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import NodePhase
from tests.unit.fubini.engines.embedded.support import Platform, leaf, workflow


def run_with(hook: dict[str, Any], *, restart: bool) -> Platform:
    tasks = [
        {"name": "long", "template": "work", "hooks": {"began": hook}},
        {"name": "end", "template": "work", "dependencies": ["long"]},
    ]
    platform = Platform(workflow([{"name": "main", "dag": {"tasks": tasks}}, leaf("work")]), restart=restart).start()
    platform.finish_one()
    return platform.go_on()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("hook", "want_words"),
    [
        ({"template": "work", "expression": "nobody"}, "unknown name nobody"),
        ({"template": "gone", "expression": "true"}, "template gone not found"),
        ({"template": "work", "expression": "1"}, "to bool"),
        ({"template": "work"}, "Expression required"),
    ],
    ids=["its condition names nobody", "its template is gone", "its condition is no bool", "it has no condition"],
)
def test_a_hook_that_cannot_run_ends_its_task(hook: dict[str, Any], want_words: str, restart: bool) -> None:
    platform = run_with(hook, restart=restart)
    node = platform.state.nodes[platform.state.find_id("wf.long")]
    assert node.phase is NodePhase.ERROR and want_words in node.message
    assert platform.phases()["wf.end"] == "Omitted"
    assert platform.state.phase is NodePhase.ERROR
    assert [task.node_id for task in platform.cancelled][:1] == [node.id]


@pytest.mark.parametrize("restart", [False, True])
def test_dependents_wait_for_the_hooks_of_a_leaf(restart: bool) -> None:
    hook = {"template": "work", "expression": "tasks.long.status == 'Succeeded'"}
    platform = run_with(hook, restart=restart)
    names = [platform.state.nodes[task.node_id].name for task in platform.opened]
    assert names == ["wf.long", "wf.long.hooks.began", "wf.end"]
    assert platform.state.phase is NodePhase.SUCCEEDED
