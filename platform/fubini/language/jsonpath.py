"""The part of kubectl's JSONPath that output parameters use: fields, indexes, all items, filters by equality.

``{.status.outputs.parameters[?(@.name=="loss")].value}``; the braces and the leading ``$`` may be left out. What matches
nothing gives an empty text, several matches are joined by a space, objects and lists are JSON: as ``kubectl get -o jsonpath``
prints them. Bounded in length, depth and matches; no `eval`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from fubini.language.errors import LanguageError

LENGTH_MAX: Final = 1000
STEPS_MAX: Final = 50
MATCHES_MAX: Final = 10_000

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_$][-\w$]*|\*)"""
    r"""|\[(?P<index>-?\d{1,9})\]"""
    r"""|\[(?P<all>\*)\]"""
    r"""|\[(?P<quote>['"])(?P<key>[^'"]*)(?P=quote)\]"""
    r"""|\[\?\(\s*@\.(?P<field>[-\w.]+)\s*==\s*(?P<mark>['"])(?P<value>[^'"]*)(?P=mark)\s*\)\]"""
)


def parse(text: str) -> tuple[tuple[str, str, str], ...]:
    """A path as steps: (kind, name, value); kinds are name, index, all and where.

    Raises:
        LanguageError: it is none, or it uses what is not supported here.
    """
    if len(text) > LENGTH_MAX:
        raise LanguageError(f"a JSONPath may have {LENGTH_MAX} characters; this one has {len(text)}")
    path = text.strip()
    if path.startswith("{") and path.endswith("}"):
        path = path[1:-1].strip()
    path = path.removeprefix("$")
    if path and path[0] not in ".[":
        path = f".{path}"
    steps: list[tuple[str, str, str]] = []
    at = 0
    while at < len(path):
        if path[at:] == ".":
            break
        found = _STEP.match(path, at)
        if found is None or len(steps) >= STEPS_MAX:
            raise LanguageError(f"the JSONPath {text!r} is not understood from {path[at : at + 40]!r} on")
        at = found.end()
        if found["field"] is not None:
            steps.append(("where", found["field"], found["value"]))
        elif found["all"] or found["name"] == "*":
            steps.append(("all", "", ""))
        elif found["index"] is not None:
            steps.append(("index", found["index"], ""))
        else:
            steps.append(("name", found["name"] if found["name"] is not None else found["key"], ""))
    return tuple(steps)


def value_at(text: str, document: Any) -> str:
    """What a path finds in a document, as text.

    Raises:
        LanguageError: it is no path.
    """
    found = [document]
    for kind, name, wanted in parse(text):
        found = [item for value in found for item in _below(value, kind, name, wanted)][:MATCHES_MAX]
    return " ".join(_text(value) for value in found)


def _below(value: Any, kind: str, name: str, wanted: str) -> list[Any]:
    if kind == "name":
        return [value[name]] if isinstance(value, Mapping) and name in value else []
    if kind == "all":
        return list(value.values()) if isinstance(value, Mapping) else list(value) if isinstance(value, list) else []
    if not isinstance(value, list):
        return []
    if kind == "index":
        number = int(name)
        return [value[number]] if -len(value) <= number < len(value) else []
    return [item for item in value if _text(_walk(item, name.split("."))) == wanted]


def _walk(value: Any, names: list[str]) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
