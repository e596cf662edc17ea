"""Conditions on an object, as a resource template's successCondition and failureCondition say them.

They have the form of Kubernetes' label selectors over dotted paths into the object: ``status.phase == Succeeded``,
``status.phase in (Failed, Error)``, ``!metadata.deletionTimestamp``, ``status.count > 3``; several by commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fubini.language.errors import LanguageError

LENGTH_MAX: Final = 2000
_NAME = r"[A-Za-z0-9][-\w./]*"
_SET = re.compile(rf"(?P<key>{_NAME})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARED = re.compile(rf"(?P<key>{_NAME})\s*(?P<op>==|=|!=|>|<)\s*(?P<value>[^,\s]*)")
_THERE = re.compile(rf"(?P<not>!?)\s*(?P<key>{_NAME})")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition; `op` is in, notin, ==, !=, >, <, exists or !."""

    key: str
    op: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.op in ("in", "notin"):
            return f"{self.key} {self.op} ({','.join(sorted(self.values))})"
        if self.op == "exists":
            return self.key
        return f"!{self.key}" if self.op == "!" else f"{self.key}{self.op}{self.values[0]}"

    def matches(self, document: Any) -> bool:
        there, value = _value(document, self.key)
        if self.op == "exists" or self.op == "!":
            return there is (self.op == "exists")
        if self.op in ("in", "=="):
            return there and value in self.values
        if self.op in ("notin", "!="):
            return not there or value not in self.values
        try:
            number, limit = int(value), int(self.values[0])
        except ValueError:
            return False
        return there and (number > limit if self.op == ">" else number < limit)


def parse(text: str) -> tuple[Requirement, ...]:
    """Conditions of a text; none of an empty one.

    Raises:
        LanguageError: it cannot be read.
    """
    if len(text) > LENGTH_MAX:
        raise LanguageError(f"a condition may have {LENGTH_MAX} characters; this one has {len(text)}")
    found: list[Requirement] = []
    at, text = 0, text.strip()
    while at < len(text):
        for form in (_SET, _COMPARED, _THERE):
            match = form.match(text, at)
            if match is not None:
                break
        else:
            raise LanguageError(f"the condition {text!r} is not understood from {text[at : at + 40]!r} on")
        found.append(_requirement(match))
        at = match.end()
        rest = text[at:].lstrip()
        if rest and not rest.startswith(","):
            raise LanguageError(f"the condition {text!r} is not understood from {rest[:40]!r} on")
        at = len(text) - len(rest[1:].lstrip()) if rest else len(text)
    return tuple(found)


def _requirement(match: re.Match[str]) -> Requirement:
    groups = match.groupdict()
    if "values" in groups:
        return Requirement(groups["key"], groups["op"], tuple(v.strip() for v in groups["values"].split(",")))
    if "op" in groups:
        return Requirement(groups["key"], "==" if groups["op"] == "=" else groups["op"], (groups["value"],))
    return Requirement(groups["key"], "!" if groups["not"] else "exists")


def _value(document: Any, path: str) -> tuple[bool, str]:
    for name in path.split("."):
        if isinstance(document, Mapping) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return False, ""
    if isinstance(document, bool):
        return True, "true" if document else "false"
    return True, "" if document is None else str(document)
