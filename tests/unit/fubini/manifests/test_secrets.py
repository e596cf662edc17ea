"""Every form in which a manifest names a secret is found, and said at submit when the project lacks it."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest

KNOWN = {"db": frozenset({"user", "password"}), "certs": frozenset({"ca.pem"})}
HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  templates:
    - name: main
      container:
        image: busybox
        command: ["true"]
"""


def errors(rest: str, known: Any = KNOWN) -> list[tuple[str, str, int, str]]:
    report = check_manifest(HEAD + rest, supported=SUPPORTED, parameters={}, secrets=known)
    return [(f.code, f.path, f.line, f.nearest) for f in report.errors]


ENV = "        env: [{{name: A, valueFrom: {{secretKeyRef: {{{0}}}}}}}]\n"


def test_what_the_project_has_is_fine() -> None:
    assert errors(ENV.format("name: db, key: user")) == []
    assert errors("        envFrom: [{secretRef: {name: db}, prefix: DB_}]\n") == []
    volume = "  volumes: [{name: v, secret: {secretName: certs, items: [{key: ca.pem, path: x, mode: 256}]}}]\n"
    assert errors("        volumeMounts: [{name: v, mountPath: /etc/v}]\n" + volume) == []


MOUNT = "        volumeMounts: [{name: v, mountPath: /v}]\n  volumes: [{name: v, secret: {%s}}]\n"
ITEM = "spec.volumes[0].secret.secretName"
AT = "spec.templates[0].container"


@pytest.mark.parametrize(
    ("rest", "want"),
    [
        (ENV.format("name: dbs, key: user"), (f"{AT}.env[0].valueFrom.secretKeyRef.name", 11, "db")),
        (ENV.format("name: db, key: pasword"), (f"{AT}.env[0].valueFrom.secretKeyRef.key", 11, "password")),
        ("        envFrom: [{secretRef: {name: nix}}]\n", (f"{AT}.envFrom[0].secretRef.name", 11, "")),
        (MOUNT % "secretName: cert", (ITEM, 12, "certs")),
        (MOUNT % "secretName: certs, items: [{key: nope, path: x}]", (ITEM, 12, "")),
    ],
    ids=["a name with a slip", "a key with a slip", "a whole secret", "a volume", "an item of a volume"],
)
def test_what_it_lacks_is_said_with_its_place(rest: str, want: tuple[str, int, str]) -> None:
    assert errors(rest) == [("no-such-secret", *want)]


def test_optional_ones_and_names_known_only_later_are_left_to_the_start() -> None:
    assert errors(ENV.format("name: nix, key: k, optional: true")) == []
    assert errors("        envFrom: [{secretRef: {name: nix, optional: true}}]\n") == []
    assert errors(ENV.format('name: "{{workflow.name}}", key: k')) == []
    volume = "  volumes: [{name: v, secret: {secretName: nix, optional: true}}]\n"
    assert errors("        volumeMounts: [{name: v, mountPath: /v}]\n" + volume) == []


def test_without_a_project_nothing_is_said() -> None:
    assert errors(ENV.format("name: nix, key: k"), known=None) == []
