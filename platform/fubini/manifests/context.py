"""What every checker of one manifest shares: the document, where its fields stand, and the growing list of findings."""

from __future__ import annotations

from typing import Any

from fubini.common.saying import Said, ours, say
from fubini.manifests.findings import Collector, Finding, Kind, Severity, nearest
from fubini.manifests.load import Path, Positions, path_text

_MAX_WORDS = 900


class Source:
    """One manifest under check: the submitted one, or the library's N-th (then there is no text to point into)."""

    def __init__(self, document: dict[str, Any], positions: Positions | None, prefix: str, collector: Collector):
        self.document = document
        self.positions = positions
        self.prefix = prefix
        self.collector = collector
        # What has been read of texts that are languages of their own; each has a budget.
        self.forms_read = 0
        self.object_chars = 0

    @property
    def kind(self) -> str:
        return str(self.document.get("kind") or "")

    @property
    def name(self) -> str:
        metadata = self.document.get("metadata")
        return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""

    def placed(self, path: Path) -> Path:
        """Where a field of the document stands in the text; the same, unless the document is a part of it."""
        return path

    def word(self, path: Path) -> str:
        return self.positions.word(self.placed(path)) if self.positions else ""

    def add(
        self,
        severity: Severity,
        code: str,
        path: Path,
        message: str,
        *,
        found: str = "",
        allowed: str = "",
        close: str = "",
        known: Any = (),
        help_text: str = "",
        kind: Kind = "invalid",
    ) -> None:
        """Note a finding at `path`; the nearest of `known` to `close` is offered unless `close` is empty."""
        if self.collector.full if severity == "error" else self.collector.warned:
            self.collector.truncated = True
            return
        path = self.placed(path)
        line, column = self.positions.of(path) if self.positions else (0, 0)
        text = _clean(path_text(path))
        if self.prefix:
            text = f"{self.prefix}.{text}"
        if kind == "unsupported":
            message = say("{path}: {message}", path=text, message=ours(message))
        self.collector.add(
            Finding(
                severity, code, text, line, column, _clean(message), _clean(found) or "nothing",
                _clean(allowed) or "none is declared",
                nearest(close, known) if close else "", _clean(help_text), kind,
            )
        )  # fmt: skip

    def error(self, code: str, path: Path, message: str, **more: Any) -> None:
        self.add("error", code, path, message, **more)

    def warn(self, code: str, path: Path, message: str, **more: Any) -> None:
        self.add("warning", code, path, message, **more)


def _clean(words: str) -> str:
    """Fit for one line of a terminal: no control characters, no pages of names."""
    if isinstance(words, Said):
        return words.with_facts(_clean)
    if len(words) > _MAX_WORDS:
        words = words[:_MAX_WORDS] + " …"
    return words if words.isprintable() else "".join(c if c.isprintable() else " " for c in words)


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one; wrong types are the structural check's to report."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""
