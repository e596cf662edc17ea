"""Several manifests in one text: where each begins and ends, without reading what is in them.

A line that begins with ``---`` or ``...`` is a marker wherever it stands: YAML forbids it even inside block text. So
lines are enough to tell documents apart, and one that cannot be read spoils none of the others. Directives (``%``)
belong to the document below them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKER = re.compile(r"^(---|\.\.\.)(?=[ \t\r\n]|$)", re.MULTILINE)
_IDLE_LINE = re.compile(r"[ \t]*(#.*)?\r?$|%.*$")


@dataclass(frozen=True, slots=True)
class Part:
    """One document's text and the number of lines above it."""

    text: str
    lines_above: int


def split_documents(text: str) -> list[Part]:
    """The documents of a text that hold more than comments, in order; a whole text without any is one empty part."""
    text = text.removeprefix("\ufeff")
    starts = [0]
    for match in _MARKER.finditer(text):
        at = match.start() if match.group(1) == "---" else text.find("\n", match.start()) + 1 or len(text)
        if at > starts[-1] and not (match.group(1) == "---" and _idle(text[starts[-1] : at])):
            starts.append(at)
    parts = []
    above = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        piece = text[start:end]
        if not _idle(piece):
            parts.append(Part(piece, above))
        above += piece.count("\n")
    return parts or [Part(text, 0)]


def _idle(piece: str) -> bool:
    """Only comments, directives, markers and empty lines?"""
    lines = piece.split("\n")
    return all(_IDLE_LINE.match(_MARKER.sub("", line, count=1)) for line in lines)
