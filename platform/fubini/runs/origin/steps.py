"""Neighbours step by step: what a step read and left, who read that, what was taken over, what became a dataset version.

Backwards everything stands in rows that are looked up by their keys. Forwards, `RunInput` names the runs that read
something from outside; which of a run's steps read it is found by looking through that run's specifications once.
Every look is a handful of queries for all places of a level together, and within one project.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from fubini.datasets.models import Artifact, DatasetVersion
from fubini.runs.codec import spec_of
from fubini.runs.models import Run, RunInput, Task
from fubini.runs.origin.links import DATASET, reads_of
from fubini.runs.origin.walk import BEHIND, Link

SCANNED_MAX: Final = 20_000  # steps whose specifications one answer looks through
NEAR_MAX: Final = 1_000  # neighbours of one kind in one look
LinksOf = Callable[[Sequence[str]], Iterable[Link]]
# Keys and claims as they stand in a specification's text; what only looks like one is sorted out by reading it properly.
_NAMED = re.compile(r'"(?:key|claim)": ?"([^"\\]{1,500})"')


def artifact_place(key: str) -> str:
    return f"artifact:{key}"


def version_place(pk: str) -> str:
    return f"dataset:{pk}"


def step_place(pk: str) -> str:
    return f"step:{pk}"


def keys_in(places: Iterable[str], kind: str) -> list[str]:
    """What the places of one kind name."""
    return [p.partition(":")[2] for p in places if p.startswith(kind + ":")]


def producer_of(key: str) -> tuple[str, str, int] | None:
    """(run, node, generation) of an artifact's key; None of one that no step left."""
    run, _, rest = key.partition("/")
    node, _, rest = rest.partition("/")
    generation = rest.partition("/")[0]
    return (run, node, int(generation)) if len(run) == 32 and generation.isdecimal() else None


class Versions:
    """Dataset versions of a project by key and by id."""

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.by_id: dict[str, DatasetVersion] = {}

    def of_keys(self, keys: Collection[str]) -> dict[str, DatasetVersion]:
        """Of ``dataset/<name>@<number>``; what is not there any more is left out."""
        wanted = {(name, int(n)) for k in keys for name, _, n in [k.removeprefix(DATASET).rpartition("@")] if n.isdecimal()}
        if not wanted:
            return {}
        rows = self._rows().filter(dataset__name__in={n for n, _ in wanted}, number__in={n for _, n in wanted})
        found = {(v.dataset.name, v.number): v for v in rows}
        self.by_id |= {v.pk: v for v in found.values()}
        return {f"{DATASET}{name}@{number}": v for (name, number), v in found.items() if (name, number) in wanted}

    def of_ids(self, ids: Collection[str]) -> list[DatasetVersion]:
        missing = set(ids) - self.by_id.keys()
        if missing:
            self.by_id |= {v.pk: v for v in self._rows().filter(pk__in=missing)}
        return [self.by_id[pk] for pk in ids if pk in self.by_id]

    def kept_from(self, keys: Collection[str]) -> list[DatasetVersion]:
        """Versions that artifacts were kept as."""
        found = list(self._rows().filter(made_from__in=keys)[:NEAR_MAX]) if keys else []
        self.by_id |= {v.pk: v for v in found}
        return found

    def kept_from_runs(self, runs: Collection[str]) -> list[DatasetVersion]:
        """Versions that artifacts of these runs were kept as."""
        if not runs:
            return []
        of_runs = reduce(or_, (Q(made_from__startswith=f"{run}/") for run in runs))
        found = list(self._rows().exclude(made_from="").filter(of_runs)[:NEAR_MAX])
        self.by_id |= {v.pk: v for v in found}
        return found

    def _rows(self) -> QuerySet[DatasetVersion]:
        rows = DatasetVersion.objects.filter(dataset__project_id=self.project_id)
        return rows.select_related("dataset").defer("entries")


def key_of_version(version: DatasetVersion) -> str:
    return f"{DATASET}{version.dataset.name}@{version.number}"


class StepLinks:
    """Links of artifacts, dataset versions and steps; keeps what it read for the length of one answer.

    `incomplete`: there were more steps to look through than `SCANNED_MAX`, so readers may be missing.
    """

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.versions = Versions(project_id)
        self.tasks: dict[str, Task] = {}
        self.incomplete = False
        self._runs: dict[str, bool] = {}  # is it a run of this project?
        self._readers: dict[str, set[str]] = defaultdict(set)  # key or claim -> steps whose text names it
        self._scanned: dict[str, None] = {}
        self._scanned_steps = 0

    def of(self, direction: str) -> LinksOf:
        """What `walk` asks."""
        return self.behind if direction == BEHIND else self.ahead

    # --- where it came from ---

    def behind(self, places: Sequence[str]) -> Iterator[Link]:
        keys = keys_in(places, "artifact")
        makers = self._makers(keys)
        for key in keys:
            if key in makers:
                yield Link(step_place(makers[key].pk), artifact_place(key), "left", key.rsplit("/", 1)[-1])
        for version in self.versions.of_ids(keys_in(places, "dataset")):
            if version.made_from:
                yield Link(artifact_place(version.made_from), version_place(version.pk), "kept")
        yield from self._read_by(self._steps(keys_in(places, "step")))

    def _read_by(self, steps: Sequence[Task]) -> Iterator[Link]:
        came = {t.pk: str(t.reuse["from"]["task"]) for t in steps if t.reuse and t.reuse.get("from")}
        there = {t.pk for t in self._steps(list(came.values()))}
        reads: list[tuple[Task, str, str]] = []
        for task in steps:
            if came.get(task.pk) in there:
                yield Link(step_place(came[task.pk]), step_place(task.pk), "taken_over")
            else:
                reads += [(task, name, key) for name, key in self._reads(task)]
        versions = self.versions.of_keys({key for *_, key in reads if key.startswith(DATASET)})
        here = self._keys_here({key for *_, key in reads if not key.startswith(DATASET)})
        for task, name, key in reads:
            if key in here:
                yield Link(artifact_place(key), step_place(task.pk), "read", name)
            elif key in versions:
                yield Link(version_place(versions[key].pk), step_place(task.pk), "read", name)

    def _makers(self, keys: Collection[str]) -> dict[str, Task]:
        wanted = {key: place for key in keys if (place := producer_of(key))}
        if not wanted:
            return {}
        runs, nodes = {run for run, _, _ in wanted.values()}, {node for _, node, _ in wanted.values()}
        rows = self._task_rows().filter(run_id__in=runs, node_id__in=nodes)
        found = {(t.run_id, t.node_id, t.generation): t for t in rows}
        self.tasks |= {t.pk: t for t in found.values()}
        return {key: found[place] for key, place in wanted.items() if place in found}

    # --- what was made of it ---

    def ahead(self, places: Sequence[str]) -> Iterator[Link]:
        artifacts = keys_in(places, "artifact")
        versions = {key_of_version(v): v for v in self.versions.of_ids(keys_in(places, "dataset"))}
        for version in self.versions.kept_from(artifacts):
            yield Link(artifact_place(version.made_from), version_place(version.pk), "kept")
        wanted = {key: artifact_place(key) for key in artifacts} | {k: version_place(v.pk) for k, v in versions.items()}
        for task in self._readers_of(wanted.keys()):
            for name, key in self._reads(task):
                if key in wanted:
                    yield Link(wanted[key], step_place(task.pk), "read", name)
        steps = self._steps(keys_in(places, "step"))
        yield from self._left_by(steps)
        yield from self._taken_over(steps)

    def _left_by(self, steps: Sequence[Task]) -> Iterator[Link]:
        of = {(t.run_id, t.node_id, t.generation): t for t in steps}
        if not of:
            return
        rows = Artifact.objects.filter(
            project_id=self.project_id, run_id__in={r for r, _, _ in of}, node_id__in={n for _, n, _ in of}
        )
        for key, run, node, generation, name in rows.values_list("key", "run_id", "node_id", "generation", "name")[:NEAR_MAX]:
            if (run, node, generation) in of:
                yield Link(step_place(of[run, node, generation].pk), artifact_place(key), "left", name)

    def _taken_over(self, steps: Sequence[Task]) -> Iterator[Link]:
        if not steps:
            return
        by_run = self._inputs().filter(source_run__in={t.run_id for t in steps}, key__startswith="run/")
        runs = set(by_run.values_list("run_id", flat=True)[:NEAR_MAX])
        if not runs:
            return
        rows = self._task_rows().filter(run_id__in=runs, reuse__from__task__in=[t.pk for t in steps])
        for task in rows[:NEAR_MAX]:
            self.tasks[task.pk] = task
            yield Link(step_place(str(task.reuse["from"]["task"])), step_place(task.pk), "taken_over")

    def _readers_of(self, keys: Collection[str]) -> list[Task]:
        """Steps that may read one of these, newest runs last."""
        if not keys:
            return []
        runs = {key.partition("/")[0] for key in keys if not key.startswith(DATASET)}
        runs |= set(self._inputs().filter(key__in=keys).order_by("-run_id").values_list("run_id", flat=True)[:NEAR_MAX])
        self._scan(runs)
        claims = {f"{k.removeprefix(DATASET).replace('@', '-v')}" for k in keys if k.startswith(DATASET)}
        spelled = claims | {DATASET + claim for claim in claims}
        found = {pk for text in (*keys, *spelled) for pk in self._readers.get(text, ())}
        return self._steps(sorted(found)[:NEAR_MAX])

    def _scan(self, runs: Collection[str]) -> None:
        new = sorted(set(runs) - self._scanned.keys())
        self._scanned |= dict.fromkeys(new)
        room = SCANNED_MAX - self._scanned_steps
        if not new:
            return
        rows = Task.objects.filter(project_id=self.project_id, run_id__in=new).annotate(text=Cast("spec", TextField()))
        for pk, text in rows.order_by("id").values_list("pk", "text")[: room + 1].iterator(chunk_size=2000):
            if self._scanned_steps >= SCANNED_MAX:
                self.incomplete = True
                return
            self._scanned_steps += 1
            for named in _NAMED.findall(text):
                self._readers[named].add(pk)

    # --- rows ---

    def _keys_here(self, keys: Collection[str]) -> set[str]:
        """Those that runs of this project left: a manifest may name any key, and another project's means nothing."""
        runs = {key: place[0] if (place := producer_of(key)) else "" for key in keys}
        new = set(runs.values()) - self._runs.keys() - {""}
        if new:
            known = set(Run.objects.filter(project_id=self.project_id, pk__in=new).values_list("pk", flat=True))
            self._runs |= {run: run in known for run in new}
        return {key for key, run in runs.items() if not run or self._runs[run]}

    def _reads(self, task: Task) -> Iterator[tuple[str, str]]:
        return reads_of(spec_of(task.spec), set(task.run.datasets.values()))

    def _steps(self, ids: Sequence[str]) -> list[Task]:
        missing = [pk for pk in ids if pk not in self.tasks]
        if missing:
            self.tasks |= {t.pk: t for t in self._task_rows().filter(pk__in=missing)}
        return [self.tasks[pk] for pk in ids if pk in self.tasks]

    def _task_rows(self) -> QuerySet[Task]:
        return Task.objects.filter(project_id=self.project_id).select_related("run")

    def _inputs(self) -> QuerySet[RunInput]:
        return RunInput.objects.filter(run__project_id=self.project_id)
