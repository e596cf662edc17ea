"""Running again, really: reuse, retry, memoized resubmit, approval and runs of runs, from the command line to processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli

pytestmark = pytest.mark.needs("namespaces")

CHAIN = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: again-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: word, value: first}, {name: code, value: "0"}]}
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: count
        template: count
        arguments: {artifacts: [{name: text, from: "{{steps.make.outputs.artifacts.text}}"}]}
  - name: make
    outputs: {artifacts: [{name: text, path: /tmp/text}]}
    script: {image: busybox, command: [sh], source: "echo {{workflow.parameters.word}} > /tmp/text; date +%N >> /tmp/text"}
  - name: count
    inputs: {artifacts: [{name: text, path: /tmp/in}]}
    outputs: {parameters: [{name: lines, globalName: lines, valueFrom: {path: /tmp/lines}}]}
    script:
      image: busybox
      command: [sh]
      source: "wc -l < /tmp/in > /tmp/lines; exit {{workflow.parameters.code}}"
"""
PARENT = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: parent-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: below, template: below}
    - - name: tell
        template: tell
        arguments: {parameters: [{name: got, value: "{{steps.below.outputs.parameters.got}}"}]}
  - name: below
    resource:
      action: create
      successCondition: status.phase == Succeeded
      failureCondition: status.phase in (Failed, Error)
      manifest: |
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {generateName: below-}
        spec:
          entrypoint: main
          templates:
          - name: main
            outputs: {parameters: [{name: six, globalName: six, valueFrom: {path: /tmp/six}}]}
            script: {image: busybox, command: [sh], source: "echo 42 > /tmp/six"}
    outputs:
      parameters: [{name: got, valueFrom: {jsonPath: "{.status.outputs.parameters[0].value}"}}]
  - name: tell
    inputs: {parameters: [{name: got}]}
    script: {image: busybox, command: [sh], source: "echo got {{inputs.parameters.got}}"}
"""


@pytest.fixture
def chain(tmp_path: Path) -> str:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN)
    return str(path)


def test_what_ran_before_is_taken_over_and_what_changed_runs(fubini: Cli, chain: str, tmp_path: Path) -> None:
    first = fubini.ok("run", "submit", chain, "--name", "reuse-1", "--wait", "--json").json()
    assert first["state"] == "succeeded"
    told = fubini.ok("run", "submit", chain, "--name", "reuse-2", "--reuse", "reuse-1", "--wait")
    assert "2 reused, 0 run, 0 decided" in told.err and "saved:" in told.err
    second = fubini.ok("run", "get", "reuse-2", "--nodes", "--json").json()
    assert (second["steps_reused"], second["settled_micros"]) == (2, 0)
    assert second["saved_micros"] == first["settled_micros"]
    assert {n["reused_from"]["run_name"] for n in second["nodes"] if n["type"] == "Pod"} == {"reuse-1"}
    for name in ("reuse-1", "reuse-2"):
        fubini.ok("run", "outputs", name, "make", "--to", str(tmp_path / name), "--json")
    one, two = ([p for p in sorted((tmp_path / n).rglob("*")) if p.is_file()] for n in ("reuse-1", "reuse-2"))
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two] and one

    third = fubini.ok("run", "submit", chain, "-p", "word=other", "--reuse", "any", "--dry-run", "--json").json()
    verdicts = {row["template"]: row["verdict"] for row in third["reuse"]["rows"]}
    assert verdicts == {"make": "runs", "count": "later"}
    assert "its script was" in third["reuse"]["rows"][0]["examples"][0]["why"]


def test_a_retry_is_quoted_first_and_runs_only_what_failed(fubini: Cli, chain: str) -> None:
    failed = fubini("run", "submit", chain, "--name", "retry-1", "-p", "code=3", "--wait", "--json")
    assert failed.code == 1
    refused = fubini("run", "retry", "retry-1")
    assert refused.code == 2 and "--yes" in refused.err and "in all: 1 steps" in refused.err
    assert "The command itself failed (exit code 3)" in refused.err
    fubini.ok("run", "retry", "retry-1", "-p", "code=0", "--memory", "64Mi", "--yes")
    ended = fubini.ok("run", "watch", "retry-1", "--json").json()
    assert (ended["state"], ended["generation"]) == ("succeeded", 1)
    [kept] = ended["generations"]
    assert kept["changes"]["memory_bytes"] == 64 << 20 and kept["quote"]["steps"] == 1


def test_a_memoized_resubmit_begins_where_the_run_failed(fubini: Cli, chain: str) -> None:
    fubini("run", "submit", chain, "--name", "memo-1", "-p", "code=3", "--wait", "--json")
    made = fubini.ok("run", "resubmit", "memo-1", "--memoized", "-p", "code=0", "--name", "memo-2", "--json").json()
    ended = fubini.ok("run", "watch", made["id"], "--json").json()
    assert (ended["state"], ended["steps_reused"], ended["steps_done"]) == ("succeeded", 1, 2)


def test_a_run_makes_a_run_and_reads_its_result(fubini: Cli, tmp_path: Path) -> None:
    path = tmp_path / "parent.yaml"
    path.write_text(PARENT)
    ended = fubini.ok("run", "submit", str(path), "--name", "runs-of-runs", "--wait", "--json").json()
    assert ended["state"] == "succeeded"
    assert fubini.ok("run", "logs", "runs-of-runs", "tell").out == "got 42\n"
    nodes = fubini.ok("run", "get", "runs-of-runs", "--nodes", "--json").json()["nodes"]
    child = next(n["child_run"] for n in nodes if n["display_name"] == "below")
    assert fubini.ok("run", "get", child, "--json").json()["parent_run"] == ended["id"]
