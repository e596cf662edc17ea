"""Two runs beside each other: what went in, what came out, and where their steps differ in fate, time and money.

Steps are matched by their path below the run's root, which is the same in both where the manifests are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Case, Exists, F, OuterRef, TextField, When

from fubini.runs.many.table import parameters_in_document, results_of
from fubini.runs.models import Run, RunManifest, RunNode
from fubini.runs.selectors import costs_of_runs

STEPS_MAX: Final = 200  # steps listed that differ
NODES_MAX: Final = 50_000  # nodes of one run that are looked at
VALUE_MAX: Final = 2_000
LEAVES: Final = ("Pod", "Suspend", "HTTP", "Plugin")


@dataclass(frozen=True, slots=True)
class Pair:
    """One name's values; None where a run has none."""

    name: str
    a: str | None
    b: str | None

    @property
    def differs(self) -> bool:
        return self.a != self.b


@dataclass(slots=True)
class Side:
    """Attempts of one template in one run; times in milliseconds, money in micros."""

    attempts: int = 0
    failed: int = 0
    wall_ms: int = 0
    cpu_ms: int = 0
    charged_micros: int = 0


@dataclass(slots=True)
class TemplatePair:
    template: str
    a: Side = field(default_factory=Side)
    b: Side = field(default_factory=Side)


@dataclass(frozen=True, slots=True)
class StepPair:
    """A leaf that ended differently, or is in one run only (its phase is None in the other)."""

    path: str
    a_phase: str | None
    b_phase: str | None
    a_ms: int | None
    b_ms: int | None


@dataclass(frozen=True, slots=True)
class Manifests:
    """Two manifests that differ, as they were written."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differing` counts all steps that differ, `steps` holds the first `STEPS_MAX` of them; `manifests` is None where
    both are the same."""

    a: Run
    b: Run
    same_manifest: bool
    manifests: Manifests | None
    parameters: list[Pair]
    results: list[Pair]
    templates: list[TemplatePair]
    steps: list[StepPair]
    differing: int
    same: int


def comparison_of(a: Run, b: Run) -> Comparison:
    """Compare two runs, in a number of queries that does not depend on their size."""
    leaves = _leaves(a, b)
    mine, theirs = leaves[a.pk], leaves[b.pk]
    differing = [
        StepPair(path, *_phases(mine.get(path), theirs.get(path)), *_times(mine.get(path), theirs.get(path)))
        for path in dict.fromkeys([*mine, *theirs])
        if _phases(mine.get(path), theirs.get(path))[0] != _phases(mine.get(path), theirs.get(path))[1]
    ]
    results = results_of([a, b])
    given, manifests = _manifests(a, b)
    return Comparison(
        a=a,
        b=b,
        same_manifest=manifests is None,
        manifests=manifests,
        parameters=pairs(given[a.pk], given[b.pk]),
        results=pairs(results[a.pk], results[b.pk]),
        templates=_templates(a, b),
        steps=differing[:STEPS_MAX],
        differing=len(differing),
        same=len(mine.keys() | theirs.keys()) - len(differing),
    )


def pairs(a: Mapping[str, str], b: Mapping[str, str]) -> list[Pair]:
    """Both sides by name, those that differ first."""
    found = [Pair(name, _cut(a.get(name)), _cut(b.get(name))) for name in dict.fromkeys([*a, *b])]
    return sorted(found, key=lambda pair: not pair.differs)


def _manifests(a: Run, b: Run) -> tuple[dict[str, dict[str, str]], Manifests | None]:
    """The parameters each run had, by run, and the texts where they differ: equal ones do not leave the database."""
    both = RunManifest.objects.filter(run__in=[a.pk, b.pk])
    other = Exists(both.filter(text=OuterRef("text")).exclude(run=OuterRef("run")))
    rows = both.annotate(own=Case(When(other, then=None), default=F("text"), output_field=TextField()))
    given = {run.pk: dict(run.parameters) for run in (a, b)}
    texts: dict[str, str | None] = {}
    for run_id, listed, text in rows.values_list("run_id", "document__spec__arguments__parameters", "own"):
        given[run_id] = {**parameters_in_document(listed), **given[run_id]}
        texts[run_id] = text
    if a.pk == b.pk or (texts.get(a.pk) is None and texts.get(b.pk) is None):
        return given, None
    return given, Manifests(texts.get(a.pk) or "", texts.get(b.pk) or "")


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= VALUE_MAX else value[: VALUE_MAX - 1] + "…"


_Leaf = tuple[str, int | None]  # phase, how long


def _leaves(*runs: Run) -> dict[str, dict[str, _Leaf]]:
    """By run: path below the root -> fate of each leaf."""
    rows = RunNode.objects.filter(run__in=[run.pk for run in runs], type__in=LEAVES).exclude(phase="").order_by("id")
    listed = rows.values_list("run_id", "name", "phase", "started_at_ms", "finished_at_ms")
    roots = {run.pk: run.name for run in runs}
    found: dict[str, dict[str, _Leaf]] = {run.pk: {} for run in runs}
    for run_id, name, phase, began, ended in listed.iterator(chunk_size=2000):
        if len(own := found[run_id]) < NODES_MAX:
            path = name.removeprefix(roots[run_id]).lstrip(".") or "(entry point)"
            own[path] = (phase, ended - began if began and ended else None)
    return found


def _phases(a: _Leaf | None, b: _Leaf | None) -> tuple[str | None, str | None]:
    return a[0] if a else None, b[0] if b else None


def _times(a: _Leaf | None, b: _Leaf | None) -> tuple[int | None, int | None]:
    return a[1] if a else None, b[1] if b else None


def _templates(a: Run, b: Run) -> list[TemplatePair]:
    found: dict[str, TemplatePair] = {}
    costs = costs_of_runs([a.pk, b.pk])
    for run, side in ((a, "a"), (b, "b")):
        for row in costs[run.pk]:
            sum_ = getattr(found.setdefault(row.template, TemplatePair(row.template)), side)
            sum_.attempts += row.attempts
            sum_.failed += row.failed
            sum_.wall_ms += row.wall_ms
            sum_.cpu_ms += row.cpu_ms
            sum_.charged_micros += row.charged_micros
    return list(found.values())
