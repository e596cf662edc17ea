"""A memoized resubmit: a failed run's manifest again as a new run in which what succeeded is not run again.

The new run gets the old one's tree and begins by a retry of it. Finished steps are taken over like reused ones (their
tasks say where they come from, their artifacts get keys of the new run), but without comparing inputs: that is what the
person asked for.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.db.models import F

from fubini.common import bell
from fubini.common.errors import Conflict
from fubini.common.saying import say
from fubini.datasets.services import ArtifactDraft, artifacts_record, blobs_renew
from fubini.runs.codec import to_json
from fubini.runs.models import Run, RunSignal, Task
from fubini.runs.origin.links import taken_note
from fubini.runs.registry import engine_of
from fubini.runs.reuse.lookup import BYTES_GONE, Source, sources_from
from fubini.runs.transitions import tasks_create, tasks_move

CARRIED = "carried"  # in a run's engine state: its tree is another's that failed, and its first event is a retry


@transaction.atomic
def run_carry_over(*, run: Run, source: Run, actor: str, at_ms: int) -> None:
    """Let `run`, just made from `source`'s manifest, begin where `source` failed.

    Raises:
        Conflict: what a finished step left is not there any more.
    """
    newest: dict[str, Task] = {}
    for task in Task.objects.filter(run=source).select_related("run").order_by("generation"):
        newest[task.node_id] = task
    found = sources_from(source.project_id, [t for t in newest.values() if t.state == "succeeded"])
    gone = next((s for s in found if s.unusable == BYTES_GONE), None)
    if gone is not None:
        raise Conflict(
            say(
                "The bytes that {node_name} of {name} left were cleared.",
                node_name=gone.origin["node_name"] or gone.task.node_id,
                name=source.name,
            ),
            next_step="Resubmit it without `memoized`, or submit it with `reuse`: then that step runs again.",
        )
    # A key ends in the node's id, which only the engine can make: it is told the keys by their old ones.
    engine = engine_of(run.engine)
    keys = {key: f"{run.pk}/{source_key_rest(key, source)}" for s in found for key in s.outcome.artifacts.values()}
    ids = engine.seed(run, source, keys=keys, at_ms=at_ms)
    taken = [(s, ids[s.task.node_id]) for s in found if s.task.node_id in ids]
    drafts = [
        ArtifactDraft(
            project_id=run.project_id,
            run_id=run.pk,
            node_id=node_id,
            generation=0,
            name=name,
            attempt_id=artifact.attempt_id,
            entries=artifact.entries,
            key=keys[s.outcome.artifacts[name]],
        )
        for s, node_id in taken
        for name, artifact in s.artifacts.items()
    ]
    blobs_renew(project_id=run.project_id, digests={e["sha256"] for d in drafts for e in d.entries})
    artifacts_record(drafts, at_ms=at_ms)
    tasks = [_task(run, s, node_id, keys, at_ms) for s, node_id in taken]
    tasks_create(tasks, at_ms=at_ms)
    taken_note(run, tasks)
    tasks_move(tasks, "succeeded", at_ms=at_ms, data=lambda t: {"reused_from": (t.reuse or {})["from"]["task"]})
    Task.objects.filter(run=run).update(engine_seen=True)  # the tree it begins with says so already
    Run.objects.filter(pk=run.pk).update(
        engine_state={**{k: v for k, v in source.engine_state.items() if k != "change"}, CARRIED: True},
        outputs=source.outputs,
        engine_version=1,
        steps_total=F("steps_total") + len(tasks),
        steps_done=F("steps_done") + len(tasks),
        steps_reused=len(tasks),
        saved_micros=sum(s.cost_micros for s, _ in taken),
    )
    RunSignal.objects.create(run=run, kind="retry", actor=actor, at_ms=at_ms)
    transaction.on_commit(lambda: bell.ring("dispatch"))


def source_key_rest(key: str, source: Run) -> str:
    """The part of an artifact's key behind its run's id."""
    return key.removeprefix(f"{source.pk}/")


def _task(run: Run, source: Source, node_id: str, keys: dict[str, str], at_ms: int) -> Task:
    old = source.task
    artifacts = {name: keys[key] for name, key in source.outcome.artifacts.items()}
    return Task(
        run=run,
        project_id=run.project_id,
        node_id=node_id,
        generation=0,
        template=old.template,
        spec=old.spec,
        priority=run.priority,
        submitted_by=run.submitted_by,
        queued_at_ms=at_ms,
        reuse_key=old.reuse_key,
        outcome=to_json(replace(source.outcome, artifacts=artifacts)),
        reuse={"from": dict(source.origin)},
    )
