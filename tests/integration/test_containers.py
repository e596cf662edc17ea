"""Container sets, sidecars, daemons and disks of runs as real processes of a real agent, through submit and scheduler."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.needs("namespaces")

SERVE = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1] + ".part", "w").write(str(server.getsockname()[1]))
import os; os.rename(sys.argv[1] + ".part", sys.argv[1])
while True:
    peer, _ = server.accept()
    peer.sendall(b"hello from " + sys.argv[2].encode()); peer.close()
"""
ASK = """
import os, socket, sys, time
while not os.path.exists(sys.argv[2]): time.sleep(0.01)
with socket.create_connection((sys.argv[1], int(open(sys.argv[2]).read())), 10) as peer:
    print(peer.recv(100).decode())
"""

SET = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: set-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: work, template: work}
    - - {name: after, template: after, arguments: {parameters: [{name: said, value: "{{steps.work.outputs.result}}"}]}}
  - name: work
    volumes: [{name: w, emptyDir: {}}]
    outputs: {parameters: [{name: tries, valueFrom: {path: /w/tries}}]}
    containerSet:
      retryStrategy: {retries: "3", duration: 10ms}
      volumeMounts: [{name: w, mountPath: /w}]
      containers:
      - {name: flaky, image: busybox, command: [sh, -c, 'echo x >> /w/tries; [ $(wc -l < /w/tries) -ge 3 ]']}
      - {name: main, image: busybox, command: [sh, -c, 'tr -d "\\n" < /w/tries'], dependencies: [flaky]}
      - {name: bad, image: busybox, command: [sh, -c, 'test -e /w/tries'], dependencies: [main]}
  - name: after
    inputs: {parameters: [{name: said}]}
    initContainers: [{name: prepare, image: busybox, command: [sh, -c, 'echo ready > /tmp/ready']}]
    container: {image: busybox, command: [sh, -c, 'cat /tmp/ready; test "{{inputs.parameters.said}}" = xxx']}
"""


@contextlib.contextmanager
def ended(running: Stack, manifest: str, want: str = "succeeded") -> Iterator[tuple[str, dict[str, Any]]]:
    """A run to its end, and its nodes by their names without the run's own."""
    run_id = running.submit(manifest)
    run = running.wait(run_id, 240)
    nodes = {n["display_name"]: n for n in running.get(f"runs/{run_id}/nodes")["results"]}
    assert run["state"] == want, (run, {name: (n["phase"], n["message"]) for name, n in nodes.items()})
    yield run_id, nodes


def manifest(templates: str, **more: str) -> str:
    extra = "".join(f"  {line}\n" for text in more.values() for line in text.splitlines())
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: c-}\nspec:\n  entrypoint: main\n"
    return head + extra + "  templates:\n" + templates


def script(source: str, *args: str) -> str:
    """A container's command as one line of flow style."""
    quoted = source.strip().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'[python3, -c, "{quoted}", {", ".join(args)}]'


def test_a_container_set_runs_in_order_and_again_in_the_same_files(running: Stack) -> None:
    with ended(running, SET) as (run_id, nodes):
        assert {name: nodes[name]["phase"] for name in ("flaky", "main", "bad")} == dict.fromkeys(
            ("flaky", "main", "bad"), "Succeeded"
        )
        assert nodes["flaky"]["type"] == "Container"
        assert nodes["work"]["outputs"]["parameters"] == [{"name": "tries", "value": "x\nx\nx"}]
        assert nodes["work"]["outputs"]["exitCode"] == "0"
        [task] = [t for t in running.get(f"runs/{run_id}/tasks")["results"] if t["template"] == "work"]
        assert task["state"] == "succeeded"


def test_a_failed_container_fails_its_step_and_those_behind_it_do_not_run(running: Stack) -> None:
    failing = SET.replace("-ge 3 ]", "-ge 9 ]")
    with ended(running, failing, "failed") as (_, nodes):
        assert nodes["work"]["message"] == "flaky: Error (exit code 1)"
        assert (nodes["main"]["phase"], nodes["bad"]["phase"]) == ("Error", "Error")
        assert 'dependency "flaky" exited with non-zero code: 1' in nodes["main"]["message"]


def test_a_sidecar_serves_on_loopback_and_is_ended_with_main(running: Stack) -> None:
    text = manifest(
        "  - name: main\n"
        f"    container: {{image: busybox, command: {script(ASK, '127.0.0.1', '/tmp/port')}}}\n"
        "    sidecars:\n"
        f"    - {{name: server, image: busybox, command: {script(SERVE, '/tmp/port', 'sidecar')}}}\n"
    )
    with ended(running, text) as (run_id, nodes):
        [node] = nodes.values()
        assert node["outputs"]["exitCode"] == "0"
        [task] = running.get(f"runs/{run_id}/tasks")["results"]
        running.get(f"tasks/{task['id']}/logs", follow=20)  # a log's last lines may come after the step's end
        log = running.get(f"tasks/{task['id']}/logs")
        assert (log["text"], log["containers"]) == ("hello from sidecar\n", ["main", "server"])
        assert running.get(f"tasks/{task['id']}/logs", container="server")["container"] == "server"


DAEMON = manifest(
    "  - name: main\n"
    "    steps:\n"
    "    - - {name: server, template: server}\n"
    "    - - {name: ask, template: ask, arguments: {parameters: [{name: at, value: '{{steps.server.ip}}'}]}}\n"
    "    - - {name: check, template: check, arguments: {parameters: [{name: said, value: '{{steps.ask.outputs.result}}'}]}}\n"
    "  - name: server\n"
    "    daemon: true\n"
    "    container:\n"
    f"      image: busybox\n      command: {script(SERVE, '/disk/port', 'daemon')}\n"
    "      volumeMounts: [{name: work, mountPath: /disk}]\n"
    "  - name: ask\n"
    "    inputs: {parameters: [{name: at}]}\n"
    "    container:\n"
    f"      image: busybox\n      command: {script(ASK, chr(34) + '{{inputs.parameters.at}}' + chr(34), '/d/port')}\n"
    "      volumeMounts: [{name: work, mountPath: /d}]\n"
    "  - name: check\n"
    "    inputs: {parameters: [{name: said}]}\n"
    '    container: {image: busybox, command: [sh, -c, \'test "{{inputs.parameters.said}}" = "hello from daemon"\']}\n',
    claims="volumeClaimTemplates:\n- metadata: {name: work}\n  spec: {accessModes: [ReadWriteOnce], "
    "resources: {requests: {storage: 1Mi}}}",
)


def test_a_daemon_is_asked_by_a_later_step_on_its_machine_ended_and_paid_for(running: Stack) -> None:
    with ended(running, DAEMON) as (run_id, nodes):
        assert nodes["server"]["phase"] == "Succeeded"
        tasks = {t["template"]: t for t in running.get(f"runs/{run_id}/tasks")["results"]}
        assert tasks["server"]["state"] == "cancelled"
        server = last_attempt(running, run_id, tasks["server"]["id"], 120)
        assert (server["state"], server["exit_code"]) == ("cancelled", 143)
        attempts = running.get(f"runs/{run_id}/attempts")["results"]
        assert len(attempts) == 3
        assert {a["agent"] for a in attempts} == {server["agent"]}
        assert running.get(f"runs/{run_id}")["held_micros"] == 0
        assert not disks_of(running, run_id, 120)


def last_attempt(running: Stack, run_id: str, task_id: str, within_s: float) -> dict[str, Any]:
    """A task's newest attempt, once it has ended."""
    deadline = time.monotonic() + within_s
    while True:
        found = [a for a in running.get(f"runs/{run_id}/attempts")["results"] if a["task_id"] == task_id]
        newest: dict[str, Any] = max(found, key=lambda a: a["number"])
        if newest["state"] not in ("leased", "staging", "submitted", "running", "finishing"):
            return newest
        assert time.monotonic() < deadline, newest
        time.sleep(0.1)


def disks_of(running: Stack, run_id: str, within_s: float) -> list[Path]:
    """The disks of a run, waiting for them to go."""
    deadline = time.monotonic() + within_s
    while True:
        found = [p for p in running.home.glob("agents/*/disks/*.id") if p.read_text().startswith(run_id)]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def test_a_claims_disk_is_shared_by_two_steps_and_kept_for_a_retry_of_a_failed_run(running: Stack) -> None:
    text = manifest(
        "  - name: main\n"
        "    steps:\n"
        "    - - {name: write, template: write}\n"
        "    - - {name: read, template: read}\n"
        "  - name: write\n"
        "    container:\n"
        "      image: busybox\n      command: [sh, -c, 'echo from write > /mnt/file']\n"
        "      volumeMounts: [{name: work, mountPath: /mnt}]\n"
        "  - name: read\n"
        "    outputs: {parameters: [{name: text, valueFrom: {path: /other/file}}]}\n"
        "    container:\n"
        "      image: busybox\n      command: [sh, -c, 'cat /other/file; test -e /other/again || { touch /other/again; exit 3; }']\n"
        "      volumeMounts: [{name: work, mountPath: /other}]\n",
        claims="volumeClaimTemplates:\n- metadata: {name: work}\n  spec: {accessModes: [ReadWriteOnce]}",
    )
    with ended(running, text, "failed") as (run_id, _):
        assert len(disks_of(running, run_id, 0)) == 1
        running.post(f"runs/{run_id}/retry", {})
        deadline = time.monotonic() + 240
        while running.get(f"runs/{run_id}")["state"] != "succeeded":
            assert time.monotonic() < deadline, running.get(f"runs/{run_id}")
            time.sleep(0.2)
        nodes = {n["display_name"]: n for n in running.get(f"runs/{run_id}/nodes")["results"]}
        assert nodes["read"]["outputs"]["parameters"] == [{"name": "text", "value": "from write"}]
        assert not disks_of(running, run_id, 120)
