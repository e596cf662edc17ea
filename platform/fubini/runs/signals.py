"""What people do to a run that is there: stop, terminate, suspend, resume, set, retry.

A signal is a row the engine has not heard yet, so that a cancel survives a kill of everything; it is done when the
engine's next step commits. Who asked is on the row, in the run's events and in the audit trail. A retry's row also has
the generation it leads to, what it changed and what it was quoted at: that is the generation's provenance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict
from fubini.common.saying import ours, say
from fubini.events.services import EventDraft, events_append
from fubini.runs.engine import Change, Signal, SignalKind
from fubini.runs.models import Run, RunSignal
from fubini.runs.transitions import RUN_ENDED

# Of what a signal says, what the trail keeps as it is; of parameters it keeps the names.
_SAID = ("selector", "phase", "restart_successful", "memory_bytes", "walltime_s", "image")


@transaction.atomic
def run_signal(
    *,
    run: Run,
    kind: str,
    actor: str,
    payload: Mapping[str, Any] | None = None,
    quote: Mapping[str, Any] | None = None,
) -> RunSignal:
    """Ask the engine for something.

    Raises:
        Conflict: the run's state does not allow it, or a retry is under way already.
    """
    wanted = SignalKind(kind)
    run = Run.objects.select_for_update().get(pk=run.pk)
    given = dict(payload or {})
    if wanted is SignalKind.RETRY:
        _check_retry(run, given)
    elif run.state in RUN_ENDED:
        raise Conflict(
            say(
                "Run {name} has ended ({state}).",
                name=run.name,
                state=ours(run.state),
            ),
            next_step="Use retry or resubmit to run it again.",
        )
    at_ms = clock.now_ms()
    signal = RunSignal.objects.create(
        run=run,
        kind=wanted.value,
        payload=given,
        actor=actor,
        at_ms=at_ms,
        generation=run.generation + 1 if wanted is SignalKind.RETRY else None,
        quote=dict(quote) if quote is not None else None,
    )
    events_append(
        [
            EventDraft(
                topic="run",
                kind=f"run.{wanted.value}_asked",
                entity_id=run.pk,
                at_ms=at_ms,
                project_id=run.project_id,
                run_id=run.pk,
                generation=run.generation,
                actor=actor,
                data=given,
            )
        ]
    )
    said: dict[str, Any] = {"name": run.name, **{name: given[name] for name in _SAID if given.get(name)}}
    if given.get("parameters"):
        said["parameters"] = sorted(given["parameters"])[:100]
    audit_append(actor=actor, action=f"run.{wanted.value}", target=run.pk, project_id=run.project_id, data=said)
    transaction.on_commit(lambda: bell.ring("dispatch"))
    return signal


def run_cancel(*, run: Run, actor: str) -> RunSignal:
    """End the run now: running steps are killed, exit handlers do not run. A suspended run ends too."""
    return run_signal(run=run, kind="terminate", actor=actor)


def signal_event(kind: SignalKind, payload: Mapping[str, Any], at_ms: int) -> Signal:
    """A signal's row as the engine hears it."""
    return Signal(
        at_ms,
        kind,
        selector=payload.get("selector", ""),
        outputs=payload.get("outputs", {}),
        message=payload.get("message", ""),
        phase=payload.get("phase", ""),
        restart_successful=bool(payload.get("restart_successful", False)),
        parameters=payload.get("parameters", {}),
        change=Change(
            memory_bytes=payload.get("memory_bytes"),
            walltime_s=payload.get("walltime_s"),
            image=payload.get("image", ""),
        ),
    )


def _check_retry(run: Run, given: Mapping[str, Any]) -> None:
    if run.state not in RUN_ENDED:
        raise Conflict(
            say(
                "Run {name} is {state}.",
                name=run.name,
                state=ours(run.state),
            ),
            next_step="Wait until it has ended, or cancel it, then retry.",
        )
    if run.state == "succeeded" and not given.get("restart_successful"):
        raise Conflict(
            say(
                "Run {name} succeeded; there is nothing to retry.",
                name=run.name,
            ),
            next_step="Resubmit it to run it again.",
        )
    if RunSignal.objects.filter(run=run, kind="retry", handled_at_ms=None).exists():
        raise Conflict(
            say(
                "A retry of run {name} is under way.",
                name=run.name,
            ),
            next_step="Wait until it has begun: `fubini run get`.",
        )
