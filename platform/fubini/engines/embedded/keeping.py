"""How long an ended run and its logs are kept: ttlStrategy and podGC as retention.

ttlStrategy counts from the run's end, the more special of its limits first, as Argo's collector does. podGC says on a
cluster when pods, and with them their logs, go; steps here leave no pods, so it speaks of their logs. They are kept while
the run goes on whatever the strategy says, because a failure is looked at then, and go `deleteDelayDuration` (5 s) after
its end: all of them, or those of succeeded steps, or, with OnWorkflowSuccess, only when the run succeeded. `archiveLogs` and a
labelSelector (steps have no labels of their own here) keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fubini.engines.embedded.program import any_string
from fubini.language import durations
from fubini.language.errors import LanguageError
from fubini.runs.engine import Keep, NodePhase

DELAY_S = 5
ON_POD = ("OnPodCompletion", "OnPodSuccess")
ON_RUN = ("OnWorkflowCompletion", "OnWorkflowSuccess")


def keep_of(spec: Mapping[str, Any], phase: NodePhase) -> Keep | None:
    """What a workflow's specification says of a run that ended in `phase`; None where it says nothing."""
    run_s = _run_s(spec.get("ttlStrategy") or {}, phase)
    logs_s, of_succeeded = _logs_s(spec, phase)
    if run_s is None and logs_s is None:
        return None
    return Keep(run_s, logs_s, of_succeeded)


def _run_s(strategy: Mapping[str, Any], phase: NodePhase) -> int | None:
    special = "secondsAfterSuccess" if phase is NodePhase.SUCCEEDED else "secondsAfterFailure"
    if phase is NodePhase.ERROR:  # Argo counts an Error as completed, not as failed
        special = "secondsAfterCompletion"
    for name in (special, "secondsAfterCompletion"):
        value = strategy.get(name)
        if value is not None:
            return max(0, int(value))
    return None


def _logs_s(spec: Mapping[str, Any], phase: NodePhase) -> tuple[int | None, bool]:
    strategy = spec.get("podGC") or {}
    when = strategy.get("strategy") or ""
    if when not in ON_POD + ON_RUN or spec.get("archiveLogs") or strategy.get("labelSelector"):
        return None, False
    if when == "OnWorkflowSuccess" and phase is not NodePhase.SUCCEEDED:
        return None, False
    delay = any_string(strategy.get("deleteDelayDuration")) or ""
    try:
        seconds = -(-durations.parse(delay) // 1000) if delay else DELAY_S
    except LanguageError:
        seconds = DELAY_S
    return max(0, seconds), when == "OnPodSuccess"
