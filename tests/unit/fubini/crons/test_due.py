"""What a schedule decides: pure, with every rule that may keep a tick from starting a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fubini.crons.due import Facts, Verdict, coming, condition_holds, decide, plan_of, stops
from fubini.language.errors import LanguageError

MINUTE, HOUR = 60_000, 3_600_000
NOON = int(datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp() * 1000)
FACTS = Facts(name="nightly", namespace="demo", anchor_ms=NOON - HOUR, considered_ms=NOON - HOUR)


def plan(**spec: Any) -> Any:
    return plan_of({"spec": {"schedules": ["*/10 * * * *"], **spec}})


def test_a_tick_that_has_come_starts_a_run_and_the_next_is_told() -> None:
    found = decide(plan(), FACTS, NOON + 500)
    assert (found.verdict, found.at_ms, found.next_ms) == (Verdict.START, NOON, NOON + 10 * MINUTE)


def test_a_tick_is_decided_once() -> None:
    found = decide(plan(), replace(FACTS, considered_ms=NOON), NOON + 500)
    assert (found.verdict, found.at_ms, found.next_ms) == (Verdict.WAIT, None, NOON + 10 * MINUTE)


def test_of_the_ticks_nobody_saw_only_the_latest_may_start_a_run() -> None:
    found = decide(plan(startingDeadlineSeconds=300), FACTS, NOON + 4 * MINUTE)
    assert (found.verdict, found.at_ms) == (Verdict.START, NOON)


def test_a_tick_beyond_its_deadline_is_skipped_as_late() -> None:
    found = decide(plan(startingDeadlineSeconds=120), FACTS, NOON + 4 * MINUTE)
    assert (found.verdict, found.reason, found.next_ms) == (Verdict.SKIP, "late", NOON + 10 * MINUTE)


def test_without_a_deadline_a_restart_is_forgiven_and_an_outage_is_not() -> None:
    assert decide(plan(), FACTS, NOON + 50_000).verdict is Verdict.START
    assert decide(plan(), FACTS, NOON + 70_000).reason == "late"


def test_a_deadline_of_zero_still_lets_a_tick_on_time_through() -> None:
    assert decide(plan(startingDeadlineSeconds=0), FACTS, NOON + 2_000).verdict is Verdict.START


@pytest.mark.parametrize(
    ("policy", "active", "want_verdict"),
    [
        ("", 2, Verdict.START),
        ("Allow", 2, Verdict.START),
        ("Forbid", 1, Verdict.SKIP),
        ("Forbid", 0, Verdict.START),
        ("Replace", 1, Verdict.REPLACE),
        ("Replace", 0, Verdict.START),
    ],
)
def test_what_an_earlier_run_that_goes_on_means_is_the_policy_s(
    policy: str, active: int, want_verdict: Verdict
) -> None:
    found = decide(plan(concurrencyPolicy=policy), replace(FACTS, active=active), NOON)
    assert found.verdict is want_verdict
    assert found.reason == ("forbidden" if want_verdict is Verdict.SKIP else "")


def test_suspended_or_stopped_nothing_is_due_and_nothing_will_be() -> None:
    for facts in (replace(FACTS, suspended=True), replace(FACTS, stopped=True)):
        found = decide(plan(), facts, NOON)
        assert (found.verdict, found.next_ms) == (Verdict.WAIT, None)


def test_when_reads_the_schedule_s_counts_and_its_last_time() -> None:
    once = plan(when="{{=cronworkflow.lastScheduledTime == nil}}")
    assert condition_holds(once, FACTS)
    assert not condition_holds(once, replace(FACTS, last_at_ms=NOON))
    few = plan(when="{{cronworkflow.failed}} < 2")
    assert decide(few, replace(FACTS, failed=1), NOON).verdict is Verdict.START
    assert decide(few, replace(FACTS, failed=2), NOON).reason == "condition"


def test_a_condition_that_cannot_be_evaluated_skips_the_tick_with_its_reason() -> None:
    found = decide(plan(when="{{cronworkflow.nothing}} == 1"), FACTS, NOON)
    assert (found.verdict, found.reason) == (Verdict.SKIP, "error")
    assert "cronworkflow.nothing" in found.message


def test_the_stop_strategy_ends_the_schedule() -> None:
    twice = plan(stopStrategy={"expression": "cronworkflow.succeeded >= 2"})
    assert not stops(twice, replace(FACTS, succeeded=1))
    found = decide(twice, replace(FACTS, succeeded=2), NOON)
    assert (found.verdict, found.stop, found.next_ms) == (Verdict.SKIP, True, None)
    with pytest.raises(LanguageError):
        stops(plan(stopStrategy={"expression": "cronworkflow.nothing > 2"}), FACTS)


def test_the_coming_ticks_are_listed_in_the_schedule_s_own_zone() -> None:
    nightly = plan(schedules=["30 2 * * *"], timezone="Europe/Berlin")
    start = int(datetime(2026, 10, 24, 12, tzinfo=UTC).timestamp() * 1000)
    told = [datetime.fromtimestamp(at / 1000, UTC).isoformat() for at in coming(nightly, FACTS, start, 2)]
    assert told == ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]
