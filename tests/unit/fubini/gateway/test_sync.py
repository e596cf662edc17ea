"""What a sync does to the rows: each result once, whatever is repeated, late, lost or contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.common import clock
from fubini.dispatch.expiry import leases_expire
from fubini.dispatch.loop import Loop
from fubini.dispatch.selectors import platform_status, task_why
from fubini.gateway.services import sync_handle
from fubini.ledger.models import Account, Hold
from fubini.ledger.services import ledger_check
from fubini.runs.models import Attempt, Lease, Run, Task
from fubini_protocol.v1 import messages as wire
from tests.support.rows import Place, make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Place:
    return make_place()


@pytest.fixture
def task(place: Place) -> Task:
    return make_task(make_run(make_project()))


def held(attempt: Attempt, state: str = "running") -> wire.HeldAttempt:
    return wire.HeldAttempt(
        attempt_id=attempt.pk,
        task_id=attempt.task_id,
        fence=attempt.fence,
        state=wire.AttemptState(state),
        keeper_alive=True,
    )


def report(attempt: Attempt, state: str, sequence: int = 1, **more: Any) -> wire.Report:
    outcome = more.pop("outcome", None)
    if state == "succeeded" and outcome is None:
        outcome = outcome_of(0)
    values = {"attempt_id": attempt.pk, "task_id": attempt.task_id, "fence": attempt.fence, "sequence": sequence}
    return wire.Report(**(values | more), state=wire.AttemptState(state), at_ms=clock.now_ms(), outcome=outcome)


def outcome_of(exit_code: int, wall_ms: int = 2000, **more: Any) -> wire.Outcome:
    return wire.Outcome(
        kind=wire.OutcomeKind.EXITED, exit_code=exit_code, usage=wire.Usage(wall_ms=wall_ms, cpu_ms=5), **more
    )


def sync(place: Place, *, seq: int = 1, **more: Any) -> wire.SyncReply:
    place.agent.refresh_from_db()
    return sync_handle(
        place.agent,
        wire.SyncRequest(
            protocol_version=1, agent_id=place.agent.pk, boot_id="b", session_id="s", sync_seq=seq, **more
        ),
    )


def test_a_granted_lease_is_offered_until_the_agent_holds_it(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place)
    for seq in (1, 2):
        reply = sync(place, seq=seq)
        assert [o.attempt_id for o in reply.start] == [attempt.pk]
        assert reply.start[0].spec.argv == ("true",)
    reply = sync(place, seq=3, held=(held(attempt, "leased"),))
    assert reply.start == ()
    assert Lease.objects.get(pk=attempt.pk).state == "held"


def test_a_success_ends_task_lease_and_hold_once(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place, age_ms=5000)
    first = sync(place, reports=(report(attempt, "succeeded", 3),))
    again = sync(place, seq=2, reports=(report(attempt, "succeeded", 3),))
    assert first.verdicts[0].verdict is wire.VerdictKind.ACCEPTED
    assert again.verdicts[0].verdict is wire.VerdictKind.ALREADY_ACCEPTED
    task.refresh_from_db()
    assert (task.state, task.engine_seen, task.outcome["exit_code"]) == ("succeeded", False, 0)
    assert not Lease.objects.filter(pk=attempt.pk).exists()
    hold = Hold.objects.get(pk=attempt.pk)
    assert (hold.state, hold.settled_micros) == ("settled", 2000)  # two seconds of a core
    run = Run.objects.get(pk=task.run_id)
    assert (run.held_micros, run.settled_micros, run.steps_done) == (0, 2000, 1)
    assert ledger_check()["imbalance_micros"] == 0


def test_the_charge_is_capped_by_the_time_the_server_saw(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place, age_ms=1000)
    sync(place, reports=(report(attempt, "succeeded", outcome=outcome_of(0, wall_ms=90_000)),))
    assert 1000 <= Hold.objects.get(pk=attempt.pk).settled_micros <= 1500


def test_a_user_error_is_charged_and_final(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place, age_ms=5000)
    sync(place, reports=(report(attempt, "failed", cause=wire.Cause.USER, outcome=outcome_of(3)),))
    task.refresh_from_db()
    assert (task.state, task.outcome["exit_code"]) == ("failed", 3)
    assert Hold.objects.get(pk=attempt.pk).settled_micros == 2000


@pytest.mark.parametrize("cause", ["node", "site", "data", "image"])
def test_an_infrastructure_failure_runs_again_and_costs_the_site(place: Place, task: Task, cause: str) -> None:
    attempt = make_attempt(task, place, age_ms=5000)
    sync(place, reports=(report(attempt, "failed", cause=wire.Cause(cause), outcome=outcome_of(1)),))
    task.refresh_from_db()
    assert (task.state, task.infra_failures, task.avoid) == ("queued", 1, [place.group.pk])
    hold = Hold.objects.get(pk=attempt.pk)
    assert (hold.state, hold.settled_micros, hold.payer) == ("released", 0, "site")
    assert Account.objects.get(owner=f"site:{place.site.pk}", kind="loss").balance_micros == 2000
    assert ledger_check()["imbalance_micros"] == 0


def test_after_the_infrastructure_limit_the_task_is_a_platform_error(place: Place, task: Task, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "MAX_INFRA_ATTEMPTS": 2}
    for _ in range(2):
        task.refresh_from_db()
        attempt = make_attempt(task, place)
        sync(place, reports=(report(attempt, "failed", cause=wire.Cause.NODE, reason="disk died"),))
    task.refresh_from_db()
    assert (task.state, task.outcome["kind"]) == ("failed", "platform")
    assert "disk died" in task.outcome["error"]


def test_an_old_fence_is_superseded_and_changes_nothing(place: Place, task: Task) -> None:
    old = make_attempt(task, place)
    sync(place, reports=(report(old, "lost"),))
    task.refresh_from_db()
    new = make_attempt(task, place)
    reply = sync(place, seq=2, held=(held(new),), reports=(report(old, "succeeded", 9),))
    assert reply.verdicts[0].verdict is wire.VerdictKind.SUPERSEDED
    wrong = sync(place, seq=3, held=(held(new),), reports=(report(new, "succeeded", 9, fence=old.fence),))
    assert wrong.verdicts[0].verdict is wire.VerdictKind.SUPERSEDED
    task.refresh_from_db()
    assert task.state == "placed"


def test_another_agents_attempt_is_rejected(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place)
    thief = make_place("thief")
    reply = sync(thief, reports=(report(attempt, "succeeded"),))
    assert reply.verdicts[0].verdict is wire.VerdictKind.REJECTED
    attempt.refresh_from_db()
    assert attempt.state == "leased"


def test_what_was_held_and_is_no_longer_is_lost(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place)
    sync(place, seq=1, held=(held(attempt),))
    sync(place, seq=2)
    attempt.refresh_from_db()
    task.refresh_from_db()
    assert (attempt.state, task.state) == ("lost", "queued")


def test_an_older_snapshot_of_the_same_session_proves_no_absence(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place)
    sync(place, seq=5, held=(held(attempt),))
    sync(place, seq=4)
    attempt.refresh_from_db()
    assert attempt.state == "leased"


def test_an_unknown_attempt_is_to_be_forgotten(place: Place) -> None:
    reply = sync(
        place,
        held=(wire.HeldAttempt(attempt_id="x" * 32, task_id="y", fence=1, state=wire.AttemptState.RUNNING),),
    )
    assert reply.forget == ("x" * 32,)


def test_silence_is_unknown_first_and_lost_after_the_window(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place)
    sync(place, held=(held(attempt),))
    now = clock.now_ms()
    leases_expire(at_ms=now + 31_000)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.unknown_since_ms) == ("leased", now + 31_000)
    leases_expire(at_ms=now + 62_000)
    attempt.refresh_from_db()
    task.refresh_from_db()
    assert (attempt.state, task.state) == ("lost", "queued")


def test_an_agent_that_comes_back_within_the_window_keeps_its_attempt(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place)
    sync(place, held=(held(attempt),))
    leases_expire(at_ms=clock.now_ms() + 31_000)
    sync(place, seq=2, held=(held(attempt),), reports=(report(attempt, "running"),))
    attempt.refresh_from_db()
    assert (attempt.state, attempt.unknown_since_ms) == ("running", None)
    assert Lease.objects.get(pk=attempt.pk).state == "held"


def test_a_success_with_artifacts_that_were_never_uploaded_is_not_a_result(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place)
    missing = wire.ArtifactManifest(name="out", entries=(wire.Entry(path="", size=3, sha256="a" * 64),))
    sync(place, reports=(report(attempt, "succeeded", outcome=outcome_of(0, artifacts=(missing,))),))
    attempt.refresh_from_db()
    task.refresh_from_db()
    assert (attempt.state, attempt.cause, task.state) == ("failed", "data", "queued")
    assert "were not uploaded" in attempt.message


def test_a_cancelled_task_orders_its_attempt_to_stop_and_still_settles(place: Place, task: Task) -> None:
    attempt = make_attempt(task, place, age_ms=5000)
    sync(place, held=(held(attempt),))
    Task.objects.filter(pk=task.pk).update(state="cancelled")
    Attempt.objects.filter(pk=attempt.pk).update(cancel_reason="cancelled by the run")
    reply = sync(place, seq=2, held=(held(attempt),))
    assert [c.attempt_id for c in reply.cancel] == [attempt.pk]
    sync(place, seq=3, reports=(report(attempt, "cancelled", 4, outcome=outcome_of(143)),))
    attempt.refresh_from_db()
    hold = Hold.objects.get(pk=attempt.pk)
    assert (attempt.state, hold.state, hold.settled_micros) == ("cancelled", "settled", 2000)


def link(moved: int, busy_ms: int) -> wire.LinkUse:
    return wire.LinkUse(downloaded_bytes=moved, busy_ms=busy_ms)


def test_what_a_link_carries_is_learned_from_what_came_in_since_the_last_word(place: Place) -> None:
    mib = 1 << 20
    sync(place, link=link(64 * mib, 8_000))
    place.site.refresh_from_db()
    assert place.site.link_bytes_per_s == 8 * mib  # nothing was declared: the first measurement is the estimate
    sync(place, seq=2, link=link(64 * mib, 8_000))  # repeated: nothing new
    sync(place, seq=3, link=link(128 * mib, 12_000))  # as many bytes again, twice as fast
    place.site.refresh_from_db()
    assert (place.site.link_bytes_per_s, place.site.link_measured_bytes) == (12 * mib, 128 * mib)


def test_a_declared_rate_is_where_measuring_starts_and_few_bytes_wait(place: Place) -> None:
    mib = 1 << 20
    place.pool.labels = {"fubini.dev/bandwidth-bytes-per-s": str(4 * mib)}
    place.pool.save()
    sync(place, link=link(3 * mib, 100))
    place.site.refresh_from_db()
    assert place.site.link_bytes_per_s is None
    sync(place, seq=2, link=link(64 * mib, 8_000))
    place.site.refresh_from_db()
    assert place.site.link_bytes_per_s == 6 * mib


@pytest.mark.parametrize("lie", [(-5, 10), (2**60, 10), (1 << 30, -1), (1 << 30, 0)])
def test_figures_that_cannot_be_are_not_taken_in(place: Place, lie: tuple[int, int]) -> None:
    sync(place, link=link(*lie))
    place.site.refresh_from_db()
    assert place.site.link_bytes_per_s is None


def test_a_sync_that_does_not_speak_of_room_leaves_the_refusal_standing(place: Place, task: Task) -> None:
    full = wire.Capacity(accepting=False, reason="the disk of /work has 3 bytes left")
    sync(place, capacity=full)
    sync(place, seq=2, reports=(report(make_attempt(task, place), "running"),))
    place.agent.refresh_from_db()
    assert place.agent.last_report["accepting"] is False
    waits = make_task(make_run(make_project()))
    Loop().cycle()
    waits.refresh_from_db()
    why = task_why(waits)
    assert why.code == "agent_away"
    assert "the disk of /work has 3 bytes left" in why.sentence
    assert any("takes no new work: the disk of /work" in p for p in platform_status().problems)
    sync(place, seq=3, capacity=wire.Capacity())
    place.agent.refresh_from_db()
    assert place.agent.last_report["accepting"] is True
