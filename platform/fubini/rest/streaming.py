"""A long answer made while it is read.

Decides in which thread its pieces are made: the request's own, with the database connection the view had. Django takes a
plain iterator in whole before an ASGI server gets its first byte; an asynchronous one it passes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from asgiref.sync import sync_to_async

Piece = TypeVar("Piece", str, bytes)


async def streamed(pieces: Iterator[Piece]) -> AsyncIterator[Piece]:
    """The same pieces, each made when the one before is on its way; empty ones are passed over."""
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        if piece:
            yield piece
