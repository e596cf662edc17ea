"""Canaries through the whole platform: set by the command line, used by steps, and afterwards nowhere to be found.

Looked into: every table, every file of the state folder (agents' folders, journals, logs and spools among them), what
REST answers about the run, what the command line prints, and the errors on the way.
"""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.canaries import files_with, holds
from tests.support.cli import Cli
from tests.support.stack import Stack

pytestmark = pytest.mark.needs("namespaces")

ENV, WHOLE, FILE = "canary-of-a-variable-77", "canary-of-a-whole-one-88", "canary-of-a-file-99\nsecond line canary 11"
CANARIES = [ENV, WHOLE, "canary-of-a-file-99", "second line canary 11"]
MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: secrets-}
spec:
  entrypoint: main
  volumes:
  - {name: creds, secret: {secretName: creds, items: [{key: file, path: deep/file}]}}
  templates:
  - name: main
    steps:
    - - {name: use, template: use}
    - - {name: after, template: after, arguments: {parameters: [{name: said, value: "{{steps.use.outputs.result}}"}]}}
  - name: use
    outputs: {parameters: [{name: leak, valueFrom: {path: /tmp/leak}}]}
    script:
      image: busybox
      command: [sh, -e]
      env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: creds, key: token}}}]
      envFrom: [{secretRef: {name: whole}, prefix: W_}]
      volumeMounts: [{name: creds, mountPath: /etc/creds}]
      source: |
        test ${#TOKEN} -eq 23; test ${#W_VALUE} -eq 24; test $(wc -l < /etc/creds/deep/file) -eq 1
        echo "token $TOKEN"; echo "whole $W_VALUE" >&2; cat /etc/creds/deep/file; echo
        echo "$TOKEN" | base64; echo $TOKEN $W_VALUE > /tmp/leak
        if touch /etc/creds/deep/new 2>/dev/null; then exit 9; fi
  - name: after
    inputs: {parameters: [{name: said}]}
    container: {image: busybox, command: [sh, -c], args: ["echo got '{{inputs.parameters.said}}'"]}
"""


def test_no_canary_is_left_anywhere_and_the_step_had_them_all(running: Stack, fubini: Cli, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(MANIFEST)
    refused = fubini("run", "submit", str(manifest))
    assert refused.code != 0
    assert "no secret 'creds'" in refused.out + refused.err
    assert "volumes[0].secret.secretName" in refused.out + refused.err
    (tmp_path / "file").write_text(FILE)
    said = [
        fubini.ok("secret", "set", "creds", "token", stdin=ENV + "\n"),
        fubini.ok("secret", "set", "whole", "VALUE", stdin=WHOLE),
        fubini.ok("secret", "set", "creds", "file", "--from-file", str(tmp_path / "file")),
        fubini.ok("secret", "list"),
        fubini.ok("secret", "list", "--json"),
    ]
    run_id = running.submit(MANIFEST)
    run = running.wait(run_id, 240)
    assert run["state"] == "succeeded", run
    nodes = running.get(f"runs/{run_id}/nodes")["results"]
    [used] = [n for n in nodes if n["template_name"] == "use"]
    assert used["outputs"]["result"].splitlines()[:1] == ["token ***"]
    assert used["outputs"]["parameters"] == [{"name": "leak", "value": "*** ***"}]
    said += [
        fubini.ok("run", "get", run_id, "--json"),
        fubini.ok("run", "logs", run_id, timeout_s=240),
        fubini.ok("admin", "audit", "--json"),
    ]
    assert "token " + "*" * len(ENV) in said[-2].out
    answers = [
        running.get(path) for path in (f"runs/{run_id}", f"runs/{run_id}/nodes", f"runs/{run_id}/tasks", "audit")
    ]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and any(list(p.iterdir()) for p in running.home.glob("agents/*/attempts")):
        time.sleep(0.2)
    for canary in CANARIES:
        assert not [a for a in answers if holds(json.dumps(a).encode(), canary)]
        assert not [s for s in said if holds((s.out + s.err).encode(), canary)]
        assert files_with(running.home, canary) == []
    with sqlite3.connect(f"file:{running.home / 'db.sqlite3'}?mode=ro", uri=True) as database:
        dump = "\n".join(database.iterdump()).encode()
    assert not [canary for canary in CANARIES if holds(dump, canary)]
    delivered = [e for e in running.get("audit")["results"] if e["action"] == "secret.deliver"]
    assert delivered[0]["data"]["secrets"] == ["creds", "whole"]
    assert (running.home / "secrets.keys").stat().st_mode & 0o777 == 0o600
