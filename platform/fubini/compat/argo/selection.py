"""What a client asks a list for: label and field selectors, times, pages, and which fields it wants back. Pure.

Label selectors are Kubernetes' (`a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`); of field selectors Argo knows
name and namespace. `Fields` is Argo's own cleaner: `a.b,c` keeps, `-a.b` drops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fubini.common.errors import Invalid
from fubini.common.saying import say

LIMIT_MAX: Final = 500
_TERM: Final = re.compile(
    r"\s*(?:(?P<set>[^\s=!,()]+)\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\)"
    r"|(?P<key>[^\s=!,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s=!,()]*)"
    r"|!\s*(?P<absent>[^\s=!,()]+)|(?P<present>[^\s=!,()]+))\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """`key` is (`positive`) or is not one of `values`; None: is there at all."""

    key: str
    values: tuple[str, ...] | None
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """One list's options. `name_match` is Exact, Prefix, Contains or NotEquals."""

    labels: tuple[Requirement, ...] = ()
    name: str = ""
    name_match: str = "Exact"
    namespace: str = ""
    created_after: datetime | None = None
    finished_before: datetime | None = None
    limit: int = 0
    offset: int = 0
    count_rest: bool = False
    timeout_s: int | None = None


def label_requirements(text: str) -> tuple[Requirement, ...]:
    """A label selector's requirements; all must hold.

    Raises:
        Invalid: it does not parse.
    """
    found: list[Requirement] = []
    at = 0
    while at < len(text) and text[at:].strip():
        match = _TERM.match(text, at)
        if match is None or match.end() == at or len(found) >= 50:
            raise Invalid(
                say(
                    "The label selector {text!r} does not parse at {text2!r}.",
                    text=text[:200],
                    text2=text[at : at + 40],
                ),
                next_step="Write a=b, a!=b, a in (b,c), a notin (b), a or !a, joined by commas.",
            )
        at = match.end()
        if match["set"]:
            values = tuple(v.strip() for v in match["values"].split(","))
            found.append(Requirement(match["set"], values, match["word"] == "in"))
        elif match["key"]:
            found.append(Requirement(match["key"], (match["value"],), match["op"] != "!="))
        else:
            found.append(Requirement(match["absent"] or match["present"], None, not match["absent"]))
    return tuple(found)


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """A list request's options from its query.

    Raises:
        Invalid: something in it cannot be read.
    """
    name, match, namespace, count_rest = "", query.get("nameFilter") or "Exact", "", False
    for term in (query.get("listOptions.fieldSelector") or "").split(","):
        key, operator, value = _field_term(term)
        if key == "metadata.name":
            name, match = value, "NotEquals" if operator == "!=" else match
        elif key == "metadata.namespace" and operator != "!=":
            namespace = value
        elif key == "ext.showRemainingItemCount":
            count_rest = value == "true"
        elif key and not key.startswith("spec.startedAt"):
            raise Invalid(
                say(
                    "The field {key!r} is not selectable.",
                    key=key[:80],
                ), allowed=["metadata.name", "metadata.namespace"],
                next_step="Select by metadata.name, or by labels.",
            )  # fmt: skip
    if query.get("namePrefix"):
        name, match = query["namePrefix"], query.get("nameFilter") or "Prefix"
    if match not in ("Exact", "Prefix", "Contains", "NotEquals"):
        raise Invalid(
            say(
                "nameFilter is {match!r}.",
                match=match[:40],
            ),
            allowed=["Exact", "Prefix", "Contains", "NotEquals"],
        )
    timeout = _number(query, "listOptions.timeoutSeconds")
    return Wanted(
        labels=label_requirements(query.get("listOptions.labelSelector") or ""),
        name=name,
        name_match=match,
        namespace=namespace,
        created_after=_time(query, "createdAfter"),
        finished_before=_time(query, "finishedBefore"),
        limit=min(_number(query, "listOptions.limit") or LIMIT_MAX, LIMIT_MAX),
        offset=_number(query, "listOptions.continue") or 0,
        count_rest=count_rest,
        timeout_s=timeout or None,
    )


def _field_term(term: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"\s*([\w.]*)\s*(==|=|!=|<|>)\s*(.*?)\s*", term)
    if found is None:
        return term.strip(), "", ""
    return found[1], found[2], found[3]


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name) or ""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid(say("{name} is {text!r}; it is a number from 0 on.", name=name, text=text[:40]))
    return int(text)


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name) or ""
    if not text:
        return None
    found: datetime | None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Invalid(say("{name} is {text!r}; it is a time as 2026-01-31T12:00:00Z.", name=name, text=text[:40]))
    return found


class Fields:
    """Which fields of an object a client wants; everything without a wish."""

    def __init__(self, text: str, prefix: str = "") -> None:
        self.exclude = text.startswith("-")
        names = text.removeprefix("-").split(",") if text else []
        self.names = [name.strip().removeprefix(prefix) for name in names if name.strip()][:200]

    def leaves_out(self, path: str) -> bool:
        """Will nothing at or below `path` be in the answer? Then it need not be read."""
        if not self.names:
            return False
        if self.exclude:
            return any(path == name or path.startswith(f"{name}.") for name in self.names)
        return not any(_meet(path, name) for name in self.names)

    def clean(self, value: dict[str, Any]) -> dict[str, Any]:
        """The object with the fields wanted; lists stand for each of their items."""
        return self._below(value, "") if self.names else value

    def _below(self, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [self._below(item, path) for item in value]
        if not isinstance(value, dict):
            return value
        kept: dict[str, Any] = {}
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            if here in self.names:
                if not self.exclude:
                    kept[key] = inner
            elif any(name.startswith(f"{here}.") for name in self.names):
                kept[key] = self._below(inner, here)
            elif self.exclude:
                kept[key] = inner
        return kept


def _meet(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
