"""Hooks of tasks that cannot run: the task is an Error, what depends on it is settled, the run ends."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import NodePhase
from tests.unit.fubini.engines.embedded.support import Platform, arguments, done, leaf, workflow


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


@pytest.mark.parametrize("restart", [False, True])
def test_a_hook_of_a_step_that_cannot_be_evaluated_lets_the_group_end_first(restart: bool) -> None:
    hook = {"template": "work", "expression": "steps.first.status =="}
    group = [{"name": "first", "template": "work", "hooks": {"odd": hook}}, {"name": "second", "template": "work"}]
    main = {"name": "main", "steps": [group, [{"name": "never", "template": "work"}]]}
    platform = Platform(workflow([main, leaf("work")]), restart=restart).start()
    assert platform.phases()["wf[0]"] == "Error" and platform.phases()["wf"] == "Running"
    platform.go_on()
    phases = platform.phases()
    assert phases["wf[0].first"] == phases["wf[0].second"] == "Succeeded"
    assert phases["wf"] == "Failed" and "wf[1].never" not in phases
    assert platform.state.message == platform.messages()["wf[0]"] and "unexpected token EOF" in platform.state.message


def test_an_item_of_a_loop_is_not_seen_by_its_hooks_under_the_name_of_the_loop() -> None:
    hook = {"template": "work", "expression": "steps['each'].status == 'Failed'"}
    each = {"name": "each", "template": "work", "withItems": [1, 2], "hooks": {"odd": hook}}
    platform = Platform(workflow([{"name": "main", "steps": [[each]]}, leaf("work")])).run()
    assert platform.phases()["wf[0].each(1:2)"] == "Succeeded"
    assert "cannot fetch status from <nil>" in platform.state.message


def test_a_hook_that_is_retried_shows_both_flags() -> None:
    hook = {"template": "again"}
    main = {"name": "main", "steps": [[{"name": "one", "template": "work", "hooks": {"exit": hook}}]]}
    again = leaf("again", retryStrategy={"limit": "1"})
    platform = Platform(workflow([main, leaf("work"), again])).run()
    node = platform.state.nodes[platform.state.find_id("wf[0].one.onExit")]
    assert node.record().node_flag == {"hooked": True, "retried": True}
    assert not node.retried and [n.name for n in node.attempts()] == ["wf[0].one.onExit(0)"]


def test_a_workflow_hook_that_cannot_start_hangs_under_nothing() -> None:
    main = {"name": "main", "steps": [[{"name": "one", "template": "work"}]]}
    hooks = {"odd": {"template": "gone", "expression": "true"}}
    platform = Platform(workflow([main, leaf("work")], hooks=hooks)).run()
    node = platform.state.nodes[platform.state.find_id("wf.hooks.odd")]
    assert node.phase is NodePhase.ERROR and list(node.parents) == []


@pytest.mark.parametrize("restart", [False, True])
def test_items_that_a_limit_holds_back_do_not_start_once_a_hook_could_not_be_evaluated(restart: bool) -> None:
    hook = {"template": "work", "expression": "steps['each'].status == 'Succeeded'"}
    each = {"name": "each", "template": "work", "withItems": [1, 2], "hooks": {"odd": hook}}
    platform = Platform(workflow([{"name": "main", "steps": [[each]]}, leaf("work")], parallelism=1), restart=restart)
    platform.run()
    assert platform.state.phase is NodePhase.FAILED
    assert "wf[0].each(1:2)" not in platform.phases()


@pytest.mark.parametrize("restart", [False, True])
def test_a_task_left_out_has_hooks_where_nothing_depends_on_it(restart: bool) -> None:
    tasks = [
        {"name": "off", "template": "work", "when": "false"},
        {"name": "odd", "template": "work", "when": "a b"},
        {"name": "never", "template": "work", "depends": "off && odd.Succeeded"},
    ]
    for task in tasks:
        hook = f"tasks.{task['name']}.status in ['Skipped', 'Error', 'Omitted']"
        task["hooks"] = {"seen": {"template": "work", "expression": hook}}  # type: ignore[assignment]
    platform = Platform(workflow([{"name": "main", "dag": {"tasks": tasks}}, leaf("work")]), restart=restart).run()
    phases = platform.phases()
    assert [phases[f"wf.{name}"] for name in ("off", "odd", "never")] == ["Skipped", "Error", "Omitted"]
    assert [name for name in phases if name.endswith(".seen")] == ["wf.never.hooks.seen"]
    assert platform.state.phase is NodePhase.ERROR


def test_results_that_cannot_be_read_together_are_the_error_of_a_dag_whose_target_reads_them() -> None:
    each = {"name": "each", "template": "say", "withItems": [1, 2]}
    use = {
        "name": "use",
        "template": "work",
        "dependencies": ["each"],
        "arguments": arguments(v="{{tasks.each.outputs.result}}"),
    }
    say = {"name": "say", "script": {"image": "i", "command": ["sh"], "source": "echo words"}}
    manifest = workflow([{"name": "main", "dag": {"tasks": [each, use]}}, say, leaf("work", "v")])
    platform = Platform(manifest, lambda _: done("words")).run()
    assert platform.phases()["wf.use"] == platform.phases()["wf"] == "Error"
    assert platform.state.message.startswith("error in entry template execution: ")
