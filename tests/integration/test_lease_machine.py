"""Task, attempt, lease and hold as one state machine: plan, sync, report, expire, cancel in any order.

The model is small: what an honest agent holds. The real rows must keep the promises: one winner a task, fences that
only rise, no live attempt without a lease and a hold, terminal stays terminal, and events that replay to the tables.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fubini.common import clock
from fubini.dispatch.expiry import leases_expire
from fubini.dispatch.grants import placements_apply
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.events.models import Event
from fubini.gateway.services import sync_handle
from fubini.ledger.models import Hold
from fubini.ledger.services import ledger_check
from fubini.runs.apply import step_apply
from fubini.runs.engine import CancelTask, NodeId, Step, TaskSpec
from fubini.runs.models import Attempt, Lease, Task
from fubini.runs.transitions import ATTEMPT_ENDED, ATTEMPT_LIVE, TASK_ENDED
from fubini_protocol.v1 import messages as wire
from fubini_scheduler.cycle import plan
from tests.support.replay import TOPICS, states_replayed
from tests.support.rows import make_place, make_project, make_run, make_task

ENDS = ["succeeded", "failed-user", "failed-node", "lost", "preempted"]


class LeaseMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.place = make_place(cpu_millis=3000)
        self.run = make_run(make_project(budget_micros=10**12))
        self.held: dict[str, wire.LeaseOffer] = {}
        self.ended: list[wire.Report] = []
        self.final: dict[str, str] = {}
        self.fences: dict[str, int] = {}
        self.seq = 0
        self.skew_ms = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def sync(self, reports: list[wire.Report]) -> wire.SyncReply:
        self.seq += 1
        self.place.agent.refresh_from_db()
        reply = sync_handle(
            self.place.agent,
            wire.SyncRequest(
                protocol_version=1,
                agent_id=self.place.agent.pk,
                boot_id="b",
                session_id="s",
                sync_seq=self.seq,
                held=tuple(
                    wire.HeldAttempt(
                        attempt_id=o.attempt_id, task_id=o.task_id, fence=o.fence, state=wire.AttemptState.RUNNING
                    )
                    for o in self.held.values()
                ),
                reports=tuple(reports),
            ),
        )
        for offer in reply.start:
            self.held[offer.attempt_id] = offer
        for attempt_id in reply.forget:
            self.held.pop(attempt_id, None)
        for verdict in reply.verdicts:
            self.held.pop(verdict.attempt_id, None)
        return reply

    @rule()
    def submit(self) -> None:
        make_task(self.run, spec=TaskSpec(template="t", image="i", argv=("true",), walltime_s=50))

    @rule()
    def cycle(self) -> None:
        world = world_of(RequestCache())
        placements_apply(world, plan(world.snapshot, world.policy, world.now_ms).placements, at_ms=clock.now_ms())

    @rule()
    def heartbeat(self) -> None:
        self.sync([])

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 10), end=st.sampled_from(ENDS), replay=st.booleans())
    def report_end(self, pick: int, end: str, replay: bool) -> None:
        offer = list(self.held.values())[pick % len(self.held)]
        state, _, cause = end.partition("-")
        report = wire.Report(
            sequence=7,
            attempt_id=offer.attempt_id,
            task_id=offer.task_id,
            fence=offer.fence,
            state=wire.AttemptState(state),
            at_ms=clock.now_ms(),
            cause=wire.Cause(cause) if cause else None,
            outcome=wire.Outcome(kind=wire.OutcomeKind.EXITED, exit_code=0 if state == "succeeded" else 1),
        )
        self.ended.append(report)
        self.sync([report, report] if replay else [report])

    @precondition(lambda self: self.ended)
    @rule(pick=st.integers(0, 20))
    def replay_an_old_end(self, pick: int) -> None:
        reply = self.sync([self.ended[pick % len(self.ended)]])
        assert reply.verdicts[0].verdict in (wire.VerdictKind.ALREADY_ACCEPTED, wire.VerdictKind.SUPERSEDED)

    @precondition(lambda self: self.held)
    @rule()
    def the_keeper_dies(self) -> None:
        """The agent holds nothing any more and reports nothing: what it had is lost."""
        self.sync([])
        self.held.clear()
        self.sync([])

    @rule()
    def silence(self) -> None:
        at_ms = clock.now_ms()
        leases_expire(at_ms=at_ms + 31_000)
        leases_expire(at_ms=at_ms + 62_000)
        self.held.clear()

    @rule(pick=st.integers(0, 10))
    def the_run_cancels_a_step(self, pick: int) -> None:
        live = list(Task.objects.filter(run=self.run, state__in=["queued", "placed", "running"]).order_by("pk"))
        if live:
            task = live[pick % len(live)]
            step_apply(
                self.run,
                Step(commands=(CancelTask(NodeId(task.node_id), task.generation, "stopped"),)),
                phases={},
                at_ms=clock.now_ms(),
            )

    @invariant()
    def promises_hold(self) -> None:
        assert ledger_check()["imbalance_micros"] == 0
        attempts = list(Attempt.objects.select_related("task"))
        holds = {h.pk: h.state for h in Hold.objects.all()}
        leases = dict(Lease.objects.values_list("pk", "state"))
        winners: dict[str, int] = {}
        for attempt in attempts:
            assert attempt.fence <= attempt.task.fence
            live = attempt.state in ATTEMPT_LIVE
            assert (holds[attempt.pk] == "placed") == live
            assert (attempt.pk in leases) == live
            winners[attempt.task_id] = winners.get(attempt.task_id, 0) + (attempt.state == "succeeded")
        assert all(count <= 1 for count in winners.values())
        assert sum(a.cpu_millis for a in attempts if a.state in ATTEMPT_LIVE) <= 3000

    @invariant()
    def what_ended_stays_ended_and_fences_only_rise(self) -> None:
        now = {**{t.pk: t.state for t in Task.objects.all()}, **{a.pk: a.state for a in Attempt.objects.all()}}
        for pk, state in self.final.items():
            assert now[pk] == state
        self.final.update({pk: state for pk, state in now.items() if state in TASK_ENDED | ATTEMPT_ENDED})
        for task in Task.objects.all():
            assert task.fence >= self.fences.get(task.pk, 0)
            self.fences[task.pk] = task.fence

    @invariant()
    def events_replay_to_the_tables(self) -> None:
        def mismatch(event: Event, before: str) -> None:
            raise AssertionError(f"{event.kind} leaves {event.from_state}, replay is at {before}")

        states = states_replayed(Event.objects.of_topics(TOPICS).order_by("id"), mismatch)
        tables: dict[tuple[str, str], Any] = {}
        for topic, model in (("task", Task), ("attempt", Attempt), ("lease", Lease), ("hold", Hold)):
            tables.update({(topic, pk): state for pk, state in model.objects.values_list("pk", "state")})
        assert states == tables


class TestLeaseMachine(TestCase):
    def test_any_order_of_plans_syncs_ends_and_silences_keeps_the_promises(self) -> None:
        run_state_machine_as_test(
            LeaseMachine,
            settings=settings(
                max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
