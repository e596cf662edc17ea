"""Events are numbered in commit order: whoever resumes from a number misses none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction

from fubini.events.models import Event
from fubini.events.selectors import EventFilter, events_after, position_of
from fubini.events.sequence import newest_position, position_field
from fubini.events.services import EventDraft, events_append
from tests.support.postgres import postgres_url, run_on

__all__ = ["postgres_url"]
ALL = EventFilter(None)


def _append(count: int, **more: Any) -> None:
    with transaction.atomic():
        events_append(
            [
                EventDraft(topic=more.get("topic", "run"), kind="run.made", entity_id=str(n), at_ms=n,
                           project_id=more.get("project_id", "p"), run_id=more.get("run_id"))
                for n in range(count)
            ]
        )  # fmt: skip


@pytest.fixture(scope="module")
def on_postgres(postgres_url: str) -> Any:
    return json.loads(run_on(postgres_url, "tests.unit.fubini.events.on_postgres"))


@pytest.mark.needs("postgresql")
def test_two_transactions_that_commit_in_reverse_order_are_both_read(on_postgres: Any) -> None:
    found = on_postgres["reverse"]
    assert found["ids_in_order_of_insert"]
    assert found["before"] == ["first committed"]
    assert found["after"] == ["first inserted"]


@pytest.mark.needs("postgresql")
def test_readers_of_a_storm_of_commits_see_every_event_once_and_in_one_order(on_postgres: Any) -> None:
    found = on_postgres["storm"]
    assert found["written"] > 250
    assert found["each_reader_saw_all_once"] and found["readers_agree"] and found["numbers_without_gaps"]


@pytest.mark.needs("postgresql")
def test_the_trail_of_many_writers_is_one_whole_chain(on_postgres: Any) -> None:
    assert on_postgres["trail"] == {"entries": 100, "broken_at": None}


@pytest.mark.django_db
def test_batches_follow_each_other_without_gap_or_repeat() -> None:
    _append(25)
    cursor, seen = 0, []
    while True:
        batch = events_after(ALL, cursor, limit=10)
        cursor = batch.cursor
        if not batch.events:
            break
        seen += [position_of(e) for e in batch.events]
    assert len(seen) == 25 and seen == sorted(set(seen))


@pytest.mark.django_db
def test_the_cursor_passes_over_what_the_filter_hides() -> None:
    _append(5, project_id="other")
    batch = events_after(EventFilter(("mine",)), 0)
    assert batch.events == () and batch.cursor == newest_position() > 0
    _append(1, project_id="mine")
    assert len(events_after(EventFilter(("mine",)), batch.cursor).events) == 1


@pytest.mark.django_db
def test_a_filter_shows_its_projects_runs_and_topics_only() -> None:
    _append(2, project_id="a", run_id="r1", topic="run")
    _append(3, project_id="a", run_id="r2", topic="task")
    _append(4, project_id="b", run_id="r3", topic="run")
    _append(1, project_id=None)

    def count(wanted: EventFilter) -> int:
        return len(events_after(wanted, 0).events)

    assert count(ALL) == 10
    assert count(EventFilter(("a",))) == 5
    assert count(EventFilter(("a", "b"), topics=("run",))) == 6
    assert count(EventFilter(("a",), run_id="r2")) == 3
    assert count(EventFilter(("a",), run_id="r3")) == 0
    assert count(EventFilter(())) == 0


@pytest.mark.django_db
def test_events_that_were_deleted_unread_are_told_as_a_gap() -> None:
    _append(10)
    first = position_of(events_after(ALL, 0).events[0])
    assert not events_after(ALL, first).gap
    Event.objects.filter(**{f"{position_field()}__lte": first + 4}).delete()
    assert events_after(ALL, first).gap
    assert not events_after(ALL, first + 4).gap
    assert not events_after(ALL, 0).gap


@pytest.mark.django_db
def test_a_project_filter_seeks_in_its_index_on_sqlite() -> None:
    _append(3)
    if connection.vendor != "sqlite":
        pytest.fail("the tests run on SQLite")
    plan = Event.objects.all().of_projects(["p"]).filter(id__gt=1, seq=None).order_by("id").explain()
    assert "event_of_project" in plan or "PRIMARY KEY" in plan
