"""Projects as the scheduler sees them: money left, limits, and what they used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fubini_scheduler.model.ids import ProjectId, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Decayed use of *ended* attempts as of `as_of_ms`; live allocations are added by the core.

    One unit is one milli-core, one MiB or one device for one second.
    """

    cpu_milli_s: int = 0
    memory_mib_s: int = 0
    device_s: int = 0
    as_of_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`available_micros` is budget minus spent minus held; None means that no budget limits it."""

    id: ProjectId
    available_micros: int | None = None
    share: int = 1  # weight in fair share, at least 1
    usage: Usage = field(default_factory=Usage)
    paused: str | None = None  # the reason, when new work is stopped
    max_running: int | None = None  # quota: tasks at once
    max_cpu_millis: int | None = None  # quota: cores at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a project (`member` ""), or one member of it, may use; None: no limit. `used_*` are as of the snapshot.

    `runs_beyond`: the live runs for which there is no place among `max_runs`, each with the place it has: the least limit
    that lets it go on. `used_micros`: spent in the accounting month and set aside now.
    """

    project_id: ProjectId
    member: str = ""  # as tasks' `submitted_by` has it
    max_cpu_millis: int | None = None
    max_devices: int | None = None
    max_runs: int | None = None
    max_storage_bytes: int | None = None
    max_micros: int | None = None
    used_cpu_millis: int = 0
    used_devices: int = 0
    used_storage_bytes: int = 0
    used_micros: int = 0
    runs_beyond: Mapping[RunId, int] = field(default_factory=dict)
