"""Which secrets a manifest names, and whether the project has them: a step whose secret is missing would never start.

Reads every form Kubernetes and Argo have: `valueFrom.secretKeyRef`, `envFrom[].secretRef`, volumes of kind `secret`,
and the `...Secret` fields of artifacts (`{name, key}`). A name with a tag in it is known only when the step starts,
so it is left to the start. `optional: true` is honoured where Kubernetes has it. Pure: the names come in as data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fubini.common.saying import say
from fubini.language import tags
from fubini.manifests.context import Source, listing, mapping, text
from fubini.manifests.findings import show
from fubini.manifests.load import Path

Known = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Named:
    """One place that names a secret: `path` is the name's own; `key` is "" where the whole secret is meant."""

    path: Path
    name: str
    key: str = ""
    optional: bool = False


def secrets_named(value: Any, path: Path = ()) -> Iterator[Named]:
    """Every secret named at or below `value`, in the order of the text."""
    stack: list[tuple[Path, Any]] = [(path, value)]
    while stack:
        at, here = stack.pop()
        if isinstance(here, dict):
            found = at[-1] if at else ""
            if isinstance(found, str):
                yield from _of(at, found, here)
            stack.extend(((*at, name), inner) for name, inner in reversed(list(here.items())))
        elif isinstance(here, list):
            stack.extend(((*at, index), inner) for index, inner in reversed(list(enumerate(here))))


def _of(at: Path, field: str, here: dict[str, Any]) -> Iterator[Named]:
    optional = here.get("optional") is True
    if field == "secret" and isinstance(here.get("secretName"), str):
        items = [text(mapping(item).get("key")) for item in listing(here.get("items"))]
        for key in [item for item in items if item] or [""]:
            yield Named((*at, "secretName"), here["secretName"], key, optional)
    elif field == "secretRef" and isinstance(here.get("name"), str):
        yield Named((*at, "name"), here["name"], "", optional)
    elif (field == "secretKeyRef" or field.endswith("Secret")) and text(here.get("name")) and text(here.get("key")):
        yield Named((*at, "name"), here["name"], here["key"], optional)


def check_secrets(source: Source, value: Any, path: Path, known: Known) -> None:
    """Report every secret below `path` that the project lacks."""
    for named in secrets_named(value, path):
        if named.optional or not named.name or tags.OPEN in named.name or tags.OPEN in named.key:
            continue
        keys = known.get(named.name)
        if keys is None:
            source.error(
                "no-such-secret", named.path, say("The project has no secret {name!r}.", name=show(named.name)),
                found=show(named.name), allowed=", ".join(sorted(known)[:20]) or "the project has no secrets",
                close=named.name, known=list(known),
                help_text=say(
                    "Set it: fubini secret set {name} {key} --from-file FILE.",
                    name=show(named.name), key=show(named.key or 'KEY'),
                ),
            )  # fmt: skip
        elif named.key and named.key not in keys:
            source.error(
                "no-such-secret", (*named.path[:-1], "key") if named.path[-1] == "name" else named.path,
                say("The project's secret {name!r} has no key {key!r}.", name=show(named.name), key=show(named.key)),
                found=show(named.key), allowed=", ".join(sorted(keys)[:20]), close=named.key, known=list(keys),
                help_text=say(
                    "Set it: fubini secret set {name} {key} --from-file FILE.",
                    name=show(named.name), key=show(named.key),
                ),
            )  # fmt: skip
