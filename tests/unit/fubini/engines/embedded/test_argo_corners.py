"""Small things that Argo's controller does and nobody would guess: one manifest each, with the tree it gives."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import NodePhase, Signal, SignalKind
from tests.unit.fubini.engines.embedded.support import Platform, done, leaf, workflow


def one_step(template: dict[str, Any], **step: Any) -> dict[str, Any]:
    a = {"name": "a", "template": template["name"], **step}
    return workflow([{"name": "main", "steps": [[a]]}, template])


@pytest.mark.parametrize("seconds", [0, -3, 2**31])
def test_a_deadline_that_no_pod_may_have_is_an_error_of_the_leaf_and_of_its_group(seconds: int) -> None:
    platform = Platform(one_step(leaf("work", activeDeadlineSeconds=seconds))).run()
    phases = platform.phases()
    assert (phases["wf[0].a"], phases["wf[0]"], phases["wf"]) == ("Error", "Error", "Failed")
    assert f"Invalid value: {seconds}: must be between 1 and 2147483647" in platform.state.message
    assert platform.opened == []


@pytest.mark.parametrize(
    ("key", "cache", "want_message"),
    [
        ("k" * 254, "cache", "error creating cache entry: "),
        ("k", "Bad_Name", "could not save to config map cache: "),
        ("k" * 253, "cache.of-2", ""),
    ],
)
def test_a_result_that_no_cache_can_keep_is_an_error_with_the_result_in_hand(
    key: str, cache: str, want_message: str
) -> None:
    memo = {"key": key, "maxAge": "1h", "cache": {"configMap": {"name": cache}}}
    platform = Platform(one_step(leaf("work", memoize=memo))).run()
    assert platform.phases()["wf[0].a"] == ("Error" if want_message else "Succeeded")
    assert platform.messages()["wf[0].a"].startswith(want_message)
    assert len(platform.opened) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_a_loop_over_an_inline_template_is_an_error_once_its_items_have_ended(restart: bool) -> None:
    inline = {"container": {"image": "i", "command": ["echo", "{{item}}"]}}
    each = {"name": "each", "inline": inline, "withItems": [1, 2]}
    steps = workflow([{"name": "main", "steps": [[each]]}])
    platform = Platform(steps, restart=restart).run()
    assert platform.phases()["wf[0].each(1:2)"] == "Succeeded"
    assert platform.state.message == "error in entry template execution: failed to get a template"

    last = {"name": "last", "inline": inline, "dependencies": ["each"]}
    alone = Platform(workflow([{"name": "main", "dag": {"tasks": [each]}}]), restart=restart).run()
    assert alone.state.phase is NodePhase.SUCCEEDED
    followed = Platform(workflow([{"name": "main", "dag": {"tasks": [each, last]}}]), restart=restart).run()
    assert followed.messages()["wf.last"] == "failed to get a template"


def test_a_sequence_is_read_as_json() -> None:
    def run(shown: str) -> Platform:
        return Platform(one_step(leaf("work"), withSequence={"start": "9", "end": "9", "format": shown})).run()

    assert run("%c").messages()["wf[0]"] == r"invalid character '\t' in string literal"
    assert "wf[0].a(0:'\\t')" in run("%q").phases()
    assert run("%03d").phases()["wf[0].a(0:009)"] == "Succeeded"


def test_an_artifact_of_a_step_that_begins_at_the_same_time_fails_the_group() -> None:
    give = leaf("give", outputs={"artifacts": [{"name": "f", "path": "/f"}]})
    take = leaf("take")
    take["inputs"] = {"artifacts": [{"name": "f", "path": "/f"}]}
    source = {"artifacts": [{"name": "f", "from": "{{steps.a.outputs.artifacts.f}}"}]}
    group = [{"name": "a", "template": "give"}, {"name": "b", "template": "take", "arguments": source}]
    platform = Platform(workflow([{"name": "main", "steps": [group]}, give, take]), lambda _: done()).run()
    assert platform.state.phase is NodePhase.FAILED and "Unable to resolve" in platform.state.message


@pytest.mark.parametrize("restart", [False, True])
def test_a_task_that_waits_is_seen_running_by_its_hooks(restart: bool) -> None:
    hook = {"template": "note", "expression": "tasks['gap'].status == 'Running'"}
    gap = {"name": "gap", "template": "gap", "hooks": {"watch": hook}}
    tasks = [gap, {"name": "after", "template": "note", "dependencies": ["gap"]}]
    main = {"name": "main", "dag": {"tasks": tasks}}
    manifest = workflow([main, {"name": "gap", "suspend": {}}, leaf("note")])
    platform = Platform(manifest, restart=restart).start()
    assert [task.spec.template for task in platform.queue] == ["note"]
    platform.feed(Signal(platform.now, SignalKind.RESUME))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert platform.phases()["wf.gap.hooks.watch"] == platform.phases()["wf.after"] == "Succeeded"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("runs_after", [False, True])
def test_the_handler_of_a_task_that_cannot_be_read_runs_only_where_something_after_it_runs(
    runs_after: bool, restart: bool
) -> None:
    odd = {
        "name": "odd",
        "template": "work",
        "withParam": "no list",
        "hooks": {"exit": {"template": "work"}},
    }
    after = {"name": "after", "template": "work", "depends": "odd.Errored" if runs_after else "odd"}
    platform = Platform(
        workflow([{"name": "main", "dag": {"tasks": [odd, after]}}, leaf("work")]), restart=restart
    ).run()
    phases = platform.phases()
    assert (phases["wf.odd"], phases["wf.after"]) == ("Error", "Succeeded" if runs_after else "Omitted")
    assert ("wf.odd.onExit" in phases) == runs_after


@pytest.mark.parametrize("restart", [False, True])
def test_a_leaf_that_the_run_s_deadline_ends_at_once_is_not_tried_again(restart: bool) -> None:
    template = leaf("main", retryStrategy={"limit": 2, "expression": "lastRetry.status == 'Failed'"})
    platform = Platform(workflow([template], activeDeadlineSeconds=0), restart=restart).run()
    assert platform.phases() == {"wf": "Failed", "wf(0)": "Failed"}
    assert platform.state.message.startswith("retry exceeded workflow deadline ")
