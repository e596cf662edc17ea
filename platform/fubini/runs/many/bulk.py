"""One deed on many runs. Every run has its own transaction and its own answer: what cannot be done stops nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fubini.common.errors import FubiniError
from fubini.projects.models import Project
from fubini.runs.models import Run
from fubini.runs.selectors import runs_of
from fubini.runs.services import run_delete, run_update
from fubini.runs.signals import run_cancel

RUNS_MAX: Final = 500
DEEDS: Final[Mapping[str, str]] = {
    "cancel": "run.cancel",
    "delete": "run.delete",
    "label": "run.update",
}  # deed -> action


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one run; `detail` and `next_step` say why it was not done."""

    id: str
    job_number: int | None
    name: str
    done: bool
    detail: str = ""
    next_step: str = ""


def runs_do(
    *,
    project: Project,
    deed: str,
    ids: Sequence[str],
    actor: str,
    labels: Mapping[str, str] | None = None,
    drop: Collection[str] = (),
) -> list[Done]:
    """Cancel, delete or label these runs of one project, in the order given, each once.

    Args:
        labels, drop: of `label`: what is set beside the labels a run has, and the keys that go.
    """
    found = {run.pk: run for run in runs_of([project.pk]).filter(pk__in=ids).prefetch_related("labels")}
    answers = []
    for id in dict.fromkeys(ids):
        run = found.get(id)
        if run is None:
            answers.append(Done(id, None, "", False, "The project has no such run.", "List them: fubini runs."))
            continue
        try:
            _one(run, deed, actor, labels or {}, drop)
        except FubiniError as error:
            answers.append(Done(id, run.job_number, run.name, False, error.detail, error.next_step))
        else:
            answers.append(Done(id, run.job_number, run.name, True))
    return answers


def _one(run: Run, deed: str, actor: str, labels: Mapping[str, str], drop: Collection[str]) -> None:
    if deed == "cancel":
        run_cancel(run=run, actor=actor)
    elif deed == "delete":
        run_delete(run=run, actor=actor)
    else:
        kept = {label.key: label.value for label in run.labels.all() if label.key not in drop}
        run_update(run=run, actor=actor, labels={**kept, **labels})
