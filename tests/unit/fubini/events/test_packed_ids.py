"""Ids in events are stored packed and read as text, those stored before too."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from fubini.common.ids import new_id
from fubini.events.models import Event
from fubini.events.selectors import EventFilter, event_document, events_after
from fubini.events.services import EventDraft, events_append


def stored(column: str, table: str = "event") -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT typeof({column}), length({column}) FROM fubini_events_{table} ORDER BY id")
        return list(cursor.fetchall())


def append(entity_id: str, *, project_id: str | None = None, run_id: str | None = None) -> None:
    draft = EventDraft(
        topic="task", kind="task.queued", entity_id=entity_id, at_ms=1, project_id=project_id, run_id=run_id
    )
    with transaction.atomic():
        events_append([draft])


@pytest.mark.django_db
def test_ids_take_sixteen_bytes_and_are_found_and_read_as_text() -> None:
    task, project, run = new_id(), new_id(), new_id()
    append(task, project_id=project, run_id=run)
    append("loop-1234567890", project_id=project)
    append("F" * 32)  # not how ids are written: kept letter by letter
    assert stored("entity_id") == [("blob", 16), ("text", 15), ("text", 32)]
    assert sorted(stored("ref", "eventowner")) == [("blob", 16), ("blob", 16)]  # the project, once, and the run
    found = events_after(EventFilter(project_ids=(project,)), 0).events
    assert [(e.entity_id, e.project_id, e.run_id) for e in found] == [
        (task, project, run),
        ("loop-1234567890", project, None),
    ]
    document = event_document(Event.objects.get(entity_id=task))
    assert (document["entity_id"], document["project_id"], document["run_id"]) == (task, project, run)
    assert Event.objects.get(entity_id="F" * 32).entity_id == "F" * 32
    assert [e.run_id for e in Event.objects.of_runs([run, new_id()])] == [run]


@pytest.mark.django_db(transaction=True)
def test_events_stored_before_are_packed_by_the_migration_and_come_back_by_its_reverse() -> None:
    task, project, run = new_id(), new_id(), new_id()
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        append(task, project_id=project, run_id=run)
        append("node-1", run_id=run)
        before = MigrationExecutor(connection).migrate([("fubini_events", "0001_initial")]).apps
        old = before.get_model("fubini_events", "Event")
        assert stored("run_id") == [("text", 32), ("text", 32)]
        assert list(old.objects.order_by("id").values_list("entity_id", flat=True)) == [task, "node-1"]
    finally:
        MigrationExecutor(connection).migrate(latest)
    assert stored("ref", "eventowner") == [("blob", 16), ("blob", 16)]
    assert [e.entity_id for e in Event.objects.of_runs([run]).order_by("id")] == [task, "node-1"]
    assert [(e.entity_id, e.run_id) for e in Event.objects.all().of_projects([project])] == [(task, run)]
