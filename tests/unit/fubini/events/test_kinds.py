"""What events have in common is stored once, and each reads as if it had it all."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from fubini.common.ids import new_id
from fubini.events.models import Event, EventKind
from fubini.events.selectors import EventFilter, event_document, events_after
from fubini.events.services import EventDraft, events_append

ENDS = [{"exit_code": code, "lease": "released", "cpu_ms": cpu} for code, cpu in [(0, 1), (0, 2), (1, 3)]]


def end_attempts() -> list[str]:
    ids = [new_id() for _ in ENDS]
    with transaction.atomic():
        events_append(
            [
                EventDraft("attempt", "attempt.ended", ref, 1, from_state="running", to_state="ended", data=data)
                for ref, data in zip(ids, ENDS, strict=True)
            ]
        )
    return ids


def documents() -> list[dict[str, object]]:
    return [event_document(e) for e in events_after(EventFilter(None), 0).events]


@pytest.mark.django_db
def test_events_share_their_kind_and_the_data_that_takes_few_values() -> None:
    ids = end_attempts()
    assert EventKind.objects.count() == 2  # by exit code
    assert [e.own_data for e in Event.objects.order_by("id")] == [{"cpu_ms": n} for n in (1, 2, 3)]
    told = documents()
    assert [(e["entity_id"], e["data"]) for e in told] == list(zip(ids, ENDS, strict=True))
    assert {(e["topic"], e["kind"], e["from_state"], e["to_state"]) for e in told} == {
        ("attempt", "attempt.ended", "running", "ended")
    }
    assert Event.objects.of_topics(["attempt"]).count() == 3
    assert not Event.objects.of_topics(["task"]).exists()


@pytest.mark.django_db
def test_a_truth_value_is_no_number() -> None:
    with transaction.atomic():
        events_append([EventDraft("a", "a.b", "e", 1, data={"exit_code": code}) for code in (1, True)])
    assert [type(e.data["exit_code"]) for e in Event.objects.order_by("id")] == [int, bool]


@pytest.mark.django_db(transaction=True)
def test_events_read_the_same_after_going_back_before_kinds_and_forth() -> None:
    end_attempts()
    before = documents()
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        old = MigrationExecutor(connection).migrate([("fubini_events", "0003_owners")]).apps
        rows = old.get_model("fubini_events", "Event").objects.order_by("id")
        assert [(e.topic, e.kind, e.from_state, e.to_state, e.data) for e in rows] == [
            ("attempt", "attempt.ended", "running", "ended", data) for data in ENDS
        ]
    finally:
        MigrationExecutor(connection).migrate(latest)
    assert documents() == before
    end_attempts()
    assert EventKind.objects.filter(data={}).count() == 1, "those carried over keep their data themselves"
    assert [e["data"] for e in documents()] == [*ENDS, *ENDS]
