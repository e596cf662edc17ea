"""A manifest's check by the engine that will run it, and its findings in the form every door shows.

Engines sit in a layer above; they are found by the settings' table, so nothing here imports one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from django.utils.module_loading import import_string

from fubini.common.errors import Invalid
from fubini.common.options import option_group
from fubini.common.saying import ours, say
from fubini.datasets.selectors import claims_known
from fubini.manifests.findings import DeclaredParameter, Finding, Report, finding_json
from fubini.manifests.graphs import MAX_ITEMS
from fubini.manifests.import_rules import rules_from
from fubini.secrets.selectors import secrets_known

DEFAULT_ENGINE = "embedded"


class ManifestInvalid(Invalid):
    """A manifest with findings that stop it; `errors` lists all of them with path, line and column."""

    code: ClassVar[str] = "manifest_invalid"
    title: ClassVar[str] = "The manifest cannot be run"


@cache
def _shell(path: str) -> Any:
    return import_string(path)()


def manifest_report(
    text: str,
    *,
    library: Sequence[Mapping[str, Any]] = (),
    parameters: Mapping[str, str] | None = None,
    engine: str = DEFAULT_ENGINE,
    import_rules: Mapping[str, Any] | None = None,
    project_id: str | None = None,
    max_items: int = MAX_ITEMS,
) -> Report:
    """All findings at once. `import_rules` are a project's, as it stores them. Without `parameters`, values its runs
    will give need not be there; with `project_id`, the secrets and datasets it names must be that project's; `max_items`
    is the project's longest loop."""
    shell = _shell(option_group("ENGINES")[engine])
    report: Report = shell.check(
        text,
        library=library,
        parameters=parameters,
        values_later=parameters is None,
        rules=rules_from(import_rules),
        secrets=secrets_known(project_id) if project_id is not None else None,
        claims=(lambda names: claims_known(project_id, names)) if project_id is not None else None,
        max_items=max_items,
    )
    return report


def parameter_json(parameter: DeclaredParameter) -> dict[str, Any]:
    """A declared parameter, for forms and the CLI."""
    return {
        "name": parameter.name,
        "value": parameter.value,
        "default": parameter.default,
        "enum": list(parameter.enum),
        "description": parameter.description,
        "required": parameter.required,
        "form": dict(parameter.form),
    }


def report_require(report: Report, *, cron: bool = False) -> dict[str, Any]:
    """The document of a report without errors.

    Args:
        cron: a CronWorkflow is wanted; otherwise it is anything else.

    Raises:
        ManifestInvalid: with every error.
    """
    stopping = [f for f in report.findings if f.severity == "error"]
    kind = str((report.document or {}).get("kind"))
    if not stopping and report.document is not None and (kind == "CronWorkflow") is not cron:
        stopping = [_wrong_kind(kind, cron)]
    if stopping or report.document is None:
        raise ManifestInvalid(
            say(
                "{count} things in the manifest must be changed; the first: {first}"
                if len(stopping) > 1
                else "One thing in the manifest must be changed: {first}",
                count=len(stopping),
                first=ours(stopping[0].message if stopping else "it is empty"),
            ),
            errors=[finding_json(f) for f in stopping],
            next_step="Change the named lines; `fubini lint FILE` shows the same list.",
        )
    return report.document


def _wrong_kind(kind: str, cron: bool) -> Finding:
    return Finding(
        "error", "kind", "kind", 1, 1,
        "Only a CronWorkflow has a schedule." if cron else "A CronWorkflow is kept as a schedule, not run once.",
        kind, "CronWorkflow" if cron else "Workflow, WorkflowTemplate, ClusterWorkflowTemplate", "",
        "Submit it as a run, or save it as a pipeline." if cron else "Save it with `fubini cron create FILE`.",
    )  # fmt: skip
