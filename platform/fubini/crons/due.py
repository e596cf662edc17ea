"""What a schedule has to do now: which tick is due, whether it may start a run, and when to look again.

Pure: facts and a time in, a decision out. Writing is `services`' business, reading schedules that of
`language.schedules`. Of several ticks that came while nobody looked only the latest may still start a run, and only
within `startingDeadlineSeconds` of its time; without one, within `GRACE_MS`, which covers a restart of the platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final

from fubini.common.saying import Known
from fubini.language import expr, gojson, govaluate, schedules, tags
from fubini.language.errors import LanguageError
from fubini.language.expr.builtins import ARGO

OF_TICKS: Final = Known(
    "{late} s late; at most {allowed} s are allowed",
    "the stop strategy has come true",
    "`when` is false",
    "{count} earlier run(s) still go on",
    "started by {actor}",
)
"""What a tick keeps as its message, in English: its row is older than whoever reads it."""
GRACE_MS: Final = 60_000
JITTER_MS: Final = 10_000  # a tick is never late by less, whatever its deadline: the loop looks once a second


class Verdict(StrEnum):
    START = "start"
    REPLACE = "replace"  # end the runs that go on, then start
    SKIP = "skip"
    WAIT = "wait"  # nothing is due


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule's own fields, read. Limits are None where the manifest has none."""

    schedules: tuple[schedules.Schedule, ...]
    zone: tzinfo
    policy: str = "Allow"
    deadline_ms: int | None = None
    when: str = ""
    stop: str = ""
    keep_succeeded: int | None = None
    keep_failed: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one schedule. Times are milliseconds since the epoch."""

    name: str
    namespace: str
    anchor_ms: int
    considered_ms: int
    last_at_ms: int | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    suspended: bool = False
    stopped: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """`at_ms` is the tick decided (None with WAIT); `reason` of a SKIP is one of late, forbidden, condition, error."""

    verdict: Verdict
    at_ms: int | None = None
    next_ms: int | None = None
    reason: str = ""
    message: str = ""
    stop: bool = False


def plan_of(document: Mapping[str, Any]) -> Plan:
    """The plan of a checked CronWorkflow.

    Raises:
        LanguageError: a schedule or time zone that is none.
    """
    spec = document["spec"]
    deadline = spec.get("startingDeadlineSeconds")

    def limit(name: str) -> int | None:
        value = spec.get(name)
        return value if isinstance(value, int) and value >= 0 else None

    return Plan(
        schedules=tuple(schedules.parse(line) for line in spec["schedules"]),
        zone=schedules.zone(spec.get("timezone") or ""),
        policy=spec.get("concurrencyPolicy") or "Allow",
        deadline_ms=deadline * 1000 if isinstance(deadline, int) else None,
        when=spec.get("when") or "",
        stop=(spec.get("stopStrategy") or {}).get("expression") or "",
        keep_succeeded=limit("successfulJobsHistoryLimit"),
        keep_failed=limit("failedJobsHistoryLimit"),
    )


def decide(plan: Plan, facts: Facts, now_ms: int) -> Decision:
    """What to do at `now_ms`."""
    if facts.suspended or facts.stopped:
        return Decision(Verdict.WAIT)
    at_ms = schedules.latest_until(plan.schedules, plan.zone, now_ms, anchor_ms=facts.anchor_ms)
    next_ms = schedules.next_after(plan.schedules, plan.zone, now_ms, anchor_ms=facts.anchor_ms)
    if at_ms is None or at_ms <= facts.considered_ms:
        return Decision(Verdict.WAIT, next_ms=next_ms)

    def skip(reason: str, message: str, *, stop: bool = False) -> Decision:
        return Decision(Verdict.SKIP, at_ms, None if stop else next_ms, reason, message, stop)

    late_ms = now_ms - at_ms
    allowed_ms = GRACE_MS if plan.deadline_ms is None else max(JITTER_MS, plan.deadline_ms)
    if late_ms > allowed_ms:
        return skip("late", f"{late_ms // 1000} s late; at most {allowed_ms // 1000} s are allowed")
    try:
        if stops(plan, facts):
            return skip("condition", "the stop strategy has come true", stop=True)
        if not condition_holds(plan, facts):
            return skip("condition", "`when` is false")
    except LanguageError as error:
        return skip("error", error.message[:400])
    if facts.active and plan.policy == "Forbid":
        return skip("forbidden", f"{facts.active} earlier run(s) still go on")
    verdict = Verdict.REPLACE if facts.active and plan.policy == "Replace" else Verdict.START
    return Decision(verdict, at_ms, next_ms)


def stops(plan: Plan, facts: Facts) -> bool:
    """Has the stop strategy come true?

    Raises:
        LanguageError: it cannot be evaluated.
    """
    if not plan.stop:
        return False
    names = {**tags.expand(_variables(facts)), **ARGO}
    node = expr.parse(plan.stop)
    expr.compile_check(node, names)
    return expr.evaluate_bool(node, names, plan.stop)


def condition_holds(plan: Plan, facts: Facts) -> bool:
    """Does `when` allow a run?

    Raises:
        LanguageError: it cannot be evaluated.
    """
    return govaluate.should_execute(tags.replace(plan.when, _Scope(_variables(facts)), tags.always))


def coming(plan: Plan, facts: Facts, now_ms: int, count: int) -> list[int]:
    """The next ticks, at most `count`."""
    found: list[int] = []
    at: int | None = now_ms
    while at is not None and len(found) < count:
        at = schedules.next_after(plan.schedules, plan.zone, at, anchor_ms=facts.anchor_ms)
        if at is not None:
            found.append(at)
    return found


def rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Scope:
    """`{{cronworkflow.*}}` for `when`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def lookup(self, name: str) -> Any:
        value = self.values.get(name, tags.MISSING)
        if isinstance(value, Mapping):
            return tags.MISSING
        return value if isinstance(value, str) or value is tags.MISSING or value is None else gojson.dumps(value)

    def environment(self, text: str) -> Mapping[str, Any]:
        return {**tags.expand(self.values), **ARGO}


def _variables(facts: Facts) -> dict[str, Any]:
    return {
        "cronworkflow.name": facts.name,
        "cronworkflow.namespace": facts.namespace,
        "cronworkflow.labels": dict(facts.labels),
        "cronworkflow.labels.json": gojson.dumps(dict(facts.labels)),
        "cronworkflow.annotations": dict(facts.annotations),
        "cronworkflow.annotations.json": gojson.dumps(dict(facts.annotations)),
        "cronworkflow.failed": facts.failed,
        "cronworkflow.succeeded": facts.succeeded,
        "cronworkflow.lastScheduledTime": rfc3339(facts.last_at_ms) if facts.last_at_ms is not None else None,
    }
