"""A project's import rules: what of a cluster's words it lets pass, and how it reads the others.

`ignored` names fields of `cluster_fields` that are warnings instead of refusals. `node_labels` maps a cluster's node
labels to ours, ``key`` or ``key=value`` on both sides; "" on our side drops the condition. `images` maps image names,
whole or up to a ``*`` at the end. Pure data and look-ups; the project stores them as JSON, a run keeps those it was
submitted with.

Invariant: the values of one label map to one label of ours, so a condition stays one condition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fubini.common.saying import say
from fubini.manifests.cluster_fields import CLUSTER_FIELDS
from fubini.manifests.findings import nearest, show

MAX_ENTRIES = 200
MAX_TEXT = 253
KEYS = ("ignored", "node_labels", "images")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?(=([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?)?\Z")
_IMAGE = re.compile(r"[!-~]+\Z")


@dataclass(frozen=True, slots=True)
class ImportRules:
    ignored: frozenset[str] = frozenset()
    node_labels: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.ignored or self.node_labels or self.images)

    @property
    def maps(self) -> bool:
        return bool(self.node_labels or self.images)

    def image(self, name: str) -> str:
        """Our name of an image; the longest rule wins, and what a ``*`` stood for follows a ``*`` of ours."""
        whole = self.images.get(name)
        if whole is not None:
            return whole
        best = max((p for p in self.images if p.endswith("*") and name.startswith(p[:-1])), key=len, default=None)
        if best is None:
            return name
        ours = self.images[best]
        return ours[:-1] + name[len(best) - 1 :] if ours.endswith("*") else ours

    def label(self, key: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
        """Our label and values for a condition's; the same where no rule fits, None where it is to be dropped."""
        mapped = [self.node_labels.get(f"{key}={value}") for value in values]
        if values and all(m is not None for m in mapped):
            kept = [m.partition("=") for m in mapped if m]
            return (kept[0][0], tuple(dict.fromkeys(v for _, _, v in kept))) if kept else None
        renamed = self.node_labels.get(key)
        if renamed is None:
            return key, values
        return (renamed, values) if renamed else None

    def as_json(self) -> dict[str, Any]:
        return {
            "ignored": sorted(self.ignored),
            "node_labels": dict(sorted(self.node_labels.items())),
            "images": dict(sorted(self.images.items())),
        }


NO_RULES = ImportRules()


def rules_from(stored: Mapping[str, Any] | None) -> ImportRules:
    """Rules from what was stored; names of fields that are no longer in the table are left out."""
    if not stored:
        return NO_RULES
    return ImportRules(
        frozenset(n for n in stored.get("ignored", ()) if n in CLUSTER_FIELDS),
        dict(stored.get("node_labels", {})),
        dict(stored.get("images", {})),
    )


def problems(given: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with rules as a person writes them: (where, what, what is allowed)."""
    for key in given:
        if key not in KEYS:
            yield show(key), say("There is no {key!r} in import rules.", key=show(key)), "one of " + ", ".join(KEYS)
    yield from _ignored(given.get("ignored") or [])
    for where, form, words in (
        ("node_labels", _LABEL, "KEY or KEY=VALUE, of letters, digits, '-', '_', '.' and '/'"),
        ("images", _IMAGE, "an image's name without spaces, or its begin and '*'"),
    ):
        yield from _mapping(where, given.get(where) or {}, form, words)


def _ignored(names: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(names, list) or len(names) > MAX_ENTRIES:
        yield "ignored", "ignored is not a list of names.", say("at most {max} names of fields", max=MAX_ENTRIES)
        return
    for name in names:
        if name not in CLUSTER_FIELDS:
            close = nearest(str(name), CLUSTER_FIELDS)
            yield (
                "ignored",
                say("{name!r} cannot be ignored. Did you mean {close!r}?", name=show(name), close=close)
                if close
                else say("{name!r} cannot be ignored.", name=show(name)),
                "one of " + ", ".join(CLUSTER_FIELDS),
            )


def _mapping(where: str, pairs: Any, form: re.Pattern[str], words: str) -> Iterator[tuple[str, str, str]]:
    if not isinstance(pairs, dict) or len(pairs) > MAX_ENTRIES:
        yield (
            where,
            say("{where} is not a mapping from theirs to ours.", where=where),
            say("at most {max} pairs of texts", max=MAX_ENTRIES),
        )
        return
    targets: dict[str, str] = {}
    for theirs, ours in pairs.items():
        good = isinstance(ours, str) and len(theirs) <= MAX_TEXT and len(ours) <= MAX_TEXT and form.match(theirs)
        if not good or (ours and not form.match(ours)) or (not ours and where == "images"):
            yield where, say("{theirs!r} cannot be mapped to {ours!r}.", theirs=show(theirs), ours=show(ours)), words
        elif where == "node_labels" and ours and ("=" in theirs) != ("=" in ours):
            yield (
                where,
                say("{theirs!r} and {ours!r} differ in form.", theirs=show(theirs), ours=show(ours)),
                "KEY to KEY, or KEY=VALUE to KEY=VALUE",
            )
        elif where == "node_labels" and ours and "=" in theirs:
            key, label = theirs.partition("=")[0], ours.partition("=")[0]
            if targets.setdefault(key, label) != label:
                yield (
                    where,
                    say("Values of {key!r} map to two labels of ours.", key=show(key)),
                    say("one label, such as {target}", target=targets[key]),
                )
