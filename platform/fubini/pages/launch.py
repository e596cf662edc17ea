"""The launch page: what there is to launch, and what the form as it is filled in would do.

Decides what a form is told at once: a manifest with faults its findings and no quote; one without, its quote, which has
every objective's choice. Faults of the values alone are kept apart from those of the text, for a form says them itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from fubini.dispatch.quotes import QuoteView, Submission, report_quote, submit_report
from fubini.manifests.findings import entry_told, finding_json, finding_told
from fubini.manifests.sketch import Sketch, sketch_of
from fubini.pipelines.checking import ManifestInvalid, parameter_json, report_require
from fubini.pipelines.models import Pipeline
from fubini.pipelines.selectors import pipelines_of
from fubini.projects.models import Project
from fubini.runs.models import Run, RunManifest
from fubini.runs.selectors import run_get


@dataclass(frozen=True, slots=True)
class LaunchCheck:
    """`findings` are of the text, `value_errors` of the values given; without errors in either there is a `quote`."""

    kind: str
    name: str
    findings: list[dict[str, Any]]
    truncated: bool
    value_errors: list[dict[str, Any]]
    parameters: list[dict[str, Any]]
    sketch: Sketch
    quote: QuoteView | None


@dataclass(frozen=True, slots=True)
class Again:
    """What a run was launched with; `pipeline` None: with a manifest of its own."""

    run: Run
    manifest: str
    pipeline: str | None


def launch_check(asked: Submission) -> LaunchCheck:
    """A form's manifest and values, checked and quoted as a submit of them would be; nothing is kept.

    Raises:
        Invalid: `reuse` names no run of the project.
    """
    report = whole = submit_report(asked)
    quote: QuoteView | None = None
    value_errors: list[dict[str, Any]] = []
    try:
        report_require(whole)
    except ManifestInvalid as error:
        report = submit_report(asked, values_later=True)
        of_the_text = [finding_json(f) for f in report.findings]
        declared = _declared(report.document)
        value_errors = [
            {**entry_told(entry), "parameter": _parameter_at(str(entry["path"]), declared)}
            for entry in error.errors
            if entry not in of_the_text
        ]
    else:
        quote = report_quote(whole, asked)
    document = report.document if isinstance(report.document, dict) else {}
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return LaunchCheck(
        kind=str(document.get("kind") or "")[:80],
        name=str(metadata.get("name") or metadata.get("generateName") or "")[:253],
        findings=[finding_told(f) for f in report.findings],
        truncated=report.truncated,
        value_errors=value_errors,
        parameters=[parameter_json(p) for p in report.parameters],
        sketch=sketch_of(document),
        quote=quote,
    )


def pipeline_asked(project: Project, ref: str) -> Pipeline | None:
    """The project's pipeline of this name or id."""
    rows = pipelines_of([project.pk])
    return rows.filter(name=ref).first() or rows.filter(pk=ref).first()


def run_asked(project: Project, ref: str) -> Again | None:
    """The project's run of this id or job number, as it was launched."""
    run = run_get([project.pk], ref)
    if run is None:
        return None
    text = RunManifest.objects.filter(run=run).values_list("text", flat=True).first()
    version = run.pipeline_version
    return Again(run, text or "", version.pipeline.name if version is not None else None)


_AT_ARGUMENT: Final = re.compile(r"spec\.(?:workflowSpec\.)?arguments\.parameters\[(\d{1,6})\](?:\..*)?")


def _declared(document: Any) -> list[str]:
    """Names of the manifest's own parameters as they stand in it."""
    spec = document.get("spec") if isinstance(document, dict) else None
    spec = spec.get("workflowSpec", spec) if isinstance(spec, dict) else None
    arguments = spec.get("arguments") if isinstance(spec, dict) else None
    found = arguments.get("parameters") if isinstance(arguments, dict) else None
    return [str(one.get("name", "")) if isinstance(one, dict) else "" for one in found] if isinstance(found, list) else []


def _parameter_at(path: str, declared: list[str]) -> str:
    """Whose value a finding is about; "" where it is about none of the manifest's own parameters."""
    found = _AT_ARGUMENT.fullmatch(path)
    return declared[int(found[1])] if found and int(found[1]) < len(declared) else ""
