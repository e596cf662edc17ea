"""Which dataset version each volume claim of a run means, decided once.

A claim without a version (``methanol``) means the newest version when the run is submitted, and from then on that one: for
every step, every attempt and every retry. A claim that only a running step names (it is computed, or its dataset did not
exist yet) is decided when the first task with it opens. The run keeps the decisions: claim -> versioned claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fubini.datasets.selectors import claims_known
from fubini.language.tags import OPEN
from fubini.runs.engine import TaskSpec


def claims_of(document: Mapping[str, Any], library: Sequence[Mapping[str, Any]]) -> set[str]:
    """The claims a manifest and the templates it may refer to name outright."""
    return {claim for whole in (document, *library) for claim in _claims(whole) if OPEN not in claim}


def _claims(whole: Mapping[str, Any]) -> Iterator[str]:
    spec = whole.get("spec") or {}
    for holder in (spec, spec.get("templateDefaults") or {}, *(spec.get("templates") or ())):
        for volume in holder.get("volumes") or ():
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim:
                yield str(claim)


def pinned(project_id: str, claims: Iterable[str]) -> dict[str, str]:
    """Claim -> the versioned claim it means now (``methanol`` -> ``methanol-v2``); unknown datasets are left out."""
    found = {}
    for claim, key in claims_known(project_id, claims).items():
        name, _, number = key.removeprefix("dataset/").rpartition("@")
        found[claim] = f"{name}-v{number}"
    return found


def spec_pin(project_id: str, pins: dict[str, str], spec: TaskSpec) -> TaskSpec:
    """`spec` with every claim as the run means it; what is decided only now is added to `pins`."""
    new = {v.claim for v in spec.volumes if v.claim} - pins.keys()
    if new:
        pins.update(pinned(project_id, sorted(new)))
    if all(pins.get(v.claim, v.claim) == v.claim for v in spec.volumes):
        return spec
    return replace(spec, volumes=tuple(replace(v, claim=pins.get(v.claim, v.claim)) for v in spec.volumes))
