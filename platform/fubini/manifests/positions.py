"""Paths of fields, and where in the text each field stands."""

from __future__ import annotations

import re
from typing import Any

from fubini.manifests.findings import show

Path = tuple[str | int, ...]

# A place is one integer, line above column: a manifest may have 200,000 of them.
COLUMN_BITS = 22
COLUMN_MASK = (1 << COLUMN_BITS) - 1

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")


def path_text(path: Path) -> str:
    """A path as Kubernetes writes it: ``spec.templates[0].name``; keys with dots or slashes in brackets."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_NAME.match(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{show(step)}]")
    return "".join(parts) or "manifest"


class Positions:
    """Where each field stands in the text, found by walking the document along a path.

    Lines and columns count from 1. A field's place is that of its key, a list item's that of its value. Containers
    are known by identity, so the document must be the one that was loaded, unchanged.
    """

    def __init__(self) -> None:
        self.text = ""
        self._children: dict[int, dict[str, int] | list[int]] = {}
        self._root: Any = None
        self._root_place = (1, 1)

    def set_root(self, document: Any, line: int, column: int) -> None:
        self._root = document
        self._root_place = (line, column)

    def record(self, container: Any, children: dict[str, int] | list[int]) -> None:
        self._children[id(container)] = children

    def of(self, path: Path) -> tuple[int, int]:
        """Line and column of the field at `path`, or of its nearest ancestor that is in the text."""
        place, node = self._root_place, self._root
        for step in path:
            children = self._children.get(id(node))
            try:
                packed = children[step]  # type: ignore[index]
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
            place = (packed >> COLUMN_BITS, packed & COLUMN_MASK)
        return place

    def word(self, path: Path) -> str:
        """The plain word written for a scalar field, as it stands in the text; "" when it cannot be told."""
        line, column = self.of(path)
        start = 0
        for _ in range(line - 1):
            start = self.text.find("\n", start) + 1
            if start == 0:
                return ""
        rest = self.text[start + column - 1 : start + column - 1 + 200].split("\n", 1)[0]
        if path and isinstance(path[-1], str):
            key, colon, rest = rest.partition(":")
            if not colon or key.strip().strip("'\"") != path[-1]:
                return ""
        return re.split(r"\s#|[,\]}]", rest, maxsplit=1)[0].strip()
