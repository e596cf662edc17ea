"""Which of Argo's fields an engine honours, as a set of field paths; the rest is refused at submit, never ignored.

A path is written like ``spec.templates[].container.image``: ``[]`` is any item, ``*`` any one name, and ``**`` at the
end everything below. Naming a field also allows the fields it stands in, not those below it. Inline templates and
templateDefaults are judged by the paths of ``spec.templates[]`` (templateDefaults itself must be named, too).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fubini.manifests.load import Path

_STEP = re.compile(r"\[\]|[^.\[\]]+")


class _Trie:
    __slots__ = ("children", "everything", "refused")

    def __init__(self) -> None:
        self.children: dict[str, _Trie] = {}
        self.everything = False
        self.refused: Callable[[str], str] | None = None


class SupportedFields:
    """A set of paths to ask: what in this document is not honoured?

    `texts`: for fields whose text is a small document of its own, what of it is not honoured ("" = nothing).
    """

    def __init__(self, paths: Iterable[str], texts: Mapping[str, Callable[[str], str]] | None = None):
        self.paths = frozenset(paths)
        self._root = _Trie()
        for path in self.paths:
            node = self._root
            for step in _STEP.findall(path):
                if step == "**":
                    node.everything = True
                    break
                node = node.children.setdefault(step, _Trie())
        for path, refused in (texts or {}).items():
            self._find(tuple(_STEP.findall(path))).refused = refused
        self._template = self._find(("spec", "templates", "[]"))

    @classmethod
    def everything(cls) -> SupportedFields:
        """For judging a manifest by itself, whatever the engine."""
        return cls(("**",))

    def _find(self, steps: tuple[str, ...]) -> _Trie:
        node = self._root
        for step in steps:
            if node.everything or step not in node.children:
                return node if node.everything else _Trie()
            node = node.children[step]
        return node

    def unsupported(self, document: dict[str, Any], only: set[Path] | None = None) -> Iterator[tuple[Path, Any]]:
        """The highest fields that are not honoured, with their values. Empty values are as good as absent.

        `only` restricts the answer to what stands below these paths (templates of a library that are really used).
        """
        starts: list[tuple[Path, Any, _Trie]] = []
        if only is None:
            starts.append(((), document, self._root))
        else:
            for path in sorted(only, key=str):
                value: Any = document
                for step in path:
                    value = value[step]
                starts.append((path, value, self._template))
        stack = starts[::-1]
        while stack:
            path, value, trie = stack.pop()
            if trie.everything:
                continue
            if trie.refused is not None and isinstance(value, str):
                bad = trie.refused(value)
                if bad:
                    yield path, bad
                continue
            if isinstance(value, dict):
                below = []
                for name, inner in value.items():
                    if inner is None or inner == {} or inner == []:
                        continue
                    node = trie.children.get(name) or trie.children.get("*")
                    at = (*path, name)
                    if node is None:
                        yield at, inner
                    elif name == "inline" or at == ("spec", "templateDefaults"):
                        below.append((at, inner, self._template))
                    else:
                        below.append((at, inner, node))
                stack.extend(reversed(below))
            elif isinstance(value, list):
                item = trie.children.get("[]")
                if item is None:
                    continue  # the field itself was named: its items are plain values
                stack.extend(((*path, i), inner, item) for i, inner in reversed(list(enumerate(value))))
