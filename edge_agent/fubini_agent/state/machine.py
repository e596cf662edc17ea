"""The machine itself: all attempts of one agent, and what an event means for them.

``Machine.handle(event, now)`` -> instructions, in order. Pure: no clock, no file, no socket; `loop.py` performs the
instructions and feeds what came of them back as events. It decides when an attempt may start (never more than the
agent offers at once, devices disjoint), what an end means (state, cause, outcome), what a cancel, a lost keeper or an
expired lease does, and when an attempt may be dropped.

Phases of an attempt here: leased -> staging -> ready -> launching -> running -> finishing -> reported. Its wire state
follows (`_WIRE`). Invariants: an attempt gets at most one terminal report; it is dropped only after the verdict on
that report or a forget; it holds capacity from launch until its command has ended.

A report's sequence is the rank of its state (`_SEQUENCE`), not a counter, so a restart cannot use one twice for
different news. Time: `Now.s` is monotonic seconds, `Now.ms` the wall clock for display.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Optional

from fubini_agent.state.events import (
    AttemptForgotten,
    CancelOrdered,
    Collect,
    CommandEnded,
    CommandExit,
    CommandLost,
    CommandRefused,
    CommandStarted,
    Discard,
    DrainOrdered,
    End,
    Event,
    InputsFailed,
    InputsReady,
    Instruction,
    KeepLease,
    Launch,
    LeaseExtended,
    LeaseOffered,
    Now,
    OutputsCollected,
    Restored,
    RoomChanged,
    Send,
    Stage,
    Ticked,
    VerdictGiven,
)
from fubini_protocol.v1.messages import (
    AttemptState,
    Cause,
    ContainerKind,
    HeldAttempt,
    LeaseOffer,
    Outcome,
    OutcomeKind,
    Provenance,
    Report,
    Usage,
    VerdictKind,
)

STAGE_AHEAD = 16
#: Dropped attempts that are remembered, so that a reply which was overtaken by another cannot start one again.
FINISHED_MAX = 65_536
#: A state that lasts longer than this is worth a report of its own; shorter ones are folded into the next.
QUIET_S = 1.0
#: Leases that cannot start because the disk is full wait this long for room, then another place gets them.
HAND_BACK_S = 5.0


class Phase(str, Enum):
    LEASED = "leased"
    STAGING = "staging"
    READY = "ready"
    LAUNCHING = "launching"
    RUNNING = "running"
    FINISHING = "finishing"
    REPORTED = "reported"


_WIRE = {
    Phase.LEASED: AttemptState.LEASED,
    Phase.STAGING: AttemptState.STAGING,
    Phase.READY: AttemptState.STAGING,
    Phase.LAUNCHING: AttemptState.STAGING,
    Phase.RUNNING: AttemptState.RUNNING,
    Phase.FINISHING: AttemptState.FINISHING,
}
_SEQUENCE = {AttemptState.STAGING: 1, AttemptState.SUBMITTED: 2, AttemptState.RUNNING: 3, AttemptState.FINISHING: 4}
TERMINAL_SEQUENCE = 9
_HOLDS_CAPACITY = frozenset({Phase.LAUNCHING, Phase.RUNNING})


#: How sidecars end when we end them.
_ENDED_BY_US = frozenset({0, 137, 143})


def _sidecar_failed(offer: LeaseOffer, exit_: CommandExit) -> bool:
    """Whether one ended by itself with a failure: then the attempt failed, though its outputs are there."""
    sidecars = {part.name for part in offer.spec.containers if part.kind is ContainerKind.SIDECAR}
    return any(code not in _ENDED_BY_US for name, code in exit_.containers.items() if name in sidecars)


@dataclass(frozen=True)
class Limits:
    """What the agent offers. 0 bytes of memory = not counted. `steps_max` bounds processes whatever they ask for."""

    cpu_millis: int
    memory_bytes: int = 0
    devices: Mapping[str, int] = field(default_factory=dict)
    steps_max: int = 1_000


@dataclass
class Attempt:
    """One attempt in our hands; changed only by the machine."""

    offer: LeaseOffer
    phase: Phase
    since: Now
    expires_s: float
    sequence: int = 0
    pid: Optional[int] = None
    started_ms: Optional[int] = None
    exit: Optional[CommandExit] = None
    devices: tuple[tuple[str, tuple[int, ...]], ...] = ()
    cancel: Optional[CancelOrdered] = None
    lease_ran_out: bool = False
    forgotten: bool = False
    announced: bool = False  # the state of a slow phase was reported
    staged: Optional[InputsReady] = None
    report: Optional[Report] = None

    @property
    def id(self) -> str:
        return self.offer.attempt_id

    @property
    def wire_state(self) -> AttemptState:
        if self.report is not None:
            return self.report.state
        return _WIRE[self.phase]


class Machine:
    """All attempts of one agent.

    Args:
        limits: what may run at once.
        provenance: gives the provenance of an attempt's report (environment, hardware); pure data made at start.
    """

    def __init__(self, limits: Limits, provenance: Optional[Mapping[str, Provenance]] = None) -> None:
        self.limits = limits
        self.attempts: dict[str, Attempt] = {}
        self.provenance = dict(provenance or {})
        self.drain = False
        self.no_room = ""
        self._no_room_since_s = 0.0
        self._finished: dict[str, int] = {}
        self._changed = False  # something happened that may let an attempt start

    def is_news(self, offer: LeaseOffer) -> bool:
        """Whether an offered lease is one we neither hold nor had."""
        return offer.attempt_id not in self.attempts and self._finished.get(offer.attempt_id, -1) < offer.fence

    def handle(self, event: Event, now: Now) -> list[Instruction]:
        """Take one event; the instructions are to be performed in order."""
        out: list[Instruction] = []
        if isinstance(event, LeaseOffered):
            self._offered(event.offer, now, out)
        elif isinstance(event, Restored):
            self._restored(event, now, out)
        elif isinstance(event, DrainOrdered):
            self.drain = event.drain
        elif isinstance(event, RoomChanged):
            self.no_room, self._no_room_since_s = event.problem, now.s
            self._changed = True
        elif isinstance(event, Ticked):
            self._ticked(now, out)
        else:
            attempt = self.attempts.get(event.attempt_id)
            if attempt is not None:  # else it was dropped meanwhile: late news of it have no meaning
                self._of_attempt(attempt, event, now, out)
        self._advance(now, out)
        return out

    def held(self) -> list[HeldAttempt]:
        """The full set, in the order the leases came."""
        return [
            HeldAttempt.model_construct(  # typed already; validated again by whoever reads it
                attempt_id=attempt.id,
                task_id=attempt.offer.task_id,
                fence=attempt.offer.fence,
                state=attempt.wire_state,
                state_since_ms=attempt.since.ms,
                sequence=attempt.sequence,
                keeper_alive=attempt.phase is Phase.RUNNING,
                pid=attempt.pid if attempt.phase is Phase.RUNNING else None,
                started_ms=attempt.started_ms,
            )
            for attempt in self.attempts.values()
            if not attempt.forgotten
        ]

    # --- leases ---------------------------------------------------------------------------------------------------

    def _offered(self, offer: LeaseOffer, now: Now, out: list[Instruction]) -> None:
        known = self.attempts.get(offer.attempt_id)
        if known is not None:
            if known.offer.fence == offer.fence and not known.forgotten:
                known.expires_s = max(known.expires_s, now.s + offer.expires_in_s)  # the reply was repeated
            return
        if not self.is_news(offer):
            return
        attempt = Attempt(offer=offer, phase=Phase.LEASED, since=now, expires_s=now.s + offer.expires_in_s)
        self.attempts[offer.attempt_id] = attempt
        self._changed = True
        out.append(KeepLease(offer))
        problem = self._never_fits(offer)
        if problem:
            self._fail(attempt, OutcomeKind.PLATFORM, Cause.SITE, problem, now, out)

    def _never_fits(self, offer: LeaseOffer) -> str:
        spec, limits = offer.spec, self.limits
        if spec.cpu_millis > limits.cpu_millis:
            return f"asks for {spec.cpu_millis} cpu_millis, this agent offers {limits.cpu_millis}"
        if limits.memory_bytes and spec.memory_bytes > limits.memory_bytes:
            return f"asks for {spec.memory_bytes} memory_bytes, this agent offers {limits.memory_bytes}"
        for device in spec.devices:
            if device.count > limits.devices.get(device.name, 0):
                return (
                    f"asks for {device.count} x {device.name}, this agent offers {limits.devices.get(device.name, 0)}"
                )
        return ""

    def _restored(self, event: Restored, now: Now, out: list[Instruction]) -> None:
        offer = event.offer
        attempt = Attempt(offer=offer, phase=Phase.LEASED, since=now, expires_s=now.s + offer.expires_in_s)
        self.attempts[offer.attempt_id] = attempt
        self._changed = True
        if event.report is not None:
            attempt.phase, attempt.report, attempt.sequence = Phase.REPORTED, event.report, event.report.sequence
        elif event.exit is not None:
            self._ended(attempt, event.exit, now, out)
        elif event.pid is not None:
            attempt.devices = event.devices
            self._started(attempt, event.pid, event.started_ms, now, out)
        elif event.lost:
            self._lost(attempt, event.lost, now, out)

    # --- events of one attempt ------------------------------------------------------------------------------------

    def _of_attempt(self, attempt: Attempt, event: Event, now: Now, out: list[Instruction]) -> None:
        if isinstance(event, VerdictGiven):
            self._judged(attempt, event, out)
        elif isinstance(event, LeaseExtended):
            if event.fence == attempt.offer.fence:
                self._changed = self._changed or now.s > attempt.expires_s
                attempt.expires_s = now.s + event.expires_in_s
        elif isinstance(event, CancelOrdered):
            if event.fence == attempt.offer.fence:
                self._cancel(attempt, event, now, out)
        elif isinstance(event, AttemptForgotten):
            self._forget(attempt, out)
        elif attempt.phase is Phase.REPORTED:
            return  # its end is told; what its tasks still say changes nothing
        elif isinstance(event, InputsReady):
            if attempt.phase is Phase.STAGING:
                attempt.staged = event
                self._enter(attempt, Phase.READY, now)
        elif isinstance(event, InputsFailed):
            self._fail(attempt, event.kind, event.cause, event.error, now, out)
        elif isinstance(event, CommandStarted):
            if attempt.phase is Phase.LAUNCHING:
                self._started(attempt, event.pid, event.started_ms, now, out)
        elif isinstance(event, CommandRefused):
            self._fail(attempt, OutcomeKind.PLATFORM, Cause.NODE, event.error, now, out)
        elif isinstance(event, CommandEnded):
            if attempt.phase in _HOLDS_CAPACITY:
                self._ended(attempt, event.exit, now, out)
        elif isinstance(event, CommandLost):
            if attempt.phase in _HOLDS_CAPACITY:
                self._lost(attempt, event.reason, now, out)
        elif isinstance(event, OutputsCollected) and attempt.phase is Phase.FINISHING:
            self._collected(attempt, event, now, out)

    def _enter(self, attempt: Attempt, phase: Phase, now: Now) -> None:
        attempt.phase, attempt.since, attempt.announced = phase, now, False
        self._changed = True

    def _started(self, attempt: Attempt, pid: int, started_ms: int, now: Now, out: list[Instruction]) -> None:
        self._enter(attempt, Phase.RUNNING, now)
        attempt.pid, attempt.started_ms = pid, started_ms
        attempt.announced = True
        self._send(attempt, AttemptState.RUNNING, now, out, at_ms=started_ms)
        if attempt.cancel is not None or attempt.forgotten:  # ordered between the launch and this
            out.append(End(attempt.id, self._grace_s(attempt)))

    def _ended(self, attempt: Attempt, exit_: CommandExit, now: Now, out: list[Instruction]) -> None:
        attempt.exit = exit_
        attempt.pid = None
        attempt.started_ms = attempt.started_ms or exit_.started_ms
        spec = attempt.offer.spec
        if attempt.forgotten:
            self._drop(attempt, out)
        elif attempt.cancel is not None:
            self._cancelled(attempt, now, out)
        elif attempt.lease_ran_out:
            self._lost(attempt, "the lease of an exclusive step ran out without an answer from the platform", now, out)
        elif exit_.ended_for == "deadline":
            limit = min(limit for limit in (spec.deadline_s, spec.walltime_s, 1e12) if limit is not None)
            reason = f"ran longer than its limit of {limit:g} s"
            # Of its own deadline a step's node speaks in the engine's words, of the walltime in ours.
            error = "" if limit == spec.deadline_s else reason
            self._fail(attempt, OutcomeKind.TIMED_OUT, Cause.WALLTIME, error, now, out, reason=reason)
        elif exit_.ended_for == "memory":
            text = f"used more than its {spec.memory_bytes} bytes of memory (peak {exit_.peak_bytes})"
            self._fail(attempt, OutcomeKind.OOM, Cause.OOM, text, now, out)
        elif exit_.ended_for == "volume":
            self._fail(attempt, OutcomeKind.EXITED, Cause.USER, exit_.text, now, out)
        elif exit_.ended_for or exit_.kind == "killed":
            self._lost(attempt, exit_.text or "its process was ended from outside", now, out)
        elif exit_.kind == "setup_failed":
            self._fail(attempt, OutcomeKind.PLATFORM, Cause.NODE, f"its root could not be made: {exit_.text}", now, out)
        elif exit_.kind == "exec_failed":
            self._fail(attempt, OutcomeKind.EXITED, Cause.USER, exit_.text, now, out)
        else:
            self._enter(attempt, Phase.FINISHING, now)
            out.append(Collect(attempt.id, exit_))

    def _collected(self, attempt: Attempt, event: OutputsCollected, now: Now, out: list[Instruction]) -> None:
        exit_ = attempt.exit
        assert exit_ is not None
        usage = self._usage(attempt).model_copy(
            update={"uploaded_bytes": event.uploaded_bytes, "finishing_ms": event.finishing_ms}
        )
        kind = OutcomeKind.EXITED
        state, cause, error = AttemptState.SUCCEEDED, None, ""
        if exit_.exit_code and event.host_fault:
            state, cause, error, kind = AttemptState.FAILED, Cause.NODE, event.host_fault, OutcomeKind.PLATFORM
        elif exit_.exit_code:
            state, cause, error = AttemptState.FAILED, Cause.USER, event.error
        elif not event.error and _sidecar_failed(attempt.offer, exit_):
            state, cause = AttemptState.FAILED, Cause.USER
        elif event.error:
            state, cause, error, kind = AttemptState.FAILED, event.cause, event.error, event.error_kind
        outcome = Outcome(
            kind=kind,
            exit_code=exit_.exit_code,
            signal=exit_.signal or None,
            error=error,
            result=event.result,
            parameters=dict(event.parameters),
            artifacts=event.artifacts,
            started_ms=exit_.started_ms,
            finished_ms=exit_.finished_ms,
            usage=usage,
            container_codes=dict(exit_.containers),
        )
        self._send(attempt, state, now, out, cause=cause, outcome=outcome, reason=error)

    # --- ends -----------------------------------------------------------------------------------------------------

    def _usage(self, attempt: Attempt) -> Usage:
        exit_, staged = attempt.exit, attempt.staged
        return Usage(
            cpu_ms=exit_.cpu_ms if exit_ else 0,
            peak_memory_bytes=exit_.peak_bytes if exit_ else 0,
            wall_ms=exit_.wall_ms if exit_ else 0,
            downloaded_bytes=staged.downloaded_bytes if staged else 0,
            staging_ms=staged.staging_ms if staged else 0,
        )

    def _plain_outcome(self, attempt: Attempt, kind: OutcomeKind, error: str) -> Outcome:
        exit_ = attempt.exit
        return Outcome(
            kind=kind,
            exit_code=exit_.exit_code if exit_ else None,
            signal=(exit_.signal or None) if exit_ else None,
            error=error,
            started_ms=exit_.started_ms if exit_ else attempt.started_ms,
            finished_ms=exit_.finished_ms if exit_ else None,
            usage=self._usage(attempt),
            container_codes=dict(exit_.containers) if exit_ else {},
        )

    def _fail(
        self,
        attempt: Attempt,
        kind: OutcomeKind,
        cause: Cause,
        error: str,
        now: Now,
        out: list[Instruction],
        *,
        reason: str = "",
    ) -> None:
        outcome = self._plain_outcome(attempt, kind, error)
        self._send(attempt, AttemptState.FAILED, now, out, cause=cause, outcome=outcome, reason=reason or error)

    def _lost(self, attempt: Attempt, reason: str, now: Now, out: list[Instruction]) -> None:
        if attempt.forgotten:
            self._drop(attempt, out)
        elif attempt.cancel is not None:
            self._cancelled(attempt, now, out)  # no process is left, which is all that was asked for
        else:
            outcome = self._plain_outcome(attempt, OutcomeKind.PLATFORM, reason)
            self._send(attempt, AttemptState.LOST, now, out, cause=Cause.NODE, outcome=outcome, reason=reason)

    def _cancelled(self, attempt: Attempt, now: Now, out: list[Instruction]) -> None:
        order = attempt.cancel
        assert order is not None
        outcome = self._plain_outcome(attempt, OutcomeKind.CANCELLED, order.reason)
        state, cause = AttemptState.CANCELLED, None
        if order.preempt:
            state, cause = AttemptState.PREEMPTED, Cause.PREEMPTED
        self._send(attempt, state, now, out, cause=cause, outcome=outcome, reason=order.reason)

    def _cancel(self, attempt: Attempt, order: CancelOrdered, now: Now, out: list[Instruction]) -> None:
        if attempt.phase is Phase.REPORTED or attempt.cancel is not None or attempt.forgotten:
            return
        attempt.cancel = order
        if attempt.phase is Phase.RUNNING:
            out.append(End(attempt.id, self._grace_s(attempt)))
        elif attempt.phase is not Phase.LAUNCHING:  # a launch cannot be taken back: it is ended once it has started
            self._cancelled(attempt, now, out)

    def _grace_s(self, attempt: Attempt) -> float:
        if attempt.forgotten or attempt.lease_ran_out:
            return 0.0
        if attempt.cancel is not None and attempt.cancel.grace_s is not None:
            return attempt.cancel.grace_s
        return attempt.offer.spec.grace_s

    def _forget(self, attempt: Attempt, out: list[Instruction]) -> None:
        if attempt.forgotten:
            return
        attempt.forgotten = True
        if attempt.phase is Phase.RUNNING:
            out.append(End(attempt.id, 0.0))
        elif attempt.phase is not Phase.LAUNCHING:
            self._drop(attempt, out)

    def _drop(self, attempt: Attempt, out: list[Instruction]) -> None:
        self.attempts.pop(attempt.id, None)
        self._changed = True
        self._finished[attempt.id] = attempt.offer.fence
        if len(self._finished) > FINISHED_MAX:
            del self._finished[next(iter(self._finished))]
        out.append(Discard(attempt.id))

    def _judged(self, attempt: Attempt, event: VerdictGiven, out: list[Instruction]) -> None:
        if event.verdict is VerdictKind.UNKNOWN:
            return  # a newer platform's word: the report is sent again, and again asked about
        if attempt.report is not None and event.sequence == attempt.report.sequence:
            self._drop(attempt, out)
        elif event.verdict is VerdictKind.SUPERSEDED and attempt.report is None:
            self._forget(attempt, out)  # a newer fence exists: nothing we do for this one counts any more

    def _send(
        self,
        attempt: Attempt,
        state: AttemptState,
        now: Now,
        out: list[Instruction],
        *,
        at_ms: Optional[int] = None,
        cause: Optional[Cause] = None,
        outcome: Optional[Outcome] = None,
        reason: str = "",
    ) -> None:
        if attempt.forgotten:
            if outcome is not None:
                self._drop(attempt, out)
            return
        terminal = outcome is not None
        report = Report(
            sequence=TERMINAL_SEQUENCE if terminal else _SEQUENCE[state],
            attempt_id=attempt.id,
            task_id=attempt.offer.task_id,
            fence=attempt.offer.fence,
            state=state,
            at_ms=at_ms or now.ms,
            cause=cause,
            reason=reason,
            outcome=outcome,
            provenance=self._provenance(attempt) if terminal else None,
        )
        attempt.sequence = report.sequence
        if terminal:
            self._enter(attempt, Phase.REPORTED, now)
            attempt.report = report
            attempt.pid = None
        out.append(Send(report))

    def _provenance(self, attempt: Attempt) -> Optional[Provenance]:
        known = self.provenance.get(attempt.offer.spec.image) or self.provenance.get("")
        if known is None or not attempt.devices:
            return known
        names = tuple(f"{name}:{index}" for name, indices in attempt.devices for index in indices)
        return known.model_copy(update={"devices": names})

    # --- time and capacity ----------------------------------------------------------------------------------------

    def _ticked(self, now: Now, out: list[Instruction]) -> None:
        for attempt in list(self.attempts.values()):
            if (
                attempt.offer.spec.exclusive
                and attempt.phase is Phase.RUNNING
                and not attempt.lease_ran_out
                and now.s > attempt.expires_s
            ):
                attempt.lease_ran_out = True
                out.append(End(attempt.id, 0.0))
            if (
                self.no_room
                and now.s - self._no_room_since_s > HAND_BACK_S
                and attempt.phase in (Phase.LEASED, Phase.STAGING, Phase.READY)
                and not attempt.forgotten
            ):
                self._fail(attempt, OutcomeKind.PLATFORM, Cause.NODE, self.no_room, now, out)
                continue
            if not attempt.announced and now.s - attempt.since.s > QUIET_S:
                if attempt.phase is Phase.STAGING:
                    attempt.announced = True
                    self._send(attempt, AttemptState.STAGING, now, out)
                elif attempt.phase is Phase.FINISHING:
                    attempt.announced = True
                    self._send(attempt, AttemptState.FINISHING, now, out)

    def _advance(self, now: Now, out: list[Instruction]) -> None:
        """Start what may start, oldest lease first; a smaller one may pass one that does not fit yet."""
        if not self._changed:
            return
        self._changed = False
        if self.no_room:
            return
        staging = cpu_millis = memory_bytes = 0
        used: list[Attempt] = []
        waiting: list[Attempt] = []
        for attempt in self.attempts.values():
            phase = attempt.phase
            if phase in _HOLDS_CAPACITY:
                used.append(attempt)
                cpu_millis += attempt.offer.spec.cpu_millis
                memory_bytes += attempt.offer.spec.memory_bytes
            elif phase is Phase.STAGING:
                staging += 1
            elif phase is Phase.READY:
                staging += 1
                waiting.append(attempt)
            elif phase is Phase.LEASED:
                waiting.append(attempt)
        limits = self.limits
        for attempt in waiting:
            spec = attempt.offer.spec
            if attempt.phase is Phase.LEASED:
                if staging < STAGE_AHEAD and not attempt.forgotten:
                    staging += 1
                    self._enter(attempt, Phase.STAGING, now)
                    out.append(Stage(attempt.id))
                continue
            if (
                len(used) >= limits.steps_max
                or cpu_millis + spec.cpu_millis > limits.cpu_millis
                or (limits.memory_bytes and memory_bytes + spec.memory_bytes > limits.memory_bytes)
                or now.s > attempt.expires_s  # the platform may have given it away: wait for its word
            ):
                continue
            devices = self._free_devices(attempt, used)
            if devices is None:
                continue
            attempt.devices = devices
            self._enter(attempt, Phase.LAUNCHING, now)
            used.append(attempt)
            cpu_millis += spec.cpu_millis
            memory_bytes += spec.memory_bytes
            staging -= 1
            out.append(Launch(attempt.id, devices))

    def _free_devices(self, attempt: Attempt, used: list[Attempt]) -> Optional[tuple[tuple[str, tuple[int, ...]], ...]]:
        """The device indices it would get, or None while there are too few."""
        granted = []
        for device in attempt.offer.spec.devices:
            taken = {
                index for other in used for name, indices in other.devices if name == device.name for index in indices
            }
            free = [index for index in range(self.limits.devices.get(device.name, 0)) if index not in taken]
            if len(free) < device.count:
                return None
            granted.append((device.name, tuple(free[: device.count])))
        return tuple(granted)
