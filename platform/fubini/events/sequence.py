"""Numbers for events in commit order, so that a reader who resumes from a number misses none.

An id is given out when a row is inserted, but rows appear when their transaction commits, and two transactions may
commit in the other order: a reader past the higher id would never see the lower one. SQLite has one writer at a time
(IMMEDIATE transactions), so there id order is commit order. Elsewhere whoever reads first numbers the rows that have
been committed, under the lock of one row: numbers appear without gaps and in the order they were given.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import Max, Min

from fubini.events.models import Event, Sequence

BATCH = 2000


def by_id() -> bool:
    """Is id order commit order here?"""
    return connection.vendor == "sqlite"


def position_field() -> str:
    """The column readers order and resume by."""
    return "id" if by_id() else "seq"


def events_sequence() -> int:
    """Number the committed events that have no number yet; how many. Needed before reading where `by_id` is false."""
    if by_id():
        return 0
    numbered = 0
    while Event.objects.filter(seq=None).exists():
        got = _number_batch()
        numbered += got
        if got < BATCH:
            break
    return numbered


def _number_batch() -> int:
    with transaction.atomic():
        Sequence.objects.get_or_create(pk=1)
        row = Sequence.objects.select_for_update().get(pk=1)
        # One statement: what it sees was committed before it began, and nobody else numbers meanwhile.
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH fresh AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM "
                "(SELECT id FROM fubini_events_event WHERE seq IS NULL ORDER BY id LIMIT %s) AS unnumbered) "
                "UPDATE fubini_events_event AS e SET seq = %s + fresh.n FROM fresh WHERE e.id = fresh.id",
                [BATCH, row.last],
            )
            got = int(cursor.rowcount)
        row.last += got
        row.save(update_fields=["last"])
    return got


def newest_position() -> int:
    """The last number given; 0 where there is none."""
    return int(Event.objects.aggregate(n=Max(position_field()))["n"] or 0)


def oldest_position() -> int:
    """The first number still kept (retention deletes old events); 0 where there is none."""
    return int(Event.objects.aggregate(n=Min(position_field()))["n"] or 0)
