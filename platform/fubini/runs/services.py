"""Writes on runs that people ask for: submit, change, resubmit, delete; signals are in `signals.py`.

A submit is accepted once its transaction commits; engines and agents take it from the rows. What engines write is in
`apply.py`, what agents report in `gateway`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict, Invalid
from fubini.common.saying import ours, say
from fubini.events.moves import rows_create
from fubini.events.services import EventDraft, events_append
from fubini.manifests.findings import finding_json
from fubini.manifests.library import referred
from fubini.pipelines.checking import manifest_report, report_require
from fubini.pipelines.models import PipelineVersion
from fubini.projects.models import Project
from fubini.runs.memoized import run_carry_over
from fubini.runs.models import JobCounter, Run, RunLabel, RunManifest
from fubini.runs.pins import claims_of, pinned
from fubini.runs.quoted import KeptQuote
from fubini.runs.reuse.plan import ReusePlan
from fubini.runs.signals import run_cancel
from fubini.runs.transitions import RUN, RUN_ENDED

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,118}[a-z0-9])?")
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]{0,61}[A-Za-z0-9])?")
OBJECTIVES = ("fastest", "cheapest", "balanced")
PRIORITIES = ("interactive", "normal", "opportunistic")


@transaction.atomic
def run_submit(
    *,
    project: Project,
    text: str,
    actor: str,
    name: str = "",
    parameters: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    max_cost_micros: int | None = None,
    objective: str = "",
    priority: str = "normal",
    pipeline_version: PipelineVersion | None = None,
    library: Sequence[Mapping[str, Any]] = (),
    resubmit_of: str = "",
    engine: str = "embedded",
    reuse: ReusePlan | None = None,
    quote: KeptQuote | None = None,
) -> Run:
    """Accept a run. Once this commits it is never lost.

    With `reuse`, steps take the results of finished ones over (`runs.reuse`); the plan is kept as it was told, and so is
    `quote`, what it was shown to cost and take.

    Raises:
        ManifestInvalid: with every finding, each with path and line.
        Invalid: a parameter, name, label or limit that cannot be.
    """
    given = {str(k): str(v) for k, v in (parameters or {}).items()}
    report = manifest_report(
        text,
        library=library,
        parameters=given,
        engine=engine,
        import_rules=project.import_rules,
        max_items=project.max_items,
        project_id=project.pk,
    )
    document = report_require(report)
    _check_choices(objective, priority, max_cost_micros)
    metadata = document.get("metadata") or {}
    wanted = name or metadata.get("name") or _generated(metadata.get("generateName") or "run-")
    if not NAME.fullmatch(wanted):
        raise Invalid(
            say("The run name {wanted!r} is not usable.", wanted=wanted),
            next_step="Use lower-case letters, digits, '-' and '.', at most 120, starting and ending with a letter or digit.",
        )
    marks = {**{str(k): str(v) for k, v in (metadata.get("labels") or {}).items()}, **(labels or {})}
    _check_labels(marks)
    at_ms = clock.now_ms()
    run = Run(
        project=project,
        job_number=_job_number(),
        name=wanted,
        engine=engine,
        pipeline_version=pipeline_version,
        parameters=given,
        datasets=pinned(project.pk, sorted(claims_of(document, library))),
        submitted_by=actor,
        objective=objective,
        priority=priority,
        max_cost_micros=max_cost_micros if max_cost_micros is not None else project.default_max_cost_micros,
        created_at_ms=at_ms,
        resubmit_of=resubmit_of,
        reuse={"mode": reuse.mode, "run": reuse.run_id, "plan": reuse.to_json()} if reuse is not None else None,
        quote=quote.to_json() if quote is not None else None,
    )
    rows_create(RUN, [run], at_ms=at_ms, actor=actor, data=lambda r: {"name": r.name})
    RunManifest.objects.create(
        run=run,
        text=text if isinstance(text, str) else text.decode(),
        document=document,
        library=referred(document, library),
        warnings=[finding_json(f) for f in report.findings if f.severity != "error"],
        import_rules=project.import_rules,
    )
    RunLabel.objects.bulk_create([RunLabel(run=run, key=k, value=v) for k, v in marks.items()])
    transaction.on_commit(lambda: bell.ring("dispatch"))
    return run


@transaction.atomic
def run_resubmit(
    *, run: Run, actor: str, parameters: Mapping[str, str] | None = None, name: str = "", memoized: bool = False
) -> Run:
    """The same manifest again as a new run, with other parameters where given.

    With `memoized`, steps that succeeded are not run again; the run must have failed then.

    Raises:
        Conflict: it has not failed, or what a step left is not there any more.
    """
    if memoized and run.state not in ("failed", "error"):
        raise Conflict(
            say(
                "Run {name} is {state}: workflow must be Failed/Error to resubmit in memoized mode.",
                name=run.name,
                state=ours(run.state),
            ),
            next_step="Resubmit it without `memoized`; or submit its manifest with `reuse`.",
        )
    kept = RunManifest.objects.get(run=run)
    made = run_submit(
        project=run.project,
        text=kept.text,
        actor=actor,
        name=name or _generated(re.sub(r"-r[0-9a-f]{5}$", "", run.name)[:100] + "-r"),
        parameters={**run.parameters, **(parameters or {})},
        labels=dict(RunLabel.objects.filter(run=run).values_list("key", "value")),
        max_cost_micros=run.max_cost_micros,
        objective=run.objective,
        priority=run.priority,
        pipeline_version=run.pipeline_version,
        library=kept.library,
        resubmit_of=run.pk,
        engine=run.engine,
    )
    if memoized:
        run_carry_over(run=made, source=run, actor=actor, at_ms=clock.now_ms())
    audit_append(
        actor=actor,
        action="run.resubmit",
        target=made.pk,
        project_id=run.project_id,
        data={"of": run.pk, "name": made.name, "memoized": memoized},
    )
    return made


@transaction.atomic
def run_update(
    *,
    run: Run,
    actor: str,
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    max_cost_micros: int | None = None,
    clear_max_cost: bool = False,
) -> Run:
    """Change what may change after submit; raising `max_cost_micros` lets a run that waits for `run_budget` go on."""
    run = Run.objects.select_for_update().get(pk=run.pk)
    changed: dict[str, Any] = {}
    if name is not None and name != run.name:
        if not NAME.fullmatch(name):
            raise Invalid(
                say(
                    "The run name {name!r} is not usable.",
                    name=name,
                ),
                next_step="Use lower-case letters, digits, '-' and '.'.",
            )
        if run.state not in RUN_ENDED:
            raise Conflict(
                "A run's name is part of its nodes' names while it runs.", next_step="Rename it once it has ended."
            )
        changed["name"] = run.name = name
    if clear_max_cost or max_cost_micros is not None:
        _check_choices("", "normal", max_cost_micros)
        changed["max_cost_micros"] = run.max_cost_micros = max_cost_micros
    if labels is not None:
        _check_labels(labels)
        RunLabel.objects.filter(run=run).delete()
        RunLabel.objects.bulk_create([RunLabel(run=run, key=k, value=v) for k, v in labels.items()])
        changed["labels"] = dict(labels)
    if changed:
        run.version += 1
        run.save(update_fields=["name", "max_cost_micros", "version"])
        events_append(
            [
                EventDraft(
                    topic="run",
                    kind="run.changed",
                    entity_id=run.pk,
                    at_ms=clock.now_ms(),
                    project_id=run.project_id,
                    run_id=run.pk,
                    actor=actor,
                    data=changed,
                )
            ]
        )
        transaction.on_commit(lambda: bell.ring("dispatch"))
    return run


@transaction.atomic
def run_delete(*, run: Run, actor: str, cancel: bool = False) -> None:
    """Hide an ended run; its ledger entries stay, its logs and blobs go with the next retention pass.

    Args:
        cancel: a run that goes on is cancelled and hidden at once; what its steps used until they end is settled.

    Raises:
        Conflict: it goes on, without `cancel`.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if cancel and run.state not in RUN_ENDED:
        run_cancel(run=run, actor=actor)
    elif run.state not in RUN_ENDED:
        raise Conflict(
            say(
                "Run {name} is {state}.",
                name=run.name,
                state=ours(run.state),
            ),
            next_step="Cancel it first: `fubini run cancel`.",
        )
    at_ms = clock.now_ms()
    run.deleted_at_ms = at_ms
    run.version += 1
    run.save(update_fields=["deleted_at_ms", "version"])
    events_append(
        [
            EventDraft(
                topic="run",
                kind="run.deleted",
                entity_id=run.pk,
                at_ms=at_ms,
                project_id=run.project_id,
                run_id=run.pk,
                actor=actor,
            )
        ]
    )


def _job_number() -> int:
    """The next small number; a gap-free counter would serialise less well, gaps are fine."""
    JobCounter.objects.get_or_create(pk=1)
    JobCounter.objects.filter(pk=1).update(last=F("last") + 1)
    return JobCounter.objects.get(pk=1).last


def _generated(prefix: str) -> str:
    import secrets

    return f"{prefix}{secrets.token_hex(3)[:5]}"


def _check_choices(objective: str, priority: str, max_cost_micros: int | None) -> None:
    if objective and objective not in OBJECTIVES:
        raise Invalid(
            say(
                "The objective {objective!r} is not known.",
                objective=objective,
            ),
            allowed=list(OBJECTIVES),
            next_step="Use one of the allowed.",
        )
    if priority not in PRIORITIES:
        raise Invalid(
            say(
                "The priority {priority!r} is not known.",
                priority=priority,
            ),
            allowed=list(PRIORITIES),
            next_step="Use one of the allowed.",
        )
    if max_cost_micros is not None and not 0 <= max_cost_micros < 2**53:
        raise Invalid(
            say("The cost limit {max_cost_micros} micros is out of range.", max_cost_micros=max_cost_micros),
            next_step="Give 0 or more; 1,000,000 is one unit.",
        )


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > 50:
        raise Invalid(
            say(
                "{labels_count} labels are too many.",
                labels_count=len(labels),
            ),
            next_step="Give at most 50.",
        )
    for key, value in labels.items():
        if not LABEL.fullmatch(key) or len(value) > 120 or "\x00" in value:
            raise Invalid(
                say("The label {key!r} is not usable.", key=key[:80]),
                next_step="A key has 1 to 63 of A-Z a-z 0-9 - _ . /, a value at most 120 characters.",
            )
