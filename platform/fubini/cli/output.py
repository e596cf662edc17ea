"""What people and programs see: tables, JSON, money, times.

Decides that results go to standard output and everything else to standard error, that `--json` prints the server's own
values (money in micros), that colour and progress are for terminals only (and never under `NO_COLOR`), and that text
from elsewhere cannot steer a terminal: control characters are shown, not sent.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import unquote

from fubini.cli.config import OPTIONS
from fubini.common import figures

MICROS = figures.MICROS
IN_CURRENCY = " \N{CURRENCY SIGN}"
"""At the end of a column's head: the currency of its amounts, which is known once the server has answered."""
_currency = ""
STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, directions, separators of lines
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1", "cyan": "36"}
PHASE_COLOUR = {
    "Succeeded": "green",
    "Failed": "red",
    "Error": "red",
    "Running": "blue",
    "Pending": "yellow",
    "Skipped": "dim",
    "Omitted": "dim",
}


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"


def colour_wanted(stream: TextIO) -> bool:
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """`text` in a colour, where that is wanted."""
    if not colour or not colour_wanted(stream or sys.stdout):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def plain(value: object) -> str:
    """Text made harmless: one line, with control and direction characters shown as escapes."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(f"\\x{ord(c):02x}" if unicodedata.category(c) in STEERING else c for c in text)


def print_json(value: Any) -> None:
    """JSON for programs; one document a command."""
    print(json.dumps(value, ensure_ascii=False, indent=2 if is_terminal(sys.stdout) else None))


def note(text: str) -> None:
    """A remark for people; never on standard output, not under `--quiet`."""
    if not OPTIONS.quiet:
        print(text, file=sys.stderr, flush=True)


def show(value: Any, text: str | Callable[[], str]) -> None:
    """The result: `value` as JSON under `--json`, else `text`."""
    if OPTIONS.json:
        print_json(value)
    else:
        print(text if isinstance(text, str) else text())


def currency_from(headers: Mapping[str, str]) -> None:
    """Remember the currency that an answer of the server names; one that names none changes nothing."""
    global _currency
    _currency = unquote(headers.get(figures.CURRENCY_HEADER, "")) or _currency


def money(micros: int | None) -> str:
    """A sum that stands alone: its amount and the server's currency."""
    return "-" if micros is None else figures.money(micros, _currency)


def in_currency(text: str) -> str:
    """A range of amounts that stands alone, with its currency."""
    return f"{text} {_currency}".rstrip()


def amount(micros: int | None) -> str:
    """A sum in a column whose head says the currency (see `IN_CURRENCY`)."""
    return "-" if micros is None else figures.amount(micros)


def micros_of(text: str) -> int:
    """Currency units as typed (``12``, ``0.5``) in micros; exact, for money is never a float.

    Raises:
        ValueError: it is not an amount with at most six digits after the point.
    """
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, dot, part = body.replace(",", "").partition(".")
    digits = (whole or "0") + part
    if not (whole or part) or not (digits.isascii() and digits.isdigit()) or (dot and not part) or len(part) > 6:
        raise ValueError(f"{text!r} is not an amount of money such as 12 or 0.5 (at most six digits after the point)")
    return sign * (int(whole or "0") * MICROS + int(part.ljust(6, "0") or "0"))


def size(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return "-"
    return figures.size(count)


def duration(seconds: float | None) -> str:
    """Seconds for people: 4 s, 3:05 min, 2:10 h, 3 d 4 h."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    if whole < 48 * 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def parse_time(value: object) -> datetime | None:
    """A time as the API gives it: RFC 3339 text or milliseconds since the epoch."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC)
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None


def ago(value: object) -> str:
    """How long ago, for people."""
    at = parse_time(value)
    if at is None:
        return "-"
    seconds = (datetime.now(UTC) - at).total_seconds()
    if seconds < 0:
        return f"in {duration(-seconds)}"
    return f"{duration(float(int(seconds)))} ago" if seconds >= 1 else "now"


def width(text: str) -> int:
    """Columns a text takes on a terminal; wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def table(rows: Sequence[Sequence[object]], head: Sequence[str], *, colours: Mapping[str, str] | None = None) -> str:
    """Columns separated by two spaces; the same bytes with and without a terminal but for colour."""
    head = [h.replace(IN_CURRENCY, f" ({_currency})" if _currency else "") for h in head]
    cells = [[plain("-" if c is None or c == "" else c) for c in row] for row in rows]
    widths = [max([width(h), *(width(row[i]) for row in cells)]) for i, h in enumerate(head)]

    def line(values: Sequence[str], *, heading: bool = False) -> str:
        out = []
        for i, value in enumerate(values):
            pad = " " * (widths[i] - width(value)) if i < len(values) - 1 else ""
            shade = "bold" if heading else (colours or {}).get(value, "")
            out.append(paint(value, shade) + pad)
        return "  ".join(out).rstrip()

    return "\n".join([line(head, heading=True), *(line(row) for row in cells)])


def rows_out(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[tuple[str, Callable[[Mapping[str, Any]], object]]],
    *,
    empty: str = "nothing here yet",
) -> None:
    """A list: JSON array under `--json`, else a table or a sentence."""
    found = list(rows)
    if OPTIONS.json:
        print_json(found)
    elif not found:
        note(empty)
    else:
        body = [[get(row) for _, get in columns] for row in found]
        print(table(body, [name for name, _ in columns], colours=PHASE_COLOUR))


def fields_out(value: Any, pairs: Sequence[tuple[str, object]]) -> None:
    """One object: JSON under `--json`, else aligned `name  value` lines without the empty ones."""
    if OPTIONS.json:
        print_json(value)
        return
    shown = [(name, plain(v)) for name, v in pairs if v not in (None, "", [], {})]
    longest = max((width(name) for name, _ in shown), default=0)
    for name, text in shown:
        print(f"{paint(name, 'dim')}{' ' * (longest - width(name))}  {paint(text, PHASE_COLOUR.get(text, ''))}")


def short(identity: object) -> str:
    """The part of an id people read: its random end, for ids made together begin alike."""
    text = str(identity or "-")
    return text if len(text) <= 12 else text[-12:]
