"""The event stream on a test's own connection: its threads would not see, and would lock, an open transaction's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from unittest import mock

from asgiref.sync import sync_to_async

T = TypeVar("T")


async def _here(work: Callable[[], T]) -> T:
    return await sync_to_async(work)()


@contextmanager
def streams_here() -> Iterator[None]:
    """While it lasts, streams read on the calling test's connection and nothing wakes them but their own clock."""
    with (
        mock.patch("fubini.events.stream.in_thread", _here),
        mock.patch("fubini.projects.streams.in_thread", _here),
        mock.patch("fubini.events.stream.Tail._look", lambda *_: True),
    ):
        yield
