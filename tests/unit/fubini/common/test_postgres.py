"""A text with a NUL can be stored, looked for and read back, whichever database it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from fubini.common.postgres.base import _dumps, storable
from fubini.events.models import Event
from fubini.events.services import EventDraft, events_append
from tests.support.rows import make_project, make_run


@pytest.mark.parametrize(
    ("value", "want"),
    [
        pytest.param({"a\0": ["\0", 1, None, {"b": "x\0y"}]}, {"a\ufffd": ["\ufffd", 1, None, {"b": "x\ufffdy"}]}, id="deep"),
        pytest.param("\\u0000", "\\u0000", id="a text that only looks like an escape"),
        pytest.param(("a",), ["a"], id="a tuple is a list, as in JSON"),
    ],
)  # fmt: skip
def test_only_nuls_are_replaced(value: Any, want: Any) -> None:
    assert storable(value) == want
    assert "\\u0000" not in _dumps(value, None).replace("\\\\", "")


@pytest.mark.django_db
def test_texts_with_a_nul_are_stored_and_read() -> None:
    nul = "\ufffd" if connection.vendor == "postgresql" else "\0"
    run = make_run(make_project(), message="a\0b", outputs={"k\0": ["\0"]})
    run.refresh_from_db()
    assert (run.message, run.outputs) == (f"a{nul}b", {f"k{nul}": [nul]})
    events_append([EventDraft("t", "k", f"e\0{n}", 0, data={"x": "\0"}) for n in range(3)])
    assert Event.objects.filter(entity_id="e\x001", own_data__x="\0").count() == 1
    assert not type(run).objects.filter(pk="\0").exists()
