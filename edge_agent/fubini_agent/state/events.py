"""What the machine is told (events) and what it answers (instructions): plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional, Union

from fubini_protocol.v1.messages import ArtifactManifest, Cause, LeaseOffer, OutcomeKind, Report, VerdictKind


@dataclass(frozen=True)
class Now:
    s: float
    ms: int


# --- events -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CommandExit:
    """What the keeper says of an ended command. `kind`: exited, exec_failed, setup_failed or killed (from outside)."""

    kind: str
    exit_code: int
    signal: int = 0
    text: str = ""
    ended_for: str = ""  # "" | deadline | memory | volume | asked; `text` says which volume
    cpu_ms: int = 0
    peak_bytes: int = 0
    wall_ms: int = 0
    started_ms: int = 0
    finished_ms: int = 0
    containers: Mapping[str, int] = field(default_factory=dict)  # exit codes, of a step that has several


@dataclass(frozen=True)
class LeaseOffered:
    offer: LeaseOffer


@dataclass(frozen=True)
class InputsReady:
    attempt_id: str
    downloaded_bytes: int = 0
    staging_ms: int = 0


@dataclass(frozen=True)
class InputsFailed:
    attempt_id: str
    kind: OutcomeKind
    cause: Cause
    error: str


@dataclass(frozen=True)
class CommandStarted:
    attempt_id: str
    pid: int
    started_ms: int


@dataclass(frozen=True)
class CommandRefused:
    attempt_id: str
    error: str


@dataclass(frozen=True)
class CommandEnded:
    attempt_id: str
    exit: CommandExit


@dataclass(frozen=True)
class CommandLost:
    """No process is left and nobody knows how it ended: the keeper died, the machine restarted."""

    attempt_id: str
    reason: str


@dataclass(frozen=True)
class OutputsCollected:
    """`error` is set when a declared output is missing or unusable (`error_kind`, `cause` say what kind of fault)."""

    attempt_id: str
    result: Optional[str] = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[ArtifactManifest, ...] = ()
    error: str = ""
    error_kind: OutcomeKind = OutcomeKind.OUTPUT_ERROR
    cause: Cause = Cause.USER
    uploaded_bytes: int = 0
    finishing_ms: int = 0
    host_fault: str = ""  # what of this host may have made a failed command fail; then it is not the step's fault


@dataclass(frozen=True)
class VerdictGiven:
    attempt_id: str
    sequence: int
    verdict: VerdictKind
    reason: str = ""


@dataclass(frozen=True)
class CancelOrdered:
    attempt_id: str
    fence: int
    reason: str = ""
    preempt: bool = False
    grace_s: Optional[float] = None


@dataclass(frozen=True)
class LeaseExtended:
    attempt_id: str
    fence: int
    expires_in_s: float


@dataclass(frozen=True)
class AttemptForgotten:
    attempt_id: str


@dataclass(frozen=True)
class DrainOrdered:
    drain: bool


@dataclass(frozen=True)
class RoomChanged:
    """The disk has no room for new work, with a sentence for people; "" = it has again."""

    problem: str


@dataclass(frozen=True)
class Ticked:
    pass


@dataclass(frozen=True)
class Restored:
    """An attempt from the journal after a restart, with what the keeper and its markers say of it.

    Exactly one of these holds: `report` (its end is journalled), `exit` (ended while we were away), `pid` (runs),
    `lost` (reason), or none (never started: it is staged afresh).
    """

    offer: LeaseOffer
    report: Optional[Report] = None
    exit: Optional[CommandExit] = None
    pid: Optional[int] = None
    started_ms: int = 0
    lost: str = ""
    devices: tuple[tuple[str, tuple[int, ...]], ...] = ()


Event = Union[
    LeaseOffered, InputsReady, InputsFailed, CommandStarted, CommandRefused, CommandEnded, CommandLost,
    OutputsCollected, VerdictGiven, CancelOrdered, LeaseExtended, AttemptForgotten, DrainOrdered, RoomChanged, Ticked,
    Restored,
]  # fmt: skip


# --- instructions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeepLease:
    """The lease is ours from here on. The shell has journalled it, durably, before it fed the offer in."""

    offer: LeaseOffer


@dataclass(frozen=True)
class Stage:
    attempt_id: str


@dataclass(frozen=True)
class Launch:
    """Start the command; `devices` are the indices it alone may use, by device name."""

    attempt_id: str
    devices: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class End:
    """SIGTERM, then SIGKILL after `grace_s`."""

    attempt_id: str
    grace_s: float


@dataclass(frozen=True)
class Collect:
    attempt_id: str
    exit: CommandExit


@dataclass(frozen=True)
class Send:
    """Report; a terminal one is journalled durably before it is sent."""

    report: Report


@dataclass(frozen=True)
class Discard:
    """Nobody needs it any more: journal rows, work directory, marker, whatever still runs for it."""

    attempt_id: str


Instruction = Union[KeepLease, Stage, Launch, End, Collect, Send, Discard]
