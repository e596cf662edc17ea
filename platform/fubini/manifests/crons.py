"""CronWorkflows: the check of what belongs to the schedule, and the Workflow its runs have.

The schedule's own fields are judged here; `workflow_of` gives the manifest one tick submits, and `as_workflow` the same as a
source whose findings point into the CronWorkflow's text. When something is due is decided elsewhere (`crons.due`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fubini.common.saying import say
from fubini.language import expr, schedules, tags
from fubini.language.errors import LanguageError
from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.findings import show
from fubini.manifests.load import Path

MAX_NAME_CHARS = 52  # a run's name is the schedule's with the tick's unix time behind it, and has to stay within 63
ARGO_MARKS = "workflows.argoproj.io/"
CRON_LABEL = "workflows.argoproj.io/cron-workflow"
SCHEDULED_AT = "workflows.argoproj.io/scheduled-time"


def check_cron(source: Source) -> None:
    """Judge the fields of the schedule; wrong types are the structural check's to report."""
    spec = mapping(source.document.get("spec"))
    name = source.name
    if len(name) > MAX_NAME_CHARS:
        source.error(
            "name-too-long", ("metadata", "name"), "A CronWorkflow's name is too long for its runs' names.",
            found=f"{len(name)} characters", allowed=say(
                "at most {max_name_chars}",
                max_name_chars=MAX_NAME_CHARS,
            ), help_text="Shorten it.",
        )  # fmt: skip
    if not name:
        source.error(
            "no-name", ("metadata", "name"), "A CronWorkflow has a name.", found="nothing",
            allowed="lower-case letters, digits and '-'", help_text="Add 'name:' under metadata.",
        )  # fmt: skip
    for index, line in enumerate(listing(spec.get("schedules"))):
        if isinstance(line, str):
            _read(source, ("spec", "schedules", index), line, schedules.parse, "five cron fields, @daily, @every 10m")
    if text(spec.get("timezone")):
        _read(source, ("spec", "timezone"), spec["timezone"], schedules.zone, "a name such as Europe/Berlin")
    if text(spec.get("when")):
        _read(source, ("spec", "when"), spec["when"], tags.parse, "a condition")
    stop = text(mapping(spec.get("stopStrategy")).get("expression"))
    if stop:
        _read(source, ("spec", "stopStrategy", "expression"), stop, expr.parse, "an expression")


def _read(source: Source, path: Path, value: str, parse: Any, allowed: str) -> None:
    try:
        parse(value)
    except LanguageError as error:
        source.error(
            "schedule", path, say("{message}.", message=error.message), found=show(value), allowed=allowed,
            help_text="Write it as the documentation of CronWorkflow shows.",
        )  # fmt: skip


def workflow_of(document: Mapping[str, Any], *, name: str = "", scheduled_at: str = "") -> dict[str, Any]:
    """The Workflow a tick submits: the schedule's `workflowSpec` under its own metadata, labelled as Argo labels it.

    Args:
        name: of the run; without one it is generated from the schedule's.
        scheduled_at: the tick's time, RFC 3339.
    """
    metadata = mapping(document.get("metadata"))
    spec = mapping(document.get("spec"))
    extra = mapping(spec.get("workflowMetadata"))
    own = str(metadata.get("name") or "cron")
    labels = {CRON_LABEL: own, **mapping(extra.get("labels"))}
    annotations = {**({SCHEDULED_AT: scheduled_at} if scheduled_at else {}), **mapping(extra.get("annotations"))}
    made: dict[str, Any] = {"name": name} if name else {"generateName": f"{own}-"}
    made["labels"] = labels
    if annotations:
        made["annotations"] = annotations
    return {
        "apiVersion": document.get("apiVersion"), "kind": "Workflow", "metadata": made,
        "spec": mapping(spec.get("workflowSpec")),
    }  # fmt: skip


class CronSource(Source):
    """The runs' Workflow as a source: ``spec`` of a path means ``spec.workflowSpec`` in the CronWorkflow's text."""

    def placed(self, path: Path) -> Path:
        if path[:1] == ("spec",):
            return ("spec", "workflowSpec", *path[1:])
        return ("spec", "workflowMetadata", *path[1:]) if path[:1] == ("metadata",) else path


def as_workflow(source: Source) -> Source:
    """The manifest the schedule's runs have, for the checks every Workflow passes."""
    return CronSource(workflow_of(source.document), source.positions, source.prefix, source.collector)


def cron_of(
    document: Mapping[str, Any],
    *,
    name: str,
    schedules: Sequence[str],
    timezone: str,
    policy: str,
    parameters: Mapping[str, str],
) -> dict[str, Any]:
    """The CronWorkflow that runs what `document` describes by the clock.

    A Workflow's own spec, or a reference to a stored template, so that its newest version runs each time. Labels and
    annotations of the manifest go to the runs, but for those that Argo writes itself.
    """
    metadata = mapping(document.get("metadata"))
    kind = document.get("kind")
    if kind == "Workflow":
        spec = dict(mapping(document.get("spec")))
    else:
        ref = {"name": metadata.get("name"), **({"clusterScope": True} if kind == "ClusterWorkflowTemplate" else {})}
        spec = {"workflowTemplateRef": ref}
    if parameters:
        arguments = dict(mapping(spec.get("arguments")))
        given = [dict(mapping(one)) for one in listing(arguments.get("parameters"))]
        known = {str(one.get("name")) for one in given}
        for one in given:
            if one.get("name") in parameters:
                one.pop("valueFrom", None)
                one["value"] = parameters[str(one["name"])]
        given += [{"name": key, "value": value} for key, value in parameters.items() if key not in known]
        spec["arguments"] = {**arguments, "parameters": given}
    extra = {
        field: kept
        for field in ("labels", "annotations")
        if (kept := {k: v for k, v in mapping(metadata.get(field)).items() if not str(k).startswith(ARGO_MARKS)})
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": name},
        "spec": {
            "schedules": list(schedules), **({"timezone": timezone} if timezone else {}), "concurrencyPolicy": policy,
            **({"workflowMetadata": extra} if extra else {}), "workflowSpec": spec,
        },
    }  # fmt: skip
