"""Manifest text -> document and positions, under limits that hold before and while it is parsed.

Decides: size, encoding, depth, number of values, how far aliases may expand, that keys are unique, that there are no
tags, and that a submit is one document. Parses libyaml's event stream itself, so that no hostile text is built before
it is judged. Words are resolved as Kubernetes' own YAML reader does (`scalars`). JSON is read as the YAML it is, and
by the JSON parser where the two differ (escaped slashes, surrogate pairs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from fubini.common.saying import say
from fubini.manifests.findings import Finding, show
from fubini.manifests.positions import COLUMN_BITS, COLUMN_MASK, Path, Positions, path_text
from fubini.manifests.scalars import NotFinite, integral, resolve

MAX_TEXT_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 160_000
MAX_ALIAS_FACTOR = 4
_MAX_DIRECTIVES = 16
_MAX_KEY_CHARS = 1024

__all__ = ["Loaded", "Path", "Positions", "load", "path_text"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)


@dataclass(slots=True)
class Loaded:
    """The parsed manifest; `document` is None when `findings` has an error."""

    document: dict[str, Any] | None
    positions: Positions
    findings: list[Finding] = field(default_factory=list)


class _Refused(Exception):
    """Reading stops here; carries the finding."""

    def __init__(self, finding: Finding):
        super().__init__(finding.message)
        self.finding = finding


def load(text: str | bytes) -> Loaded:
    """Read one manifest.

    Worst case for a text at the size limit is well under a second and 200 MiB. Never raises for what is in the text.
    """
    positions = Positions()
    try:
        decoded = _decode(text)
        positions.text = decoded
        try:
            document = _Composer(decoded, positions).compose()
        except _Refused as refused:
            if refused.finding.code != "yaml-syntax" or not decoded.lstrip().startswith("{"):
                raise
            document = _json(decoded, positions, refused.finding)
    except _Refused as refused:
        return Loaded(None, positions, [refused.finding])
    return Loaded(document, positions)


def _finding(
    code: str,
    line: int,
    column: int,
    message: str,
    path: Path = (),
    *,
    found: str = "",
    allowed: str = "",
    help: str = "",
) -> Finding:
    return Finding("error", code, path_text(path), line, column, message, found, allowed, "", help)


def _place(text: str, index: int) -> tuple[int, int]:
    before = text.count("\n", 0, index)
    return before + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _decode(text: str | bytes) -> str:
    size = len(text)
    if isinstance(text, str) and size <= MAX_TEXT_BYTES and not text.isascii():
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise _Refused(
            _finding(
                "too-large",
                1,
                1,
                say("The manifest is {size:,} bytes long.", size=size),
                found=f"{size:,} bytes",
                allowed=say("at most {max_text_bytes:,} bytes (2 MiB)", max_text_bytes=MAX_TEXT_BYTES),
                help="Move long data into a dataset or an artifact and refer to it from the manifest.",
            )
        )
    if isinstance(text, bytes):
        encoding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        try:
            decoded = text.decode(encoding)
        except UnicodeDecodeError as error:
            good = text[: error.start].decode(encoding, "replace")
            line, column = _place(good, len(good))
            raise _Refused(
                _finding(
                    "encoding",
                    line,
                    column,
                    say("The manifest is not {upper} text here.", upper=encoding.upper()),
                    found=f"byte 0x{text[error.start]:02x}" if error.start < len(text) else "a cut-off character",
                    allowed="UTF-8 text",
                    help="Save the file as UTF-8 and send it again.",
                )
            ) from None
    else:
        decoded = text
    decoded = decoded.removeprefix("\ufeff")
    odd = _UNPRINTABLE.search(decoded)
    if odd:
        line, column = _place(decoded, odd.start())
        raise _Refused(
            _finding(
                "control-character",
                line,
                column,
                "A control character stands in the manifest.",
                found=f"U+{ord(odd.group()):04X}",
                allowed="printable text, tabs inside values, and line ends",
                help='Take it out, or write it as an escape in double quotes, such as "\\x1b".',
            )
        )
    # libyaml compares each %TAG directive with all before it; a file of nothing else would take hours.
    directives = 0
    for match in _DIRECTIVE.finditer(decoded):
        if decoded.startswith(("%TAG", "%YAML"), match.start()):
            directives += 1
            if directives > _MAX_DIRECTIVES:
                line, column = _place(decoded, match.start())
                raise _Refused(
                    _finding(
                        "too-many-directives",
                        line,
                        column,
                        "The manifest has too many YAML directives.",
                        found=f"more than {_MAX_DIRECTIVES} lines that begin with %TAG or %YAML",
                        allowed=say("at most {max_directives}", max_directives=_MAX_DIRECTIVES),
                        help="A manifest needs none: delete them.",
                    )
                )
    return decoded


_SYNTAX_HELP: tuple[tuple[str, str], ...] = (
    ("mapping values are not allowed", "Put text that contains ': ' in quotes, or check the indentation of this line."),
    (
        "did not find expected key",
        "Check the indentation of this line and the one above it, and that quotes are closed.",
    ),
    ("did not find expected '-' indicator", "Begin each item of this list with '- ' at the same indentation."),
    ("could not find expected ':'", "Write 'key: value', or put the text in quotes."),
    ("cannot start any token", "Put text that begins with @, `, % or a tab in quotes."),
    ("undefined alias", "Define the anchor with &name above its first use, or put text that begins with * in quotes."),
    ("found unexpected end of stream", "Close the quote or bracket that is still open."),
    ("found unknown escape character", "In double quotes write \\\\ for a backslash, or use single quotes."),
    ("block sequence entries are not allowed", "Start the list on a line of its own, below its key."),
    ("did not find expected ',' or", "Close the bracket, or put a comma between the items."),
)


class _Frame:
    """One open container while composing."""

    __slots__ = (
        "anchor", "base_chars", "base_values", "children", "height", "key", "key_place", "merges", "place", "value"
    )  # fmt: skip

    def __init__(self, value: Any, place: int, anchor: str | None, base_values: int, base_chars: int):
        self.value = value
        self.place = place
        self.children: Any = {} if isinstance(value, dict) else []
        self.anchor = anchor
        self.base_values = base_values
        self.base_chars = base_chars
        self.height = 1
        self.key: str | None = None
        self.key_place = 0
        self.merges: list[tuple[int, Any]] | None = None


@dataclass(slots=True)
class _Anchored:
    value: Any
    values: int
    chars: int
    height: int


class _Composer:
    """Builds one document from libyaml's events, counting as it goes."""

    def __init__(self, text: str, positions: Positions):
        self._text = text
        self._positions = positions
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._values = 0
        self._chars = 0
        self._alias_chars = 0
        self._alias_limit = MAX_ALIAS_FACTOR * max(len(text), 64)

    def compose(self) -> dict[str, Any]:
        roots = [(value, line, column) for value, line, column in self._documents() if value is not None]
        if not roots:
            raise _Refused(
                _finding(
                    "empty",
                    1,
                    1,
                    "The manifest is empty.",
                    found="no document",
                    allowed="one Workflow or WorkflowTemplate",
                    help="Send a manifest that begins with 'apiVersion: argoproj.io/v1alpha1'.",
                )
            )
        if len(roots) > 1:
            _, line, column = roots[1]
            raise _Refused(
                _finding(
                    "several-documents",
                    line,
                    column,
                    say("The text holds {roots_count} documents; a second one begins here.", roots_count=len(roots)),
                    found=f"{len(roots)} documents",
                    allowed="one Workflow or WorkflowTemplate",
                    help="Submit each document by itself; templates that others refer to go first.",
                )
            )
        root, line, column = roots[0]
        if not isinstance(root, dict):
            raise _Refused(
                _finding(
                    "not-a-mapping",
                    line,
                    column,
                    "The manifest is not a mapping.",
                    found=show(root),
                    allowed="a mapping with apiVersion, kind, metadata and spec",
                    help="Begin the manifest with 'apiVersion: argoproj.io/v1alpha1'.",
                )
            )
        self._positions.set_root(root, line, column)
        return root

    # -- the event loop ------------------------------------------------------------------------------------------

    def _documents(self) -> Iterator[tuple[Any, int, int]]:
        loader = _Loader(self._text)
        next_event: Callable[[], Any] = loader.get_event
        scalar, alias = yaml.ScalarEvent, yaml.AliasEvent
        map_start, seq_start = yaml.MappingStartEvent, yaml.SequenceStartEvent
        map_end, seq_end = yaml.MappingEndEvent, yaml.SequenceEndEvent
        stack = self._stack
        documents = place = 0
        try:
            while True:
                event = next_event()
                kind = type(event)
                if kind is scalar:
                    mark = event.start_mark
                    value = self._scalar(event, mark)
                    if event.anchor is not None:
                        self._anchors[event.anchor] = _Anchored(value, 1, len(event.value), 0)
                elif kind is map_start or kind is seq_start:
                    mark = event.start_mark
                    if stack and isinstance(stack[-1].value, dict) and stack[-1].key is None:
                        raise self._refuse(
                            "key-not-text", mark, "A key is a list or a mapping.", "a bracket where a name is wanted",
                            "text", "Put '{{...}}' in quotes if a variable is meant; otherwise name the field.",
                        )  # fmt: skip
                    self._open(event, mark, {} if kind is map_start else [])
                    continue
                elif kind is map_end or kind is seq_end:
                    frame = stack.pop()
                    mark = None
                    place = frame.place
                    value = self._close(frame)
                    if stack:
                        parent = stack[-1]
                        if parent.height <= frame.height:
                            parent.height = frame.height + 1
                elif kind is alias:
                    mark = event.start_mark
                    value = self._alias(event.anchor, mark)
                elif kind is yaml.DocumentStartEvent:
                    self._anchors.clear()
                    documents += 1
                    if documents > 64:
                        raise self._refuse(
                            "several-documents", event.start_mark, "The text holds too many documents.",
                            "more than 64 documents", "one Workflow or WorkflowTemplate",
                            "Submit each document by itself.",
                        )  # fmt: skip
                    continue
                elif kind is yaml.StreamEndEvent or event is None:
                    return
                else:
                    continue
                if mark is not None:
                    place = (mark.line + 1) << COLUMN_BITS | (mark.column + 1)
                if not stack:
                    yield value, place >> COLUMN_BITS, place & COLUMN_MASK
                    continue
                top = stack[-1]
                container = top.value
                if type(container) is list:
                    container.append(value)
                    top.children.append(place)
                elif top.key is None:
                    self._key(top, event, value, mark)
                else:
                    key = top.key
                    top.key = None
                    if top.merges is not None and key == "<<":
                        top.merges.append((top.key_place, value))
                    else:
                        container[key] = value
                        top.children[key] = top.key_place
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except (yaml.YAMLError, ValueError) as error:
            raise _Refused(
                _finding(
                    "yaml-syntax",
                    1,
                    1,
                    say("The text is not YAML: {error}.", error=show(str(error))),
                    found=show(self._text[:40]),
                    allowed="YAML 1.1 or JSON",
                    help="Check the text's begin.",
                )
            ) from None
        finally:
            loader.dispose()

    def _open(self, event: Any, mark: Any, value: Any) -> None:
        if event.tag is not None:
            raise self._tag(event, mark)
        if len(self._stack) >= MAX_DEPTH:
            raise self._deep(mark)
        self._count(1, mark)
        self._stack.append(_Frame(value, _pack(mark), event.anchor, self._values - 1, self._chars))
        if event.anchor is not None:
            self._anchors[event.anchor] = None

    def _close(self, frame: _Frame) -> Any:
        value = frame.value
        if frame.merges:
            self._merge(frame)
        self._positions.record(value, frame.children)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = _Anchored(
                value, self._values - frame.base_values, self._chars - frame.base_chars, frame.height
            )
        return value

    def _count(self, values: int, mark: Any) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise self._refuse(
                "too-many-values", mark, "The manifest holds too many values.",
                f"more than {MAX_VALUES:,} values, aliases expanded", f"at most {MAX_VALUES:,}",
                "Read a long list from a parameter, a file or withSequence instead of writing it out.",
            )  # fmt: skip

    def _scalar(self, event: Any, mark: Any) -> Any:
        if event.tag is not None:
            raise self._tag(event, mark)
        text = event.value
        self._values += 1
        self._chars += len(text)
        if self._values > MAX_VALUES:
            self._count(0, mark)
        if not event.implicit[0]:
            return text
        try:
            return resolve(text)
        except NotFinite:
            raise self._refuse(
                "not-finite", mark, "A number must be finite: JSON has no word for this one.", show(text),
                "a finite number, or text in quotes", f"Put it in quotes if it is meant as text: '{show(text)}'.",
            ) from None  # fmt: skip

    def _key(self, frame: _Frame, event: Any, value: Any, mark: Any) -> None:
        if type(value) is not str:
            if value is None or mark is None or type(value) in (dict, list):
                raise self._refuse(
                    "key-not-text",
                    mark,
                    "A key is not text.",
                    show(value),
                    "text",
                    "Name the field, or delete the ':'.",
                )
            value = ("true" if value else "false") if type(value) is bool else str(value)
        if value == "<<" and type(event) is yaml.ScalarEvent and event.implicit[0]:
            frame.merges = frame.merges or []
        elif value in frame.value:
            first = frame.children[value]
            raise _Refused(
                _finding(
                    "duplicate-key",
                    mark.line + 1,
                    mark.column + 1,
                    say("The key {value!r} stands twice in one mapping.", value=show(value)),
                    (*self._path(), value),
                    found=f"first on line {first >> COLUMN_BITS}, again here",
                    allowed="each key once",
                    help="Delete one of the two, or give it another name.",
                )
            )
        if len(value) > _MAX_KEY_CHARS:
            raise self._refuse(
                "key-too-long",
                mark,
                "A key is too long.",
                f"{len(value):,} characters",
                f"at most {_MAX_KEY_CHARS:,}",
                "Check that this is a key: text that runs over lines needs quotes, or '|'.",
            )
        frame.key = value
        frame.key_place = _pack(mark)

    def _alias(self, name: str, mark: Any) -> Any:
        target = self._anchors.get(name)
        if target is None:
            recursive = name in self._anchors
            raise self._refuse(
                "alias", mark,
                f"The alias *{show(name)} stands inside its own anchor." if recursive else f"There is no anchor &{show(name)} above this place.",
                f"*{show(name)}", "an alias of an anchor that is complete above it",
                "Write the value out, or put text that begins with * in quotes.",
            )  # fmt: skip
        if len(self._stack) + target.height > MAX_DEPTH:
            raise self._deep(mark)
        self._alias_chars += target.chars + target.values
        self._chars += target.chars
        if self._alias_chars > self._alias_limit:
            raise self._refuse(
                "alias-bomb", mark, "The aliases expand to far more than the text they stand in.",
                f"more than {MAX_ALIAS_FACTOR} times the text", f"at most {MAX_ALIAS_FACTOR} times the text",
                "Write the values out, or pass them as parameters.",
            )  # fmt: skip
        self._count(target.values, mark)
        if self._stack and self._stack[-1].height <= target.height:
            self._stack[-1].height = target.height + 1
        return target.value

    def _merge(self, frame: _Frame) -> None:
        """Fold ``<<: *other`` into the mapping: its own keys win, then the first merged one."""
        for place, source in frame.merges or ():
            sources = source if isinstance(source, list) else [source]
            for one in sources:
                if not isinstance(one, dict):
                    raise _Refused(
                        _finding(
                            "merge",
                            place >> COLUMN_BITS,
                            place & COLUMN_MASK,
                            "Only mappings can be merged with '<<'.",
                            self._path(),
                            found=show(one),
                            allowed="an alias of a mapping, or a list of them",
                            help="Put '<<' in quotes if it is meant as a name.",
                        )
                    )
                self._count(len(one), None)
                for key, value in one.items():
                    if key not in frame.value:
                        frame.value[key] = value
                        frame.children[key] = place

    # -- errors --------------------------------------------------------------------------------------------------

    def _path(self) -> Path:
        path: list[str | int] = []
        for index, frame in enumerate(self._stack):
            last = index == len(self._stack) - 1
            if isinstance(frame.value, list):
                path.append(len(frame.value))
            elif frame.key is not None:
                path.append(frame.key)
            elif not last:
                break
        return tuple(path)

    def _refuse(self, code: str, mark: Any, message: str, found: str, allowed: str, help_text: str = "") -> _Refused:
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return _Refused(
            _finding(code, line, column, message, self._path(), found=found, allowed=allowed, help=help_text)
        )

    def _deep(self, mark: Any) -> _Refused:
        return self._refuse(
            "too-deep", mark, "The manifest is nested too deeply.", f"more than {MAX_DEPTH} levels",
            f"at most {MAX_DEPTH} levels", "Close the brackets, or move inline templates to spec.templates.",
        )  # fmt: skip

    def _tag(self, event: Any, mark: Any) -> _Refused:
        return self._refuse(
            "tag", mark, "YAML tags are not allowed in a manifest.", show(event.tag), "values without a tag",
            "Delete the tag; put a value in quotes to make it text.",
        )  # fmt: skip

    def _syntax(self, error: yaml.MarkedYAMLError) -> _Refused:
        mark = error.problem_mark or error.context_mark
        if "end of stream" in str(error.problem) and error.context_mark is not None:
            mark = error.context_mark  # where the quote was opened tells more than where the text ends
        problem = error.problem or error.context or "it cannot be parsed"
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        lines = self._text.split("\n", line)
        shown = lines[line - 1] if line <= len(lines) else ""
        here = shown[column - 1 :]
        if here.startswith("\t") or ("cannot start any token" in problem and shown[: column - 1].strip(" ") == "\t"):
            return _Refused(
                _finding(
                    "tab",
                    line,
                    column,
                    "A tab stands where YAML wants spaces.",
                    self._path(),
                    found="a tab",
                    allowed="spaces for indentation",
                    help="Replace the tab with spaces; most editors do that for a whole file at once.",
                )
            )
        advice = next((text for part, text in _SYNTAX_HELP if part in problem), "Check the text around this place.")
        return _Refused(
            _finding(
                "yaml-syntax",
                line,
                column,
                say("The text is not YAML: {problem}.", problem=problem),
                self._path(),
                found=show(here.strip() or shown.strip() or "the end of the text"),
                allowed="YAML 1.1 or JSON",
                help=advice,
            )
        )


def _pack(mark: Any) -> int:
    return int((mark.line + 1) << COLUMN_BITS | (mark.column + 1))


def _json(text: str, positions: Positions, syntax: Finding) -> dict[str, Any]:
    """JSON that YAML 1.1 cannot read; where it is not JSON either, the YAML error stands."""
    values = 0

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal values
        values += len(items)
        made = dict(items)
        if len(made) != len(items) or values > MAX_VALUES:
            raise ValueError("duplicate key or too many values")
        return made

    def constant(word: str) -> Any:
        raise ValueError(word)

    def number(word: str) -> int | float:
        if len(word) > 64:
            raise ValueError("number too long")
        return integral(float(word))

    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except (ValueError, RecursionError):
        raise _Refused(syntax) from None
    level: list[Any] = [document]
    total = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else ()
            below.extend(children)
        total += len(below)
        level = [n for n in below if isinstance(n, dict | list)]
        if not level or total > MAX_VALUES:
            break
    if level or total > MAX_VALUES or not isinstance(document, dict):
        raise _Refused(syntax)
    positions.set_root(document, 1, 1)
    return document
