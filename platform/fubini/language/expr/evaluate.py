"""Syntax tree + scope -> value.

Values are Python's None, bool, int, float, str, list, dict; an int is a 64-bit Go int. Three counts bound any text,
and none of them is a clock: the nodes evaluated (*steps*), what operators and functions read at once (*work*), and the
size of what is built. Lists and maps share their parts, so what counts is how much they would be written out, each
part as often as it stands in them. Whoever walks a value (equality, JSON, text) then needs no bound of his own: the
operator or call has charged for it before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fubini.language import gojson, regex
from fubini.language.errors import LanguageError, LimitError
from fubini.language.expr import tree

MAX_STEPS = 200_000
MAX_WORK = 400_000  # parts of lists and maps, and pieces of texts, that operators and functions read
TEXT_PIECE = 1_000  # characters of a text that count as one
STATES_A_PART = 2  # states of a pattern that count as one part: one search may take its whole budget, not many
MAX_TEXT = 4_000_000
MAX_ELEMENTS = 100_000
MAX_WEIGHT = 8_000_000  # of one value; an element weighs PART, a text its characters besides
MAX_BUILT = 32_000_000  # of all lists and maps of one evaluation, without what they hold
PART = 16

Function = Callable[..., Any]
Spend = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Metered:
    """A function whose work does not follow from its arguments' size: it is handed what it charges by."""

    function: Function  # takes `spend(work)` before its arguments

    def __call__(self, *arguments: Any) -> Any:
        return self.function(lambda _: None, *arguments)


class Runtime:
    """One evaluation: the scope, `let` names, the stack of predicate elements, and what is left of the budget."""

    def __init__(self, scope: Mapping[str, Any], now_ms: int | None = None) -> None:
        self.scope = scope
        self.now_ms = now_ms
        self.names: dict[str, Any] = {}
        self.elements: list[dict[str, Any]] = []
        self.steps = 0
        self.work = 0
        self.built = 0
        # (value, weight, parts) by identity; the value is kept so that it stays the same
        self.weights: dict[int, tuple[Any, int, int]] = {}

    def run(self, node: tree.Node) -> Any:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise LimitError(f"the expression takes more than {MAX_STEPS} steps", node.position)
        value = _HANDLERS[type(node)](self, node)
        if type(node) in _BUILDERS and isinstance(value, (list, dict)) and id(value) not in self.weights:
            self.built += PART * len(value)
            if self.built > MAX_BUILT or self.weight(value) > MAX_WEIGHT:
                raise LimitError("the expression builds too much: its lists and maps are too large", node.position)
        return value

    def weight(self, value: Any) -> int:
        """How large a value is when it is written out; exact up to the limit."""
        return self._measure(value)[0]

    def _measure(self, value: Any) -> tuple[int, int]:
        """A value's weight, and how many parts and pieces of text somebody finds who walks it."""
        kind = type(value)
        if kind is str:
            return PART + len(value), 1 + len(value) // TEXT_PIECE
        if kind is int or not isinstance(value, (list, Mapping)):
            return PART, 1
        known = self.weights.get(id(value))
        if known is not None:
            return known[1], known[2]
        total, parts = PART, 1
        keys = value if isinstance(value, Mapping) else ()
        for key in keys:
            total += len(str(key))
        for part in value.values() if isinstance(value, Mapping) else value:
            more, inside = self._measure(part)
            total += more
            parts += inside
            if total > MAX_WEIGHT:
                break
        self.weights[id(value)] = (value, total, parts)
        return total, parts

    def charge(self, position: int, *values: Any) -> None:
        """Charge for walking values from end to end, as an operator or a function may.

        Raises:
            LimitError: all operators and functions together read more than `MAX_WORK`.
        """
        self.spend(sum(self._measure(value)[1] for value in values), position)

    def spend(self, work: int, position: int) -> None:
        """Charge work that a function has counted itself."""
        if self.work + work > MAX_WORK:
            raise LimitError(f"the expression's functions and operators read more than {MAX_WORK} parts", position)
        self.work += work

    def predicate(self, closure: tree.Node, element: Any, index: int, acc: Any = None) -> Any:
        self.elements.append({"": element, "index": index, "acc": acc})
        try:
            return self.run(closure.body if isinstance(closure, tree.Closure) else closure)
        finally:
            self.elements.pop()


def evaluate(node: tree.Node, scope: Mapping[str, Any], *, now_ms: int | None = None) -> Any:
    """The value of an expression over a scope.

    Raises:
        LanguageError: where and why it could not be computed.
    """
    try:
        return Runtime(scope, now_ms).run(node)
    except RecursionError:
        raise LimitError("the expression is nested too deeply", node.position) from None
    except (OverflowError, MemoryError):
        raise LimitError("the expression's value is too large", node.position) from None


def evaluate_bool(node: tree.Node, scope: Mapping[str, Any], text: str, *, now_ms: int | None = None) -> bool:
    """The value of a condition.

    Raises:
        LanguageError: worded as Argo words it for hooks, retries and `depends`.
    """
    try:
        value = evaluate(node, scope, now_ms=now_ms)
    except LanguageError as error:
        raise LanguageError(f"unable to evaluate expression '{text}': {error.located(text)}") from None
    if not isinstance(value, bool):
        shown = (
            gojson.format_value(value)
            if isinstance(value, str)
            else f"%!s({_kind(value)}={gojson.format_value(value)})"
        )
        raise LanguageError(f"unable to cast expression result '{shown}' to bool")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    return {int: "int", float: "float64", str: "string", list: "[]interface {}", dict: "map[string]interface {}"}.get(
        type(value), type(value).__name__
    )


# --- names and access -------------------------------------------------------------------------------------------


def _constant(_: Runtime, node: tree.Constant) -> Any:
    return node.value


def _name(run: Runtime, node: tree.Name) -> Any:
    if node.name in run.names:
        return run.names[node.name]
    if node.name == "$env":
        return run.scope
    try:
        return run.scope[node.name]
    except KeyError:
        raise LanguageError(f"unknown name {node.name}", node.position) from None


def _pointer(run: Runtime, node: tree.Pointer) -> Any:
    if not run.elements or node.name not in run.elements[-1]:
        raise LanguageError(f"unknown pointer #{node.name}", node.position)
    return run.elements[-1][node.name]


class _Absent:
    """What an optional chain yields once a link is missing."""


_ABSENT = _Absent()


def _member(run: Runtime, node: tree.Member) -> Any:
    value = _link(run, node)
    return None if value is _ABSENT else value


def _link(run: Runtime, node: tree.Node) -> Any:
    """A member whose optional chain may have ended: `a?.b.c` skips `.c` too."""
    if not isinstance(node, tree.Member):
        return run.run(node)
    run.steps += 1
    parent = _link(run, node.object)
    if parent is _ABSENT:
        return _ABSENT
    if node.optional and parent is None:
        return _ABSENT
    return fetch(parent, run.run(node.property), node.position)


def fetch(parent: Any, key: Any, position: int) -> Any:
    """`parent[key]` with expr-lang's rules: a missing map key is nil, an index out of range an error."""
    if isinstance(parent, Mapping):
        return parent.get(as_key(key, position))
    if isinstance(parent, (list, tuple, str)) and isinstance(key, (int, float)) and not isinstance(key, bool):
        index = int(key)
        if index < 0:
            index += len(parent)
        if not 0 <= index < len(parent):
            raise LanguageError(f"index out of range: {int(key)} (array length is {len(parent)})", position)
        return parent[index] if not isinstance(parent, str) else ord(parent[index])
    shown = gojson.format_value(key)
    raise LanguageError(f"cannot fetch {shown} from {_kind(parent)}", position)


def as_key(value: Any, position: int) -> Any:
    """Go's maps have no lists or maps as keys; a text that is not there is nil, these are an error."""
    if isinstance(value, (list, Mapping)):
        raise LanguageError(f"cannot use {_kind(value)} as a key of a map", position)
    return value


def _slice(run: Runtime, node: tree.Slice) -> Any:
    value = run.run(node.object)
    if not isinstance(value, (list, str)):
        raise LanguageError(f"cannot slice {_kind(value)}", node.position)
    size = len(value)
    start = 0 if node.start is None else _whole(run.run(node.start), node.position)
    end = size if node.end is None else _whole(run.run(node.end), node.position)
    start = start + size if start < 0 else start
    end = end + size if end < 0 else end
    start, end = min(max(start, 0), size), min(max(end, 0), size)
    run.spend(max(end - start, 0) // (TEXT_PIECE if isinstance(value, str) else 1), node.position)
    return value[start:end] if start < end else value[:0]


def _whole(value: Any, position: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise LanguageError(f"expected an integer, found {_kind(value)}", position)
    return int(value)


def _call(run: Runtime, node: tree.Call) -> Any:
    if isinstance(node.callee, tree.Name) and node.callee.name not in run.scope:
        raise LanguageError(f"unknown name {node.callee.name}", node.callee.position)
    function = run.run(node.callee)
    if not callable(function):
        raise LanguageError(f"{_kind(function)} is not callable", node.position)
    arguments = [run.run(argument) for argument in node.arguments]
    run.charge(node.position, *arguments)
    try:
        if isinstance(function, Metered):
            value = function.function(lambda work: run.spend(work, node.position), *arguments)
        else:
            value = function(*arguments)
    except LanguageError as error:
        raise type(error)(error.message, node.position) from None
    except TypeError:
        raise LanguageError(f"wrong arguments for the call ({len(arguments)} given)", node.position) from None
    except (ValueError, KeyError, IndexError, ArithmeticError, re.error) as error:
        raise LanguageError(str(error), node.position) from None
    run.charge(node.position, value)
    return value


def _builtin(run: Runtime, node: tree.Builtin) -> Any:
    from fubini.language.expr import builtins  # a cycle: predicates run closures

    return builtins.call(run, node)


def _closure(run: Runtime, node: tree.Closure) -> Any:
    return run.run(node.body)


def _let(run: Runtime, node: tree.Let) -> Any:
    value = run.run(node.value)
    before = dict(run.names)
    run.names[node.name] = value
    try:
        return run.run(node.body)
    finally:
        run.names = before


def _sequence(run: Runtime, node: tree.Sequence) -> Any:
    value = None
    for part in node.nodes:
        value = run.run(part)
    return value


def _array(run: Runtime, node: tree.Array) -> Any:
    return [run.run(element) for element in node.elements]


def _map(run: Runtime, node: tree.Map) -> Any:
    out: dict[str, Any] = {}
    for key, value in node.pairs:
        name = run.run(key)
        if not isinstance(name, str):
            raise LanguageError(f"a map key must be a string, found {_kind(name)}", key.position)
        out[name] = run.run(value)
    return out


def _conditional(run: Runtime, node: tree.Conditional) -> Any:
    test = run.run(node.test)
    if not isinstance(test, bool):
        raise LanguageError(f"non-bool expression (type {_kind(test)}) used as condition", node.position)
    return run.run(node.then if test else node.other)


# --- operators --------------------------------------------------------------------------------------------------


def _unary(run: Runtime, node: tree.Unary) -> Any:
    value = run.run(node.operand)
    if node.operator == "not":
        if not isinstance(value, bool):
            raise LanguageError(f"invalid operation: ! {_kind(value)}", node.position)
        return not value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise LanguageError(f"invalid operation: {node.operator} {_kind(value)}", node.position)
    return -value if node.operator == "-" else value


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """expr-lang's equality: numbers across types, everything else deeply and only with its own type."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    return type(left) is type(right) and bool(left == right)


def _binary(run: Runtime, node: tree.Binary) -> Any:
    operator = node.operator
    if operator in ("&&", "and", "||", "or"):
        return _logic(run, node, operator in ("&&", "and"))
    if operator == "??":
        left = _link(run, node.left)
        return run.run(node.right) if left is None or left is _ABSENT else left
    left, right = run.run(node.left), run.run(node.right)
    if isinstance(left, _LARGE) or isinstance(right, _LARGE):
        run.charge(node.position, left, right)
    if operator == "==":
        return equal(left, right)
    if operator == "!=":
        return not equal(left, right)
    if operator == "matches":
        return _matches(run, left, right, node)
    return _OPERATORS[operator](left, right, node)


_LARGE = (str, list, dict)


def _logic(run: Runtime, node: tree.Binary, conjunction: bool) -> bool:
    for side in (node.left, node.right):
        value = run.run(side)
        if not isinstance(value, bool):
            raise LanguageError(f"invalid operation: {node.operator} on {_kind(value)}", node.position)
        if value is not conjunction:
            return value
    return conjunction


def _mismatch(left: Any, right: Any, node: tree.Binary) -> LanguageError:
    return LanguageError(f"invalid operation: {_kind(left)} {node.operator} {_kind(right)}", node.position)


def _compare(left: Any, right: Any, node: tree.Binary) -> bool:
    if not (is_number(left) and is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        raise _mismatch(left, right, node)
    return bool({"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[node.operator])


def _add(left: Any, right: Any, node: tree.Binary) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MAX_TEXT:
            raise LimitError(f"a text longer than {MAX_TEXT} characters", node.position)
        return left + right
    return _arithmetic(left, right, node)


def _arithmetic(left: Any, right: Any, node: tree.Binary) -> Any:
    if not (is_number(left) and is_number(right)):
        raise _mismatch(left, right, node)
    operator = node.operator
    if operator in ("**", "^"):
        try:
            return math.pow(left, right)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.inf if left == 0 else math.nan
    if operator == "/":
        if right == 0:
            return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)
        return left / right
    if operator == "%":
        if not (isinstance(left, int) and isinstance(right, int)):
            raise _mismatch(left, right, node)
        if right == 0:
            raise LanguageError("integer divide by zero", node.position)
        return int(math.copysign(abs(left) % abs(right), left)) if left else 0
    result = {"+": left + right, "-": left - right, "*": left * right}[operator]
    return _wrap(result) if isinstance(result, int) else result


def _wrap(value: int) -> int:
    """Keep to 64 bits as Go's int does."""
    return value if -(2**63) <= value < 2**63 else (value + 2**63) % 2**64 - 2**63


def _range(left: Any, right: Any, node: tree.Binary) -> list[int]:
    start, end = _whole(left, node.position), _whole(right, node.position)
    if end - start >= MAX_ELEMENTS:
        raise LimitError(f"a range of more than {MAX_ELEMENTS} elements", node.position)
    return list(range(start, end + 1))


def _in(left: Any, right: Any, node: tree.Binary) -> bool:
    if right is None:
        return False
    if isinstance(right, list):
        return any(equal(left, element) for element in right)
    if isinstance(right, Mapping):
        return as_key(left, node.position) in right
    raise LanguageError(f'operator "in" not defined on {_kind(right)}', node.position)


def _text_test(left: Any, right: Any, node: tree.Binary) -> bool:
    if left is None or right is None:
        return False
    if not (isinstance(left, str) and isinstance(right, str)):
        raise _mismatch(left, right, node)
    if node.operator == "contains":
        return right in left
    return left.startswith(right) if node.operator == "startsWith" else left.endswith(right)


def _matches(run: Runtime, left: Any, right: Any, node: tree.Binary) -> bool:
    """An unanchored search with a bounded pattern and text."""
    if left is None or right is None:
        return False
    if not (isinstance(left, str) and isinstance(right, str)):
        raise _mismatch(left, right, node)
    try:
        found, states = regex.compile(right).looked(left)
    except LanguageError as error:
        raise type(error)(error.message, node.position) from None
    run.spend(states // STATES_A_PART, node.position)
    return found


_OPERATORS: dict[str, Callable[[Any, Any, tree.Binary], Any]] = {
    "<": _compare,
    ">": _compare,
    "<=": _compare,
    ">=": _compare,
    "+": _add,
    "-": _arithmetic,
    "*": _arithmetic,
    "/": _arithmetic,
    "%": _arithmetic,
    "**": _arithmetic,
    "^": _arithmetic,
    "..": _range,
    "in": _in,
    "contains": _text_test,
    "startsWith": _text_test,
    "endsWith": _text_test,
}

_HANDLERS: dict[type[tree.Node], Callable[[Runtime, Any], Any]] = {
    tree.Constant: _constant,
    tree.Name: _name,
    tree.Pointer: _pointer,
    tree.Member: _member,
    tree.Slice: _slice,
    tree.Call: _call,
    tree.Builtin: _builtin,
    tree.Closure: _closure,
    tree.Let: _let,
    tree.Sequence: _sequence,
    tree.Array: _array,
    tree.Map: _map,
    tree.Conditional: _conditional,
    tree.Unary: _unary,
    tree.Binary: _binary,
}

# The nodes that make new lists and maps; the others hand on what is there.
_BUILDERS = frozenset({tree.Array, tree.Map, tree.Builtin, tree.Call, tree.Binary, tree.Slice})
