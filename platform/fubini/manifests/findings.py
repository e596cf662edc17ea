"""What a check of a manifest finds, in the form that REST, the CLI and the UI show.

A finding names its field by path and by line and column, says what was found and what is allowed, offers the nearest
known name and one next step. Kind `invalid` is a manifest that could not run anywhere; kind `unsupported` is a field
that Argo knows and the chosen engine does not honour. Nothing here decides what is wrong; `Collector` keeps the first
of each kind of trouble at a place and stops at a cap, so that a hostile manifest cannot make an endless answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fubini.common.saying import told

Severity = Literal["error", "warning"]
Kind = Literal["invalid", "unsupported"]

MAX_FINDINGS = 50
_SHOWN_CHARS = 120
_ROOT = "manifest"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a manifest, or worth knowing about it.

    `path` is the field as Kubernetes writes it (``spec.templates[0].container.image``); for a library manifest it
    starts with ``library[N].`` and line and column are 0, because only its parsed form is at hand. `line` and
    `column` count from 1.
    """

    severity: Severity
    code: str
    path: str
    line: int
    column: int
    message: str
    found: str = ""
    allowed: str = ""
    nearest: str = ""
    help: str = ""
    kind: Kind = "invalid"

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON-able data, every key present."""
        return {
            "severity": self.severity,
            "code": self.code,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "found": self.found,
            "allowed": self.allowed,
            "nearest": self.nearest,
            "help": self.help,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class DeclaredParameter:
    """One `spec.arguments.parameters` entry, with the value a run would start with.

    `value` is None when the run must give one. `form` is the parsed ``fubini.dev/input.NAME`` annotation, if any.
    """

    name: str
    value: str | None = None
    default: str | None = None
    enum: tuple[str, ...] = ()
    description: str = ""
    required: bool = False
    form: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a check: the parsed manifest (None if it could not be read), all findings, its parameters."""

    document: dict[str, Any] | None
    findings: tuple[Finding, ...] = ()
    parameters: tuple[DeclaredParameter, ...] = ()
    truncated: bool = False

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "warning")

    @property
    def invalid(self) -> tuple[Finding, ...]:
        """The errors that would be errors on every engine."""
        return tuple(f for f in self.errors if f.kind == "invalid")

    @property
    def unsupported(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.errors if f.kind == "unsupported")

    @property
    def ok(self) -> bool:
        return not self.errors


def show(value: Any) -> str:
    """A value in the words of a manifest, short enough for a sentence."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    text = str(value)
    if not text:
        return "''"
    if len(text) > _SHOWN_CHARS:
        text = text[: _SHOWN_CHARS - 1] + "…"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, or "" when none is close. Case is a small difference."""
    if not name or len(name) > 128:
        return ""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
        if len(by_lower) > 2000:
            break
    lower = name.lower()
    if lower in by_lower:
        return by_lower[lower]
    close = difflib.get_close_matches(lower, by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else ""


class Collector:
    """Gathers findings, once per place and code, up to a cap; errors push out warnings, never the reverse."""

    def __init__(self, cap: int = MAX_FINDINGS) -> None:
        self._cap = cap
        self._errors: list[Finding] = []
        self._warnings: list[Finding] = []
        self._seen: set[tuple[str, str, str]] = set()
        self._misplaced: set[str] = set()
        self.truncated = False  # there may be more than is reported

    @property
    def full(self) -> bool:
        """True when no further error would be kept; a checker may stop early."""
        return len(self._errors) >= self._cap

    @property
    def warned(self) -> bool:
        """True when no further warning would be kept."""
        return len(self._warnings) >= self._cap

    def blames(self, path: str) -> bool:
        """Is the field itself already reported, as unknown or of a wrong type, or stands it in one that is?"""
        return path in self._misplaced or any(path.startswith((f"{m}.", f"{m}[")) for m in self._misplaced)

    def add(self, finding: Finding) -> None:
        kept = self._errors if finding.severity == "error" else self._warnings
        if len(kept) >= self._cap:
            self.truncated = True
            return
        key = (finding.path, finding.code, finding.message)
        if key in self._seen:
            return
        self._seen.add(key)
        if finding.code in ("unknown-field", "wrong-type") and finding.severity == "error":
            self._misplaced.add(finding.path)
        kept.append(finding)

    def result(self) -> tuple[Finding, ...]:
        """Errors then warnings, each in the order of the text, at most the cap in all."""

        def place(finding: Finding) -> tuple[bool, int, int]:
            return (finding.line == 0, finding.line, finding.column)

        errors = sorted(self._errors, key=place)
        warnings = sorted(self._warnings, key=place)
        if self.full or len(errors) + len(warnings) > self._cap:
            self.truncated = True
        return tuple(errors + warnings[: max(0, self._cap - len(errors))])


def finding_told(finding: Finding) -> dict[str, Any]:
    """`finding_json` in the asker's language."""
    return entry_told(finding_json(finding))


def entry_told(entry: dict[str, Any]) -> dict[str, Any]:
    """An item of `finding_json` in the asker's language."""
    return entry | {key: told(entry[key]) for key in ("detail", "allowed", "next_step")}


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding as REST and the linter word it, in English: an item of problem+json's `errors`."""
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "code": finding.code,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "detail": finding.message,
        "found": finding.found,
        "allowed": finding.allowed,
        "nearest": finding.nearest,
        "next_step": finding.help,
    }
