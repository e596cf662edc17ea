"""The pipelines of a project as a gallery: what each looks like, takes, and has taken and cost so far.

Decides what is typical: the middle half of the newest `RUNS_LOOKED_AT` runs of a pipeline that succeeded, any version of
it. Pictures are drawn from the stored text and remembered by its digest. A fixed number of queries.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F, Max

from fubini.manifests.load import load
from fubini.manifests.sketch import Sketch, sketch_of
from fubini.pipelines.models import Pipeline, PipelineVersion
from fubini.pipelines.selectors import pipelines_found, pipelines_of
from fubini.projects.models import Project
from fubini.runs.models import Run

SHOWN: Final = 60
RUNS_LOOKED_AT: Final = 50
ROWS_MAX: Final = 5000


@dataclass(frozen=True, slots=True)
class Span:
    """The lower quartile, the middle and the upper quartile of what was seen."""

    low: int
    middle: int
    high: int


@dataclass(frozen=True, slots=True)
class Showcase:
    """`time_ms` and `cost_micros` are None until a run has succeeded; `runs` counts by state, `used_*` say of the newest."""

    pipeline: Pipeline
    sketch: Sketch
    runs: dict[str, int]
    seen: int
    time_ms: Span | None
    cost_micros: Span | None
    used_at_ms: int | None = None
    used_by: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """`next_after` is the name to go on behind; "" at the end."""

    pipelines: list[Showcase]
    next_after: str


def gallery_of(
    project: Project, *, search: str = "", tag: str = "", name: str = "", after: str = "", most: int = SHOWN
) -> Gallery:
    """The project's pipelines by name, at most `most` (`SHOWN`) behind the name `after`."""
    found = pipelines_found(pipelines_of([project.pk]), search=search, tag=tag).filter(name__gt=after)
    if name:
        found = found.filter(name=name)
    rows = list(found.order_by("name", "pk")[: most + 1])
    more, rows = len(rows) > most, rows[:most]
    ids = [row.pk for row in rows]
    texts = {
        (pipeline, number): (digest, text)
        for pipeline, number, digest, text in PipelineVersion.objects.filter(
            pipeline__in=ids, number=F("pipeline__version")
        ).values_list("pipeline_id", "number", "digest", "text")
    }
    mine = Run.objects.filter(project=project, deleted_at_ms=None, pipeline_version__pipeline__in=ids)
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    newest: dict[str, int] = {}
    by_state = mine.values_list("pipeline_version__pipeline_id", "state").annotate(n=Count("pk"), last=Max("created_at_ms"))
    for pipeline, state, n, last in by_state.order_by():
        counts[pipeline][state] = n
        newest[pipeline] = max(last, newest.get(pipeline, 0))
    who = {
        (pipeline, at_ms): person
        for pipeline, at_ms, person in mine.filter(created_at_ms__in=set(newest.values())).values_list(
            "pipeline_version__pipeline_id", "created_at_ms", "submitted_by"
        )
    }
    past: dict[str, list[tuple[int, int]]] = defaultdict(list)
    done = mine.filter(state="succeeded", started_at_ms__isnull=False, finished_at_ms__isnull=False)
    figures = done.order_by("-created_at_ms").values_list(
        "pipeline_version__pipeline_id", "started_at_ms", "finished_at_ms", "settled_micros"
    )
    for pipeline, began, ended, cost in figures[:ROWS_MAX]:
        if len(past[pipeline]) < RUNS_LOOKED_AT:
            past[pipeline].append((max(0, (ended or 0) - (began or 0)), cost))
    cards = [
        Showcase(
            pipeline=row,
            sketch=_sketch(*texts[row.pk, row.version]) if (row.pk, row.version) in texts else Sketch(),
            runs=counts[row.pk],
            seen=len(past[row.pk]),
            time_ms=span_of([time for time, _ in past[row.pk]]),
            cost_micros=span_of([cost for _, cost in past[row.pk]]),
            used_at_ms=newest.get(row.pk),
            used_by=who.get((row.pk, newest.get(row.pk, 0)), ""),
        )
        for row in rows
    ]
    return Gallery(cards, rows[-1].name if more else "")


def span_of(values: list[int]) -> Span | None:
    """Quartiles by nearest rank; None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    last = len(ranked) - 1
    return Span(ranked[last // 4], ranked[(last + 1) // 2], ranked[last - last // 4])


_drawn: dict[str, Sketch] = {}  # by the text's digest


def _sketch(digest: str, text: str) -> Sketch:
    kept = _drawn.get(digest)
    if kept is None:
        kept = sketch_of(load(text).document)
        while len(_drawn) >= 512:
            _drawn.pop(next(iter(_drawn)))
        _drawn[digest] = kept
    return kept
