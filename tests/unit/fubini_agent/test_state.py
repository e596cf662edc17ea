"""The pure machine: table cases, and a Hypothesis state machine over leases, ends, cancels and verdicts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fubini_agent.state import (
    AttemptForgotten,
    CancelOrdered,
    Collect,
    CommandEnded,
    CommandExit,
    CommandLost,
    CommandRefused,
    CommandStarted,
    Discard,
    End,
    InputsFailed,
    InputsReady,
    Instruction,
    KeepLease,
    Launch,
    LeaseExtended,
    LeaseOffered,
    Limits,
    Machine,
    Now,
    OutputsCollected,
    Phase,
    Restored,
    Send,
    Stage,
    Ticked,
    VerdictGiven,
)
from fubini_protocol.v1.messages import AttemptState, Cause, ExecSpec, LeaseOffer, OutcomeKind, VerdictKind

NOW = Now(100.0, 1_000_000)


def make_offer(attempt_id: str = "a", *, fence: int = 1, expires_in_s: float = 60.0, **spec: Any) -> LeaseOffer:
    return LeaseOffer(
        lease_id=f"l-{attempt_id}",
        attempt_id=attempt_id,
        task_id=f"t-{attempt_id}",
        fence=fence,
        expires_in_s=expires_in_s,
        spec=ExecSpec.model_validate({"argv": ["true"], **spec}),
    )


def make_machine(**limits: Any) -> Machine:
    return Machine(Limits(**{"cpu_millis": 2000, **limits}))


def ended(code: int = 0, **fields: Any) -> CommandExit:
    return CommandExit(**{"kind": "exited", "exit_code": code, **fields})


def run_to(machine: Machine, offer: LeaseOffer, phase: Phase, now: Now = NOW) -> None:
    """Take a fresh lease to the given phase."""
    machine.handle(LeaseOffered(offer), now)
    if phase is Phase.STAGING:
        return
    machine.handle(InputsReady(offer.attempt_id), now)
    if phase is Phase.LAUNCHING:
        return
    machine.handle(CommandStarted(offer.attempt_id, 7, 5), now)
    if phase is Phase.RUNNING:
        return
    machine.handle(CommandEnded(offer.attempt_id, ended()), now)
    if phase is Phase.FINISHING:
        return
    machine.handle(OutputsCollected(offer.attempt_id), now)
    assert phase is Phase.REPORTED


def sent(instructions: list[Instruction]) -> list[Any]:
    return [instruction.report for instruction in instructions if isinstance(instruction, Send)]


def test_a_lease_is_kept_then_staged_then_launched_then_collected_then_reported_then_dropped() -> None:
    machine, offer = make_machine(), make_offer()
    assert machine.handle(LeaseOffered(offer), NOW) == [KeepLease(offer), Stage("a")]
    assert machine.handle(InputsReady("a"), NOW) == [Launch("a", ())]
    [running] = sent(machine.handle(CommandStarted("a", 7, 5), NOW))
    assert (running.state, running.at_ms) == (AttemptState.RUNNING, 5)
    assert machine.handle(CommandEnded("a", ended()), NOW) == [Collect("a", ended())]
    [done] = sent(machine.handle(OutputsCollected("a", result="r"), NOW))
    assert (done.state, done.outcome.result, done.cause) == (AttemptState.SUCCEEDED, "r", None)
    assert done.sequence > running.sequence
    assert machine.held()[0].state is AttemptState.SUCCEEDED
    assert machine.handle(VerdictGiven("a", done.sequence, VerdictKind.ACCEPTED), NOW) == [Discard("a")]
    assert machine.held() == []


ENDS: list[tuple[str, CommandExit, AttemptState, OutcomeKind, Cause]] = [
    ("deadline", ended(143, ended_for="deadline"), AttemptState.FAILED, OutcomeKind.TIMED_OUT, Cause.WALLTIME),
    ("memory", ended(137, ended_for="memory"), AttemptState.FAILED, OutcomeKind.OOM, Cause.OOM),
    ("keeper stopped it", ended(143, ended_for="asked"), AttemptState.LOST, OutcomeKind.PLATFORM, Cause.NODE),
    ("killed from outside", ended(137, kind="killed"), AttemptState.LOST, OutcomeKind.PLATFORM, Cause.NODE),
    ("no root", ended(127, kind="setup_failed"), AttemptState.FAILED, OutcomeKind.PLATFORM, Cause.NODE),
    ("no command", ended(127, kind="exec_failed", text="no x"), AttemptState.FAILED, OutcomeKind.EXITED, Cause.USER),
]


@pytest.mark.parametrize(("_name", "exit_", "want_state", "want_kind", "want_cause"), ENDS, ids=[e[0] for e in ENDS])
def test_an_end_that_is_no_plain_exit_is_reported_at_once(
    _name: str, exit_: CommandExit, want_state: AttemptState, want_kind: OutcomeKind, want_cause: Cause
) -> None:
    machine = make_machine()
    run_to(machine, make_offer(deadline_s=3, memory_bytes=10), Phase.RUNNING)
    [report] = sent(machine.handle(CommandEnded("a", exit_), NOW))
    assert (report.state, report.outcome.kind, report.cause) == (want_state, want_kind, want_cause)


def test_a_failed_command_is_the_users_even_when_an_output_is_missing() -> None:
    machine = make_machine()
    run_to(machine, make_offer(), Phase.RUNNING)
    machine.handle(CommandEnded("a", ended(3)), NOW)
    [report] = sent(machine.handle(OutputsCollected("a", error="nothing at /x"), NOW))
    assert (report.outcome.kind, report.outcome.exit_code, report.cause) == (OutcomeKind.EXITED, 3, Cause.USER)


def test_a_missing_output_after_success_is_an_output_error() -> None:
    machine = make_machine()
    run_to(machine, make_offer(), Phase.FINISHING)
    [report] = sent(machine.handle(OutputsCollected("a", error="nothing at /x"), NOW))
    assert (report.state, report.outcome.kind) == (AttemptState.FAILED, OutcomeKind.OUTPUT_ERROR)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FINISHING])
def test_a_cancel_without_a_process_is_final_at_once(phase: Phase) -> None:
    machine = make_machine()
    run_to(machine, make_offer(), phase)
    [report] = sent(machine.handle(CancelOrdered("a", 1, "why"), NOW))
    assert (report.state, report.reason, report.outcome.kind) == (AttemptState.CANCELLED, "why", OutcomeKind.CANCELLED)


def test_a_cancel_of_a_running_step_waits_for_its_end_and_is_not_repeated() -> None:
    machine = make_machine()
    run_to(machine, make_offer(grace_s=4.0), Phase.RUNNING)
    assert machine.handle(CancelOrdered("a", 1), NOW) == [End("a", 4.0)]
    assert machine.handle(CancelOrdered("a", 1), NOW) == []
    [report] = sent(machine.handle(CommandEnded("a", ended(143, ended_for="asked")), NOW))
    assert report.state is AttemptState.CANCELLED


def test_a_cancel_between_launch_and_start_ends_it_once_it_runs() -> None:
    machine = make_machine()
    run_to(machine, make_offer(grace_s=4.0), Phase.LAUNCHING)
    assert machine.handle(CancelOrdered("a", 1), NOW) == []
    assert End("a", 4.0) in machine.handle(CommandStarted("a", 7, 5), NOW)


def test_an_old_fence_changes_nothing() -> None:
    machine = make_machine()
    run_to(machine, make_offer(fence=4), Phase.RUNNING)
    assert machine.handle(CancelOrdered("a", 3), NOW) == []
    assert machine.handle(LeaseExtended("a", 3, 999), NOW) == []
    assert machine.attempts["a"].expires_s == NOW.s + 60.0


def test_an_overtaken_reply_does_not_start_a_finished_attempt_again() -> None:
    machine, offer = make_machine(), make_offer()
    run_to(machine, offer, Phase.REPORTED)
    machine.handle(VerdictGiven("a", 9, VerdictKind.ACCEPTED), NOW)
    assert machine.handle(LeaseOffered(offer), NOW) == []
    assert not machine.is_news(offer)
    assert machine.is_news(make_offer(fence=2))


def test_an_unknown_verdict_keeps_the_report() -> None:
    machine = make_machine()
    run_to(machine, make_offer(), Phase.REPORTED)
    assert machine.handle(VerdictGiven("a", 9, VerdictKind.UNKNOWN), NOW) == []
    assert "a" in machine.attempts


def test_a_superseded_running_attempt_is_stopped_and_dropped_silently() -> None:
    machine = make_machine()
    run_to(machine, make_offer(), Phase.RUNNING)
    assert machine.handle(VerdictGiven("a", 3, VerdictKind.SUPERSEDED), NOW) == [End("a", 0.0)]
    assert machine.handle(CommandEnded("a", ended(137, ended_for="asked")), NOW) == [Discard("a")]


def test_a_lease_that_ran_out_is_not_started_until_it_is_renewed() -> None:
    machine, later = make_machine(cpu_millis=1000), Now(200.0, 0)
    run_to(machine, make_offer("a"), Phase.RUNNING)
    machine.handle(LeaseOffered(make_offer("b", expires_in_s=5)), NOW)
    machine.handle(InputsReady("b"), NOW)
    machine.handle(CommandEnded("a", ended()), later)
    assert machine.attempts["b"].phase is Phase.READY
    assert Launch("b", ()) in machine.handle(LeaseExtended("b", 1, 60), later)


def test_only_an_exclusive_step_is_stopped_when_its_lease_runs_out() -> None:
    machine = make_machine()
    run_to(machine, make_offer("a", exclusive=True), Phase.RUNNING)
    run_to(machine, make_offer("b"), Phase.RUNNING)
    assert machine.handle(Ticked(), Now(161.0, 0)) == [End("a", 0.0)]
    [report] = sent(machine.handle(CommandEnded("a", ended(137, ended_for="asked")), NOW))
    assert (report.state, report.cause) == (AttemptState.LOST, Cause.NODE)


def test_a_smaller_step_may_pass_one_that_does_not_fit_yet() -> None:
    machine = make_machine(cpu_millis=2000)
    run_to(machine, make_offer("a", cpu_millis=1000), Phase.RUNNING)
    for name, cpu_millis in (("big", 2000), ("small", 1000)):
        machine.handle(LeaseOffered(make_offer(name, cpu_millis=cpu_millis)), NOW)
    assert machine.handle(InputsReady("big"), NOW) == []
    assert machine.handle(InputsReady("small"), NOW) == [Launch("small", ())]


def test_a_slow_phase_is_announced_once() -> None:
    machine = make_machine()
    run_to(machine, make_offer(), Phase.STAGING)
    assert machine.handle(Ticked(), Now(100.5, 0)) == []
    [report] = sent(machine.handle(Ticked(), Now(102.0, 0)))
    assert report.state is AttemptState.STAGING
    assert machine.handle(Ticked(), Now(103.0, 0)) == []


RESTORES = [
    (Restored(make_offer(), lost="reboot"), AttemptState.LOST),
    (Restored(make_offer(), exit=ended(137, ended_for="memory")), AttemptState.FAILED),
]


@pytest.mark.parametrize(("event", "want_state"), RESTORES)
def test_what_ended_while_we_were_away_is_reported(event: Restored, want_state: AttemptState) -> None:
    [report] = sent(make_machine().handle(event, NOW))
    assert report.state is want_state


def test_a_restored_running_step_keeps_its_devices_from_others() -> None:
    machine = make_machine(devices={"d": 2})
    machine.handle(
        Restored(make_offer("a", devices=[{"name": "d", "count": 1}]), pid=3, started_ms=1, devices=(("d", (1,)),)), NOW
    )
    machine.handle(LeaseOffered(make_offer("b", devices=[{"name": "d", "count": 1}])), NOW)
    assert machine.handle(InputsReady("b"), NOW) == [Launch("b", (("d", (0,)),))]


class Life(RuleBasedStateMachine):
    """Any order of events, repeated and late ones too, keeps the machine's promises."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(Limits(cpu_millis=2000, devices={"d": 2}))
        self.time_s = 0.0
        self.offers: dict[str, LeaseOffer] = {}
        self.terminal: dict[str, Any] = {}
        self.discarded: set[str] = set()
        self.launched: set[str] = set()
        self.running: set[str] = set()
        self.judged: set[str] = set()
        self.forgotten: set[str] = set()

    def feed(self, event: Any) -> None:
        for instruction in self.machine.handle(event, Now(self.time_s, int(self.time_s * 1000))):
            name = getattr(instruction, "attempt_id", None)
            if isinstance(instruction, Send):
                report = instruction.report
                assert report.attempt_id not in self.terminal, "news after the end"
                assert report.attempt_id not in self.forgotten, "a report of a forgotten attempt"
                if report.is_terminal:
                    self.terminal[report.attempt_id] = report
                    assert report.attempt_id not in self.running, "ended while its process runs"
            elif isinstance(instruction, Launch):
                assert name not in self.launched, "started twice"
                self.launched.add(str(name))
                self.running.add(str(name))
            elif isinstance(instruction, Discard):
                assert name in self.judged or name in self.forgotten, "dropped without a verdict"
                self.discarded.add(str(name))
            elif isinstance(instruction, Stage):
                assert name not in self.launched

    names = st.sampled_from(["a", "b", "c", "d"])

    @rule(
        name=names,
        cpu=st.sampled_from([500, 1000, 2000, 3000]),
        devices=st.integers(0, 2),
        ttl=st.sampled_from([1.0, 60.0]),
    )
    def offer(self, name: str, cpu: int, devices: int, ttl: float) -> None:
        if name not in self.offers:
            asked = [{"name": "d", "count": devices}] if devices else []
            self.offers[name] = make_offer(name, cpu_millis=cpu, devices=asked, expires_in_s=ttl)
        self.feed(LeaseOffered(self.offers[name]))

    @rule(name=names)
    def inputs_ready(self, name: str) -> None:
        self.feed(InputsReady(name))

    @rule(name=names)
    def inputs_failed(self, name: str) -> None:
        attempt = self.machine.attempts.get(name)
        if attempt is not None and attempt.phase in (Phase.STAGING, Phase.REPORTED):
            self.feed(InputsFailed(name, OutcomeKind.INPUT_ERROR, Cause.DATA, "x"))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def keeper_says(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.running)))
        what = data.draw(st.sampled_from(["started", "ended", "lost", "refused"]))
        attempt = self.machine.attempts.get(name)
        if what == "started":
            self.feed(CommandStarted(name, 5, 1))
            return
        if what == "refused" and (attempt is None or attempt.phase is not Phase.LAUNCHING):
            return
        self.running.discard(name)
        if what == "ended":
            why = data.draw(st.sampled_from(["", "deadline", "memory", "asked"]))
            self.feed(CommandEnded(name, ended(data.draw(st.sampled_from([0, 1])), ended_for=why)))
        elif what == "lost":
            self.feed(CommandLost(name, "gone"))
        else:
            self.feed(CommandRefused(name, "no"))

    @rule(name=names)
    def collected(self, name: str) -> None:
        self.feed(OutputsCollected(name))

    @rule(name=names, fence=st.integers(0, 2), preempt=st.booleans())
    def cancel(self, name: str, fence: int, preempt: bool) -> None:
        self.feed(CancelOrdered(name, fence, "c", preempt))

    @rule(name=names)
    def forget(self, name: str) -> None:
        if name in self.machine.attempts:
            self.forgotten.add(name)
        self.feed(AttemptForgotten(name))

    @rule(name=names, kind=st.sampled_from(list(VerdictKind)))
    def verdict(self, name: str, kind: VerdictKind) -> None:
        if name in self.terminal and kind is not VerdictKind.UNKNOWN:
            self.judged.add(name)
        sequence = 9 if name in self.terminal else 3
        if kind is VerdictKind.SUPERSEDED and name not in self.terminal and name in self.machine.attempts:
            self.forgotten.add(name)
        self.feed(VerdictGiven(name, sequence, kind))

    @rule(seconds=st.sampled_from([0.3, 2.0, 30.0]))
    def tick(self, seconds: float) -> None:
        self.time_s += seconds
        self.feed(Ticked())

    @invariant()
    def capacity_is_never_exceeded(self) -> None:
        used = [a for a in self.machine.attempts.values() if a.phase in (Phase.LAUNCHING, Phase.RUNNING)]
        assert sum(a.offer.spec.cpu_millis for a in used) <= 2000
        taken = [(name, index) for a in used for name, indices in a.devices for index in indices]
        assert len(taken) == len(set(taken))

    @invariant()
    def everything_taken_is_held_until_it_is_dropped(self) -> None:
        held = {item.attempt_id for item in self.machine.held()}
        for name in self.offers:
            assert name in held or name in self.discarded or name in self.forgotten


Life.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLife = Life.TestCase
