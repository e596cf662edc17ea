"""Logs: whole or gap-marked, whatever is sent twice, late, too much or out of order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from fubini.cli.files import last_lines
from fubini.common.ids import new_id
from fubini.runs.logs import (
    Gap,
    log_append,
    log_lines_from,
    log_read,
    log_streams,
    log_tail,
    logs_delete,
    logs_expire,
    text_cut,
)
from fubini.runs.models import Attempt


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    settings.FUBINI_HOME = tmp_path
    settings.FUBINI = {**settings.FUBINI, "LOG_MAX_BYTES": 1000}
    return tmp_path


@pytest.fixture
def attempt() -> Attempt:
    return Attempt(run_id=new_id())


def kept(attempt: Attempt, stream: str = "main") -> bytes:
    return log_read(attempt.run_id, attempt.pk, stream=stream).data


def test_bytes_sent_twice_or_overlapping_are_kept_once(attempt: Attempt) -> None:
    assert log_append(attempt, 0, b"hello ").next_offset == 6
    assert log_append(attempt, 0, b"hello ").next_offset == 6
    assert log_append(attempt, 3, b"lo world").next_offset == 11
    assert log_append(attempt, 2, b"l").next_offset == 11
    assert kept(attempt) == b"hello world"


def test_bytes_that_would_leave_a_hole_are_not_taken_and_the_sender_is_told_where_to_go_on(attempt: Attempt) -> None:
    log_append(attempt, 0, b"abc")
    assert log_append(attempt, 10, b"later").next_offset == 3
    assert kept(attempt) == b"abc"


def test_chunks_in_any_order_and_number_end_as_the_text_that_was_printed(attempt: Attempt) -> None:
    text = bytes(random.Random(7).randrange(256) for _ in range(900))
    rng = random.Random(11)
    wanted = 0
    while wanted < len(text):
        start = rng.choice([wanted, max(0, wanted - 30), wanted + 5, 0])
        wanted = log_append(attempt, start, text[start : start + rng.randrange(1, 60)]).next_offset
    assert kept(attempt) == text


def test_a_stream_over_its_limit_is_cut_marked_and_closed(attempt: Attempt) -> None:
    ack = log_append(attempt, 0, b"x" * 1500)
    assert ack.closed and ack.next_offset == 1500
    part = log_read(attempt.run_id, attempt.pk)
    assert len(part.data) == 1000
    assert part.gaps == (Gap(1000, 500),)


def test_a_gap_the_agent_declares_is_on_record_and_later_bytes_follow_it(attempt: Attempt) -> None:
    log_append(attempt, 0, b"head", skipped_bytes=100)
    ack = log_append(attempt, 104, b"tail", eof=True)
    assert ack.closed
    part = log_read(attempt.run_id, attempt.pk)
    assert part.data == b"headtail"
    assert part.gaps == (Gap(4, 100),)
    assert part.eof


def test_the_end_is_told_only_to_readers_who_reached_it(attempt: Attempt) -> None:
    log_append(attempt, 0, b"0123456789", eof=True)
    assert not log_read(attempt.run_id, attempt.pk, limit=5).eof
    assert log_read(attempt.run_id, attempt.pk, offset=5).eof
    assert log_read(attempt.run_id, attempt.pk, offset=999).data == b""


def test_nothing_is_taken_after_the_end(attempt: Attempt) -> None:
    log_append(attempt, 0, b"done", eof=True)
    assert log_append(attempt, 4, b"more").closed
    assert kept(attempt) == b"done"


def test_streams_are_apart_and_the_tail_shows_errors_last(attempt: Attempt) -> None:
    log_append(attempt, 0, b"".join(b"out %d\n" % n for n in range(50)), stream="stdout")
    log_append(attempt, 0, b"Traceback\nValueError: no\xff\x00\n", stream="stderr")
    assert log_streams(attempt.run_id, attempt.pk) == ["stdout", "stderr"]
    tail = log_tail(attempt.run_id, attempt.pk, lines=5)
    assert tail == ["out 47", "out 48", "out 49", "Traceback", "ValueError: no\ufffd\ufffd"]


@pytest.mark.parametrize(("run_id", "attempt_id", "stream"), [
    ("../../etc", "a" * 32, "main"), ("a" * 32, "../x", "main"), ("a" * 32, "b" * 32, "../x"), ("a" * 32, "b" * 32 + "\n", "main"),
])  # fmt: skip
def test_no_name_but_our_own_ids_makes_a_path(run_id: str, attempt_id: str, stream: str) -> None:
    with pytest.raises(ValueError, match="id"):
        log_read(run_id, attempt_id, stream=stream)


def test_a_link_in_place_of_a_log_is_not_followed(attempt: Attempt, home: Path) -> None:
    folder = home / "logs" / attempt.run_id
    folder.mkdir(parents=True)
    target = home / "secret.key"
    target.write_text("key")
    (folder / f"{attempt.pk}.main.log").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        log_append(attempt, 3, b"x")
    assert target.read_text() == "key"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"abc", b"abc"),
        ("é".encode(), "é".encode()),
        ("é".encode()[:1], b""),
        ("a€".encode()[:-1], b"a"),
        ("a😀".encode()[:-2], b"a"),
        (b"\x80\x80\x80\x80\x80", b"\x80\x80\x80\x80\x80"),
        (b"", b""),
    ],
)
def test_a_character_that_is_only_begun_waits_for_the_next_part(data: bytes, want: bytes) -> None:
    assert text_cut(data, whole=False) == want
    assert text_cut(data, whole=True) == data


def test_logs_go_with_their_runs_and_with_age(attempt: Attempt) -> None:
    log_append(attempt, 0, b"x")
    assert logs_expire(keep_days=1) == 0
    assert logs_expire(keep_days=-1) == 1
    log_append(attempt, 0, b"x")
    assert logs_delete([attempt.run_id, new_id()]) == 1
    assert kept(attempt) == b""


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"one", b"one\n", b"one\ntwo", b"one\n\n\nfour\n", b"x" * 300 + b"\n" + b"y" * 300 + b"\nz"]
)
def test_last_lines_are_counted_as_tail_counts_them(
    attempt: Attempt, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fubini.runs.logs.READ_MAX_BYTES", 7)  # lines lie across pieces
    log_append(attempt, 0, text)
    for lines in (1, 2, 3, 9):
        want = b"".join(text.splitlines(keepends=True)[-lines:])
        at = log_lines_from(attempt.run_id, attempt.pk, lines)
        assert text[at:] == want
        assert last_lines(text.decode(), lines) == want.decode()
