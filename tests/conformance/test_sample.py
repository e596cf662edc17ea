"""The rules by which recorded cases are taken to really run, and what counts as the recorded outcome of a leaf."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.sample import alone, command_of, compare_outcome, equal, left_out, local_images, replaced

WORKFLOW = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: wf}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: "registry.local/tools:1", command: [sh, -c, "echo hello"]}
"""


def case(manifest: str = WORKFLOW, **more: Any) -> dict[str, Any]:
    leaf = {"argv": ["sh", "-c", "echo hello"], "seconds": 0.2}
    return {"accepted": True, "manifest": manifest, "leaves": {"wf": [leaf]}, **more}


def test_a_shell_step_is_taken() -> None:
    assert left_out(case()) == ""


@pytest.mark.parametrize(
    ("taken", "want_reason"),
    [
        pytest.param(case(accepted=False), "refused", id="what the controller refused"),
        pytest.param(case(WORKFLOW.replace("echo hello", "date")), "clock", id="a step that reads the clock"),
        pytest.param(case(leaves={"wf": [{"argv": ["jq", "."]}]}), "program", id="a program hosts may lack"),
        pytest.param(case(leaves={"wf": [{"argv": ["sh"], "seconds": 31}]}), "sleeps", id="a long step"),
        pytest.param(case(WORKFLOW.replace("sh, -c", "sh, {a: b}")), "submit refuses", id="what submit refuses"),
        pytest.param(
            case(extras=["kind: Service\napiVersion: v1\nmetadata: {name: c}\n"]),
            "Service",
            id="a library object without a route",
        ),
    ],
)
def test_a_case_is_left_out_by_rule(taken: dict[str, Any], want_reason: str) -> None:
    assert want_reason in left_out(taken)


def test_images_that_local_sites_do_not_map_become_a_plain_one() -> None:
    text = local_images("image: registry.local/tools:1\nimage: 'alpine:3.20'\nimage: \"{{inputs.parameters.i}}\"\n")
    assert text == "image: debian:12-slim\nimage: 'alpine:3.20'\nimage: \"{{inputs.parameters.i}}\"\n"
    assert "image: debian:12-slim," in local_images(WORKFLOW)


def test_what_a_queue_would_change_runs_apart() -> None:
    assert not alone(case())
    assert alone(case(actions=[{"argo": ["stop", "wf"]}]))
    assert alone(case(WORKFLOW.replace("entrypoint", "activeDeadlineSeconds: 3\n  entrypoint")))


def test_an_argo_command_is_read_as_words_and_options() -> None:
    words, options = command_of(["retry", "wf", "--restart-successful", "--node-field-selector", "displayName=b"])
    assert words == ["retry", "wf", "--restart-successful"]
    assert options == {"--node-field-selector": "displayName=b"}


@pytest.mark.parametrize(
    ("entry", "outcome", "want"),
    [
        pytest.param({}, {"kind": "exited", "exit_code": 0}, [], id="success"),
        pytest.param({"exitCode": 2}, {"kind": "exited", "exit_code": 0}, ["exit code"], id="another exit code"),
        pytest.param({"timed_out": True}, {"kind": "exited", "exit_code": 143}, ["outcome"], id="no time-out"),
        pytest.param({"wait_error": "x"}, {"kind": "exited", "exit_code": 0}, ["outcome"], id="a missing output"),
        pytest.param(
            {"outputs": {"result": "1"}}, {"kind": "exited", "exit_code": 0, "result": "2"}, ["result"], id="a result"
        ),
        pytest.param(
            {"outputs": {"artifacts": [{"name": "a"}]}}, {"kind": "exited", "exit_code": 0}, ["artifacts"], id="a file"
        ),
    ],
)
def test_a_leaf_that_ended_otherwise_is_told(entry: dict[str, Any], outcome: dict[str, Any], want: list[str]) -> None:
    found = list(compare_outcome(entry, outcome))
    assert [text.partition(":")[0] for text in found] == want


def test_only_a_missing_outbound_list_is_still_equal() -> None:
    assert equal({"verdict": "core", "why": ['wf outbound: want ["wf[0].a"] got null']})
    assert not equal({"verdict": "core", "why": ["wf outbound: want [] got null", "wf message: want 1 got 2"]})
    assert not equal({"verdict": "differs", "why": []})


def test_what_varies_is_replaced_in_every_text() -> None:
    assert replaced({"a": ["run-1/x", 2]}, {"run-1": "<uid>"}) == {"a": ["<uid>/x", 2]}
