"""`depends`: which results of which tasks let a DAG task run.

``a && (b.Failed || !c.Succeeded)``; a bare name means succeeded, skipped or daemoned, and also what the named task's
own `continueOn` allows. Evaluated once, when every task it names has ended. Conjunctions and disjunctions are kept
flat, so that thousands of names neither nest nor recurse. What the small grammar cannot read (comparisons and the
like) is left to expr-lang, which Argo uses for all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fubini.language import expr
from fubini.language.errors import LanguageError, LimitError

MAX_LENGTH = 2_000_000
MAX_DEPTH = 100

RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
_ITEM_RESULTS = {"AnySucceeded", "AllFailed"}

_REFERENCE = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_TOKEN = re.compile(r"\s*(?:(&&|\|\||!|\(|\))|([A-Za-z0-9_][-\w]*)(?:\.([A-Za-z]+))?)")


@dataclass(frozen=True, slots=True)
class TaskResults:
    """How one task ended; the field names are those of the language."""

    Succeeded: bool = False
    Failed: bool = False
    Errored: bool = False
    Skipped: bool = False
    Omitted: bool = False
    Daemoned: bool = False
    AnySucceeded: bool = False
    AllFailed: bool = False


@dataclass(frozen=True, slots=True)
class ContinueOn:
    """What a task's `continueOn` adds to the meaning of its bare name."""

    error: bool = False
    failed: bool = False

    @property
    def accepted(self) -> tuple[str, ...]:
        names = ["Succeeded", "Skipped", "Daemoned"]
        if self.error:
            names.append("Errored")
        if self.failed:
            names.append("Failed")
        return tuple(names)


_PLAIN = ContinueOn()


@dataclass(frozen=True, slots=True)
class _Is:
    task: str
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Not:
    operand: Any


@dataclass(frozen=True, slots=True)
class _All:
    operands: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Any:
    operands: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Depends:
    """A parsed condition. `tasks` maps each named task to whether its items' results are asked for."""

    text: str
    tasks: Mapping[str, bool]
    _root: Any = field(repr=False, default=None)
    _logic: str = field(repr=False, default="")

    def evaluate(self, results: Mapping[str, TaskResults]) -> bool:
        """Whether the task runs, given how every task in `tasks` ended.

        Raises:
            LanguageError: the condition is not one; worded as Argo words it.
        """
        if self._root is not None:
            return _evaluate(self._root, results)
        scope = {name.replace("-", "_"): {r: getattr(result, r) for r in RESULTS} for name, result in results.items()}
        logic = self._logic.replace("-", "_")
        try:
            node = expr.parse(logic)
            expr.compile_check(node, scope)
            return expr.evaluate_bool(node, scope, logic)
        except LanguageError as error:
            message = f"unable to evaluate expression '{logic}': {error.message}"
            raise LanguageError(message) from None  # its place is in `logic`, not in the text


def of_dependencies(names: Sequence[str], continue_on: Mapping[str, ContinueOn] | None = None) -> Depends:
    """`dependencies: [a, b]`: all of them, each as its bare name means."""
    known = continue_on or {}
    parts = tuple(_Is(name, known.get(name, _PLAIN).accepted) for name in names)
    return Depends(" && ".join(names), dict.fromkeys(names, False), _All(parts))


def parse(text: str, continue_on: Mapping[str, ContinueOn] | None = None) -> Depends:
    """Parse a `depends` condition.

    Args:
        continue_on: the `continueOn` of the DAG's tasks that have one.

    Raises:
        LanguageError: a result that does not exist, or text that is no condition; the position is in `text`.
    """
    if len(text) > MAX_LENGTH:
        raise LimitError(f"the condition is {len(text)} characters long; at most {MAX_LENGTH} are evaluated", 0)
    known = continue_on or {}
    tasks, logic = _references(text, known)
    try:
        root: Any = _Parser(text, known).whole()
    except LanguageError as error:
        if isinstance(error, LimitError):
            raise
        try:
            expr.parse(logic.replace("-", "_"))
        except LanguageError:
            raise error from None
        root = None
    return Depends(text, tasks, root, logic)


def _references(text: str, known: Mapping[str, ContinueOn]) -> tuple[dict[str, bool], str]:
    """The tasks named, found as Argo finds them, and the condition with bare names written out."""
    tasks: dict[str, bool] = {}
    out: list[str] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        if match.group(1):
            name, _, result = match.group(1).partition(".")
            if result not in RESULTS:
                raise LanguageError(
                    f"task result '{result}' for task '{name}' is invalid: use one of {', '.join(RESULTS)}",
                    match.start() + len(name) + 1,
                )
            tasks[name] = tasks.get(name, False) or result in _ITEM_RESULTS
        else:
            name = match.group(2)
            tasks[name] = False
            out.append(text[at : match.start()])
            out.append("(" + " || ".join(f"{name}.{r}" for r in known.get(name, _PLAIN).accepted) + ")")
            at = match.end()
    out.append(text[at:])
    return tasks, "".join(out)


class _Parser:
    def __init__(self, text: str, known: Mapping[str, ContinueOn]) -> None:
        self.text = text
        self.known = known
        self.at = 0
        self.depth = 0
        self.token: tuple[str, str, str] = ("", "", "")
        self.position = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise LanguageError(f"unexpected {self.text[self.at :].strip()[:1]!r} in depends", self.at)
            self.token, self.position = ("end", "", ""), len(self.text)
            return
        self.position = match.start(1) if match.group(1) else match.start(2)
        self.token = (match.group(1) or "name", match.group(2) or "", match.group(3) or "")
        self.at = match.end()

    def whole(self) -> Any:
        root = self.disjunction()
        if self.token[0] != "end":
            raise LanguageError(f"unexpected {self.token[1] or self.token[0]!r} in depends", self.position)
        return root

    def disjunction(self) -> Any:
        parts = [self.conjunction()]
        while self.token[0] == "||":
            self.advance()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else _Any(tuple(parts))

    def conjunction(self) -> Any:
        parts = [self.operand()]
        while self.token[0] == "&&":
            self.advance()
            parts.append(self.operand())
        return parts[0] if len(parts) == 1 else _All(tuple(parts))

    def operand(self) -> Any:
        kind, name, result = self.token
        position = self.position
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise LimitError(f"depends is nested deeper than {MAX_DEPTH} levels", position)
        self.advance()
        try:
            if kind == "!":
                return _Not(self.operand())
            if kind == "(":
                inner = self.disjunction()
                if self.token[0] != ")":
                    raise LanguageError("a parenthesis in depends is not closed", position)
                self.advance()
                return inner
            if kind == "name" and name not in ("and", "or", "not"):
                if result and result not in RESULTS:
                    raise LanguageError(f"task result '{result}' for task '{name}' is invalid", position)
                return _Is(name, (result,) if result else self.known.get(name, _PLAIN).accepted)
        finally:
            self.depth -= 1
        found = "the end" if kind == "end" else repr(kind if kind != "name" else name)
        raise LanguageError(f"expected a task's name in depends, found {found}", position)


def _evaluate(node: Any, results: Mapping[str, TaskResults]) -> bool:
    if isinstance(node, _Is):
        result = results.get(node.task)
        if result is None:
            raise LanguageError(f"unable to evaluate expression: unknown name {node.task}")
        return any(getattr(result, name) for name in node.results)
    if isinstance(node, _Not):
        return not _evaluate(node.operand, results)
    if isinstance(node, _All):
        return all(_evaluate(operand, results) for operand in node.operands)
    return any(_evaluate(operand, results) for operand in node.operands)
