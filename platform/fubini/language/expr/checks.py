"""What can be said about an expression before it runs: the names it needs, and what expr-lang's compiler refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fubini.language.errors import LanguageError, LimitError
from fubini.language.expr import tree
from fubini.language.expr.parser import BUILTINS

_PREDICATE_LIKE = {"filter", "map", "count", "all", "any", "none", "one"}


def identifiers(node: tree.Node) -> list[str]:
    """Names and dotted paths an expression refers to, except those guarded by `??` or `?.`.

    A base name stays even where its path is guarded, as Argo counts them.
    """
    guarded: set[int] = set()
    found: dict[str, None] = {}
    try:
        _guard(node, guarded)
        _collect(node, guarded, found, frozenset())
    except RecursionError:
        raise LimitError("the expression is nested too deeply", node.position) from None
    return list(found)


def _guard(node: tree.Node, guarded: set[int]) -> None:
    if isinstance(node, tree.Binary) and node.operator == "??":
        _mark(node.left, guarded)
    if isinstance(node, tree.Member) and node.optional and isinstance(node.object, tree.Member):
        guarded.add(id(node.object))
    for child in tree.children(node):
        _guard(child, guarded)


def _mark(node: tree.Node, guarded: set[int]) -> None:
    if isinstance(node, tree.Member):
        guarded.add(id(node))
    for child in tree.children(node):
        _mark(child, guarded)


def _collect(node: tree.Node, guarded: set[int], found: dict[str, None], local: frozenset[str]) -> None:
    if isinstance(node, tree.Let):
        _collect(node.value, guarded, found, local)
        _collect(node.body, guarded, found, local | {node.name})
        return
    for child in tree.children(node):
        _collect(child, guarded, found, local)
    if id(node) in guarded:
        return
    if isinstance(node, tree.Name) and node.name not in local:
        found[node.name] = None
    if isinstance(node, tree.Member):
        path = member_path(node)
        if path is not None and path.split(".", 1)[0] not in local:
            found[path] = None


def member_path(node: tree.Member) -> str | None:
    """`a.b['c']` -> ``a.b.c``; None where a link is optional or computed."""
    parts: list[str] = []
    current: tree.Node = node
    while isinstance(current, tree.Member):
        if current.optional or not isinstance(current.property, tree.Constant):
            return None
        if not isinstance(current.property.value, str):
            return None
        parts.append(current.property.value)
        current = current.object
    if not isinstance(current, tree.Name):
        return None
    parts.append(current.name)
    return ".".join(reversed(parts))


_RESULTS = {
    "len": "int", "int": "int", "float": "float", "string": "string", "upper": "string", "lower": "string",
    "trim": "string", "trimPrefix": "string", "trimSuffix": "string", "replace": "string", "repeat": "string",
    "join": "string", "split": "array", "indexOf": "int", "lastIndexOf": "int", "hasPrefix": "bool",
    "hasSuffix": "bool", "toJSON": "string", "type": "string", "count": "int", "all": "bool", "any": "bool",
    "none": "bool", "one": "bool", "filter": "array", "map": "array", "keys": "array", "values": "array",
    "toBase64": "string", "fromBase64": "string", "ceil": "float", "floor": "float", "round": "float",
}  # fmt: skip
_NUMERIC = {"int", "float"}


def compile_check(node: tree.Node, scope: Mapping[str, Any]) -> None:
    """Refuse what expr-lang's compiler refuses over a scope: unknown names and operands that can never fit.

    Raises:
        LanguageError: the first problem, with its position.
    """
    try:
        _type_of(node, scope, {}, 0)
    except RecursionError:
        raise LimitError("the expression is nested too deeply", node.position) from None


def _value_type(value: Any) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "map" if isinstance(value, Mapping) else "any"


def _type_of(node: tree.Node, scope: Mapping[str, Any], local: dict[str, str], closures: int) -> str:
    match node:
        case tree.Constant(value=value):
            return _value_type(value)
        case tree.Name(name=name):
            if name in local:
                return local[name]
            if name == "$env":
                return "map"
            if name not in scope and name in BUILTINS:
                return "func(...interface {}) (interface {}, error)"
            if name not in scope:
                raise LanguageError(f"unknown name {name}", node.position)
            return _value_type(scope[name])
        case tree.Let(name=name, value=value, body=body):
            kind = _type_of(value, scope, local, closures)
            return _type_of(body, scope, {**local, name: kind}, closures)
        case tree.Sequence(nodes=nodes):
            return [_type_of(n, scope, local, closures) for n in nodes][-1]
        case tree.Call(callee=callee, arguments=arguments):
            _type_of(callee, scope, local, closures)
            for argument in arguments:
                _type_of(argument, scope, local, closures)
            return "any"
        case tree.Builtin(name=name, arguments=arguments):
            for argument in arguments:
                _type_of(argument, scope, local, closures)
            return _RESULTS.get(name, "any")
        case tree.Closure(body=body):
            return _type_of(body, scope, local, closures + 1)
        case tree.Conditional(test=test, then=then, other=other):
            kind = _type_of(test, scope, local, closures)
            if kind not in ("bool", "any"):
                raise LanguageError(f"non-bool expression (type {kind}) used as condition", test.position)
            first, second = _type_of(then, scope, local, closures), _type_of(other, scope, local, closures)
            return first if first == second else "any"
        case tree.Member(object=parent, property=key):
            kind = _type_of(parent, scope, local, closures)
            _type_of(key, scope, local, closures)
            scalar = kind in ("string", "int", "float", "bool", "nil") or kind.startswith("func")
            if scalar and isinstance(key, tree.Constant):
                if kind == "string" and isinstance(key.value, int):
                    return "int"
                raise LanguageError(f"type {kind} has no field {key.value}", node.position)
            return "any"
        case tree.Unary(operator=operator, operand=operand):
            kind = _type_of(operand, scope, local, closures)
            wanted = {"bool"} if operator == "not" else _NUMERIC
            if kind not in wanted | {"any"}:
                shown = "!" if operator == "not" else operator
                raise LanguageError(f"invalid operation: {shown} (mismatched type {kind})", node.position)
            return kind
        case tree.Binary():
            return _binary_type(node, scope, local, closures)
        case tree.Array():
            for child in tree.children(node):
                _type_of(child, scope, local, closures)
            return "array"
        case tree.Map():
            for child in tree.children(node):
                _type_of(child, scope, local, closures)
            return "map"
    for child in tree.children(node):
        _type_of(child, scope, local, closures)
    return "any"


def _both(left: str, right: str, kinds: set[str]) -> bool:
    return (left in kinds or left == "any") and (right in kinds or right == "any")


def _equality(left: str, right: str) -> bool:
    return left == right or "any" in (left, right) or "nil" in (left, right) or {left, right} <= _NUMERIC


_FITS: dict[str, Callable[[str, str], bool]] = {
    "==": _equality,
    "!=": _equality,
    "&&": lambda a, b: _both(a, b, {"bool"}),
    "||": lambda a, b: _both(a, b, {"bool"}),
    "and": lambda a, b: _both(a, b, {"bool"}),
    "or": lambda a, b: _both(a, b, {"bool"}),
    "<": lambda a, b: _both(a, b, _NUMERIC) or _both(a, b, {"string"}),
    ">": lambda a, b: _both(a, b, _NUMERIC) or _both(a, b, {"string"}),
    "<=": lambda a, b: _both(a, b, _NUMERIC) or _both(a, b, {"string"}),
    ">=": lambda a, b: _both(a, b, _NUMERIC) or _both(a, b, {"string"}),
    "+": lambda a, b: _both(a, b, _NUMERIC) or _both(a, b, {"string"}),
    "-": lambda a, b: _both(a, b, _NUMERIC),
    "*": lambda a, b: _both(a, b, _NUMERIC),
    "/": lambda a, b: _both(a, b, _NUMERIC),
    "**": lambda a, b: _both(a, b, _NUMERIC),
    "^": lambda a, b: _both(a, b, _NUMERIC),
    "%": lambda a, b: _both(a, b, {"int"}),
    "..": lambda a, b: _both(a, b, {"int"}),
    "matches": lambda a, b: _both(a, b, {"string"}),
    "contains": lambda a, b: _both(a, b, {"string"}),
    "startsWith": lambda a, b: _both(a, b, {"string"}),
    "endsWith": lambda a, b: _both(a, b, {"string"}),
    "in": lambda _, b: b in ("array", "map", "any", "nil"),
    "??": lambda _a, _b: True,
}
_BOOLEAN = {"==", "!=", "&&", "||", "and", "or", "<", ">", "<=", ">=", "matches", "contains", "startsWith", "endsWith"}


def _binary_type(node: tree.Binary, scope: Mapping[str, Any], local: dict[str, str], closures: int) -> str:
    left = _type_of(node.left, scope, local, closures)
    right = _type_of(node.right, scope, local, closures)
    if not _FITS[node.operator](left, right):
        names = {"float": "float64", "nil": "<nil>"}
        raise LanguageError(
            f"invalid operation: {node.operator} (mismatched types {names.get(left, left)} and "
            f"{names.get(right, right)})",
            node.position,
        )
    if node.operator in _BOOLEAN or node.operator == "in":
        return "bool"
    if node.operator in ("/", "**", "^"):
        return "float"
    if node.operator == "??":
        return left if left == right else "any"
    if node.operator == "..":
        return "array"
    if "any" in (left, right):
        return "any"
    return "float" if "float" in (left, right) else left
