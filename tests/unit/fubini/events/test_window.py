"""The window over the newest events: an unbroken stretch, filtered a reader, bounded, and closed when nobody extends it."""

from __future__ import annotations

import random

from fubini.events.selectors import EventFilter
from fubini.events.window import Line, Window

ALL = EventFilter(None)


def line(position: int, project: str | None = "p", run: str | None = "r", topic: str = "run", size: int = 10) -> Line:
    return Line(position, project, run, topic, b"x" * size)


def positions(window: Window, wanted: EventFilter, after: int, limit: int = 500) -> list[int] | None:
    found = window.read(wanted, after, limit=limit)
    return None if found is None else [one.position for one in found.lines]


def test_a_closed_window_answers_nobody() -> None:
    window = Window()
    assert window.read(ALL, 0) is None
    window.begin(5)
    assert positions(window, ALL, 5) == []
    window.close()
    assert window.read(ALL, 5) is None


def test_a_reader_before_its_start_is_sent_to_the_database() -> None:
    window = Window()
    window.begin(5)
    window.extend([line(7), line(8)])
    assert window.read(ALL, 4) is None
    assert positions(window, ALL, 5) == [7, 8]
    assert positions(window, ALL, 7) == [8]


def test_the_cursor_passes_over_what_the_filter_hides() -> None:
    window = Window()
    window.begin(0)
    window.extend([line(1, "p"), line(2, "q"), line(3, None), line(4, "p", "s", "node")])
    mine = window.read(EventFilter(("p",)), 0)
    assert mine is not None and [one.position for one in mine.lines] == [1, 4] and mine.cursor == 4
    assert positions(window, EventFilter(("p",), "s"), 0) == [4]
    assert positions(window, EventFilter(("p", "q"), None, ("run",)), 0) == [1, 2]
    hidden = window.read(EventFilter(("other",)), 2)
    assert hidden is not None and hidden.lines == () and hidden.cursor == 4
    assert positions(window, ALL, 0) == [1, 2, 3, 4]


def test_the_oldest_go_when_events_or_bytes_are_too_many() -> None:
    window = Window(most=3, most_bytes=1_000)
    window.begin(0)
    window.extend([line(n) for n in range(1, 6)])
    assert window.read(ALL, 1) is None
    assert positions(window, ALL, 2) == [3, 4, 5]
    window.extend([line(6, size=995)])
    assert window.read(ALL, 4) is None
    assert positions(window, ALL, 5) == [6]


def test_readers_who_read_in_steps_get_every_event_once_whatever_the_window_forgets() -> None:
    chance = random.Random(5)
    for _ in range(200):
        window, kept, told = Window(most=chance.randint(1, 8)), [], 0
        window.begin(0)
        cursor, got = 0, []
        for _ in range(30):
            fresh = []
            for _ in range(chance.randint(0, 4)):
                told += chance.randint(1, 3)
                fresh.append(line(told, chance.choice(["p", "q"])))
            kept += fresh
            window.extend(fresh)
            if chance.random() < 0.5:
                found = window.read(EventFilter(("p",)), cursor, limit=chance.randint(1, 5))
                if found is None:  # as the database would answer
                    lines = [one for one in kept if one.position > cursor and one.project_id == "p"]
                    got += [one.position for one in lines]
                    cursor = max(cursor, told)
                else:
                    got += [one.position for one in found.lines]
                    cursor = found.cursor
        want = [one.position for one in kept if one.project_id == "p" and one.position <= cursor]
        assert got == want
