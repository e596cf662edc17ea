"""What would wait for ever on Argo by its data alone ends here: as Error where it happens, with a sentence, and nothing left running.

What can be seen at submit is refused there (`tests/unit/fubini/manifests`); these manifests pass the check.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from fubini.runs.engine import LeafOutcome, NodePhase, OutcomeKind
from tests.unit.fubini.engines.embedded.support import Platform, arguments, leaf, workflow

SCRIPT = {"name": "say", "script": {"image": "i", "command": ["sh"], "source": "echo 1"}}
SKIPPED = {"name": "a", "template": "say", "when": "{{workflow.parameters.go}} == 1"}
GO = {"arguments": arguments(go="0")}


def steps(*groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"name": "main", "steps": list(groups), **more}


def dag(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "main", "dag": {"tasks": list(tasks)}, **more}


def use(value: str, **more: Any) -> dict[str, Any]:
    return {"name": "b", "template": "take", "arguments": arguments(x=value), **more}


TAKE = leaf("take", "x")
OUT = {**leaf("out"), "outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]}}

# name -> templates
HANGS: dict[str, list[dict[str, Any]]] = {
    "a skipped script's result, in steps": [steps([SKIPPED], [use("{{steps.a.outputs.result}}")]), SCRIPT, TAKE],
    "a skipped script's result amid text": [steps([SKIPPED], [use("<{{steps.a.outputs.result}}>")]), SCRIPT, TAKE],
    "a skipped script's result, in a dag": [
        dag(SKIPPED, use("{{tasks.a.outputs.result}}", depends="a.Succeeded || a.Skipped")), SCRIPT, TAKE,
    ],
    "a skipped script's exit code": [steps([SKIPPED], [use("{{steps.a.exitCode}}")]), SCRIPT, TAKE],
    "a skipped step's output parameter": [
        steps([{**SKIPPED, "template": "out"}], [use("{{steps.a.outputs.parameters.p}}")]), OUT, TAKE,
    ],
    "a skipped script's result as a loop": [
        steps([SKIPPED], [use("{{item}}", withParam="{{steps.a.outputs.result}}")]), SCRIPT, TAKE,
    ],
    "a skipped script's result as a count": [
        steps([SKIPPED], [use("{{item}}", withSequence={"count": "{{steps.a.outputs.result}}"})]), SCRIPT, TAKE,
    ],
    "a skipped script's result in a condition": [
        steps([SKIPPED], [{"name": "b", "template": "say", "when": "{{steps.a.outputs.result}} == 1"}]), SCRIPT,
    ],
    "a skipped script's result in an expression": [
        steps([SKIPPED], [use("{{=asInt(steps.a.outputs.result) + 1}}")]), SCRIPT, TAKE,
    ],
    "a step of the same group, by an expression": [
        steps([{"name": "a", "template": "say"}, use("{{=steps.a.outputs.result}}")]), SCRIPT, TAKE,
    ],
    "its own result, by an expression": [
        steps([{**use("{{=steps.b.outputs.result}}"), "template": "take"}]), TAKE,
    ],
    "a task that nothing waits for, by an expression": [
        dag({"name": "z", "template": "say"}, use("{{=tasks.z.outputs.result}}")), SCRIPT, TAKE,
    ],
    "an output of a loop that was empty": [
        steps(
            [{"name": "a", "template": "say", "withParam": "[]"}], [use("{{steps.a.outputs.result}}")],
        ), SCRIPT, TAKE,
    ],
    "a result that is no list": [
        steps([{"name": "a", "template": "say"}], [use("{{item}}", withParam="{{steps.a.outputs.result}}")]), SCRIPT, TAKE,
    ],
    "an artifact of a skipped step": [
        steps(
            [{**SKIPPED, "template": "file"}],
            [{"name": "b", "template": "read", "arguments": {"artifacts": [
                {"name": "f", "from": "{{steps.a.outputs.artifacts.f}}"}]}}],
        ),
        {**leaf("file"), "outputs": {"artifacts": [{"name": "f", "path": "/tmp/f"}]}},
        {**leaf("read"), "inputs": {"artifacts": [{"name": "f", "path": "/tmp/f"}]}},
    ],
    "a retry expression over what is not there": [
        steps([{"name": "a", "template": "fails"}]),
        {**leaf("fails"), "retryStrategy": {"limit": "3", "expression": "asInt(lastRetry.nothing) > 1"}},
    ],
    "a hook's expression over what is not there": [
        steps([{"name": "a", "template": "say", "hooks": {"h": {"template": "say", "expression": "nobody.x == 1"}}}]),
        SCRIPT,
    ],
}  # fmt: skip


def ran(templates: list[dict[str, Any]], *, restart: bool = False) -> Platform:
    def outcome(name: str) -> LeafOutcome:
        code = 1 if "wf[0].a(" in name else 0
        return LeafOutcome(OutcomeKind.EXITED, exit_code=code, result="one", parameters={"p": "1"})

    return Platform(workflow(templates, **GO), outcome, restart=restart).run()


@pytest.mark.parametrize("restart", [False, True], ids=["in memory", "read back after every event"])
@pytest.mark.parametrize("name", HANGS)
def test_what_argo_would_wait_for_ends(name: str, restart: bool) -> None:
    platform = ran(HANGS[name], restart=restart)
    record = platform.run_record
    assert record.finished, record
    assert not platform.queue
    assert record.phase in (NodePhase.ERROR, NodePhase.FAILED), record  # steps turn an Error below them into Failed
    messages = [r.message for r in platform.records.values() if r.phase is NodePhase.ERROR] + [record.message]
    assert any(len(message) > 15 and " " in message for message in messages), messages


@pytest.mark.parametrize("name", HANGS)
def test_these_manifests_pass_the_check_or_are_refused_with_a_path(name: str) -> None:
    report = check_manifest(json.dumps(workflow(HANGS[name], **GO)), supported=SUPPORTED)
    for finding in report.errors:
        assert finding.path.startswith("spec.") and finding.line and finding.help
