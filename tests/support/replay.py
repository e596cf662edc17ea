"""Replaying the event log: what the events of tasks, attempts, leases and holds say their states are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

TOPICS = ("task", "attempt", "lease", "hold")
WITH_AN_ATTEMPT = ("lease", "hold")  # they have its id, and its event says what it did to them


def states_replayed(
    events: Iterable[Any], mismatch: Callable[[Any, str], None] = lambda event, before: None
) -> dict[tuple[str, str], str]:
    """(topic, id) -> state, without released leases, whose rows go. `mismatch` hears of an event that leaves another state than the replay is at."""
    states: dict[tuple[str, str], str] = {}
    for event in events:
        before = states.get((event.topic, event.entity_id), "")
        if before != event.from_state:
            mismatch(event, before)
        states[event.topic, event.entity_id] = event.to_state
        if event.topic == "attempt":
            states |= {(topic, event.entity_id): event.data[topic] for topic in WITH_AN_ATTEMPT if topic in event.data}
            if event.data.get("lease") == "released":
                states.pop(("lease", event.entity_id), None)
    return states
