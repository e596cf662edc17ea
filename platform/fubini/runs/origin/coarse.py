"""Neighbours run by run: which dataset versions and runs a run drew on, which drew on it, which made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet

from fubini.runs.models import Run, RunInput
from fubini.runs.origin.links import DATASET
from fubini.runs.origin.steps import NEAR_MAX, LinksOf, Versions, key_of_version, keys_in, version_place
from fubini.runs.origin.walk import BEHIND, Link


def run_place(pk: str) -> str:
    return f"run:{pk}"


class RunLinks:
    """Links of runs and dataset versions in one project."""

    incomplete = False

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.versions = Versions(project_id)

    def of(self, direction: str) -> LinksOf:
        """What `walk` asks."""
        return self.behind if direction == BEHIND else self.ahead

    def behind(self, places: Sequence[str]) -> Iterator[Link]:
        runs = keys_in(places, "run")
        rows = list(self._inputs().filter(run_id__in=runs).values_list("run_id", "key", "source_run")[:NEAR_MAX]) if runs else []
        versions = self.versions.of_keys({key for _, key, _ in rows if key.startswith(DATASET)})
        sources = {source for _, _, source in rows if source}
        here = set(self._runs().filter(pk__in=sources).values_list("pk", flat=True)) if sources else set()
        for run, key, source in rows:
            if key in versions:
                yield Link(version_place(versions[key].pk), run_place(run), "read")
            elif source in here:
                yield Link(run_place(source), run_place(run), "taken_over" if key.startswith("run/") else "read")
        for run, parent in self._runs().filter(pk__in=runs).exclude(parent="").values_list("pk", "parent"):
            yield Link(run_place(parent), run_place(run), "made")
        for version in self.versions.of_ids(keys_in(places, "dataset")):
            if version.made_from:
                yield Link(run_place(version.made_from.partition("/")[0]), version_place(version.pk), "kept")

    def ahead(self, places: Sequence[str]) -> Iterator[Link]:
        runs = keys_in(places, "run")
        versions = {key_of_version(v): v for v in self.versions.of_ids(keys_in(places, "dataset"))}
        rows = self._inputs().filter(Q(source_run__in=runs) | Q(key__in=versions.keys()))
        for run, key, source in rows.order_by("-run_id").values_list("run_id", "key", "source_run")[:NEAR_MAX]:
            if key in versions:
                yield Link(version_place(versions[key].pk), run_place(run), "read")
            else:
                yield Link(run_place(source), run_place(run), "taken_over" if key.startswith("run/") else "read")
        for run, parent in self._runs().filter(parent__in=runs).values_list("pk", "parent")[:NEAR_MAX] if runs else ():
            yield Link(run_place(parent), run_place(run), "made")
        for version in self.versions.kept_from_runs(runs):
            yield Link(run_place(version.made_from.partition("/")[0]), version_place(version.pk), "kept")

    def _runs(self) -> QuerySet[Run]:
        return Run.objects.filter(project_id=self.project_id)

    def _inputs(self) -> QuerySet[RunInput]:
        return RunInput.objects.filter(run__project_id=self.project_id)
