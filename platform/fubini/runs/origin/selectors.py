"""Answers to "where is this from, and what was made of it": bounded, within the asked thing's project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from fubini.datasets.models import Artifact, DatasetVersion
from fubini.runs.models import Run
from fubini.runs.origin.coarse import RunLinks, run_place
from fubini.runs.origin.facts import DataFacts, Facts, RunFacts, StepFacts, facts_of
from fubini.runs.origin.steps import StepLinks, artifact_place, keys_in, producer_of, version_place
from fubini.runs.origin.walk import AHEAD, BEHIND, Link, Walked, walk

Direction = Literal["both", "behind", "ahead"]
DEPTH: Final = 10
DEPTH_MAX: Final = 40
PLACES: Final = 100  # in each direction
PLACES_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """One thing on the way. `depth` counts from the start; `more`: it has links beyond those that were looked at."""

    id: str
    kind: str  # artifact | dataset | step | run
    side: str  # start | behind | ahead
    depth: int
    name: str
    run: str
    at_ms: int | None
    more: bool
    data: DataFacts | None = None
    step: StepFacts | None = None


@dataclass(slots=True)
class Origin:
    """The start comes first, then what is behind it and what is ahead, nearest first. `links` go from earlier to later."""

    start: str
    project: str
    places: list[Place] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    runs: list[RunFacts] = field(default_factory=list)
    incomplete: bool = False


def artifact_origin(
    artifact: Artifact, *, direction: Direction = "both", depth: int = DEPTH, limit: int = PLACES
) -> Origin:
    """Of what a step left."""
    return _origin(artifact_place(artifact.key), StepLinks(artifact.project_id), direction, depth, limit)


def version_origin(
    version: DatasetVersion, *, direction: Direction = "both", depth: int = DEPTH, limit: int = PLACES
) -> Origin:
    """Of a dataset version, whose `dataset` is loaded."""
    return _origin(version_place(version.pk), StepLinks(version.dataset.project_id), direction, depth, limit)


def run_origin(run: Run, *, direction: Direction = "both", depth: int = DEPTH, limit: int = PLACES) -> Origin:
    """Of a run as a whole: the datasets and runs it drew on and that drew on it, not its steps."""
    return _origin(run_place(run.pk), RunLinks(run.project_id), direction, depth, limit)


def _origin(start: str, links: StepLinks | RunLinks, direction: Direction, depth: int, limit: int) -> Origin:
    sides = {
        side: walk([start], side, links.of(side), depth=depth, limit=limit)
        for side in (BEHIND, AHEAD)
        if direction in ("both", side)
    }
    places = {place for walked in sides.values() for place in walked.depth} | {start}
    facts = facts_of(
        links.project_id,
        artifacts=keys_in(places, "artifact"),
        versions=links.versions.of_ids(keys_in(places, "dataset")),
        steps=[links.tasks[pk] for pk in sorted(keys_in(places, "step"))] if isinstance(links, StepLinks) else (),
        runs=keys_in(places, "run"),
    )
    found = Origin(start, links.project_id, incomplete=links.incomplete)
    found.places.append(_place(facts, start, "start", 0, any(start in w.more for w in sides.values())))
    for side, walked in sides.items():
        found.places += _placed(facts, start, side, walked)
    found.links = sorted({link for walked in sides.values() for link in walked.links})
    named = {p.run for p in found.places}
    found.runs = sorted((r for r in facts.runs.values() if r.id in named), key=lambda r: r.job_number)
    return found


def _placed(facts: Facts, start: str, side: str, walked: Walked) -> Sequence[Place]:
    rest = sorted((depth, place) for place, depth in walked.depth.items() if place != start)
    return [_place(facts, place, side, depth, place in walked.more) for depth, place in rest]


def _place(facts: Facts, place: str, side: str, depth: int, more: bool) -> Place:
    kind, _, what = place.partition(":")
    data, step = facts.data.get(what), facts.steps.get(what)
    run, name = "", what
    if kind == "run":
        run, name = what, facts.runs[what].name if what in facts.runs else ""
    elif kind == "artifact":
        made = producer_of(what)
        run, name = made[0] if made else "", what.rsplit("/", 1)[-1]
    elif kind == "dataset" and data is not None:
        name = data.key.removeprefix("dataset/")
    elif step is not None:
        run, name = facts.step_runs[what], facts.names[what]
    return Place(place, kind, side, depth, name, run, facts.at_ms.get(what), more, data, step)
