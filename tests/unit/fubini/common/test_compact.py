"""Compact JSON columns hold no blanks and need no migration."""

from __future__ import annotations

import pytest
from django.db import connection

from fubini.common.compact import CompactJSONField
from fubini.events.models import Event
from fubini.events.services import EventDraft, events_append

DATA = {"name": "step(0:a, b)", "list": [1, 2], "text": "Ω: x"}


@pytest.mark.django_db
def test_json_is_stored_without_blanks_and_read_as_it_was() -> None:
    events_append([EventDraft("run", "run.x", "e", 1, data=DATA)])
    row = Event.objects.get()
    if connection.vendor == "sqlite":  # elsewhere the database keeps JSON in its own form
        with connection.cursor() as cursor:
            cursor.execute("SELECT own_data FROM fubini_events_event WHERE id = %s", [row.pk])
            assert cursor.fetchone()[0] == '{"name":"step(0:a, b)","list":[1,2],"text":"\\u03a9: x"}'
    assert row.data == DATA
    assert Event.objects.filter(own_data__name=DATA["name"]).exists()


def test_to_migrations_it_is_a_plain_json_field() -> None:
    assert CompactJSONField(default=list).deconstruct()[1:] == ("django.db.models.JSONField", [], {"default": list})
