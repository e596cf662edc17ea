"""HTTP and data templates in the interpreter: what is asked of the platform, and what its answer makes of the node."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import (
    HttpCall,
    HttpHeader,
    LeafOutcome,
    Listing,
    NodePhase,
    NodeType,
    OutcomeKind,
    SecretRef,
    Signal,
    SignalKind,
)
from tests.unit.fubini.engines.embedded.support import Platform, leaf, workflow

REQUEST = {
    "url": "https://example.org/{{inputs.parameters.id}}",
    "method": "post",
    "headers": [{"name": "A", "value": "b"}, {"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    "body": "{{inputs.parameters.id}}!",
    "timeoutSeconds": 5,
    "successCondition": "response.statusCode == 201",
}


def calling(**fields: Any) -> dict[str, Any]:
    steps = [
        [{"name": "call", "template": "call", "arguments": {"parameters": [{"name": "id", "value": "7"}]}}],
        [
            {
                "name": "use",
                "template": "use",
                "arguments": {"parameters": [{"name": "got", "value": "{{steps.call.outputs.result}}"}]},
            }
        ],
    ]
    call = {"name": "call", "inputs": {"parameters": [{"name": "id"}]}, "http": {**REQUEST, **fields}}
    return workflow([{"name": "main", "steps": steps}, call, leaf("use", "got")])


def answer(**fields: Any) -> Any:
    return lambda name: LeafOutcome(**{"kind": OutcomeKind.EXITED, **fields})


def test_a_request_is_asked_for_with_its_tags_resolved_and_its_body_is_the_result() -> None:
    run = Platform(calling(), answer(result="pong")).run()
    assert run.specs()["call"].http == HttpCall(
        url="https://example.org/7",
        method="POST",
        headers=(HttpHeader("A", "b"), HttpHeader("T", "", SecretRef("s", "k"))),
        body="7!",
        timeout_s=5,
        success_condition="response.statusCode == 201",
    )
    node = next(n for n in run.state.nodes.values() if n.name == "wf[0].call")
    assert (node.type, node.phase, node.outputs) == (NodeType.HTTP, NodePhase.SUCCEEDED, {"result": "pong"})
    assert run.specs()["use"].argv == ("run", "pong")
    assert run.run_record.phase is NodePhase.SUCCEEDED


@pytest.mark.parametrize(
    ("outcome", "phase", "message"),
    [
        ({"error": "received non-2xx response code: 500", "result": "oops"}, NodePhase.FAILED, "received non-2xx response code: 500"),
        ({"kind": OutcomeKind.PLATFORM, "error": "x"}, NodePhase.ERROR, "x"),
        ({"kind": OutcomeKind.INPUT_ERROR, "error": "y"}, NodePhase.FAILED, "y"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_the_nodes_message(outcome: dict[str, Any], phase: NodePhase, message: str) -> None:
    run = Platform(calling(), answer(**outcome)).run()
    node = next(n for n in run.state.nodes.values() if n.name == "wf[0].call")
    assert (node.phase, node.message) == (phase, message)
    assert (node.outputs or {}).get("result") == outcome.get("result")
    assert "exitCode" not in (node.outputs or {})


def test_a_retry_strategy_makes_another_request() -> None:
    manifest = calling()
    manifest["spec"]["templates"][1]["retryStrategy"] = {"limit": "2"}
    outcomes = iter([LeafOutcome(OutcomeKind.EXITED, error="no"), LeafOutcome(OutcomeKind.EXITED, result="yes")])
    run = Platform(manifest, lambda name: next(outcomes, LeafOutcome(OutcomeKind.EXITED, exit_code=0))).run()
    assert [t.spec.template for t in run.opened] == ["call", "call", "use"]
    assert run.phases()["wf[0].call"] == "Succeeded"


@pytest.mark.parametrize("restart", [False, True])
def test_an_end_from_outside_cancels_the_request(restart: bool) -> None:
    run = Platform(calling(), restart=restart).start()
    run.feed(Signal(run.now + 1, SignalKind.TERMINATE))
    assert [c.node_id for c in run.cancelled] == [run.opened[0].node_id]
    assert run.run_record.phase is NodePhase.FAILED


@pytest.mark.parametrize("seconds", ["0", "-1", "301", "x"])
def test_a_timeout_that_cannot_be_is_an_error(seconds: str) -> None:
    run = Platform(calling(timeoutSeconds=seconds)).run()
    assert run.opened == []
    assert "is not a whole number from 1 to 300" in next(
        n.message for n in run.state.nodes.values() if n.type is NodeType.HTTP
    )


def listing(key: str, *expressions: str) -> dict[str, Any]:
    data = {
        "source": {"artifactPaths": {"name": "a", "s3": {"key": key}}},
        "transformation": [{"expression": text} for text in expressions],
    }
    each = {"name": "each", "template": "each", "withParam": "{{steps.list.outputs.result}}",
            "arguments": {"artifacts": [{"name": "f", "s3": {"key": "{{item}}"}}]}}  # fmt: skip
    leaf_template = {
        "name": "each", "inputs": {"artifacts": [{"name": "f", "path": "/f"}]}, "container": {"image": "i", "command": ["run"]},
    }  # fmt: skip
    steps = [[{"name": "list", "template": "list"}], [each]]
    return workflow([{"name": "main", "steps": steps}, {"name": "list", "data": data}, leaf_template])


def test_a_listing_is_asked_for_and_its_items_are_artifacts() -> None:
    run = Platform(
        listing("dataset/m@1/raw", "filter(data, {# endsWith '.log'})"),
        lambda name: LeafOutcome(
            OutcomeKind.EXITED, exit_code=0, result='["dataset/m@1/raw/a.log","r/n/0/out/x/b.log"]'
        ),
    ).run()
    assert run.specs()["list"].listing == Listing("dataset/m@1", "raw", ("filter(data, {# endsWith '.log'})",))
    read = [t.spec.artifacts_in[0] for t in run.opened if t.spec.template == "each"]
    assert [(a.key, a.sub_path) for a in read] == [("dataset/m@1", "raw/a.log"), ("r/n/0/out", "x/b.log")]
    node = next(n for n in run.state.nodes.values() if n.name == "wf[0].list")
    assert (node.type, node.outputs["exitCode"]) == (NodeType.POD, "0")


def test_a_listing_that_fails_fails_its_node_with_the_reason() -> None:
    run = Platform(
        listing("dataset/m@1"), lambda name: LeafOutcome(OutcomeKind.EXITED, exit_code=1, error="no such")
    ).run()
    node = next(n for n in run.state.nodes.values() if n.name == "wf[0].list")
    assert (node.phase, node.message) == (NodePhase.FAILED, "no such")
