"""What manifests bring along from outside, on a whole platform: fetched by its worker, read by real steps."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.canaries import files_with
from tests.support.cli import cli_on
from tests.support.stack import stack
from tests.support.web import Asked, Reply, web
from tests.unit.fubini.remote.test_git import ENV

pytestmark = pytest.mark.needs("namespaces")
CANARY = "canary-of-the-far-side"

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: remote-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - name: read
        template: read
        arguments:
          artifacts:
          - {name: table, http: {url: "WEB/table.csv?token=CANARY"}}
          - {name: code, git: {repo: "GIT/repo.git", revision: v1}}
      - {name: ask, template: ask}
      - {name: list, template: list}
    - - name: tell
        template: tell
        arguments: {parameters: [{name: said, value: "{{steps.ask.outputs.result}} {{steps.list.outputs.result}}"}]}
      - name: each
        template: each
        withParam: "{{steps.list.outputs.result}}"
        arguments: {artifacts: [{name: one, s3: {key: "{{item}}"}}]}
  - name: read
    inputs: {artifacts: [{name: table, path: /in/table.csv}, {name: code, path: /in/code}]}
    script: {image: busybox, command: [sh, -e], source: "cat /in/table.csv /in/code/answer.txt; sh /in/code/run.sh"}
  - name: ask
    http:
      url: WEB/ask
      method: POST
      body: question
      headers: [{name: Authorization, valueFrom: {secretKeyRef: {name: api, key: token}}}]
      successCondition: response.statusCode == 202
  - name: list
    data:
      source: {artifactPaths: {name: files, s3: {key: "dataset/kept@1"}}}
      transformation: [{expression: "filter(data, {# endsWith '.txt'})"}]
  - name: tell
    inputs: {parameters: [{name: said}]}
    script: {image: busybox, command: [sh], source: "echo '{{inputs.parameters.said}}'"}
  - name: each
    inputs: {artifacts: [{name: one, path: /in/one}]}
    script: {image: busybox, command: [sh], source: "cat /in/one"}
"""
REFUSED = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: refused-}
spec:
  entrypoint: main
  templates:
  - name: main
    inputs: {artifacts: [{name: far, path: /in, http: {url: "http://169.254.169.254/latest/meta-data"}}]}
    container: {image: busybox, command: ["true"]}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    work, served = tmp_path / "work", tmp_path / "served"
    work.mkdir()
    served.mkdir()
    (work / "answer.txt").write_text("from git\n")
    (work / "run.sh").write_text("echo ran\n")
    for args in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"], ["tag", "v1"]):
        subprocess.run(["git", *args], cwd=work, env=ENV, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(served / "repo.git")], env=ENV, check=True)
    subprocess.run(["git", "update-server-info"], cwd=served / "repo.git", env=ENV, check=True)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(served)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_artifacts_requests_and_listings_from_submit_to_the_last_step(repository: str, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/table.csv"):
            return Reply(b"a,b\n1,2\n", headers={"ETag": '"one"'})
        return Reply(f"answer to {asked.body.decode()} by {asked.headers.get('authorization')}".encode(), status=202)

    with (
        web(answer) as served,
        stack(FUBINI_REMOTE_ALLOW=f"{served.allow},{repository.removeprefix('http://')}") as running,
    ):
        fubini = cli_on(running.home)
        kept = tmp_path / "kept"
        kept.mkdir()
        (kept / "x.txt").write_text("x of the dataset\n")
        (kept / "y.bin").write_text("y\n")
        fubini.ok("data", "import", str(kept), "--name", "kept")
        fubini.ok("secret", "set", "api", "token", stdin=CANARY)
        text = MANIFEST.replace("WEB", served.url).replace("GIT", repository).replace("CANARY", "query-canary")
        run = running.wait(run_id := running.submit(text), 240)
        assert run["state"] == "succeeded", run
        nodes = {n["template_name"]: n for n in running.get(f"runs/{run_id}/nodes")["results"]}
        assert nodes["ask"]["type"] == "HTTP"
        assert nodes["ask"]["outputs"]["result"] == "answer to question by ***"
        assert json.loads(nodes["list"]["outputs"]["result"]) == ["dataset/kept@1/x.txt"]
        logs = fubini.ok("run", "logs", run_id).out
        for line in ("1,2", "from git", "ran", "answer to question by ***", "x of the dataset"):
            assert line in logs, logs
        artifacts = {a["name"]: a for a in running.get(f"runs/{run_id}/artifacts")["results"]}
        assert artifacts["table"]["provenance"]["revision"] == {"etag": '"one"'}
        assert len(artifacts["code"]["provenance"]["revision"]["commit"]) == 40
        assert [a.path.partition("?")[0] for a in served.asked].count("/table.csv") == 1
        refused = running.wait(refused_id := running.submit(REFUSED), 240)
        assert refused["state"] == "error"
        [node] = running.get(f"runs/{refused_id}/nodes")["results"]
        assert node["message"].startswith("init: Error (exit code 64): artifact far failed to load: 169.254.169.254")
        assert files_with(running.home, CANARY) == []
        # The URL with its query is the manifest's own text; it must not be in any log.
        assert files_with(running.home / "log", "query-canary") == []


def test_a_worker_killed_in_the_middle_of_a_fetch_costs_time_and_nothing_else() -> None:
    gate = threading.Event()

    def slow(write: Any) -> None:
        write(b"first half, ")
        gate.wait(240)
        write(b"second half")

    with (
        web(lambda asked: Reply(headers={"Content-Length": "23"}, stream=slow)) as served,
        stack(FUBINI_REMOTE_ALLOW=served.allow) as running,
    ):
        text = REFUSED.replace("http://169.254.169.254/latest/meta-data", served.url)
        text = text.replace('command: ["true"]', "command: [cat, /in]")
        run_id = running.submit(text)
        deadline = time.monotonic() + 120
        while not served.asked and time.monotonic() < deadline:
            time.sleep(0.1)
        why = running.get(f"runs/{run_id}/why")
        assert "waits for the artifact 'far'" in json.dumps(why)
        [worker] = running.kinds()["worker"]
        os.kill(worker, signal.SIGKILL)
        gate.set()
        assert running.wait(run_id, 240)["state"] == "succeeded"
        assert "first half, second half" in cli_on(running.home).ok("run", "logs", run_id).out
        assert len(served.asked) == 2
