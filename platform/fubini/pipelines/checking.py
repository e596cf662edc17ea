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
from fubini.manifests.findings import DeclaredParameter, Finding, Report

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
) -> Report:
    """All findings at once. Without `parameters`, values its runs will give need not be there."""
    shell = _shell(option_group("ENGINES")[engine])
    report: Report = shell.check(text, library=library, parameters=parameters, values_later=parameters is None)
    return report


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding as an item of problem+json's `errors`."""
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "code": finding.code,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "detail": finding.message,
        "found": finding.found,
        "allowed": finding.allowed,
        "nearest": finding.nearest,
        "next_step": finding.help,
    }


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


def report_require(report: Report) -> dict[str, Any]:
    """The document of a report without errors.

    Raises:
        ManifestInvalid: with every error.
    """
    stopping = [f for f in report.findings if f.severity == "error"]
    if stopping or report.document is None:
        raise ManifestInvalid(
            f"{len(stopping)} thing{'s' if len(stopping) != 1 else ''} in the manifest must be changed; the first: "
            + (stopping[0].message if stopping else "it is empty"),
            errors=[finding_json(f) for f in stopping],
            next_step="Change the named lines; `fubini lint FILE` shows the same list.",
        )
    return report.document
