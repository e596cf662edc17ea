"""Syntax tree of expr-lang expressions: small frozen nodes, each with its position in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    position: int


@dataclass(frozen=True, slots=True)
class Constant(Node):
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Pointer(Node):
    """`#` and `#name` inside a predicate: the element, `#index` or `#acc`."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    test: Node
    then: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`object.property` or `object[property]`; a property written with a dot is a Constant string."""

    object: Node
    property: Node
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Slice(Node):
    object: Node
    start: Node | None
    end: Node | None


@dataclass(frozen=True, slots=True)
class Call(Node):
    callee: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Builtin(Node):
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Closure(Node):
    body: Node


@dataclass(frozen=True, slots=True)
class Let(Node):
    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array(Node):
    elements: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Map(Node):
    pairs: tuple[tuple[Node, Node], ...]


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below one, in the order they are written."""
    match node:
        case Unary(operand=a):
            return (a,)
        case Binary(left=a, right=b):
            return (a, b)
        case Conditional(test=a, then=b, other=c):
            return (a, b, c)
        case Member(object=a, property=b):
            return (a, b)
        case Slice(object=a, start=start, end=end):
            return (a, *(n for n in (start, end) if n is not None))
        case Call(callee=a, arguments=rest):
            return (a, *rest)
        case Builtin(arguments=rest):
            return rest
        case Closure(body=a):
            return (a,)
        case Let(value=a, body=b):
            return (a, b)
        case Sequence(nodes=rest):
            return rest
        case Array(elements=rest):
            return rest
        case Map(pairs=pairs):
            return tuple(n for pair in pairs for n in pair)
    return ()
