"""Writing what an engine's step changed: nodes, tasks, timers and the run's own row, in the caller's transaction.

The engine decides, this module records. Re-opening a task that exists is a no-op, so a step that is replayed after a
crash writes the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from fubini.common import bell
from fubini.events.services import EventDraft, events_append
from fubini.manifests.import_rules import NO_RULES, ImportRules
from fubini.runs.codec import to_json
from fubini.runs.engine import (
    CancelTask,
    Command,
    NodeId,
    NodePhase,
    NodeRecord,
    NodeType,
    OpenTask,
    RunRecord,
    Step,
    TaskSpec,
    Timer,
)
from fubini.runs.importing import spec_mapped
from fubini.runs.models import Attempt, Run, RunNode, RunPlace, RunTimer, Task
from fubini.runs.origin.links import inputs_note
from fubini.runs.pins import spec_pin
from fubini.runs.remote import WAITING, remote_keys, remote_plan
from fubini.runs.retention import retention_forget, retention_note
from fubini.runs.reuse.lookup import keyed_of, tasks_reuse
from fubini.runs.signals import run_signal
from fubini.runs.transitions import ATTEMPT_LIVE, RUN_ENDED, agents_wake, run_move, tasks_create, tasks_move

RUN_STATE = {
    NodePhase.PENDING: "pending",
    NodePhase.RUNNING: "running",
    NodePhase.SUCCEEDED: "succeeded",
    NodePhase.SKIPPED: "succeeded",
    NodePhase.FAILED: "failed",
    NodePhase.ERROR: "error",
}
NODE_FIELDS = [
    "name",
    "display_name",
    "type",
    "phase",
    "generation",
    "boundary_id",
    "template_name",
    "message",
    "parents",
    "inputs",
    "outputs",
    "extra",
    "started_at_ms",
    "finished_at_ms",
]
SHOWN = 2000  # characters of a message that events carry


def step_apply(
    run: Run, step: Step, *, phases: dict[str, tuple[str, int]], at_ms: int, rules: ImportRules = NO_RULES
) -> None:
    """Record one step of `run` (its row is locked by the caller).

    `phases` is the shell's memory of what is stored: node id -> (phase, generation); it is brought up to date. `rules` are
    those the run was submitted with; new tasks' specifications are read by them.
    """
    _nodes_write(run, step.nodes, phases, at_ms)
    opened = [c for c in step.commands if isinstance(c, OpenTask)]
    cancelled = [c for c in step.commands if isinstance(c, CancelTask)]
    if opened:
        _tasks_open(run, opened, at_ms, rules)
    if cancelled:
        _tasks_cancel(run, cancelled, at_ms, step.run.shutdown if step.run is not None else run.shutdown)
    if step.timers:
        _timers_write(run, step)
    if step.run is not None:
        _run_write(run, step.run, at_ms)
    if step.refused:
        events_append(
            [
                EventDraft(
                    topic="run",
                    kind="run.signal_refused",
                    entity_id=run.pk,
                    at_ms=at_ms,
                    project_id=run.project_id,
                    run_id=run.pk,
                    generation=run.generation,
                    data={"reason": step.refused[:SHOWN]},
                )
            ]
        )


def steps_merge(steps: Sequence[Step]) -> Step:
    """Several steps of one run as one: each node, timer and the run as it stands last, commands in order.

    What a transaction writes once need not be written for every event in it.
    """
    if len(steps) == 1:
        return steps[0]
    nodes: dict[str, NodeRecord] = {}
    timers: dict[str, Timer] = {}
    commands: list[Command] = []
    run: RunRecord | None = None
    refused = ""
    for step in steps:
        for node in step.nodes:
            nodes[node.id] = node
        for timer in step.timers:
            timers[timer.key] = timer
        commands += step.commands
        run = step.run or run
        refused = refused or step.refused
    return Step(tuple(nodes.values()), run, tuple(commands), tuple(timers.values()), refused)


def node_row(run: Run, node: NodeRecord) -> RunNode:
    """A record as a row."""
    extra: dict[str, Any] = {}
    if node.template_ref:
        extra["template_ref"] = dict(node.template_ref)
    if node.template_scope:
        extra["template_scope"] = node.template_scope
    if node.node_flag:
        extra["node_flag"] = dict(node.node_flag)
    if node.memoization:
        extra["memoization"] = dict(node.memoization)
    if node.waiting_for:
        extra["waiting_for"] = node.waiting_for
    if node.private:
        extra["private"] = dict(node.private)
    return RunNode(
        run=run,
        node_id=node.id,
        name=node.name,
        display_name=node.display_name,
        type=node.type.value,
        phase=node.phase.value if node.phase else "",
        generation=node.generation,
        boundary_id=node.boundary_id or "",
        template_name=node.template_name,
        message=node.message,
        parents=list(node.parents),
        inputs=node.inputs,
        outputs=node.outputs,
        extra=extra,
        started_at_ms=node.started_ms,
        finished_at_ms=node.finished_ms,
    )


def node_record(row: RunNode) -> NodeRecord:
    """A row as the record it was made from."""
    return NodeRecord(
        id=NodeId(row.node_id),
        name=row.name,
        display_name=row.display_name,
        type=NodeType(row.type),
        phase=NodePhase(row.phase) if row.phase else None,
        generation=row.generation,
        boundary_id=NodeId(row.boundary_id) if row.boundary_id else None,
        template_name=row.template_name,
        template_ref=row.extra.get("template_ref"),
        template_scope=row.extra.get("template_scope", ""),
        message=row.message,
        parents=tuple(row.parents),
        inputs=row.inputs,
        outputs=row.outputs,
        node_flag=row.extra.get("node_flag"),
        memoization=row.extra.get("memoization"),
        waiting_for=row.extra.get("waiting_for", ""),
        started_ms=row.started_at_ms,
        finished_ms=row.finished_at_ms,
        private=row.extra.get("private", {}),
    )


def _nodes_write(run: Run, nodes: Sequence[NodeRecord], phases: dict[str, tuple[str, int]], at_ms: int) -> None:
    if not nodes:
        return
    RunNode.objects.bulk_create(
        [node_row(run, node) for node in nodes],
        update_conflicts=True,
        unique_fields=["run", "node_id"],
        update_fields=NODE_FIELDS,
        batch_size=500,
    )
    drafts = []
    for node in nodes:
        after = (node.phase.value if node.phase else "", node.generation)
        before = phases.get(node.id)
        if before == after:
            continue
        phases[node.id] = after
        data: dict[str, Any] = {"name": node.display_name, "type": node.type.value} if before is None else {}
        if node.message:
            data["message"] = node.message[:SHOWN]
        drafts.append(
            EventDraft(
                topic="node",
                kind=f"node.{after[0].lower() or 'made'}",
                entity_id=node.id[-80:],
                at_ms=at_ms,
                project_id=run.project_id,
                run_id=run.pk,
                generation=node.generation,
                from_state=before[0] if before else "",
                to_state=after[0],
                data=data,
            )
        )
    events_append(drafts)


def _tasks_open(run: Run, opened: Sequence[OpenTask], at_ms: int, rules: ImportRules) -> None:
    there = set(
        Task.objects.filter(run=run, node_id__in=[c.node_id for c in opened]).values_list("node_id", "generation")
        if len(opened) <= 500
        else Task.objects.filter(run=run).values_list("node_id", "generation")
    )
    known = len(run.datasets)
    new = [c for c in opened if (c.node_id, c.generation) not in there]
    specs = [_spec(run, spec_mapped(c.spec, rules)) for c in new]
    coming = remote_plan(run, specs, at_ms=at_ms)
    if any(spec.http is not None or spec.listing is not None for spec in specs):
        transaction.on_commit(lambda: bell.ring("remote"))
    tasks = [
        Task(
            run=run,
            project_id=run.project_id,
            node_id=command.node_id,
            generation=command.generation,
            template=spec.template,
            spec=to_json(spec),
            priority=_priority(spec) or run.priority,
            submitted_by=run.submitted_by,
            queued_at_ms=at_ms,
            reuse_key=keyed.key,
            kind=_kind(spec),
            **({"state": "blocked", "waiting_for": [WAITING]} if coming and remote_keys(spec) & coming else {}),
        )
        for command, spec, keyed in zip(new, specs, keyed_of(run.project_id, specs), strict=True)
    ]
    tasks_create(tasks, at_ms=at_ms)
    inputs_note(run, specs)
    run.steps_total += len(tasks)
    if run.reuse is not None:
        tasks_reuse(run, tasks, at_ms=at_ms)
    run.save(update_fields=["steps_total", "datasets"] if len(run.datasets) != known else ["steps_total"])


def _spec(run: Run, spec: TaskSpec) -> TaskSpec:
    return spec_pin(run.project_id, run.datasets, spec) if spec.volumes else spec


def _kind(spec: TaskSpec) -> str:
    """exec goes to a site; the platform does the others itself."""
    if spec.child is not None:
        return "child"
    return "http" if spec.http is not None else "data" if spec.listing is not None else "exec"


def _priority(spec: TaskSpec) -> str:
    wanted = dict(spec.annotations).get("priority", "")
    return wanted if wanted in ("interactive", "normal", "opportunistic") else ""


def _tasks_cancel(run: Run, cancelled: Sequence[CancelTask], at_ms: int, shutdown: str) -> None:
    """What waits ends now; what an agent holds gets an order to stop, and its late result goes to the ledger only."""
    reasons: Mapping[tuple[str, int], str] = {(c.node_id, c.generation): c.reason for c in cancelled}
    found = [
        t
        for t in Task.objects.select_for_update().filter(run=run, state__in=["blocked", "queued", "placed", "running"])
        if (t.node_id, t.generation) in reasons
    ]
    tasks_move(found, "cancelled", at_ms=at_ms, data=lambda t: {"reason": reasons[t.node_id, t.generation][:200]})
    for task in found:
        task.engine_seen = True  # the engine decided this itself
    Task.objects.filter(pk__in=[t.pk for t in found]).update(engine_seen=True)
    attempts = Attempt.objects.filter(task__in=found, state__in=ATTEMPT_LIVE)
    agents = set(attempts.values_list("agent_id", flat=True))
    attempts.update(cancel_reason="cancelled by the run")
    _children_end(run, found, shutdown)
    transaction.on_commit(lambda: agents_wake(agents))


def _children_end(run: Run, cancelled: Sequence[Task], shutdown: str) -> None:
    """Runs the cancelled tasks had made end as the run does; those they only read go on."""
    made = [t.child_run for t in cancelled if t.kind == "child" and t.child_run]
    for child in Run.objects.filter(pk__in=made, parent=run.pk).exclude(state__in=RUN_ENDED) if made else ():
        run_signal(run=child, kind="stop" if shutdown == "Stop" else "terminate", actor=f"run:{run.pk}")


def _timers_write(run: Run, step: Step) -> None:
    wanted = {t.key: t.at_ms for t in step.timers}
    RunTimer.objects.filter(run=run, key__in=[k for k, at in wanted.items() if at is None]).delete()
    RunTimer.objects.bulk_create(
        [RunTimer(run=run, key=key, at_ms=at) for key, at in wanted.items() if at is not None],
        update_conflicts=True,
        unique_fields=["run", "key"],
        update_fields=["at_ms"],
    )


def _run_write(run: Run, record: RunRecord, at_ms: int) -> None:
    run.phase = record.phase.value
    run.message = record.message
    run.outputs = dict(record.outputs) if record.outputs else None
    run.suspended = record.suspended
    run.shutdown = record.shutdown
    run.engine_state = dict(record.private)
    fields = ["phase", "message", "outputs", "suspended", "shutdown", "engine_state"]
    to = RUN_STATE[record.phase]
    if record.finished or run.finished_at_ms is not None:
        RunPlace.objects.filter(run=run).update(disks_done=record.drop_disks)
    if record.finished:
        run.finished_at_ms = at_ms
        fields.append("finished_at_ms")
        RunTimer.objects.filter(run=run).delete()
        retention_note(run, record.keep, at_ms=at_ms)
    elif to not in ("pending", "running"):
        to = "running"  # the entry point has ended, an exit handler has not
    if to != run.state:
        if to == "running":
            run.started_at_ms = run.started_at_ms or at_ms
            run.finished_at_ms = None
            retention_forget(run)
            if run.state != "pending":
                run.generation += 1
            fields += ["started_at_ms", "finished_at_ms", "generation"]
        elif run.state == "pending":
            run.started_at_ms = at_ms
            fields.append("started_at_ms")
        run_move(
            run,
            to,
            at_ms=at_ms,
            fields=list(dict.fromkeys(fields)),
            data=lambda r: {"message": r.message[:SHOWN]} if r.message else {},
        )
    else:
        run.save(update_fields=list(dict.fromkeys(fields)))
