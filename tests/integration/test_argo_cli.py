"""The real `argo` command against a running Fubini: `ARGO_CLI` names its binary."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.needs("argo-cli")
Argo = Callable[..., str]

HELLO = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: world}, {name: code, value: "0"}]}
  templates:
  - name: main
    steps:
    - - {name: say, template: say, arguments: {parameters: [{name: number, value: "{{item}}"}]}, withItems: [1, 2]}
    - - {name: end, template: end}
  - name: say
    inputs: {parameters: [{name: number}]}
    script:
      image: python:3.11
      command: [python3]
      source: print("hello {{workflow.parameters.who}} {{inputs.parameters.number}}")
  - name: end
    container: {image: busybox, command: [sh, -c], args: ["exit {{workflow.parameters.code}}"]}
"""
HOLD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hold-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: ask, template: ask}
    - - {name: slow, template: slow, arguments: {parameters: [{name: s, value: "{{steps.ask.outputs.parameters.answer}}"}]}}
  - name: ask
    suspend: {}
    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}
  - name: slow
    inputs: {parameters: [{name: s}]}
    container: {image: busybox, command: [sleep, "{{inputs.parameters.s}}"]}
"""
TEMPLATE = HELLO.replace("kind: Workflow", "kind: WorkflowTemplate").replace("{generateName: hello-}", "{name: tools}")
CRON = """\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["30 2 * * *"]
  timezone: Europe/Berlin
  workflowSpec:
    entrypoint: say
    templates:
    - name: say
      container: {image: busybox, command: [echo], args: [night]}
"""


@pytest.fixture
def argo(running: Stack, tmp_path: Path) -> Argo:
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": os.devnull, "NO_PROXY": "*", "no_proxy": "*",
        "ARGO_SERVER": running.url.removeprefix("http://"), "ARGO_HTTP1": "true", "ARGO_SECURE": "false",
        "ARGO_TOKEN": f"Bearer {running.token}", "ARGO_NAMESPACE": running.project,
    }  # fmt: skip

    def call(*argv: str, text: str = "", ok: bool = True) -> str:
        words = list(argv)
        if text:
            file = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
            file.write_text(text)
            words.append(str(file))
        done = subprocess.run(
            [os.environ["ARGO_CLI"], *words], env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode == 0) is ok, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout + ("" if ok else done.stderr)

    return call


def submitted(argo: Argo, text: str, *more: str) -> str:
    return argo("submit", "-o", "name", *more, text=text).split()[-1]


def got(argo: Argo, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(argo("get", name, "-o", "json"))
    return found


def until(argo: Argo, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = got(argo, name)
        if holds(found):
            return found
        time.sleep(0.3)
    raise AssertionError(found)


def phases(workflow: dict[str, Any]) -> dict[str, str]:
    return {
        n["displayName"]: n["phase"]
        for n in workflow["status"].get("nodes", {}).values()
        if n["type"] in ("Pod", "Suspend")
    }


def test_a_workflow_is_submitted_watched_read_and_deleted(argo: Argo) -> None:
    name = submitted(argo, HELLO, "-p", "who=moon", "--wait")
    assert got(argo, name)["status"]["phase"] == "Succeeded"
    assert "Succeeded" in argo("watch", name) and name in argo("list") and name in argo("list", "--status", "Succeeded")
    lines = sorted(line.partition(": ")[2].strip() for line in argo("logs", name, "--no-color").splitlines())
    assert lines == ["hello moon 1", "hello moon 2"]
    assert sorted(argo("logs", name, "--grep", "2", "--no-color").splitlines()[0].split()[-2:]) == ["2", "moon"]
    argo("delete", name)
    assert "not found" in argo("get", name, ok=False)


def test_logs_are_followed_until_the_workflow_ends(argo: Argo) -> None:
    assert argo("submit", "--log", text=HELLO).count("hello world") == 2


def test_a_failed_workflow_is_retried_and_resubmitted(argo: Argo) -> None:
    name = submitted(argo, HELLO, "-p", "code=3")
    argo("wait", name, ok=False)
    assert phases(got(argo, name))["end"] == "Failed"
    memoized = argo("resubmit", name, "--memoized", "-o", "name").split()[-1]
    argo("wait", memoized, ok=False)
    assert len(phases(got(argo, memoized))) == 3  # what had succeeded is in the tree and did not run again
    assert "hello" not in argo("logs", memoized, "--no-color")
    argo("retry", name, "-p", "code=0")
    argo("wait", name)
    assert set(phases(got(argo, name)).values()) == {"Succeeded"}
    assert "must be Failed/Error" in argo("resubmit", name, "--memoized", ok=False)
    again = argo("resubmit", name, "-o", "name", "-p", "code=0").split()[-1]
    assert again != name
    argo("wait", again)


def test_a_workflow_waits_for_a_value_and_is_suspended_resumed_stopped_and_terminated(argo: Argo) -> None:
    name = submitted(argo, HOLD)
    until(argo, name, lambda w: phases(w) == {"ask": "Running"})
    assert "not expecting" in argo("node", "set", name, "--node-field-selector", "displayName=ask", "--phase", "Succeeded",
                                   "--output-parameter", "other=1", ok=False)  # fmt: skip
    argo(
        "node",
        "set",
        name,
        "--node-field-selector",
        "displayName=ask",
        "--phase",
        "Succeeded",
        "--output-parameter",
        "answer=60",
    )
    until(argo, name, lambda w: phases(w).get("slow") == "Running")
    argo("suspend", name)
    assert got(argo, name)["spec"]["suspend"] is True
    argo("resume", name)
    assert "suspend" not in got(argo, name)["spec"]
    argo("stop", name)
    assert until(argo, name, lambda w: bool(w["status"]["finishedAt"]))["status"]["phase"] == "Failed"
    other = submitted(argo, HOLD)
    until(argo, other, lambda w: phases(w) == {"ask": "Running"})
    argo("terminate", other)
    until(argo, other, lambda w: w["spec"].get("shutdown") == "Terminate" and bool(w["status"]["finishedAt"]))
    argo("delete", other, name)


def test_what_is_wrong_with_a_manifest_is_shown_by_path(argo: Argo) -> None:
    assert "no linting errors" in argo("lint", text=HELLO)
    for command in ("lint", "submit"):
        said = argo(command, text=HELLO.replace("template: say", "template: sya", 1), ok=False)
        assert "spec.templates[0].steps[0][0].template" in said and "nearest: say" in said


def test_templates_and_schedules_are_kept_and_run(argo: Argo) -> None:
    argo("template", "create", text=TEMPLATE)
    assert "already exists" in argo("template", "create", text=TEMPLATE, ok=False)
    argo("template", "update", text=TEMPLATE.replace("value: world", "value: sun"))
    assert "tools" in argo("template", "list") and "tools" in argo("template", "get", "tools")
    name = argo("submit", "--from", "workflowtemplate/tools", "-o", "name", "--wait").split()[0]
    assert "hello sun 1" in argo("logs", name, "--no-color")
    argo("template", "delete", "tools")
    argo("cron", "create", text=CRON)
    assert "nightly" in argo("cron", "list") and "Europe/Berlin" in argo("cron", "get", "nightly")
    argo("cron", "suspend", "nightly")
    argo("cron", "resume", "nightly")
    argo("submit", "--from", "cronwf/nightly", "--wait")
    argo("cron", "delete", "nightly")


def test_ended_workflows_are_the_archive(argo: Argo) -> None:
    name = submitted(argo, HELLO, "--wait")
    uid = got(argo, name)["metadata"]["uid"]
    assert name in argo("archive", "list")
    assert json.loads(argo("archive", "get", uid, "-o", "json"))["metadata"]["name"] == name
