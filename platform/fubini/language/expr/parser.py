"""Tokens -> syntax tree, by operator precedence; bounded in depth.

Source: the language definition of expr-lang 1.17 (operators, precedences, predicates, pipes, let, if).
"""

from __future__ import annotations

import json

from fubini.language.errors import LanguageError, LimitError
from fubini.language.expr import tree
from fubini.language.expr.lexer import Token, tokenize
from fubini.language.remembered import remembered

MAX_DEPTH = 120
MAX_NODES = 10_000

_BINARY: dict[str, tuple[int, bool]] = {  # operator -> precedence, right associative
    "|": (0, False),
    "or": (10, False),
    "||": (10, False),
    "and": (15, False),
    "&&": (15, False),
    "==": (20, False),
    "!=": (20, False),
    "<": (20, False),
    ">": (20, False),
    ">=": (20, False),
    "<=": (20, False),
    "in": (20, False),
    "matches": (20, False),
    "contains": (20, False),
    "startsWith": (20, False),
    "endsWith": (20, False),
    "..": (25, False),
    "+": (30, False),
    "-": (30, False),
    "*": (60, False),
    "/": (60, False),
    "%": (60, False),
    "**": (100, True),
    "^": (100, True),
    "??": (500, False),
}
_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_NEGATABLE = {"in", "matches", "contains", "startsWith", "endsWith"}

PREDICATES = {
    "all", "none", "any", "one", "filter", "map", "count", "sum", "find", "findIndex", "findLast", "findLastIndex",
    "groupBy", "sortBy", "reduce",
}  # fmt: skip
PLAIN = {
    "len", "type", "abs", "ceil", "floor", "round", "int", "float", "string", "trim", "trimPrefix", "trimSuffix",
    "upper", "lower", "split", "splitAfter", "replace", "repeat", "join", "indexOf", "lastIndexOf", "hasPrefix",
    "hasSuffix", "max", "min", "mean", "median", "toJSON", "fromJSON", "toBase64", "fromBase64", "now", "duration",
    "date", "timezone", "first", "last", "get", "take", "keys", "values", "toPairs", "fromPairs", "reverse", "uniq",
    "concat", "flatten", "sort", "bitand", "bitor", "bitxor", "bitnand", "bitnot", "bitshl", "bitshr", "bitushr",
}  # fmt: skip
BUILTINS = PREDICATES | PLAIN
_BRACKETS = frozenset("()[]{}")
_SHOWN = {"name": "Identifier"}  # what expr-lang calls a kind of token in its messages


@remembered(texts=1_024, longest=500)
def parse(text: str) -> tree.Node:
    """The syntax tree of one expression.

    Raises:
        LanguageError: what was found, with its position.
    """
    try:
        return _Parser(tokenize(text)).whole()
    except RecursionError:
        raise LimitError(f"the expression is nested deeper than {MAX_DEPTH} levels", 0) from None


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.closures = 0
        self.nodes = 0

    @property
    def current(self) -> Token:
        return self.tokens[self.at]

    def next(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def expect(self, value: str) -> Token:
        if not self.current.is_(value):
            raise self.unexpected(f"expected {value!r}")
        return self.next()

    def unexpected(self, hint: str = "") -> LanguageError:
        token = self.current
        kind = "Bracket" if token.kind == "operator" and str(token.value) in _BRACKETS else _SHOWN.get(token.kind)
        value = json.dumps(str(token.value), ensure_ascii=False)
        shown = "EOF" if token.kind == "end" else f"{kind or token.kind.capitalize()}({value})"
        return LanguageError(f"unexpected token {shown}" + (f", {hint}" if hint else ""), token.position)

    def whole(self) -> tree.Node:
        node = self.sequence()
        if self.current.kind != "end":
            raise self.unexpected()
        return node

    def sequence(self) -> tree.Node:
        """One or more expressions separated by `;`, the last one's value counts."""
        nodes = [self.expression(0)]
        while self.current.is_(";"):
            self.next()
            if self.current.kind == "end" or self.current.is_(")", "}"):
                break
            nodes.append(self.expression(0))
        return nodes[0] if len(nodes) == 1 else tree.Sequence(nodes[0].position, tuple(nodes))

    def expression(self, precedence: int) -> tree.Node:
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH:
            raise LimitError(f"the expression is nested deeper than {MAX_DEPTH} levels", self.current.position)
        if self.nodes > MAX_NODES:
            raise LimitError(f"the expression has more than {MAX_NODES} parts", self.current.position)
        try:
            if precedence == 0 and self.current.is_("let"):
                return self.let()
            if precedence == 0 and self.current.is_("if"):
                return self.if_else()
            return self.binary(precedence)
        finally:
            self.depth -= 1

    def binary(self, precedence: int) -> tree.Node:
        left = self.primary()
        previous = ""
        while True:
            token = self.current
            if token.kind != "operator":
                break
            operator, negated = token.value, False
            if operator == "not" and self.tokens[self.at + 1].is_(*_NEGATABLE):
                operator, negated = self.tokens[self.at + 1].value, True
            if operator not in _BINARY or (operator == "|" and precedence > 0):
                break
            strength, right_associative = _BINARY[operator]
            if strength < precedence:
                break
            self.next()
            if negated:
                self.next()
            if operator == "|":
                left = self.pipe(left)
                continue
            if previous == "??" and operator not in ("??", "|"):
                raise LanguageError(
                    f"?? cannot be mixed with {operator} without parentheses",
                    token.position,
                )
            right = self.expression(strength if right_associative else strength + 1)
            left = tree.Binary(token.position, operator, left, right)
            if negated:
                left = tree.Unary(token.position, "not", left)
            previous = operator
        if precedence == 0:
            left = self.conditional(left)
        return left

    def conditional(self, test: tree.Node) -> tree.Node:
        while self.current.is_("?"):
            position = self.next().position
            if self.current.is_(":"):
                self.next()
                return tree.Conditional(position, test, test, self.expression(0))
            then = self.expression(0)
            self.expect(":")
            test = tree.Conditional(position, test, then, self.expression(0))
        return test

    def let(self) -> tree.Node:
        position = self.next().position
        if self.current.kind != "name":
            raise self.unexpected("expected a name")
        name = self.next().value
        self.expect("=")
        value = self.expression(0)
        self.expect(";")
        return tree.Let(position, name, value, self.sequence())

    def if_else(self) -> tree.Node:
        position = self.next().position
        test = self.expression(0)
        self.expect("{")
        then = self.sequence()
        self.expect("}")
        self.expect("else")
        if self.current.is_("if"):
            return tree.Conditional(position, test, then, self.if_else())
        self.expect("{")
        other = self.sequence()
        self.expect("}")
        return tree.Conditional(position, test, then, other)

    def primary(self) -> tree.Node:
        token = self.current
        if token.is_(*_UNARY):
            self.next()
            operand = self.expression(_UNARY[token.value])
            return self.postfix(tree.Unary(token.position, "not" if token.value == "!" else token.value, operand))
        if token.is_("("):
            self.next()
            inner = self.sequence()
            self.expect(")")
            return self.postfix(inner)
        if self.closures and token.is_("#"):
            self.next()
            name = self.next().value if self.current.kind == "name" else ""
            return self.postfix(tree.Pointer(token.position, name))
        if self.closures and token.is_("."):
            element = tree.Pointer(token.position, "")
            return self.postfix(element)
        if token.is_("::"):
            self.next()
            name = self.next()
            if name.kind != "name" or name.value not in BUILTINS:
                raise LanguageError("expected a built-in function's name after ::", name.position)
            return self.postfix(self.call(name))
        return self.postfix(self.secondary())

    def secondary(self) -> tree.Node:
        token = self.current
        if token.kind == "name":
            self.next()
            if token.value in ("true", "false"):
                return tree.Constant(token.position, token.value == "true")
            if token.value == "nil":
                return tree.Constant(token.position, None)
            if self.current.is_("("):
                return self.call(token)
            return tree.Name(token.position, token.value)
        if token.kind in ("number", "string"):
            self.next()
            return tree.Constant(token.position, token.value)
        if token.is_("["):
            self.next()
            return tree.Array(token.position, self.arguments("]"))
        if token.is_("{"):
            return self.map()
        raise self.unexpected()

    def map(self) -> tree.Node:
        position = self.expect("{").position
        pairs: list[tuple[tree.Node, tree.Node]] = []
        while not self.current.is_("}"):
            key = self.current
            if key.kind in ("name", "string", "number") or (key.kind == "operator" and str(key.value).isalpha()):
                self.next()
                name: tree.Node = tree.Constant(key.position, str(key.value))
            elif key.is_("("):
                self.next()
                name = self.expression(0)
                self.expect(")")
            else:
                shown = self.unexpected().message
                raise LanguageError(
                    "a map key must be a quoted string, a number, a identifier, or an expression enclosed in "
                    f"parentheses ({shown})",
                    key.position,
                )
            self.expect(":")
            pairs.append((name, self.expression(0)))
            if not self.current.is_("}"):
                self.expect(",")
        self.next()
        return tree.Map(position, tuple(pairs))

    def arguments(self, close: str) -> tuple[tree.Node, ...]:
        found: list[tree.Node] = []
        while not self.current.is_(close):
            found.append(self.expression(0))
            if not self.current.is_(close):
                self.expect(",")
        self.next()
        return tuple(found)

    def call(self, name: Token, piped: tree.Node | None = None) -> tree.Node:
        self.expect("(")
        before = () if piped is None else (piped,)
        if name.value in PREDICATES:
            return self.predicate(name, before)
        arguments = before + self.arguments(")")
        if name.value in PLAIN:
            return tree.Builtin(name.position, name.value, arguments)
        return tree.Call(name.position, tree.Name(name.position, name.value), arguments)

    def predicate(self, name: Token, before: tuple[tree.Node, ...]) -> tree.Node:
        found = list(before)
        while not self.current.is_(")"):
            if len(found) == 1:
                found.append(self.closure())
            else:
                found.append(self.expression(0))
            if not self.current.is_(")"):
                self.expect(",")
        self.next()
        return tree.Builtin(name.position, name.value, tuple(found))

    def closure(self) -> tree.Node:
        position = self.current.position
        braces = self.current.is_("{")
        if braces:
            self.next()
        self.closures += 1
        body = self.sequence() if braces else self.expression(0)
        self.closures -= 1
        if braces:
            self.expect("}")
        return tree.Closure(position, body)

    def pipe(self, left: tree.Node) -> tree.Node:
        name = self.current
        if name.kind != "name":
            raise self.unexpected("expected a function after |")
        self.next()
        node = self.call(name, left)
        return self.postfix(node)

    def postfix(self, node: tree.Node) -> tree.Node:
        while True:
            token = self.current
            if token.is_(".", "?."):
                self.next()
                optional = token.value == "?."
                key = self.current
                if optional and key.is_("["):
                    self.next()
                    index = self.expression(0)
                    self.expect("]")
                    node = tree.Member(token.position, node, index, True)
                    continue
                if key.kind != "name":
                    raise self.unexpected("expected a name after the dot")
                self.next()
                node = tree.Member(token.position, node, tree.Constant(key.position, key.value), optional)
                if self.current.is_("("):
                    self.next()
                    node = tree.Call(token.position, node, self.arguments(")"))
            elif token.is_("["):
                self.next()
                node = self.index(node, token.position)
            elif token.is_("(") and isinstance(node, tree.Member):
                self.next()
                node = tree.Call(token.position, node, self.arguments(")"))
            else:
                return node

    def index(self, node: tree.Node, position: int) -> tree.Node:
        if self.current.is_(":"):
            self.next()
            end = None if self.current.is_("]") else self.expression(0)
            self.expect("]")
            return tree.Slice(position, node, None, end)
        start = self.expression(0)
        if self.current.is_(":"):
            self.next()
            end = None if self.current.is_("]") else self.expression(0)
            self.expect("]")
            return tree.Slice(position, node, start, end)
        self.expect("]")
        return tree.Member(position, node, start)
