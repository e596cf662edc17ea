"""`podSpecPatch` and `podResources`: what they may change of a leaf, and what that leaf then asks for.

A patch is applied to no pod here, so only those of its fields are honoured that say something the platform has words
for; `refused` finds the first of the others, at submit and again when the leaf starts (a patch may hold variables).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.language import quantities
from fubini.runs.engine import ContainerKind, Resources

MAX_CHARS = 65_536
MAX_DEPTH = 16
GRACE_MAX_S = 3600
#: Field paths of a pod spec that are honoured: ``[]`` is any item, ``*`` any name.
HONOURED = frozenset(
    {
        "containers[].name",
        "containers[].resources.requests.*",
        "containers[].resources.limits.*",
        "initContainers[].name",
        "initContainers[].resources.requests.*",
        "initContainers[].resources.limits.*",
        "activeDeadlineSeconds",
        "terminationGracePeriodSeconds",
        "nodeSelector.*",
        "resources.requests.*",
        "resources.limits.*",
    }
)
_VARIABLE = re.compile(r"\{\{.*?\}\}", re.S)


@dataclass(slots=True)
class Patch:
    """What patches say, the later over the earlier. Resources are by container name."""

    containers: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    pod: dict[str, dict[str, str]] = field(default_factory=dict)
    active_deadline_s: int | None = None
    grace_s: int | None = None
    node_selector: dict[str, str] = field(default_factory=dict)


def read(text: str) -> dict[str, Any]:
    """The patch as data, JSON or YAML.

    Raises:
        EngineError: it is neither, too large or too deep.
    """
    if len(text) > MAX_CHARS:
        raise EngineError(f"Error applying PodSpecPatch: it has {len(text)} characters, at most {MAX_CHARS} are read")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH or isinstance(event, yaml.AliasEvent):
                raise EngineError(f"Error applying PodSpecPatch: deeper than {MAX_DEPTH} levels, or it has aliases")
        found = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise EngineError("Error applying PodSpecPatch: it is neither JSON nor YAML") from None
    if not isinstance(found, dict):
        raise EngineError("Error applying PodSpecPatch: it is not an object")
    return found


def refused(text: str) -> str:
    """The first field of a patch that is not honoured, "" for none; a patch that cannot be read yet is left alone."""
    try:
        return _refused(read(_VARIABLE.sub("0", text)), later=True)
    except EngineError:
        return ""


def _refused(patch: Any, *, later: bool = False) -> str:
    """With `later`, a variable may still become everything below a field that has honoured ones in it."""
    for shown, general in _leaves(patch, "", ""):
        if general in HONOURED or any(_under_star(general, known) for known in HONOURED):
            continue
        if not (later and any(known.startswith((f"{general}.", f"{general}[")) for known in HONOURED)):
            return shown
    return ""


def _under_star(path: str, known: str) -> bool:
    stem = known.removesuffix("*")
    return stem != known and path.startswith(stem)


def _leaves(value: Any, shown: str, general: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            dot = "." if shown else ""
            yield from _leaves(inner, f"{shown}{dot}{name}", f"{general}{dot}{name}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{shown}[{index}]", f"{general}[]")
    elif value not in (None, {}, []):
        yield shown, general


def patch_of(texts: Sequence[str]) -> Patch:
    """Patches with their variables resolved, applied in order.

    Raises:
        EngineError: one cannot be read, or sets what cannot be honoured.
    """
    out = Patch()
    for text in texts:
        if not text:
            continue
        found = read(text)
        bad = _refused(found)
        if bad:
            raise EngineError(
                f"Error applying PodSpecPatch: {bad} cannot be set here; what can be: {', '.join(sorted(HONOURED))}"
            )
        for kind in ("initContainers", "containers"):
            for container in found.get(kind) or ():
                merge(
                    out.containers.setdefault(any_string(container.get("name")) or "", {}), container.get("resources")
                )
        merge(out.pod, found.get("resources"))
        if found.get("activeDeadlineSeconds") is not None:
            out.active_deadline_s = _seconds(found, "activeDeadlineSeconds")
        if found.get("terminationGracePeriodSeconds") is not None:
            out.grace_s = _seconds(found, "terminationGracePeriodSeconds")
            if not 0 <= out.grace_s <= GRACE_MAX_S:
                raise EngineError(
                    f"Error applying PodSpecPatch: terminationGracePeriodSeconds is {out.grace_s}; 0 to {GRACE_MAX_S} can be"
                )
        for key, value in (found.get("nodeSelector") or {}).items():
            out.node_selector[str(key)] = any_string(value) or ""
    return out


def _seconds(patch: Mapping[str, Any], name: str) -> int:
    try:
        return int(patch[name])
    except (TypeError, ValueError):
        raise EngineError(f"Error applying PodSpecPatch: {name} is not a number") from None


def merge(base: dict[str, dict[str, str]], over: Any) -> None:
    """Resources over resources, in place."""
    for part in ("requests", "limits"):
        values = (over or {}).get(part) if isinstance(over, Mapping) else None
        for name, value in (values or {}).items():
            base.setdefault(part, {})[str(name)] = any_string(value) or "0"


def _amounts(section: Mapping[str, Any]) -> dict[str, str]:
    """Requests, or limits where nothing is requested."""
    found = {**(section.get("limits") or {}), **(section.get("requests") or {})}
    return {name: any_string(value) or "0" for name, value in found.items()}


def leaf_resources(
    found: Sequence[tuple[ContainerKind, Mapping[str, Any]]], patch: Patch, pod: Mapping[str, Any]
) -> Resources:
    """What a leaf asks for: what its pod says as a whole, else the sum over containers that run at the same time.

    Init containers run alone, so of them the largest counts. One core where nobody asks for any.

    Raises:
        LanguageError: not a quantity.
    """
    whole: dict[str, dict[str, str]] = {}
    merge(whole, pod)
    merge(whole, patch.pod)
    together: dict[str, int] = {}
    alone: dict[str, int] = {}
    for kind, container in found:
        own: dict[str, dict[str, str]] = {}
        merge(own, container.get("resources"))
        merge(own, patch.containers.get(container.get("name") or ""))
        for name, text in _amounts(own).items():
            amount = quantities.millis(text) if name == "cpu" else quantities.whole(text)
            if kind is ContainerKind.INIT:
                alone[name] = max(alone.get(name, 0), amount)
            else:
                together[name] = together.get(name, 0) + amount
    amounts = {name: max(together.get(name, 0), alone.get(name, 0)) for name in (*together, *alone)}
    for name, text in _amounts(whole).items():
        amounts[name] = quantities.millis(text) if name == "cpu" else quantities.whole(text)
    default = Resources()
    return Resources(
        cpu_millis=amounts.get("cpu", default.cpu_millis),
        memory_bytes=amounts.get("memory", 0),
        disk_bytes=amounts.get("ephemeral-storage", 0),
        devices=tuple(sorted((name, amount) for name, amount in amounts.items() if "/" in name)),
    )
