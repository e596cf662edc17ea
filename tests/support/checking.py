"""An engine that only checks manifests, honouring every field: for tests of what stands before any engine runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from fubini.manifests.annotations import Claims
from fubini.manifests.check import check_manifest
from fubini.manifests.findings import Report
from fubini.manifests.graphs import MAX_ITEMS
from fubini.manifests.import_rules import NO_RULES, ImportRules
from fubini.manifests.supported import SupportedFields
from fubini.runs.registry import engine_of

EVERYTHING = SupportedFields(["**"])

HELLO = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: hello-
  labels: {team: blue}
spec:
  entrypoint: main
  arguments:
    parameters:
      - {name: who, value: world}
  templates:
    - name: main
      container:
        image: busybox
        command: [echo, "hello {{workflow.parameters.who}}"]
"""

TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: tools}
spec:
  templates:
    - name: say
      container: {image: busybox, command: [echo, hi]}
"""


class CheckOnly:
    """See `runs.registry.EngineShell`; it cannot run anything."""

    def check(
        self,
        text: str | bytes,
        *,
        library: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, str] | None,
        values_later: bool = False,
        rules: ImportRules = NO_RULES,
        secrets: Mapping[str, frozenset[str]] | None = None,
        claims: Claims | None = None,
        max_items: int = MAX_ITEMS,
    ) -> Report:
        return check_manifest(
            text,
            supported=EVERYTHING,
            library=library,
            parameters=parameters,
            values_later=values_later,
            rules=rules,
            secrets=secrets,
            claims=claims,
            max_items=max_items,
        )


@pytest.fixture
def check_only_engine(settings: Any) -> Iterator[None]:
    settings.FUBINI = {**settings.FUBINI, "ENGINES": {"embedded": "tests.support.checking.CheckOnly"}}
    engine_of.cache_clear()
    yield
    engine_of.cache_clear()
