"""Run by `test_sequence` with its database on a real PostgreSQL: prints a JSON object of what happened."""

from __future__ import annotations

import json
import random
import threading
import time

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections, transaction  # noqa: E402

from fubini.audit.services import audit_append, audit_check  # noqa: E402
from fubini.events.models import Event  # noqa: E402
from fubini.events.selectors import EventFilter, events_after, position_of  # noqa: E402
from fubini.events.services import EventDraft, SharedKind, events_append, kinds_of, owners_of  # noqa: E402

ALL = EventFilter(None)


def append(name: str) -> None:
    events_append([EventDraft(topic="test", kind="test.made", entity_id=name, at_ms=0, project_id="p")])


def reverse_commits() -> dict[str, object]:
    """Two transactions insert in one order and commit in the other, with a reader in between."""
    inserted, committed = threading.Event(), threading.Event()
    owners_of({"p"})  # who is the first to name a project or a kind makes others wait who name it too
    kinds_of([SharedKind("test", "test.made")])

    def slow() -> None:
        with transaction.atomic():
            append("first inserted")
            inserted.set()
            committed.wait(120)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    inserted.wait(120)
    with transaction.atomic():
        append("first committed")
    before = events_after(ALL, 0)
    committed.set()
    thread.join()
    after = events_after(ALL, before.cursor)
    ids = {e.entity_id: e.pk for e in Event.objects.all()}
    return {
        "ids_in_order_of_insert": ids["first inserted"] < ids["first committed"],
        "before": [e.entity_id for e in before.events],
        "after": [e.entity_id for e in after.events],
    }


def storm(writers: int = 6, each: int = 60) -> dict[str, object]:
    """Writers that commit in any order, some rolled back, while three readers number and follow."""
    start = events_after(ALL, 0).cursor
    done = threading.Event()
    wanted: set[str] = set()
    lock = threading.Lock()

    def write(number: int) -> None:
        rng = random.Random(number)
        for step in range(each):
            name = f"{number}-{step}"
            try:
                with transaction.atomic():
                    append(name)
                    time.sleep(rng.random() * 0.004)
                    if rng.random() < 0.1:
                        raise KeyError
                with lock:
                    wanted.add(name)
            except KeyError:
                pass
        connections.close_all()

    seen: list[list[tuple[int, str]]] = [[], [], []]

    def read(mine: list[tuple[int, str]]) -> None:
        cursor = start
        while True:
            last = done.is_set()
            batch = events_after(ALL, cursor, limit=50)
            mine += [(position_of(e), e.entity_id) for e in batch.events]
            cursor = batch.cursor
            if last and not batch.events:
                break
        connections.close_all()

    readers = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    for thread in readers + threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    numbers = [n for n, _ in seen[0]]
    return {
        "written": len(wanted),
        "each_reader_saw_all_once": all(sorted(name for _, name in mine) == sorted(wanted) for mine in seen),
        "readers_agree": seen[0] == seen[1] == seen[2],
        "numbers_without_gaps": numbers == list(range(start + 1, start + 1 + len(numbers))),
    }


def trail(writers: int = 4, each: int = 25) -> dict[str, object]:
    """Writers of the audit trail at once leave one whole chain."""

    def write(number: int) -> None:
        for step in range(each):
            audit_append(actor="x", action="test", target=f"{number}-{step}")
        connections.close_all()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check = audit_check()
    return {"entries": check.entries, "broken_at": check.broken_at}


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    assert connection.vendor == "postgresql"
    print(json.dumps({"reverse": reverse_commits(), "storm": storm(), "trail": trail()}))
