"""expr-lang's own functions, and the ones Argo adds beside them (`asInt`, `asFloat`, `jsonpath`, `toJson`, `sprig`).

`now()` needs the time of the event at hand; without one it is refused. Dates and durations are kept to what the
pipelines' conditions use: texts in, integer nanoseconds or texts out.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

from fubini.language import gojson
from fubini.language.errors import LanguageError, LimitError
from fubini.language.expr import tree
from fubini.language.expr.evaluate import (
    MAX_ELEMENTS,
    MAX_TEXT,
    Metered,
    Runtime,
    Spend,
    _kind,
    as_key,
    is_number,
)
from fubini.language.expr.sprig import SPRIG, replaced


def call(run: Runtime, node: tree.Builtin) -> Any:
    """Run one built-in; predicates get their closure, the others their values."""
    predicate = _PREDICATES.get(node.name)
    if predicate is not None:
        return _predicate(run, node, predicate)
    function = _PLAIN.get(node.name)
    if function is None:
        raise LanguageError(f"the function {node.name} is not available here", node.position)
    arguments = [run.run(argument) for argument in node.arguments]
    at_a_glance = node.name in _AT_A_GLANCE
    if not at_a_glance:
        run.charge(node.position, *arguments)
    try:
        value = function(*arguments)
    except LanguageError as error:
        raise type(error)(error.message, node.position) from None
    except TypeError:
        raise LanguageError(
            f"invalid arguments for {node.name}: ({', '.join(_kind(a) for a in arguments)})", node.position
        ) from None
    except (ValueError, ArithmeticError, binascii.Error) as error:
        raise LanguageError(f"{node.name}: {error}", node.position) from None
    if not at_a_glance:
        run.charge(node.position, value)
    return value


# --- predicates -------------------------------------------------------------------------------------------------

Predicate = Callable[[Runtime, list[Any], tree.Node | None, list[Any]], Any]


def _predicate(run: Runtime, node: tree.Builtin, function: Predicate) -> Any:
    if not node.arguments:
        raise LanguageError(f"not enough arguments to call {node.name}", node.position)
    value = run.run(node.arguments[0])
    if isinstance(value, Mapping) and node.name in ("count", "sum", "groupBy"):
        value = list(value.values())
    if not isinstance(value, list):
        raise LanguageError(f"builtin {node.name} takes only array (got {_kind(value)})", node.position)
    closure = node.arguments[1] if len(node.arguments) > 1 else None
    if closure is None and node.name not in ("count", "sum"):
        raise LanguageError(f"not enough arguments to call {node.name}", node.position)
    rest = [run.run(argument) for argument in node.arguments[2:]]
    return function(run, value, closure, rest)


def _truth(run: Runtime, closure: tree.Node | None, element: Any, index: int) -> bool:
    value = element if closure is None else run.predicate(closure, element, index)
    if not isinstance(value, bool):
        position = closure.position if closure else 0
        raise LanguageError(f"predicate should return boolean (got {_kind(value)})", position)
    return value


def _all(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return all(_truth(run, closure, v, n) for n, v in enumerate(values))


def _none(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return not any(_truth(run, closure, v, n) for n, v in enumerate(values))


def _any(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return any(_truth(run, closure, v, n) for n, v in enumerate(values))


def _one(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return sum(_truth(run, closure, v, n) for n, v in enumerate(values)) == 1


def _filter(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return [v for n, v in enumerate(values) if _truth(run, closure, v, n)]


def _map(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    assert closure is not None
    return [run.predicate(closure, v, n) for n, v in enumerate(values)]


def _count(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return sum(_truth(run, closure, v, n) for n, v in enumerate(values))


def _sum(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    total: int | float = 0
    for n, value in enumerate(values):
        part = value if closure is None else run.predicate(closure, value, n)
        if not is_number(part):
            raise LanguageError(f"cannot sum {_kind(part)}")
        total += part
    return total


def _find(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return next((v for n, v in enumerate(values) if _truth(run, closure, v, n)), None)


def _find_index(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return next((n for n, v in enumerate(values) if _truth(run, closure, v, n)), None)


def _find_last(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return next((values[n] for n in reversed(range(len(values))) if _truth(run, closure, values[n], n)), None)


def _find_last_index(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    return next((n for n in reversed(range(len(values))) if _truth(run, closure, values[n], n)), None)


def _group_by(run: Runtime, values: list[Any], closure: tree.Node | None, _: list[Any]) -> Any:
    assert closure is not None
    groups = gojson.Groups()
    for n, value in enumerate(values):
        groups.setdefault(as_key(run.predicate(closure, value, n), closure.position), []).append(value)
    return groups


def _sort_by(run: Runtime, values: list[Any], closure: tree.Node | None, rest: list[Any]) -> Any:
    assert closure is not None
    keyed = [(run.predicate(closure, value, n), value) for n, value in enumerate(values)]
    _sortable([key for key, _ in keyed])
    return [value for _, value in sorted(keyed, key=itemgetter(0), reverse=_descending(rest))]


def _reduce(run: Runtime, values: list[Any], closure: tree.Node | None, rest: list[Any]) -> Any:
    assert closure is not None
    if not rest and not values:
        raise LanguageError("reduce of empty array with no initial value")
    start = 0 if rest else 1
    acc = rest[0] if rest else values[0]
    for n in range(start, len(values)):
        acc = run.predicate(closure, values[n], n, acc)
    return acc


_PREDICATES: dict[str, Predicate] = {
    "all": _all,
    "none": _none,
    "any": _any,
    "one": _one,
    "filter": _filter,
    "map": _map,
    "count": _count,
    "sum": _sum,
    "find": _find,
    "findIndex": _find_index,
    "findLast": _find_last,
    "findLastIndex": _find_last_index,
    "groupBy": _group_by,
    "sortBy": _sort_by,
    "reduce": _reduce,
}


# --- numbers and texts ------------------------------------------------------------------------------------------


def _sortable(keys: list[Any]) -> None:
    """Only numbers or only texts have an order; a single key of any kind needs none."""
    kinds = {"number" if is_number(key) else _kind(key): key for key in keys}
    if len(keys) > 1 and (len(kinds) > 1 or not kinds.keys() <= {"number", "string"}):
        first = next(iter(kinds.values()))
        other = next((key for key in reversed(kinds.values())), first)
        raise LanguageError(f"cannot sort {_kind(first)} and {_kind(other)}")


def _descending(rest: list[Any]) -> bool:
    if rest and rest[0] not in ("asc", "desc"):
        raise LanguageError(f"invalid order {gojson.format_value(rest[0])}, expected asc or desc")
    return bool(rest) and rest[0] == "desc"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise LanguageError(f"expected a string, found {_kind(value)}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LanguageError(f"expected an array, found {_kind(value)}")
    return value


def to_int(value: Any) -> int:
    """`int(x)` and `asInt(x)`."""
    if isinstance(value, str):
        try:
            return int(value, 10) if value.strip() == value and "_" not in value else int("x")
        except ValueError:
            raise LanguageError(f"invalid operation: int({value})") from None
    if not is_number(value):
        raise LanguageError(f"invalid operation: int({_kind(value)})")
    return int(value)


def to_float(value: Any) -> float:
    """`float(x)` and `asFloat(x)`."""
    if isinstance(value, str):
        try:
            return float(value) if value.strip() == value and "_" not in value else float("x")
        except ValueError:
            raise LanguageError(f"invalid operation: float({value})") from None
    if not is_number(value):
        raise LanguageError(f"invalid operation: float({_kind(value)})")
    return float(value)


def _len(value: Any) -> int:
    if not isinstance(value, (str, list, Mapping)):
        raise LanguageError(f"invalid argument for len (type {_kind(value)})")
    return len(value)


def _type(value: Any) -> str:
    if callable(value):
        return "func"
    return {"float64": "float", "<nil>": "nil", "[]interface {}": "array", "map[string]interface {}": "map"}.get(
        _kind(value), _kind(value)
    )


def _abs(value: Any) -> Any:
    if not is_number(value):
        raise LanguageError(f"invalid argument for abs (type {_kind(value)})")
    return abs(value)


def _rounded(function: Callable[[float], float]) -> Callable[[Any], float]:
    def apply(value: Any) -> float:
        if not is_number(value):
            raise LanguageError(f"expected a number, found {_kind(value)}")
        return float(function(value)) if math.isfinite(value) else float(value)

    return apply


def _half_away(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def to_string(value: Any) -> str:
    """`string(x)`: fmt's %v."""
    return gojson.format_value(value)


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        flat.extend(_numbers(tuple(value)) if isinstance(value, list) else [value])
    for value in flat:
        if not is_number(value):
            raise LanguageError(f"invalid argument: {_kind(value)} is not a number")
    return flat


def _max(*values: Any) -> Any:
    return max(_numbers(values), default=None)


def _min(*values: Any) -> Any:
    return min(_numbers(values), default=None)


def _mean(*values: Any) -> Any:
    numbers = _numbers(values)
    return math.fsum(numbers) / len(numbers) if numbers else 0.0


def _median(*values: Any) -> Any:
    numbers = sorted(_numbers(values))
    if not numbers:
        return 0.0
    middle = len(numbers) // 2
    return float(numbers[middle]) if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def _trim(text: Any, characters: Any = None) -> str:
    return _text(text).strip() if characters is None else _text(text).strip(_text(characters))


def _trim_prefix(text: Any, prefix: Any = " ") -> str:
    return _text(text).removeprefix(_text(prefix))


def _trim_suffix(text: Any, suffix: Any = " ") -> str:
    return _text(text).removesuffix(_text(suffix))


def split(text: Any, separator: Any, limit: Any = -1) -> list[str]:
    """Go's strings.SplitN: an empty separator splits into characters."""
    body, sep, parts = _text(text), _text(separator), int(limit)
    if parts == 0:
        return []
    if sep == "":
        characters = list(body)
        if parts < 0 or len(characters) <= parts:
            return characters
        return [*characters[: parts - 1], "".join(characters[parts - 1 :])]
    return body.split(sep) if parts < 0 else body.split(sep, parts - 1)


def _split_after(text: Any, separator: Any, limit: Any = -1) -> list[str]:
    parts = split(text, separator, limit)
    return [part + separator for part in parts[:-1]] + parts[-1:]


def _replace(text: Any, old: Any, new: Any, count: Any = -1) -> str:
    return replaced(_text(text), _text(old), _text(new), int(count))


def _repeat(text: Any, count: Any) -> str:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise LanguageError("repeat: negative or no whole count")
    if len(_text(text)) * count > MAX_TEXT:
        raise LimitError(f"a text longer than {MAX_TEXT} characters")
    return _text(text) * count


def _join(values: Any, separator: Any = "") -> str:
    return _text(separator).join(_text(value) for value in _list(values))


def _index_of(text: Any, part: Any) -> int:
    return _text(text).find(_text(part))


def _last_index_of(text: Any, part: Any) -> int:
    return _text(text).rfind(_text(part))


# --- collections ------------------------------------------------------------------------------------------------


def _first(values: Any) -> Any:
    return values[0] if isinstance(values, list) and values else None


def _last(values: Any) -> Any:
    return values[-1] if isinstance(values, list) and values else None


def _get(values: Any, key: Any) -> Any:
    if isinstance(values, Mapping):
        return None if isinstance(key, (list, Mapping)) else values.get(key)
    if isinstance(values, list) and isinstance(key, int):
        return values[key] if -len(values) <= key < len(values) else None
    return None


def _take(values: Any, count: Any) -> list[Any]:
    if not isinstance(count, int) or count < 0:
        raise LanguageError("cannot take a negative number of elements")
    return _list(values)[:count]


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise LanguageError(f"expected a map, found {_kind(value)}")
    return value


def _keys(value: Any) -> list[Any]:
    return sorted(_mapping(value))


def _values(value: Any) -> list[Any]:
    found = _mapping(value)
    return [found[key] for key in sorted(found)]


def _to_pairs(value: Any) -> list[Any]:
    found = _mapping(value)
    return [[key, found[key]] for key in sorted(found)]


def _from_pairs(value: Any) -> dict[Any, Any]:
    return gojson.AnyKeys({str(key): element for key, element in (_list(pair) for pair in _list(value))})


def _uniq(values: Any) -> list[Any]:
    seen: dict[Any, Any] = {}
    for value in _list(values):
        seen.setdefault(_identity(value), value)
    return list(seen.values())


def _identity(value: Any) -> Any:
    """Something hashable that is the same for values that are `equal`."""
    kind = type(value)
    if kind is int or kind is float:
        return "number", value
    if kind is list:
        return "array", tuple(_identity(part) for part in value)
    if isinstance(value, Mapping):
        return "map", frozenset((key, _identity(part)) for key, part in value.items())
    return kind, value


def _concat(*values: Any) -> list[Any]:
    out = [element for value in values for element in _list(value)]
    if len(out) > MAX_ELEMENTS:
        raise LimitError(f"an array of more than {MAX_ELEMENTS} elements")
    return out


def _flatten(values: Any) -> list[Any]:
    out: list[Any] = []
    for value in _list(values):
        out.extend(_flatten(value) if isinstance(value, list) else [value])
        if len(out) > MAX_ELEMENTS:
            raise LimitError(f"an array of more than {MAX_ELEMENTS} elements")
    return out


def _sort(values: Any, *rest: Any) -> list[Any]:
    _sortable(_list(values))
    return sorted(values, reverse=_descending(list(rest)))


# --- JSON, base64, bits -----------------------------------------------------------------------------------------


def _to_json(value: Any) -> str:
    """expr-lang's own toJSON indents by two spaces and escapes as Go does."""
    return _indented(value, 0)


def _indented(value: Any, depth: int) -> str:
    if depth > gojson.MAX_DEPTH:
        raise LimitError("a value nested too deeply")
    pad, end = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    parts: list[str]
    if isinstance(value, Mapping) and value and not isinstance(value, gojson.AnyKeys):
        parts = [f"{gojson.dump_string(str(k))}: {_indented(value[k], depth + 1)}" for k in sorted(value)]
    elif isinstance(value, list) and value:
        parts = [_indented(part, depth + 1) for part in value]
    else:
        return gojson.dumps(value)
    if sum(map(len, parts)) + len(parts) * len(pad) > MAX_TEXT:
        raise LimitError(f"a text longer than {MAX_TEXT} characters")
    left, right = "{}" if isinstance(value, Mapping) else "[]"
    return left + pad + ("," + pad).join(parts) + end + right


def _from_json(text: Any) -> Any:
    return gojson.loads(_text(text))


def _to_base64(text: Any) -> str:
    return base64.b64encode(_text(text).encode()).decode()


def _from_base64(text: Any) -> str:
    return base64.b64decode(_text(text), validate=True).decode("utf-8", "replace")


def _bits(function: Callable[[int, int], int]) -> Callable[[Any, Any], int]:
    def apply(a: Any, b: Any) -> int:
        for value in (a, b):
            if isinstance(value, bool) or not isinstance(value, int):
                raise LanguageError(f"cannot use {_kind(value)} as int")
        result = function(a, b)
        return result if -(2**63) <= result < 2**63 else (result + 2**63) % 2**64 - 2**63

    return apply


def _shift(count: int) -> int:
    if count < 0:
        raise LanguageError("invalid operation: negative shift count")
    return min(count, 64)


def _refused(name: str) -> Callable[..., Any]:
    def apply(*_: Any) -> Any:
        raise LanguageError(f"{name}() depends on the clock or time zone of the moment and is not available here")

    return apply


# What does not look at more than one part of its argument, whatever its size.
_AT_A_GLANCE = frozenset({"len", "type", "first", "last", "get"})

_PLAIN: dict[str, Callable[..., Any]] = {
    "len": _len,
    "type": _type,
    "abs": _abs,
    "ceil": _rounded(math.ceil),
    "floor": _rounded(math.floor),
    "round": _rounded(_half_away),
    "int": to_int,
    "float": to_float,
    "string": to_string,
    "trim": _trim,
    "trimPrefix": _trim_prefix,
    "trimSuffix": _trim_suffix,
    "upper": lambda text: _text(text).upper(),
    "lower": lambda text: _text(text).lower(),
    "split": split,
    "splitAfter": _split_after,
    "replace": _replace,
    "repeat": _repeat,
    "join": _join,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "hasPrefix": lambda text, prefix: _text(text).startswith(_text(prefix)),
    "hasSuffix": lambda text, suffix: _text(text).endswith(_text(suffix)),
    "max": _max,
    "min": _min,
    "mean": _mean,
    "median": _median,
    "toJSON": _to_json,
    "fromJSON": _from_json,
    "toBase64": _to_base64,
    "fromBase64": _from_base64,
    "now": _refused("now"),
    "duration": _refused("duration"),
    "date": _refused("date"),
    "timezone": _refused("timezone"),
    "first": _first,
    "last": _last,
    "get": _get,
    "take": _take,
    "keys": _keys,
    "values": _values,
    "toPairs": _to_pairs,
    "fromPairs": _from_pairs,
    "reverse": lambda values: _list(values)[::-1],
    "uniq": _uniq,
    "concat": _concat,
    "flatten": _flatten,
    "sort": _sort,
    "bitand": _bits(lambda a, b: a & b),
    "bitor": _bits(lambda a, b: a | b),
    "bitxor": _bits(lambda a, b: a ^ b),
    "bitnand": _bits(lambda a, b: a & ~b),
    "bitnot": lambda value: _bits(lambda a, _: ~a)(value, 0),
    "bitshl": _bits(lambda a, b: a << _shift(b)),
    "bitshr": _bits(lambda a, b: a >> _shift(b)),
    "bitushr": _bits(lambda a, b: (a % 2**64) >> _shift(b)),
}


# --- what Argo adds to the scope --------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _compiled_path(path: str) -> Any:
    import jsonpath as library  # slow to import and rarely used

    return library.compile(path)


_PATTERN_IN_PATH = re.compile(r"=~|\b(?:match|search)\s*\(")


def query(spend: Spend, text: Any, path: Any) -> Any:
    """`jsonpath(json, path)`: one value for a definite path, otherwise the list of matches.

    Each `..` looks at every value once for each list or map around it, each `$` in a filter at the whole text for each
    value.
    """
    document = gojson.loads(_text(text))
    if len(_text(path)) > 1000:
        raise LimitError("a JSON path of more than 1000 characters")
    if _PATTERN_IN_PATH.search(path):
        raise LanguageError("a JSON path with a pattern is not evaluated: use filter() and matches")
    values = 16 + len(text) // 2
    spend(values * _depth(document) ** path.count("..") * values ** max(path.count("$") - 1, 0))
    try:
        compiled = _compiled_path(path)
        found = compiled.findall(document)
        definite = bool(compiled.singular_query())
    except LanguageError:
        raise
    except Exception as error:
        raise LanguageError(f"jsonpath: {error}") from None
    if not definite:
        return list(found)
    if not found:
        raise LanguageError(f"jsonpath: {path} matches nothing")
    return found[0]


def _depth(value: Any) -> int:
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + max((_depth(part) for part in parts), default=0)


def _to_compact_json(value: Any) -> str:
    return gojson.dumps(value)


ARGO: Mapping[str, Any] = {
    "asInt": to_int,
    "asFloat": to_float,
    "jsonpath": Metered(query),
    "toJson": _to_compact_json,
    "sprig": SPRIG,
}
