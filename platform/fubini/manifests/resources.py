"""`resource` templates for an engine whose objects are runs: only a Workflow can be made or read, any other is refused.

A manifest with variables is read with a word in their place; a kind that is itself a variable is judged when the step opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fubini.common.saying import say
from fubini.language import conditions, jsonpath
from fubini.language.errors import LanguageError
from fubini.manifests.context import Source, mapping
from fubini.manifests.findings import show
from fubini.manifests.load import Path, load

ACTIONS = ("create", "get")
KIND = "Workflow"
GROUP = "argoproj.io/"
READ_MAX = 64 * 1024  # characters of one object that are read here; what is beyond is judged when the step opens
_VARIABLE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_WORD = "variable"


def check_resources(source: Source, templates: Any, at: Path) -> None:
    """Refuse, each by its path, what a resource template asks that is no run."""
    for path, template in _with_resource(templates, at):
        resource = template["resource"]
        action = resource.get("action")
        if isinstance(action, str) and action not in ACTIONS and "{{" not in action:
            source.error(
                "unsupported", (*path, "resource", "action"), "This engine makes and reads runs, nothing else.",
                found=show(action), allowed=", ".join(ACTIONS), kind="unsupported",
                help_text="Use create to start a child run, get to read one.",
            )  # fmt: skip
        _manifest(source, (*path, "resource", "manifest"), resource.get("manifest"))
        for name in ("successCondition", "failureCondition"):
            _reads(source, (*path, "resource", name), resource.get(name), conditions.parse)
        for n, parameter in enumerate(mapping(template.get("outputs")).get("parameters") or ()):
            wanted = mapping(mapping(parameter).get("valueFrom")).get("jsonPath")
            place = (*path, "outputs", "parameters", n, "valueFrom", "jsonPath")
            _reads(source, place, wanted, jsonpath.parse)


def _with_resource(value: Any, at: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Templates with a resource, inline ones too."""
    stack: list[tuple[Path, Any]] = [(at, value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, list):
            stack += [((*path, n), inner) for n, inner in enumerate(item)][::-1]
        elif isinstance(item, dict):
            if isinstance(item.get("resource"), dict):
                yield path, item
            below = [(key, item[key]) for key in ("steps", "inline") if isinstance(item.get(key), (list, dict))]
            tasks = mapping(item.get("dag")).get("tasks")
            stack += [((*path, key), inner) for key, inner in below]
            if isinstance(tasks, list):
                stack.append(((*path, "dag", "tasks"), tasks))


def _manifest(source: Source, path: Path, text: Any) -> None:
    if not isinstance(text, str) or len(text) > READ_MAX:
        return
    document = load(_VARIABLE.sub(_WORD, text)).document
    if not isinstance(document, dict):
        return  # no YAML: the general check says so
    found = mapping(document)
    kind, version = found.get("kind"), str(found.get("apiVersion") or "")
    if _WORD in (kind, version) or (kind == KIND and version.startswith(GROUP)):
        return
    source.error(
        "unsupported", path, "Only a Workflow can be made here: it becomes a run of the same project.",
        found=f"{show(version)} {show(kind)}".strip(), allowed=say(
            "{group}v1alpha1 {kind}",
            group=GROUP, kind=KIND,
        ), kind="unsupported",
        help_text="Make other objects outside, or run the manifest on an Argo cluster.",
    )  # fmt: skip


def _reads(source: Source, path: Path, text: Any, parse: Any) -> None:
    if not isinstance(text, str) or "{{" in text:
        return
    try:
        parse(text)
    except LanguageError as error:
        source.error(
            "resource-language", path, say(
                "{upper}{message}.",
                upper=error.message[:1].upper(), message=error.message[1:],
            ), found=show(text),
            allowed="status.phase == Succeeded and the like; {.status.phase} and the like",
            help_text="See the page for scientists on runs of runs.",
        )  # fmt: skip
