"""Server time: the only place the platform reads a wall clock for decisions.

Lease and event times are server time (rule 7); durations inside a process use `time.monotonic`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Server time, aware, UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """Server time as integer milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def from_ms(at_ms: int) -> datetime:
    """Milliseconds since the epoch as an aware datetime."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def to_ms(at: datetime) -> int:
    """An aware datetime as integer milliseconds since the epoch."""
    return int(at.timestamp() * 1000)
