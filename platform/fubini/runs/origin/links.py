"""What a run read that it did not make: one row for each dataset version, artifact of another run, or run taken over from.

What a step read is in its specification, and what it left names it. Those say where something came from; these rows say, by
an index, which runs something went to. They are one a run and source, however many of its steps read it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from fubini.datasets.selectors import CLAIM
from fubini.runs.engine import TaskSpec
from fubini.runs.models import Run, RunInput, Task

DATASET = "dataset/"


def version_key(key: str) -> str:
    """The one spelling of a key that names a dataset version (``dataset/methanol-v2`` -> ``dataset/methanol@2``).

    "" where it names none: it means the newest, which changes, so nothing can be said of it later.
    """
    name = key.removeprefix(DATASET)
    if "@" in name:
        return key
    match = CLAIM.fullmatch(name)
    return f"{DATASET}{match['name']}@{match['number']}" if match else ""


def reads_of(spec: TaskSpec, claims: Collection[str]) -> Iterator[tuple[str, str]]:
    """(name, key) of what a step reads. `claims` are those of its run that are dataset versions (`Run.datasets`)."""
    for artifact in spec.artifacts_in:
        key = version_key(artifact.key) if artifact.key and artifact.key.startswith(DATASET) else artifact.key
        if key:
            yield artifact.name, key
    for volume in spec.volumes:
        if volume.claim in claims:
            yield volume.name, version_key(DATASET + volume.claim)


def inputs_note(run: Run, specs: Iterable[TaskSpec]) -> None:
    """Record what these steps of `run` read from outside it; again changes nothing."""
    own, claims = (f"{run.pk}/", "remote/"), set(run.datasets.values())
    keys = {key for s in specs if s.artifacts_in or s.volumes for _, key in reads_of(s, claims) if not key.startswith(own)}
    _note(run, {key: "" if key.startswith(DATASET) else key.partition("/")[0] for key in keys})


def taken_note(run: Run, tasks: Sequence[Task]) -> None:
    """Record the runs whose results these steps of `run` took over."""
    runs = {str(task.reuse["from"]["run"]) for task in tasks if task.reuse and task.reuse.get("from")}
    _note(run, {f"run/{source}": source for source in runs})


def _note(run: Run, sources: Mapping[str, str]) -> None:
    if sources:
        RunInput.objects.bulk_create(
            [RunInput(run=run, key=key, source_run=source[:32]) for key, source in sorted(sources.items())],
            ignore_conflicts=True,
        )
