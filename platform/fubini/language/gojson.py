"""JSON and number texts exactly as Go's encoding/json and fmt write them.

Pipelines compare and pass on such texts (`{{item}}`, aggregated results, node names), so spelling matters:
keys sorted, `<`, `>` and `&` escaped, numbers in the shortest form that reads back as the same float64.
Numbers read from JSON are float64 in Go; here an integral one that float64 holds exactly is kept as int.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from json.encoder import ESCAPE_DCT, encode_basestring
from typing import Any

from fubini.language.errors import LanguageError

MAX_DEPTH = 200

_HTML = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_ESCAPES_NEEDED = frozenset("<>&\u2028\u2029")
assert ESCAPE_DCT  # the standard library's table; Go differs only in the characters above


def dump_string(text: str) -> str:
    """One JSON string with quotes, escaped as Go escapes."""
    quoted: str = encode_basestring(text)
    if _ESCAPES_NEEDED.isdisjoint(text):
        return quoted
    return quoted.translate(_HTML)


def format_float(value: float) -> str:
    """A float as encoding/json writes it: plain digits from 1e-6 up to 1e21, otherwise with an exponent."""
    if math.isnan(value) or math.isinf(value):
        raise LanguageError(f"json: unsupported value: {format_value(value)}")
    magnitude = abs(value)
    if magnitude != 0 and (magnitude < 1e-6 or magnitude >= 1e21):
        mantissa, _, exponent = repr(value).partition("e")
        if not exponent:  # repr keeps plain digits down to 1e-4 and up to 1e16
            mantissa, _, exponent = f"{Decimal(repr(value)):e}".partition("e")
        mantissa = mantissa.removesuffix(".0")
        power = int(exponent)
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return plain_float(value)


def plain_float(value: float) -> str:
    """The shortest digits without an exponent (strconv 'f', -1)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text or "0"


def format_value(value: Any) -> str:
    """A value as fmt's %v prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _general_float(value)
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(format_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{format_value(value[k])}" for k in sorted(value)) + "]"
    return str(value)


def _general_float(value: float) -> str:
    """strconv 'g' with the shortest digits, the exponent from 1e21 on as fmt does for %v."""
    if math.isnan(value) or math.isinf(value):
        return plain_float(value)
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4 or exponent >= 21:
        mantissa, _, power = f"{Decimal(repr(value)).normalize():e}".partition("e")
        return f"{mantissa}e{'-' if int(power) < 0 else '+'}{abs(int(power)):02d}"
    return plain_float(value)


class Raw(str):
    """A JSON text that goes into another one as it is."""

    __slots__ = ()


def compact(text: str) -> str:
    """A JSON text without white space, its members in their own order.

    Raises:
        LanguageError: not JSON.
    """
    return dumps(loads(text, raw_numbers=True), sort=False)


class AnyKeys(dict[Any, Any]):
    """A map that Go keeps with keys of any type: it can be looked into, but there is no JSON of it."""

    go_type = "map[interface {}]interface {}"


class Groups(AnyKeys):
    """Such a map of lists."""

    go_type = "map[interface {}][]interface {}"


def dumps(value: Any, *, sort: bool = True) -> str:
    """A value as compact JSON, keys sorted unless told otherwise."""
    parts: list[str] = []
    _dump(value, parts, 0, sort)
    return "".join(parts)


def _dump(value: Any, parts: list[str], depth: int, sort: bool) -> None:
    if depth > MAX_DEPTH:
        raise LanguageError(f"a JSON value is nested deeper than {MAX_DEPTH} levels")
    if value is None:
        parts.append("null")
    elif value is True:
        parts.append("true")
    elif value is False:
        parts.append("false")
    elif isinstance(value, str):
        parts.append(str(value) if isinstance(value, Raw) else dump_string(value))
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, RawFloat):
        parts.append(value.text)
    elif isinstance(value, float):
        parts.append(format_float(value))
    elif isinstance(value, dict):
        if isinstance(value, AnyKeys):
            raise LanguageError(f"json: unsupported type: {value.go_type}")
        parts.append("{")
        for n, key in enumerate(sorted(value) if sort else value):
            if n:
                parts.append(",")
            parts.append(dump_string(str(key)))
            parts.append(":")
            _dump(value[key], parts, depth + 1, sort)
        parts.append("}")
    elif isinstance(value, (list, tuple)):
        parts.append("[")
        for n, element in enumerate(value):
            if n:
                parts.append(",")
            _dump(element, parts, depth + 1, sort)
        parts.append("]")
    else:
        raise LanguageError(f"json: unsupported type: {type(value).__name__}")


def _number(text: str) -> int | float:
    value = float(text)
    if value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


def _constant(text: str) -> Any:
    raise ValueError(f"invalid character {text[0]!r} looking for beginning of value")


class RawFloat(float):
    """A number that remembers how it was written, as Go's RawMessage does: a fraction, an exponent, or a minus zero."""

    text: str

    def __new__(cls, text: str) -> RawFloat:
        value = super().__new__(cls, text)
        value.text = text
        return value


_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_constant)


def _raw_integer(text: str) -> int | float:
    return RawFloat(text) if text == "-0" else int(text)


_RAW_DECODER = json.JSONDecoder(parse_int=_raw_integer, parse_float=RawFloat, parse_constant=_constant)


def loads(text: str, *, raw_numbers: bool = False) -> Any:
    """A JSON text as Go reads it into `any`; `raw_numbers` keeps every number as it is written.

    Raises:
        LanguageError: the text is not JSON, or is nested too deeply.
    """
    try:
        return (_RAW_DECODER if raw_numbers else _DECODER).decode(text)
    except RecursionError:
        raise LanguageError("a JSON text is nested too deeply") from None
    except ValueError as error:
        position = getattr(error, "pos", 0)
        if not text.strip() or position >= len(text):
            raise LanguageError("unexpected end of JSON input", position) from None
        raise LanguageError(f"invalid character '{text[position]}' looking for beginning of value", position) from None
