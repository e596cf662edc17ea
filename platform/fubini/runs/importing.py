"""A leaf's specification read by a run's import rules: its images and its place conditions in our words.

Pure. What was changed is kept in the specification itself (`TaskSpec.mapped`), so that a task says where its words
come from.
"""

from __future__ import annotations

import dataclasses

from fubini.manifests.import_rules import ImportRules
from fubini.runs.engine import PreferredTerm, Requirement, TaskSpec


def spec_mapped(spec: TaskSpec, rules: ImportRules) -> TaskSpec:
    """The specification with the rules applied; itself where none fits.

    A required term whose conditions were all dropped lets the step run anywhere, as an absent term does.
    """
    if not rules.maps:
        return spec
    seen: dict[tuple[str, str, str], None] = {}
    image = _image(spec.image, rules, seen)
    containers = tuple(dataclasses.replace(c, image=_image(c.image, rules, seen)) for c in spec.containers)
    required = tuple(_conditions(term, rules, seen) for term in spec.required)
    if any(not term for term in required):
        required = ()
    preferred = tuple(
        PreferredTerm(term.weight, kept)
        for term in spec.preferred
        if (kept := _conditions(term.requirements, rules, seen))
    )
    if not seen:
        return spec
    return dataclasses.replace(
        spec, image=image, containers=containers, required=required, preferred=preferred, mapped=tuple(seen)
    )


def _image(theirs: str, rules: ImportRules, seen: dict[tuple[str, str, str], None]) -> str:
    ours = rules.image(theirs) if theirs else theirs
    if ours != theirs:
        seen["image", theirs, ours] = None
    return ours


def _conditions(
    conditions: tuple[Requirement, ...], rules: ImportRules, seen: dict[tuple[str, str, str], None]
) -> tuple[Requirement, ...]:
    kept = []
    for condition in conditions:
        ours = rules.label(condition.key, condition.values)
        if ours == (condition.key, condition.values):
            kept.append(condition)
            continue
        mapped = Requirement(ours[0], condition.op, ours[1]) if ours is not None else None
        seen["node_label", _words(condition), _words(mapped) if mapped else ""] = None
        if mapped is not None:
            kept.append(mapped)
    return tuple(kept)


def _words(condition: Requirement) -> str:
    return condition.key + ("=" + ",".join(condition.values) if condition.values else "")
