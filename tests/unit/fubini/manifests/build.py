"""Small manifests for tests, as text."""

from __future__ import annotations

import textwrap
from typing import Any

from fubini.manifests.check import check_manifest
from fubini.manifests.findings import Report
from fubini.manifests.supported import SupportedFields

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: demo}\n"
LEAF = "    - name: leaf\n      container: {image: a}\n"
TAKE = "    - name: take\n      inputs: {parameters: [{name: x}]}\n      container: {image: a}\n"


def workflow(templates: str, spec: str = "entrypoint: main\n") -> str:
    """A Workflow with these templates (written from column 0) and two more: `leaf`, and `take` with the input x."""
    return (
        HEAD
        + "spec:\n"
        + textwrap.indent(textwrap.dedent(spec), "  ")
        + "  templates:\n"
        + textwrap.indent(textwrap.dedent(templates), "    ")
        + LEAF
        + TAKE
    )


def steps(*groups: str) -> str:
    """A Workflow whose entrypoint has these groups; each is the inside of a flow list of steps."""
    return workflow("- name: main\n  steps:\n" + "".join(f"    - [{group}]\n" for group in groups))


def dag(*tasks: str) -> str:
    return workflow("- name: main\n  dag:\n    tasks:\n" + "".join(f"      - {{{task}}}\n" for task in tasks))


def check(text: str | bytes, **more: Any) -> Report:
    return check_manifest(text, supported=more.pop("supported", SupportedFields.everything()), **more)


def errors(text: str | bytes, **more: Any) -> list[tuple[str, str]]:
    """(code, path) of every error, in order."""
    return [(f.code, f.path) for f in check(text, **more).errors]


def warnings(text: str | bytes, **more: Any) -> list[tuple[str, str]]:
    return [(f.code, f.path) for f in check(text, **more).warnings]
