"""What a template may declare as outputs: each with one source, of the sort its kind of template has."""

from __future__ import annotations

from typing import Any

from fubini.common.saying import say
from fubini.manifests.arguments import NAME_CHARS, check_names
from fubini.manifests.context import listing, mapping, text
from fubini.manifests.findings import Severity, show
from fubini.manifests.library import Template
from fubini.manifests.load import Path

_SOURCES = ("path", "jqFilter", "jsonPath", "parameter", "expression")
_WANTED: dict[str, tuple[str, ...]] = {
    "container": ("path",),
    "containerSet": ("path",),
    "script": ("path",),
    "resource": ("jqFilter", "jsonPath"),
    "dag": ("parameter", "expression"),
    "steps": ("parameter", "expression"),
}


def check_outputs(template: Template, severity: Severity) -> None:
    source, path = template.base.source, (*template.path, "outputs")
    outputs = mapping(template.body.get("outputs"))
    check_names(source, (*path, "parameters"), outputs.get("parameters"), "parameter", severity=severity)
    check_names(source, (*path, "artifacts"), outputs.get("artifacts"), "artifact", severity=severity)
    for index, artifact in enumerate(listing(outputs.get("artifacts"))):
        if isinstance(artifact, dict):
            _artifact(template, (*path, "artifacts", index), artifact, severity)
    for index, parameter in enumerate(listing(outputs.get("parameters"))):
        if isinstance(parameter, dict):
            _parameter(template, (*path, "parameters", index), parameter, severity)
        if source.collector.full:
            return


def _artifact(template: Template, at: Path, artifact: dict[str, Any], severity: Severity) -> None:
    source, name = template.base.source, show(artifact.get("name"))
    if template.leaf and not text(artifact.get("path")):
        source.add(
            severity, "artifact-path", at, say("The output artifact {name!r} has no path.", name=name), found="no path",
            allowed="the path of the file or directory in the container", help_text=say(
                "Add 'path: /tmp/{name}'.",
                name=name,
            ),
        )  # fmt: skip
    elif not template.leaf and text(artifact.get("path")):
        source.add(
            severity, "artifact-path", (*at, "path"), say("A {type} template has no paths.", type=template.type),
            found=show(artifact.get("path")), allowed="from or fromExpression",
            help_text="Write from: '{{steps.NAME.outputs.artifacts.X}}' (tasks. in a dag).",
        )  # fmt: skip
    _global_name(template, at, artifact, severity)


def _global_name(template: Template, at: Path, item: dict[str, Any], severity: Severity) -> None:
    name = text(item.get("globalName"))
    if name and "{{" not in name and not NAME_CHARS.issuperset(name):
        template.base.source.add(
            severity, "name-pattern", (*at, "globalName"), "The global name has characters that are not allowed.",
            found=show(name), allowed="letters, digits, '-' and '_'", help_text="Rename it.",
        )  # fmt: skip


def _parameter(template: Template, at: Path, parameter: dict[str, Any], severity: Severity) -> None:
    source, name = template.base.source, show(parameter.get("name"))
    value, origin = parameter.get("value"), parameter.get("valueFrom")
    wanted = _WANTED.get(template.type, _SOURCES)
    if value is not None and origin is not None:
        source.add(
            severity, "value-twice", (*at, "valueFrom"), say(
                "The output {name!r} has both value and valueFrom.",
                name=name,
            ),
            found="both", allowed="one of them", help_text="Delete one.",
        )  # fmt: skip
    elif value is None and origin is None:
        source.add(
            severity, "no-source", at, say(
                "The output {name!r} has neither value nor valueFrom.",
                name=name,
            ), found="nothing",
            allowed=say("valueFrom with {names}", names=' or '.join(wanted)), help_text=_how(wanted),
        )  # fmt: skip
    if isinstance(origin, dict):
        given = [s for s in _SOURCES if text(origin.get(s))]
        if origin.get("supplied") is not None:
            given.append("supplied")
        if len(given) > 1:
            source.add(
                severity, "several-sources", (*at, "valueFrom"), say(
                    "The output {name!r} has several sources.",
                    name=name,
                ),
                found=", ".join(given), allowed="one of " + ", ".join((*_SOURCES, "supplied")),
                help_text="Delete all but one.",
            )  # fmt: skip
        elif not given or (template.type in _WANTED and given[0] not in wanted):
            source.add(
                severity, "wrong-source", (*at, "valueFrom"),
                say("The output {name!r} of a {type} template needs another source.", name=name, type=template.type),
                found=", ".join(given or [show(k) for k in origin]) or "an empty valueFrom",
                allowed=say("valueFrom.{names}", names=' or valueFrom.'.join(wanted)), help_text=_how(wanted),
            )  # fmt: skip
    _global_name(template, at, parameter, severity)


def _how(wanted: tuple[str, ...]) -> str:
    if wanted[0] == "path":
        return "Write the value to a file in the step, and add 'valueFrom: {path: /tmp/FILE}'."
    if wanted[0] == "parameter":
        return "Add valueFrom.parameter: '{{steps.NAME.outputs.parameters.X}}' (tasks. in a dag)."
    return f"Add valueFrom.{wanted[0]}."
