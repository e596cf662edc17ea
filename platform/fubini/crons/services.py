"""Writes on schedules: save, suspend, resume, delete; and the pass that starts what is due.

A tick's row, its run and the schedule's new place are written in one transaction under the schedule's row lock, and a
(schedule, time) is unique: two processes, or one killed anywhere, start a tick's run at most once. Runs are submitted
by the one service that submits runs, in the name of who saved the schedule last; whether they still may is asked at every
tick, and a schedule whose saver may not is suspended, with the reason.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from django.db import transaction

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict, FubiniError, Invalid
from fubini.common.saying import say
from fubini.crons.due import Decision, Plan, Verdict, condition_holds, decide, plan_of, rfc3339, stops
from fubini.crons.models import Cron, CronTick
from fubini.crons.selectors import facts_of
from fubini.events.services import EventDraft, events_append
from fubini.language.errors import LanguageError
from fubini.manifests.crons import cron_of, workflow_of
from fubini.manifests.load import load
from fubini.pipelines.checking import manifest_report, report_require
from fubini.pipelines.models import Pipeline
from fubini.pipelines.selectors import library_of, version_get
from fubini.projects.authorize import actor_refusal
from fubini.projects.models import Project
from fubini.runs.models import Run, RunManifest
from fubini.runs.services import run_delete, run_submit
from fubini.runs.signals import run_cancel
from fubini.runs.transitions import RUN_ENDED

log = logging.getLogger(__name__)
CRONS_A_PASS: Final = 100
CRONS_A_PROJECT: Final = 1000


class CronExists(Conflict):
    code = "cron_exists"
    title = "A schedule of that name exists"


class SaverMayNot(Conflict):
    code = "cron_saver_may_not"
    title = "Who saved the schedule may not submit any more"


@transaction.atomic
def cron_save(*, project: Project, text: str, actor: str, cron: Cron | None = None, fresh: bool = False) -> Cron:
    """Keep a CronWorkflow, or change the one of its name. Ticks that are past then are not made up for.

    Args:
        cron: the schedule to change; the manifest must have its name.
        fresh: a schedule of that name must not exist yet.

    Raises:
        ManifestInvalid: with every finding.
        Invalid: another name, or a condition that cannot be evaluated.
        CronExists: `fresh`, and there is one.
    """
    report = manifest_report(
        text,
        library=library_of(project.pk),
        parameters={},
        import_rules=project.import_rules,
        max_items=project.max_items,
        project_id=project.pk,
    )
    document = report_require(report, cron=True)
    name = str(document["metadata"]["name"])
    Project.objects.select_for_update().get(pk=project.pk)  # two saves of one name come one after the other
    found = Cron.objects.select_for_update().filter(project=project, name=name).first()
    if cron is not None and (found is None or found.pk != cron.pk):
        raise Invalid(
            say(
                "The manifest's name is {name!r}; this schedule is {name2!r}.",
                name=name,
                name2=cron.name,
            ),
            found=name,
            allowed=cron.name,
        )
    if found is not None and fresh:
        raise CronExists(
            say(
                "The project has a schedule {name!r} already.",
                name=name,
            ),
            next_step="Change that one, or take another name.",
        )
    if found is None and Cron.objects.filter(project=project).count() >= CRONS_A_PROJECT:
        raise Conflict(
            say(
                "The project has {crons_a_project} schedules, as many as it may.",
                crons_a_project=CRONS_A_PROJECT,
            ),
            next_step="Delete some.",
        )
    now = clock.now_ms()
    row = found or Cron(project=project, name=name, created_at_ms=now, anchor_ms=now, considered_ms=now, version=0)
    plan = plan_of(document)
    before = plan_of(found.document) if found is not None else None
    if before is None or (before.schedules, before.zone) != (plan.schedules, plan.zone):
        row.anchor_ms = row.considered_ms = now
    _check_conditions(plan, row, document)
    row.text, row.document, row.saved_by = text, document, actor
    row.suspended = bool(document["spec"].get("suspend"))
    row.stopped, row.condition = False, ""
    _place(row, plan, now)
    row.version += 1
    row.save(force_insert=found is None)
    _say(row, "cron.saved", actor, now, {"name": name, "version": row.version})
    return row


def cron_text(
    *,
    run: Run | None = None,
    pipeline: Pipeline | None = None,
    name: str,
    schedules: Sequence[str],
    timezone: str = "",
    policy: str = "Allow",
    parameters: Mapping[str, str] | None = None,
) -> str:
    """The CronWorkflow that does by the clock what a run did, or what a pipeline's newest version describes.

    A run's parameters are the schedule's too, where others are not given. Whether it can run is `cron_save`'s to say.

    Raises:
        Invalid: neither is given, or there is no manifest behind it.
    """
    document, given = None, dict(parameters or {})
    if run is not None:
        document = RunManifest.objects.filter(run=run).values_list("document", flat=True).first()
        given = {**run.parameters, **given}
    elif pipeline is not None and (version := version_get(pipeline)) is not None:
        document = load(version.text).document
    if document is None:
        raise Invalid(
            "There is nothing to run by the clock.", next_step="Name a run or a pipeline, or send a manifest."
        )
    made = cron_of(document, name=name, schedules=schedules, timezone=timezone, policy=policy, parameters=given)
    return _written(made)


def _written(document: dict[str, Any]) -> str:
    """A manifest as people write one."""
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))


@transaction.atomic
def cron_run(*, cron: Cron, actor: str) -> Run:
    """Start one run of a schedule now, in the name of who asks, whatever its policy; it is in the history as any other.

    Raises:
        ManifestInvalid, Invalid: the manifest cannot be submitted (any more).
    """
    row = Cron.objects.select_for_update(of=("self",)).select_related("project").get(pk=cron.pk)
    at_ms = clock.now_ms()
    while CronTick.objects.filter(cron=row, at_ms=at_ms).exists():
        at_ms += 1
    manifest = workflow_of(row.document, name=f"{row.name}-{at_ms // 1000}", scheduled_at=rfc3339(at_ms))
    run = run_submit(
        project=row.project,
        text=json.dumps(manifest, indent=2, ensure_ascii=False),
        actor=actor,
        library=library_of(row.project_id),
    )
    CronTick.objects.create(
        cron=row,
        at_ms=at_ms,
        decided_at_ms=at_ms,
        state="active",
        reason="by_hand",
        run=run,
        message=f"started by {actor}",
    )
    _say(row, "cron.run", actor, at_ms, {"name": row.name, "run_id": run.pk})
    return run


def _check_conditions(plan: Plan, row: Cron, document: dict[str, Any]) -> None:
    """Conditions are tried once, so that a slip shows at save and not in the night."""
    row.document = document
    for field, judge in (("spec.when", condition_holds), ("spec.stopStrategy.expression", stops)):
        try:
            judge(plan, facts_of(row, 0))
        except LanguageError as error:
            raise Invalid(
                say("{field} cannot be evaluated: {message}", field=field, message=error.message),
                errors=[{"path": field, "code": "condition", "detail": error.message}],
                next_step="Use cronworkflow.succeeded, .failed, .lastScheduledTime, .name and the like.",
            ) from None


@transaction.atomic
def cron_suspend(*, cron: Cron, actor: str, suspended: bool) -> Cron:
    """Suspend, or resume: what was due meanwhile is made up for only within the starting deadline.

    Raises:
        SaverMayNot: it is to be resumed, and who saved it may not submit any more.
    """
    row = Cron.objects.select_for_update(of=("self",)).select_related("project").get(pk=cron.pk)
    now = clock.now_ms()
    plan = plan_of(row.document)
    if not suspended and (refusal := actor_refusal(row.saved_by, "run.submit", row.project)):
        raise SaverMayNot(
            say("Its runs are submitted by who saved it last, and {refusal}.", refusal=refusal),
            next_step="Save it anew as somebody who may submit: `fubini cron update`.",
        )
    if row.suspended and not suspended:
        row.considered_ms = max(row.considered_ms, now - (plan.deadline_ms or 0))
        row.stopped, row.condition = False, ""
    _mark_suspended(row, suspended)
    _place(row, plan, now)
    row.save()
    _say(row, "cron.suspended" if suspended else "cron.resumed", actor, now, {"name": row.name})
    return row


def _mark_suspended(row: Cron, suspended: bool) -> None:
    """On the row and in its manifest, so that who reads either sees the same."""
    row.suspended = suspended
    row.document = {**row.document, "spec": {**row.document["spec"], "suspend": suspended}}
    row.text = _written(row.document)
    row.version += 1


@transaction.atomic
def cron_delete(*, cron: Cron, actor: str) -> None:
    """Remove a schedule; its runs stay."""
    _say(cron, "cron.deleted", actor, clock.now_ms(), {"name": cron.name})
    cron.delete()


def crons_pass(*, at_ms: int) -> int:
    """Settle ended runs and start what is due; how many ticks were decided. Safe to call from anywhere, at any time."""
    ended = CronTick.objects.filter(state="active", run__state__in=RUN_ENDED).order_by("cron_id")
    for cron_id in list(ended.values_list("cron_id", flat=True).distinct()[:CRONS_A_PASS]):
        _guarded(cron_id, at_ms, _settle)
    due = Cron.objects.filter(next_at_ms__lte=at_ms).order_by("next_at_ms", "id").values_list("pk", flat=True)
    return sum(_guarded(cron_id, at_ms, _tick) for cron_id in due[:CRONS_A_PASS])


def _guarded(cron_id: str, at_ms: int, work: Any) -> int:
    """One schedule's trouble never stops the others'."""
    try:
        with transaction.atomic():
            # A row another process has just now is that process's to decide.
            row = (
                Cron.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("project")
                .filter(pk=cron_id)
                .first()
            )
            return int(work(row, at_ms)) if row is not None else 0
    except Exception:
        log.exception("schedule %s could not be looked at; it is put off for a minute", cron_id)
        Cron.objects.filter(pk=cron_id, next_at_ms__lte=at_ms).update(next_at_ms=at_ms + 60_000)
        return 0


def _tick(row: Cron, now: int) -> int:
    plan = plan_of(row.document)
    active = CronTick.objects.filter(cron=row, state="active").select_related("run").order_by("at_ms")
    if row.project.archived_at is not None:
        decision = Decision(Verdict.WAIT)
    else:
        decision = decide(plan, facts_of(row, len(active)), now)
    row.next_at_ms = decision.next_ms
    if decision.at_ms is not None:
        tick = CronTick(cron=row, at_ms=decision.at_ms, decided_at_ms=now, state="skipped", reason=decision.reason)
        tick.message = decision.message[:400]
        row.considered_ms = decision.at_ms
        row.stopped = decision.stop
        if decision.verdict is Verdict.SKIP:
            row.condition = tick.message if decision.reason == "error" else row.condition
        elif refusal := actor_refusal(row.saved_by, "run.submit", row.project):
            _stand_down(row, tick, refusal, now)
        else:
            if decision.verdict is Verdict.REPLACE:
                _end(active, row.saved_by)
            _start(row, tick)
        tick.save(force_insert=True)
    row.save()
    return int(decision.at_ms is not None)


def _start(row: Cron, tick: CronTick) -> None:
    """Submit the tick's run; a refusal is the tick's end and is shown with the schedule."""
    manifest = workflow_of(row.document, name=f"{row.name}-{tick.at_ms // 1000}", scheduled_at=rfc3339(tick.at_ms))
    try:
        with transaction.atomic():
            tick.run = run_submit(
                project=row.project,
                text=json.dumps(manifest, indent=2, ensure_ascii=False),
                actor=row.saved_by,
                library=library_of(row.project_id),
            )
        tick.state, row.condition, row.last_at_ms = "active", "", tick.at_ms
    except FubiniError as error:
        tick.state, tick.message = "refused", error.detail[:400]
        row.condition = tick.message
        row.failed += 1


def _stand_down(row: Cron, tick: CronTick, refusal: str, now: int) -> None:
    """Suspend a schedule whose saver may not submit any more: nothing is done in the name of somebody who may not do it."""
    message = f"Suspended: its runs are submitted by who saved it last, and {refusal}. Save it anew to go on."
    tick.state, tick.message = "refused", message[:400]
    row.condition, row.next_at_ms = tick.message, None
    _mark_suspended(row, True)
    _say(row, "cron.suspended", "system", now, {"name": row.name, "saved_by": row.saved_by, "reason": refusal[:300]})


def _end(active: Any, actor: str) -> None:
    for tick in active:
        if tick.run is not None and tick.run.state not in RUN_ENDED:
            run_cancel(run=tick.run, actor=actor)


def _settle(row: Cron, now: int) -> int:
    """Count runs that ended, keep the history within its limits, and stop where the strategy says so."""
    plan = plan_of(row.document)
    for tick in CronTick.objects.filter(cron=row, state="active", run__state__in=RUN_ENDED).select_related("run"):
        assert tick.run is not None
        tick.state = "succeeded" if tick.run.state == "succeeded" else "failed"
        tick.save(update_fields=["state"])
        if tick.state == "succeeded":
            row.succeeded += 1
        else:
            row.failed += 1
    try:
        row.stopped = row.stopped or stops(plan, facts_of(row, 0))
    except LanguageError as error:
        row.condition = error.message[:400]
    if row.stopped:
        row.next_at_ms = None
    row.save()
    for state, keep in (("succeeded", plan.keep_succeeded), ("failed", plan.keep_failed)):
        if keep is not None:
            _forget(row, state, keep)
    return 0


def _forget(row: Cron, state: str, keep: int) -> None:
    ticks = CronTick.objects.filter(cron=row, state=state, run__isnull=False, run__deleted_at_ms=None)
    runs = Run.objects.filter(pk__in=ticks.values("run_id"), state__in=RUN_ENDED).order_by("-finished_at_ms", "-id")
    for run in list(runs[keep : keep + CRONS_A_PASS]):
        run_delete(run=run, actor=row.saved_by)


def _place(row: Cron, plan: Plan, now: int) -> None:
    """When to look at it next; at once, where a tick may be due already."""
    row.next_at_ms = None
    if not row.suspended and not row.stopped:
        decision = decide(plan, facts_of(row, 0), now)
        row.next_at_ms = now if decision.at_ms is not None else decision.next_ms
        transaction.on_commit(lambda: bell.ring("dispatch"))


def _say(row: Cron, kind: str, actor: str, at_ms: int, data: dict[str, Any]) -> None:
    """An event for who watches and an entry of the trail: a schedule acts in somebody's name long after they left."""
    audit_append(actor=actor, action=kind, target=f"cron:{row.pk}", project_id=row.project_id, data=data)
    events_append(
        [
            EventDraft(
                topic="cron", kind=kind, entity_id=row.pk, at_ms=at_ms, project_id=row.project_id, actor=actor, data=data
            )
        ]
    )  # fmt: skip
