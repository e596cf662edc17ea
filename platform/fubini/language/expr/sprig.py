"""sprig's functions as Argo offers them under `sprig.`: text, numbers, lists, maps, encodings.

Left out, and refused by name: what reads the clock, the host or chance (`now`, `uuidv4`, `rand*`, `gen*`, `env`),
so that a pipeline's expression gives the same value whenever it is evaluated.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from fubini.language import gojson, regex
from fubini.language.errors import LanguageError, LimitError
from fubini.language.expr.evaluate import STATES_A_PART, Metered, Spend

_MAX_TEXT = 4_000_000
_MAX_ELEMENTS = 100_000
_BACKTRACKS_A_PART = 500


def _s(value: Any) -> str:
    """A parameter of type string; nothing given for one is Go's empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise LanguageError(f"expected a string, found {gojson.format_value(value)}")


def _i(value: Any) -> int:
    """sprig casts leniently: texts and floats become integers, anything else is 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return int(value) if math.isfinite(value) else 0
    if isinstance(value, str):
        try:
            return int(value.strip() or "0", 0)
        except ValueError:
            try:
                return int(float(value))
            except (ValueError, OverflowError):
                return 0
    return 0


def _f(value: Any) -> float:
    if isinstance(value, (bool, int, float)):
        return float(value)
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise LanguageError(f"expected a list, found {gojson.format_value(value)}")


def _map(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise LanguageError(f"expected a dict, found {gojson.format_value(value)}")


def _bounded(text: str) -> str:
    if len(text) > _MAX_TEXT:
        raise LimitError(f"a text longer than {_MAX_TEXT} characters")
    return text


def replaced(text: str, old: str, new: str, count: int = -1) -> str:
    """`str.replace` that knows how long its result is before it makes it."""
    places = text.count(old)
    if count >= 0:
        places = min(places, count)
    if len(text) + places * (len(new) - len(old)) > _MAX_TEXT:
        raise LimitError(f"a text longer than {_MAX_TEXT} characters")
    return text.replace(old, new, count)


def _word_by_word(function: Callable[..., Any]) -> Metered:
    """A function that handles every word of a text by itself, which costs more than reading the text."""

    def apply(spend: Spend, *arguments: Any) -> Any:
        spend(sum(len(argument) for argument in arguments if isinstance(argument, str)) // 4)
        return function(*arguments)

    return Metered(apply)


def _trunc(count: Any, text: Any) -> str:
    n, body = _i(count), _s(text)
    if n < 0 and len(body) + n > 0:
        return body[n:]
    return body[:n] if 0 <= n < len(body) else body


def _substr(start: Any, end: Any, text: Any) -> str:
    first, last, body = _i(start), _i(end), _s(text)
    if first < 0:
        return body[:last]
    return body[first:] if last < 0 or last > len(body) else body[first:last]


def _abbrev(width: Any, text: Any) -> str:
    size, body = _i(width), _s(text)
    return body if size < 4 or len(body) <= size else body[: size - 3] + "..."


def _wrap(width: Any, text: Any) -> str:
    lines: list[str] = []
    for word in _s(text).split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= _i(width):
            lines[-1] += " " + word
        else:
            lines.append(word)
    return "\n".join(lines)


def _words(text: str) -> list[str]:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", spaced)
    return [w for w in re.split(r"[\s_\-.]+", spaced) if w]


def _camel(text: Any) -> str:
    return "".join(w[:1].upper() + w[1:] for w in re.split(r"[\s_\-]+", _s(text)) if w)


def _title(text: Any) -> str:
    return re.sub(r"(?:^|(?<=[\s\W]))\w", lambda m: m.group().upper(), _s(text))


def _swapcase(text: Any) -> str:
    return _s(text).swapcase()


def _quote(*values: Any) -> str:
    return " ".join(gojson.dump_string(gojson.format_value(v)) for v in values if v is not None)


def _squote(*values: Any) -> str:
    return " ".join(f"'{gojson.format_value(v)}'" for v in values if v is not None)


def _repeat(count: Any, text: Any) -> str:
    if len(_s(text)) * max(_i(count), 0) > _MAX_TEXT:
        raise LimitError(f"a text longer than {_MAX_TEXT} characters")
    return _s(text) * max(_i(count), 0)


def _join(separator: Any, values: Any) -> str:
    if not isinstance(values, list):
        return gojson.format_value(values)
    return _s(separator).join(gojson.format_value(v) for v in values if v is not None)


def _split(separator: Any, text: Any) -> dict[str, str]:
    return {f"_{n}": part for n, part in enumerate(_s(text).split(_s(separator)))}


def _indent(count: Any, text: Any) -> str:
    pad = _repeat(count, " ")
    return _bounded(pad + replaced(_s(text), "\n", "\n" + pad))


def _plural(one: Any, many: Any, count: Any) -> str:
    return _s(one) if _i(count) == 1 else _s(many)


def _empty(value: Any) -> bool:
    return value is None or value is False or value == 0 or value == "" or value == [] or value == {}


def _default(fallback: Any, value: Any = None) -> Any:
    return fallback if _empty(value) else value


def _ternary(yes: Any, no: Any, test: Any) -> Any:
    return yes if test is True else no


def _div(a: Any, b: Any) -> int:
    x, y = _i(a), _i(b)
    if y == 0:
        raise LanguageError("runtime error: integer divide by zero")
    return int(math.copysign(abs(x) // abs(y), x * y)) if x else 0


def _mod(a: Any, b: Any) -> int:
    x, y = _i(a), _i(b)
    if y == 0:
        raise LanguageError("runtime error: integer divide by zero")
    return int(math.copysign(abs(x) % abs(y), x)) if x else 0


def _mul(*values: Any) -> int:
    total = 1
    for value in values:
        total *= _i(value)
    return total


def _subf(*values: Any) -> float:
    head, *rest = [_f(v) for v in values]
    return head - sum(rest)


def _divf(*values: Any) -> float:
    head, *rest = [_f(v) for v in values]
    for value in rest:
        head = head / value if value else math.inf
    return head


def _mulf(*values: Any) -> float:
    return math.prod(_f(v) for v in values)


def _round(value: Any, digits: Any, half: Any = 0.5) -> float:
    scale = 10.0 ** min(max(_i(digits), -300), 300)
    scaled = _f(value) * scale
    fraction = scaled - math.floor(scaled)
    return (math.floor(scaled) + (1 if fraction >= _f(half) else 0)) / scale


def _until(count: Any) -> list[int]:
    return _until_step(0, count, 1 if _i(count) >= 0 else -1)


def _until_step(start: Any, stop: Any, step: Any) -> list[int]:
    first, last, by = _i(start), _i(stop), _i(step)
    if by == 0 or (last < first) != (by < 0):
        return []
    if abs(last - first) // abs(by) > _MAX_ELEMENTS:
        raise LimitError(f"a list of more than {_MAX_ELEMENTS} elements")
    return list(range(first, last, by))


def _seq(*values: Any) -> str:
    numbers = [_i(v) for v in values]
    if len(numbers) == 1:
        start, step, end = 1, 1 if numbers[0] >= 1 else -1, numbers[0]
    elif len(numbers) == 2:
        start, end = numbers
        step = 1 if end >= start else -1
    elif len(numbers) == 3:
        start, step, end = numbers
    else:
        return ""
    return " ".join(str(n) for n in _until_step(start, end + (1 if step > 0 else -1), step))


def _slice(values: Any, *ends: Any) -> list[Any]:
    found = _list(values)
    start = _i(ends[0]) if ends else 0
    end = _i(ends[1]) if len(ends) > 1 else len(found)
    return found[start:end]


def _uniq(values: Any) -> list[Any]:
    seen: set[str] = set()
    out: list[Any] = []
    for value in _list(values):
        key = gojson.dumps(value)
        if key not in seen:
            seen.add(key)
            out.append(value)
    return out


def _has(value: Any, values: Any) -> bool:
    sought = gojson.dumps(value)
    return any(gojson.dumps(other) == sought for other in _list(values))


def _without(values: Any, *drop: Any) -> list[Any]:
    dropped = {gojson.dumps(value) for value in drop}
    return [value for value in _list(values) if gojson.dumps(value) not in dropped]


def _sort_alpha(values: Any) -> list[str]:
    return sorted(gojson.format_value(v) for v in _list(values))


def _dict(*pairs: Any) -> dict[str, Any]:
    keys = [gojson.format_value(key) for key in pairs[::2]]
    return {key: pairs[2 * n + 1] if 2 * n + 1 < len(pairs) else "" for n, key in enumerate(keys)}


def _merge(*maps: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for found in maps:
        for key, value in _map(found).items():
            if _empty(out.get(key)):
                out[key] = value
    return out


def _dig(*arguments: Any) -> Any:
    *path, fallback, found = arguments
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return fallback
        found = found[key]
    return found


def _from_json(text: Any) -> Any:
    try:
        return gojson.loads(_s(text))
    except LanguageError:
        return None


def _b64dec(text: Any) -> str:
    try:
        return base64.b64decode(_s(text), validate=True).decode("utf-8", "replace")
    except ValueError as error:
        return f"illegal base64 data: {error}"


def _pattern(spend: Spend, pattern: Any, text: Any) -> tuple[re.Pattern[str], str]:
    """The pattern and as much of the text as is searched, charged for."""
    searched = _s(text)[:5_000]
    found = regex.compile_backtracking(_s(pattern), len(searched))
    spend(regex.compile(_s(pattern)).backtracking(len(searched)) // _BACKTRACKS_A_PART)
    return found, searched


def _regex_match(spend: Spend, pattern: Any, text: Any) -> bool:
    found, states = regex.compile(_s(pattern)).looked(_s(text))
    spend(states // STATES_A_PART)
    return found


def _regex_find(spend: Spend, pattern: Any, text: Any) -> str:
    compiled, searched = _pattern(spend, pattern, text)
    match = compiled.search(searched)
    return match.group() if match else ""


def _regex_find_all(spend: Spend, pattern: Any, text: Any, count: Any) -> list[str]:
    compiled, searched = _pattern(spend, pattern, text)
    found = [m.group() for m in compiled.finditer(searched)]
    return found if _i(count) < 0 else found[: _i(count)]


def _regex_replace(spend: Spend, pattern: Any, text: Any, replacement: Any) -> str:
    expand = re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", _s(replacement).replace("\\", "\\\\"))
    return _substituted(spend, pattern, text, expand, len(expand))


def _regex_replace_literal(spend: Spend, pattern: Any, text: Any, replacement: Any) -> str:
    literal = _s(replacement)
    return _substituted(spend, pattern, text, lambda _: literal, len(literal))


def _substituted(spend: Spend, pattern: Any, text: Any, by: str | Callable[[re.Match[str]], str], length: int) -> str:
    """`re.sub` whose result is bounded before it is made: a group is written at most once for each two characters of
    the replacement, and all matches together are no longer than the text."""
    compiled, searched = _pattern(spend, pattern, text)
    matches = sum(1 for _ in compiled.finditer(searched))
    if length * (matches + len(searched)) > 2 * _MAX_TEXT:
        raise LimitError(f"a text longer than {_MAX_TEXT} characters")
    return _bounded(compiled.sub(by, searched))


def _regex_split(spend: Spend, pattern: Any, text: Any, count: Any) -> list[str]:
    limit = _i(count)
    if limit == 0:
        return []
    compiled, searched = _pattern(spend, pattern, text)
    return compiled.split(searched, 0 if limit < 0 else limit - 1)


def _atoi(text: Any) -> int:
    try:
        return int(_s(text), 10)
    except ValueError:
        return 0


def _bool(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("1", "t", "true"))


def _fail(text: Any) -> Any:
    raise LanguageError(_s(text))


def _kind_of(value: Any) -> str:
    if value is None:
        return "invalid"
    if isinstance(value, bool):
        return "bool"
    return {int: "int", float: "float64", str: "string", list: "slice", dict: "map"}.get(type(value), "func")


_TABLE: dict[str, Callable[..., Any]] = {
    # texts
    "trim": lambda t: _s(t).strip(),
    "trimAll": lambda c, t: _s(t).strip(_s(c)),
    "trimall": lambda c, t: _s(t).strip(_s(c)),
    "trimPrefix": lambda p, t: _s(t).removeprefix(_s(p)),
    "trimSuffix": lambda p, t: _s(t).removesuffix(_s(p)),
    "upper": lambda t: _s(t).upper(),
    "lower": lambda t: _s(t).lower(),
    "title": _word_by_word(_title),
    "untitle": _word_by_word(lambda t: re.sub(r"(?:^|(?<=\s))\w", lambda m: m.group().lower(), _s(t))),
    "repeat": _repeat,
    "substr": _substr,
    "trunc": _trunc,
    "abbrev": _abbrev,
    "initials": _word_by_word(lambda t: "".join(w[0] for w in _s(t).split())),
    "nospace": lambda t: "".join(_s(t).split()),
    "swapcase": _swapcase,
    "contains": lambda p, t: _s(p) in _s(t),
    "hasPrefix": lambda p, t: _s(t).startswith(_s(p)),
    "hasSuffix": lambda p, t: _s(t).endswith(_s(p)),
    "replace": lambda old, new, t: replaced(_s(t), _s(old), _s(new)),
    "plural": _plural,
    "quote": _quote,
    "squote": _squote,
    "cat": lambda *v: " ".join(gojson.format_value(x) for x in v if x is not None),
    "indent": _indent,
    "nindent": lambda n, t: "\n" + _indent(n, t),
    "wrap": _word_by_word(_wrap),
    "snakecase": _word_by_word(lambda t: "_".join(_words(_s(t))).lower()),
    "kebabcase": _word_by_word(lambda t: "-".join(_words(_s(t))).lower()),
    "camelcase": _word_by_word(_camel),
    "join": _join,
    "split": _split,
    "splitList": lambda sep, t: _s(t).split(_s(sep)) if _s(sep) else list(_s(t)),
    "splitn": lambda sep, n, t: {f"_{k}": p for k, p in enumerate(_s(t).split(_s(sep), max(_i(n) - 1, 0)))},
    "toString": gojson.format_value,
    "toStrings": lambda v: [gojson.format_value(x) for x in _list(v)],
    "sha1sum": lambda t: hashlib.sha1(_s(t).encode(), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda t: hashlib.sha256(_s(t).encode()).hexdigest(),
    "sha512sum": lambda t: hashlib.sha512(_s(t).encode()).hexdigest(),
    "adler32sum": lambda t: str(zlib.adler32(_s(t).encode())),
    "b64enc": lambda t: base64.b64encode(_s(t).encode()).decode(),
    "b64dec": _b64dec,
    "regexMatch": Metered(_regex_match),
    "regexFind": Metered(_regex_find),
    "regexFindAll": Metered(_regex_find_all),
    "regexReplaceAll": Metered(_regex_replace),
    "regexReplaceAllLiteral": Metered(_regex_replace_literal),
    "regexSplit": Metered(_regex_split),
    "regexQuoteMeta": lambda t: re.escape(_s(t)),
    # numbers
    "atoi": _atoi,
    "int": _i,
    "int64": _i,
    "float64": _f,
    "toDecimal": lambda v: int(str(v), 8),
    "add": lambda *v: sum(_i(x) for x in v),
    "add1": lambda v: _i(v) + 1,
    "sub": lambda a, b: _i(a) - _i(b),
    "div": _div,
    "mod": _mod,
    "mul": _mul,
    "addf": lambda *v: math.fsum(_f(x) for x in v),
    "add1f": lambda v: _f(v) + 1,
    "subf": _subf,
    "divf": _divf,
    "mulf": _mulf,
    "max": lambda *v: max(_i(x) for x in v),
    "biggest": lambda *v: max(_i(x) for x in v),
    "min": lambda *v: min(_i(x) for x in v),
    "maxf": lambda *v: max(_f(x) for x in v),
    "minf": lambda *v: min(_f(x) for x in v),
    "ceil": lambda v: float(math.ceil(_f(v))),
    "floor": lambda v: float(math.floor(_f(v))),
    "round": _round,
    "until": _until,
    "untilStep": _until_step,
    "seq": _seq,
    # choices
    "default": _default,
    "empty": _empty,
    "coalesce": lambda *v: next((x for x in v if not _empty(x)), None),
    "all": lambda *v: not any(_empty(x) for x in v),
    "any": lambda *v: any(not _empty(x) for x in v),
    "ternary": _ternary,
    "fail": _fail,
    # lists
    "list": lambda *v: list(v),
    "tuple": lambda *v: list(v),
    "first": lambda v: _list(v)[0] if _list(v) else None,
    "last": lambda v: _list(v)[-1] if _list(v) else None,
    "rest": lambda v: _list(v)[1:],
    "initial": lambda v: _list(v)[:-1],
    "append": lambda v, x: [*_list(v), x],
    "push": lambda v, x: [*_list(v), x],
    "prepend": lambda v, x: [x, *_list(v)],
    "concat": lambda *v: [x for part in v for x in _list(part)],
    "reverse": lambda v: _list(v)[::-1],
    "uniq": _uniq,
    "without": _without,
    "has": _has,
    "compact": lambda v: [x for x in _list(v) if not _empty(x)],
    "slice": _slice,
    "sortAlpha": _sort_alpha,
    # maps
    "dict": _dict,
    "get": lambda m, k: _map(m).get(k, ""),
    "set": lambda m, k, v: {**_map(m), _s(k): v},
    "unset": lambda m, k: {a: b for a, b in _map(m).items() if a != k},
    "hasKey": lambda m, k: k in _map(m),
    "keys": lambda *m: [k for part in m for k in sorted(_map(part))],
    "values": lambda m: [_map(m)[k] for k in sorted(_map(m))],
    "pick": lambda m, *k: {a: b for a, b in _map(m).items() if a in k},
    "omit": lambda m, *k: {a: b for a, b in _map(m).items() if a not in k},
    "pluck": lambda k, *m: [_map(part)[k] for part in m if k in _map(part)],
    "merge": _merge,
    "mergeOverwrite": lambda *m: {k: v for part in m for k, v in _map(part).items()},
    "dig": _dig,
    "deepCopy": lambda v: v,
    "toJson": gojson.dumps,
    "toRawJson": lambda v: gojson.dumps(v).replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&"),
    "fromJson": _from_json,
    "mustToJson": gojson.dumps,
    "mustFromJson": lambda t: gojson.loads(_s(t)),
    "kindOf": _kind_of,
    "typeOf": _kind_of,
    "kindIs": lambda k, v: _kind_of(v) == k,
    "deepEqual": lambda a, b: gojson.dumps(a) == gojson.dumps(b),
    "toBool": _bool,
    # paths
    "base": lambda t: _s(t).rstrip("/").rpartition("/")[2] or ("/" if t else "."),
    "dir": lambda t: _s(t).rpartition("/")[0] or ("/" if _s(t).startswith("/") else "."),
    "ext": lambda t: "." + _s(t).rpartition(".")[2] if "." in _s(t).rpartition("/")[2] else "",
    "clean": lambda t: _s(t).rstrip("/") or ".",
    "isAbs": lambda t: _s(t).startswith("/"),
}


SPRIG: Mapping[str, Callable[..., Any]] = dict(_TABLE)
