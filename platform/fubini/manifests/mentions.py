"""What expressions mention, and whether it can be there: steps of the same group, tasks that nothing waits for, names
that do not exist. Tags without ``=`` are judged by `scope`; Argo looks at expressions only when they are due.

Pure look-ups over one template; the finding is `hints`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from fubini.language import expr
from fubini.language.errors import LanguageError
from fubini.manifests.context import listing, mapping, text
from fubini.manifests.dependencies import Ancestry, find_cycle, names_in
from fubini.manifests.library import Template

LAST_RETRY = ("exitCode", "status", "duration", "message")


def mentioned(written: str) -> list[str]:
    """Dotted names in an expression; [] when it cannot be read, which is said elsewhere."""
    try:
        return expr.identifiers(expr.parse(written))
    except LanguageError:
        return []


def mentioned_nodes(written: str, root: str) -> Iterator[str]:
    """Names of steps (or tasks) in an expression, each once: ``steps.a.status`` and ``steps['a-b'].status``."""
    seen: set[str] = set()
    for name in mentioned(written):
        parts = name.split(".")
        if parts[0] == root and len(parts) > 2 and parts[1] not in seen:
            seen.add(parts[1])
            yield parts[1]


class Siblings:
    """The steps or tasks of one template, and which have ended before which."""

    def __init__(self, template: Template):
        self.root = "steps" if template.type == "steps" else "tasks"
        self._groups: dict[str, int] = {}
        self._edges: dict[str, list[str]] = {}
        if self.root == "steps":
            for index, group in enumerate(listing(template.body.get("steps"))):
                for step in listing(group):
                    self._groups.setdefault(text(mapping(step).get("name")), index)
        else:
            for task in listing(mapping(template.body.get("dag")).get("tasks")):
                self._edges.setdefault(text(mapping(task).get("name")), list(_dependencies(mapping(task))))

    @property
    def names(self) -> list[str]:
        return list(self._groups or self._edges)

    @cached_property
    def _ancestry(self) -> Ancestry | None:
        """None where the tasks wait for each other in a circle."""
        return None if find_cycle(self._edges) else Ancestry(self._edges)

    def ended_before(self, earlier: str, later: str) -> bool:
        """Has `earlier` ended for certain when `later` begins? True where that cannot be told."""
        if self._groups:
            return self._groups.get(earlier, -1) < self._groups.get(later, 0)
        return self._ancestry is None or self._ancestry.before(earlier, later)


def _dependencies(task: dict[str, Any]) -> Iterator[str]:
    yield from (name for name, _ in names_in(text(task.get("depends"))))
    yield from (name for name in listing(task.get("dependencies")) if isinstance(name, str))
