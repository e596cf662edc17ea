"""`when` conditions: the small boolean language of Argo's steps and tasks, judged as the controller judges them.

A bare word is text (``heads == heads``), a bare number a float64, quoted text that looks like a date a point in time,
and nothing is converted: ``"1" == 1`` is false. A bare hyphen subtracts, so words with hyphens want quotes.
Tags are replaced before a condition is parsed. Bounded: length, nesting, and a regular expression's text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from fubini.language import gojson, regex
from fubini.language.errors import LanguageError, LimitError
from fubini.language.remembered import remembered

MAX_LENGTH = 65_536
MAX_DEPTH = 100


class Kind(StrEnum):
    START = "UNKNOWN"
    PREFIX = "PREFIX"
    NUMERIC = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    STRING = "STRING"
    PATTERN = "PATTERN"
    TIME = "TIME"
    VARIABLE = "VARIABLE"
    ACCESSOR = "ACCESSOR"
    SEPARATOR = "SEPARATOR"
    COMPARATOR = "COMPARATOR"
    LOGICAL = "LOGICALOP"
    MODIFIER = "MODIFIER"
    OPEN = "CLAUSE"
    CLOSE = "CLAUSE_CLOSE"
    TERNARY = "TERNARY"


_VALUES = {Kind.NUMERIC, Kind.BOOLEAN, Kind.VARIABLE, Kind.ACCESSOR}
_OPERAND = _VALUES | {Kind.STRING, Kind.TIME, Kind.OPEN, Kind.PREFIX}
_AFTER_VALUE = {Kind.MODIFIER, Kind.COMPARATOR, Kind.LOGICAL, Kind.CLOSE, Kind.TERNARY, Kind.SEPARATOR}
_NEXT: dict[Kind, set[Kind]] = {
    Kind.START: _OPERAND | {Kind.PATTERN},
    Kind.OPEN: _OPERAND | {Kind.PATTERN, Kind.CLOSE},
    Kind.CLOSE: _AFTER_VALUE
    | {Kind.NUMERIC, Kind.BOOLEAN, Kind.VARIABLE, Kind.STRING, Kind.PATTERN, Kind.TIME, Kind.OPEN},
    Kind.NUMERIC: _AFTER_VALUE,
    Kind.BOOLEAN: _AFTER_VALUE,
    Kind.STRING: _AFTER_VALUE,
    Kind.VARIABLE: _AFTER_VALUE,
    Kind.TIME: _AFTER_VALUE - {Kind.TERNARY},
    Kind.PATTERN: _AFTER_VALUE - {Kind.TERNARY},
    Kind.ACCESSOR: _AFTER_VALUE | {Kind.OPEN},
    Kind.MODIFIER: (_OPERAND | {Kind.CLOSE}) - {Kind.TIME},
    Kind.COMPARATOR: _OPERAND | {Kind.CLOSE, Kind.PATTERN},
    Kind.LOGICAL: _OPERAND | {Kind.CLOSE},
    Kind.PREFIX: _VALUES | {Kind.OPEN, Kind.CLOSE},
    Kind.TERNARY: _OPERAND | {Kind.SEPARATOR},
    Kind.SEPARATOR: _OPERAND,
}
_ENDS = _VALUES | {Kind.STRING, Kind.TIME, Kind.PATTERN, Kind.CLOSE}

_PREFIXES = {"-", "!", "~"}
_MODIFIERS = {"+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>"}
_COMPARATORS = {"==", "!=", ">", ">=", "<", "<=", "=~", "!~"}
_TERNARIES = {"?", ":", "??"}
_LEVELS: tuple[tuple[str, ...], ...] = (
    (",",),
    ("?", ":", "??"),
    ("||",),
    ("&&",),
    ("==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"),
    ("^", "&", "|"),
    (">>", "<<"),
    ("+", "-"),
    ("*", "/", "%"),
    ("**",),
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    value: Any
    position: int


# --- text -> tokens ---------------------------------------------------------------------------------------------


def _read(text: str, at: int, keep: Callable[[str], bool], *, spaces: bool) -> tuple[str, int, bool]:
    """Read while `keep` holds, with backslash escapes; -> (text, next position, whether something ended it)."""
    out: list[str] = []
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\":
            if at < len(text):
                out.append(text[at])
                at += 1
            continue
        if char.isspace() and not spaces:
            if out:
                return "".join(out), at, True
            continue
        if not keep(char):
            return "".join(out), at - 1, True
        out.append(char)
    return "".join(out), at, False


def _is_word(char: str) -> bool:
    return char.isalpha() or char.isdigit() or char in "_."


def _is_number(char: str) -> bool:
    return char.isdigit() or char == "."


def _is_symbol(char: str) -> bool:
    return not (char.isalnum() or char in "()[]'\"")


def tokenize(text: str) -> list[Token]:
    """The tokens of a condition, checked for balance and order.

    Raises:
        LanguageError: worded as the controller words it.
    """
    if len(text) > MAX_LENGTH:
        raise LanguageError(f"the condition is {len(text)} characters long; at most {MAX_LENGTH} are evaluated", 0)
    tokens: list[Token] = []
    last, at = Kind.START, 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        token, at = _token(text, at, last)
        tokens.append(token)
        last = token.kind
    depth = sum((t.kind is Kind.OPEN) - (t.kind is Kind.CLOSE) for t in tokens)
    if depth != 0:
        raise LanguageError("Unbalanced parenthesis", len(text))
    _check_order(tokens, len(text))
    return tokens


def _token(text: str, start: int, last: Kind) -> tuple[Token, int]:
    char = text[start]
    if _is_number(char):
        return _number(text, start)
    if char == ",":
        return Token(Kind.SEPARATOR, ",", start), start + 1
    if char == "[":
        name, at, closed = _read(text, start + 1, lambda c: c != "]", spaces=True)
        if not closed:
            raise LanguageError("Unclosed parameter bracket", start)
        return Token(Kind.VARIABLE, name, start), at + 1
    if char.isalpha():
        return _word(text, start)
    if char in "'\"":
        body, at, closed = _read(text, start + 1, lambda c: c not in "'\"", spaces=True)
        if not closed:
            raise LanguageError("Unclosed string literal", start)
        moment = parse_time(body)
        if moment is not None:
            return Token(Kind.TIME, moment, start), at + 1
        return Token(Kind.STRING, body, start), at + 1
    if char in "()":
        return Token(Kind.OPEN if char == "(" else Kind.CLOSE, char, start), start + 1
    symbol, at, _ = _read(text, start, _is_symbol, spaces=False)
    if symbol in _PREFIXES and Kind.PREFIX in _NEXT[last]:
        return Token(Kind.PREFIX, symbol, start), at
    for kind, symbols in (
        (Kind.MODIFIER, _MODIFIERS),
        (Kind.LOGICAL, {"&&", "||"}),
        (Kind.COMPARATOR, _COMPARATORS),
        (Kind.TERNARY, _TERNARIES),
    ):
        if symbol in symbols:
            return Token(kind, symbol, start), at
    raise LanguageError(f"Invalid token: '{symbol}'", start)


def _number(text: str, start: int) -> tuple[Token, int]:
    if text.startswith("0x", start):
        digits, at, _ = _read(text, start + 2, lambda c: c.lower() in "0123456789abcdef", spaces=False)
        try:
            if len(digits.lstrip("0")) > 16:
                raise ValueError("beyond 64 bits")
            return Token(Kind.NUMERIC, float(int(digits, 16)), start), at
        except ValueError:
            raise LanguageError(f"Unable to parse hex value '{digits}' to uint64\n", start) from None
    digits, at, _ = _read(text, start, _is_number, spaces=False)
    try:
        return Token(Kind.NUMERIC, float(digits), start), at
    except ValueError:
        raise LanguageError(f"Unable to parse numeric value '{digits}' to float64\n", start) from None


def _word(text: str, start: int) -> tuple[Token, int]:
    word, at, _ = _read(text, start, _is_word, spaces=False)
    if word in ("true", "false"):
        return Token(Kind.BOOLEAN, word == "true", start), at
    if word in ("in", "IN"):
        return Token(Kind.COMPARATOR, "in", start), at
    if word.find(".") > 0:
        if word.endswith("."):
            raise LanguageError(f"Hanging accessor on token '{word}'", start)
        for part in word.split(".")[1:]:
            if part[:1] != part[:1].upper():
                raise LanguageError(f"Unable to access unexported field '{part}' in token '{word}'", start)
        return Token(Kind.ACCESSOR, word, start), at
    return Token(Kind.VARIABLE, word, start), at


def _check_order(tokens: list[Token], end: int) -> None:
    last, before = Kind.START, None
    for token in tokens:
        if token.kind not in _NEXT[last]:
            if last is Kind.VARIABLE and token.kind is Kind.OPEN:
                raise LanguageError(f"Undefined function {before.value if before else ''}", token.position)
            found = f"{last.value} [{_show(before.value) if before else '<nil>'}]"
            raise LanguageError(
                f"Cannot transition token types from {found} to {token.kind.value} [{_show(token.value)}]",
                token.position,
            )
        last, before = token.kind, token
    if tokens and last not in _ENDS:
        raise LanguageError("Unexpected end of expression", end)


def _show(value: Any) -> str:
    if isinstance(value, str) and len(value) == 1 and value in "()":
        return str(ord(value))
    return gojson.format_value(value)


# --- dates ------------------------------------------------------------------------------------------------------

_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "(?P<month>" + "|".join(_MONTHS) + ")"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)"
_DATE = r"(?P<year>\d{4})-(?P<mon>\d\d)-(?P<day>\d\d)"
_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_DAY} {_MONTH} (?P<day>[ \d]\d|\d) {_CLOCK} (?P<year>\d{{4}})",
        rf"{_DAY} {_MONTH} (?P<day>[ \d]\d|\d) {_CLOCK} [A-Z]{{3,4}} (?P<year>\d{{4}})",
        rf"{_DAY} {_MONTH} (?P<day>\d\d) {_CLOCK} {_ZONE} (?P<year>\d{{4}})",
        r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<half>AM|PM)",
        rf"{_DATE}T(?P<hour>\d{{1,2}}):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>[.,]\d+)?{_ZONE}",
        rf"{_DATE}",
        rf"{_DATE} (?P<hour>\d{{1,2}}):(?P<minute>\d\d)",
        rf"{_DATE} (?P<hour>\d{{1,2}}):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>[.,]\d+)?{_ZONE}?",
        rf"{_DATE}T(?P<hour>\d{{1,2}})(?::(?P<minute>\d\d))?{_ZONE}",
    )
)


def parse_time(text: str) -> float | None:
    """Seconds since the epoch when the text is one of the dates the language knows, else None."""
    if not 5 < len(text) < 40 or not any(c.isdigit() for c in text):
        return None
    for pattern in _FORMATS:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        part = match.groupdict()
        hour = int(part.get("hour") or 0)
        if part.get("half"):
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if part["half"] == "PM" else 0)
        month = part.get("mon")
        try:
            moment = datetime(
                int(part.get("year") or 1),
                int(month) if month else _MONTHS.index(part["month"]) + 1 if part.get("month") else 1,
                int(part.get("day") or 1),
                hour,
                int(part.get("minute") or 0),
                int(part.get("second") or 0),
                tzinfo=_offset(part.get("zone")),
            )
        except ValueError:
            continue
        return float((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))
    return None


def _offset(text: str | None) -> timezone:
    if not text or text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


# --- tokens -> value --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class _Operation:
    symbol: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition; `evaluate` needs no scope because tags were replaced before."""

    text: str
    _root: Any

    def evaluate(self) -> Any:
        """The condition's value.

        Raises:
            LanguageError: operands do not fit their operator.
        """
        try:
            return None if self._root is None else _evaluate(self._root)
        except RecursionError:
            raise LimitError("the condition has too many parts", 0) from None


class _Planner:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def level(self, n: int) -> Any:
        if n == len(_LEVELS):
            return self.value()
        left = self.level(n + 1)
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind in (Kind.STRING, Kind.VARIABLE, Kind.PREFIX) or token.value not in _LEVELS[n]:
                break
            self.at += 1
            left = _Operation(token.value, left, self.level(n + 1))
        return left

    def value(self) -> Any:
        if self.at >= len(self.tokens):
            return None
        token = self.tokens[self.at]
        self.at += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise LanguageError(f"the condition is nested deeper than {MAX_DEPTH} levels", token.position)
        try:
            if token.kind is Kind.OPEN:
                inner = self.level(0)
                self.at += 1
                return inner
            if token.kind is Kind.PREFIX:
                return _Operation("prefix" + token.value, None, self.value())
            if token.kind is Kind.CLOSE:
                self.at -= 1
                return None
            if token.kind is Kind.ACCESSOR:
                return _Operation("access", None, _Literal(token.value))
            if token.kind in (Kind.NUMERIC, Kind.STRING, Kind.BOOLEAN, Kind.TIME, Kind.VARIABLE):
                return _Literal(token.value)
            raise LanguageError(
                f"Unable to plan token kind: '{token.kind.value}', value: '{_show(token.value)}'", token.position
            )
        finally:
            self.depth -= 1


@remembered(texts=4_096, longest=500)
def parse(text: str) -> Condition:
    """Parse one condition whose tags are already replaced.

    Raises:
        LanguageError: with the controller's wording and the position.
    """
    tokens = tokenize(text)
    for n, token in enumerate(tokens[:-1]):
        if token.value in ("=~", "!~") and tokens[n + 1].kind is Kind.STRING:
            regex.compile(tokens[n + 1].value)
    try:
        planner = _Planner(tokens)
        root = planner.level(0) if tokens else None
    except RecursionError:
        raise LanguageError(f"the condition is nested deeper than {MAX_DEPTH} levels", 0) from None
    return Condition(text, root)


def _evaluate(node: Any) -> Any:
    if node is None:
        return None
    if isinstance(node, _Literal):
        return node.value
    symbol = node.symbol
    left = _evaluate(node.left)
    if symbol == "&&" and left is False:
        return False
    if symbol == "||" and left is True:
        return True
    if symbol in ("??", ":") and left is not None:
        return left
    if symbol == "?" and left is False:
        return None
    right = _evaluate(node.right)
    return _apply(symbol, left, right)


def _is_float(value: Any) -> bool:
    return isinstance(value, float)


def _apply(symbol: str, left: Any, right: Any) -> Any:
    if symbol in ("==", "!="):
        same = type(left) is type(right) and left == right
        return same if symbol == "==" else not same
    if symbol in (">", ">=", "<", "<="):
        both_text = isinstance(left, str) and isinstance(right, str)
        if not both_text and not (_is_float(left) and _is_float(right)):
            raise _misuse(left, "comparator", symbol, "a number")
        return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[symbol]
    if symbol in ("&&", "||"):
        for side in (left, right):
            if not isinstance(side, bool):
                raise _misuse(side, "logical operator", symbol, "a bool")
        return (left and right) if symbol == "&&" else (left or right)
    if symbol == "?":
        if not isinstance(left, bool):
            raise _misuse(left, "ternary operator", symbol, "a bool")
        return right if left else None
    if symbol in (":", "??"):
        return right
    if symbol == ",":
        return [*left, right] if isinstance(left, list) else [left, right]
    if symbol in ("=~", "!~"):
        for side in (left, right):
            if not isinstance(side, str):
                raise _misuse(side, "comparator", symbol, "a number")
        found = regex.compile(right).search(left)
        return found if symbol == "=~" else not found
    if symbol == "in":
        if not isinstance(right, list):
            raise _misuse(right, "comparator", symbol, "a number")
        return any(type(left) is type(element) and left == element for element in right)
    if symbol == "access":
        raise LanguageError(f"No parameter '{right.split('.')[0]}' found.")
    if symbol.startswith("prefix"):
        return _prefix(symbol[-1], right)
    return _arithmetic(symbol, left, right)


def _prefix(symbol: str, value: Any) -> Any:
    if symbol == "!" and isinstance(value, bool):
        return not value
    if symbol != "!" and isinstance(value, float):
        return -value if symbol == "-" else float(~int(value))
    raise LanguageError(f"Value '{gojson.format_value(value)}' cannot be used with the prefix '{symbol}'")


def _arithmetic(symbol: str, left: Any, right: Any) -> Any:
    if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
        return gojson.format_value(left) + gojson.format_value(right)
    for side in (left, right):
        if not _is_float(side):
            raise _misuse(side, "modifier", symbol, "a number")
    a, b = float(left), float(right)
    try:
        if symbol == "+":
            return a + b
        if symbol == "-":
            return a - b
        if symbol == "*":
            return a * b
        if symbol == "/":
            return a / b
        if symbol == "%":
            return math.fmod(a, b)
        if symbol == "**":
            return math.pow(a, b)
    except ZeroDivisionError:
        return math.nan if a == 0 else math.copysign(math.inf, a)
    except (OverflowError, ValueError):
        return math.inf if symbol == "**" else math.nan
    if not (math.isfinite(a) and math.isfinite(b)):
        raise _misuse(left, "modifier", symbol, "a number")
    whole_a, whole_b = int(a), int(b)
    if symbol in ("<<", ">>"):
        shift = min(max(whole_b, 0), 64)
        mask = 2**64 - 1
        return float((whole_a & mask) << shift & mask if symbol == "<<" else (whole_a & mask) >> shift)
    return float({"&": whole_a & whole_b, "|": whole_a | whole_b, "^": whole_a ^ whole_b}[symbol])


def _misuse(value: Any, group: str, symbol: str, wanted: str) -> LanguageError:
    return LanguageError(
        f"Value '{gojson.format_value(value)}' cannot be used with the {group} '{symbol}', it is not {wanted}"
    )


def should_execute(when: str) -> bool:
    """Whether a step with this condition runs; an empty one always does.

    Raises:
        LanguageError: the sentence that the node shows.
    """
    if not when:
        return True
    try:
        condition = parse(when)
    except LanguageError as error:
        hint = ""
        if "Invalid token" in error.message:
            hint = ' (hint: try wrapping the affected expression in quotes ("))'
        raise LanguageError(f"Invalid 'when' expression '{when}': {error.message}{hint}", error.position) from None
    try:
        value = condition.evaluate()
    except LanguageError as error:
        raise LanguageError(f"Failed to evaluate 'when' expresion '{when}': {error.message}") from None
    if not isinstance(value, bool):
        raise LanguageError(f"Expected boolean evaluation for '{when}'. Got {gojson.format_value(value)}")
    return value
