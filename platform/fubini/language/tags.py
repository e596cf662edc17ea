"""`{{tag}}` templates: simple tags looked up by name, `{{=expression}}` tags evaluated, both as Argo replaces them.

Unresolved tags stay as text where the caller allows it. A value may hold tags again; whoever calls decides how many
passes are made. A nested tag (`{{inputs.parameters.{{item}}}}`) resolves from the inside, one layer a pass.
Replacing works on one text at a time; a tag without an end is plain text here and a finding of `parse`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fubini.language import expr, gojson
from fubini.language.errors import LanguageError
from fubini.language.expr import tree
from fubini.language.remembered import remembered

OPEN: Final = "{{"
CLOSE: Final = "}}"
MAX_RESULT = 4_000_000

# Names that get their value late: an expression that uses one waits for it instead of seeing nil.
LATE = frozenset(
    {
        "item",
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
        "workflow.status",
        "workflow.failures",
    }
)


class _Missing:
    """No such variable; None is a variable that is known and absent (a skipped step's output)."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class Scope(Protocol):
    """Where tags find their values."""

    def lookup(self, name: str) -> Any:
        """A text, None for a known but absent value, or MISSING."""

    def environment(self, text: str) -> Mapping[str, Any]:
        """The nested names that an expression may use, functions included."""


class SubstitutionError(LanguageError):
    """A tag that must resolve does not. `missing` says that its variable may still come."""

    def __init__(self, message: str, position: int | None = None, *, missing: bool = False) -> None:
        super().__init__(message, position)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: `body` as written between the braces, `name` without white space, `expression` for `{{=`."""

    body: str
    name: str
    position: int
    expression: str | None


@remembered(texts=16_384, longest=2_000)
def split(text: str) -> tuple[str | Tag, ...]:
    """The literal and tag parts of a text, in order."""
    parts: list[str | Tag] = []
    at = 0
    while True:
        start = text.find(OPEN, at)
        end = text.find(CLOSE, start + 2) if start >= 0 else -1
        if end < 0:
            break
        if start > at:
            parts.append(text[at:start])
        body = text[start + 2 : end]
        parts.append(Tag(body, body.strip(), start, body[1:] if body.startswith("=") else None))
        at = end + 2
    if at < len(text) or not parts:
        parts.append(text[at:])
    return tuple(parts)


def parse(text: str) -> tuple[Tag, ...]:
    """The tags of a text, expressions checked for syntax.

    Raises:
        LanguageError: a tag without an end, or an expression that does not parse; the position is in the text.
    """
    parts = split(text)
    last = parts[-1]
    tail = last if isinstance(last, str) else ""
    if OPEN in tail:
        raise LanguageError("a tag is opened with {{ and not closed with }}", len(text) - len(tail) + tail.index(OPEN))
    found = tuple(part for part in parts if isinstance(part, Tag))
    for tag in found:
        if tag.expression is not None:
            try:
                expr.parse(tag.expression)
            except LanguageError as error:
                raise LanguageError(error.message, tag.position + 3 + (error.position or 0)) from None
    return found


Strict = Callable[[str], bool]


def never(_: str) -> bool:
    """Nothing must resolve."""
    return False


def always(_: str) -> bool:
    """Everything must resolve."""
    return True


_STEP_NAME = re.compile(r"(?:tasks|steps)(?:\.|$)")


def step_references(name: str) -> bool:
    """`steps.*` and `tasks.*` must resolve; `{{item}}` and the like may wait."""
    return _STEP_NAME.match(name) is not None


def replace(text: str, scope: Scope, strict: Strict = never) -> str:
    """One pass over a text.

    Args:
        strict: tells of a tag's or identifier's name whether leaving it unresolved is an error.

    Raises:
        SubstitutionError: a strict tag is unresolved, an absent value is used, an expression fails.
    """
    if OPEN not in text:
        return text
    out: list[str] = []
    for part in split(text):
        if isinstance(part, str):
            out.append(part)
        elif part.expression is not None:
            out.append(_replace_expression(part, scope, strict))
        else:
            out.append(_replace_simple(part, scope, strict))
    joined = "".join(out)
    if len(joined) > MAX_RESULT:
        raise SubstitutionError(f"a text grew beyond {MAX_RESULT} characters when its tags were replaced")
    return joined


# Characters Go quotes in a way that JSON cannot read back; Argo fails on them.
_UNQUOTABLE = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f]")


def _replace_simple(tag: Tag, scope: Scope, strict: Strict) -> str:
    value = scope.lookup(tag.name)
    if value is MISSING:
        return _unresolved(tag, scope, strict)
    if value is None:
        raise SubstitutionError(
            f"unable to substitute {{{{{tag.body}}}}}: output is an absent optional "
            "(skipped/omitted node with no default)",
            tag.position,
        )
    if not isinstance(value, str):
        raise SubstitutionError(f"failed to resolve {{{{{tag.body}}}}} to string", tag.position, missing=True)
    if _UNQUOTABLE.search(value):
        raise SubstitutionError("cannot finish template replacement because the result was invalid JSON", tag.position)
    return value


def _unresolved(tag: Tag, scope: Scope, strict: Strict) -> str:
    at = tag.body.rfind(OPEN)
    if at > 0:
        inner = scope.lookup(tag.body[at + 2 :])
        if inner is None:
            raise SubstitutionError(
                f'unable to substitute nested tag {{{{{tag.body}}}}}: "{tag.body[at + 2 :]}" is an absent optional',
                tag.position,
            )
        if isinstance(inner, str):
            return OPEN + tag.body[:at] + inner
    if strict(tag.name) and (strict is always or ".outputs.artifacts." not in tag.name):
        raise SubstitutionError(f"failed to resolve {{{{{tag.body}}}}}", tag.position, missing=True)
    return OPEN + tag.body + CLOSE


def has_path(scope: Mapping[str, Any], path: str) -> bool:
    """Whether a dotted path exists in nested names; a present nil counts."""
    if path in scope:
        return True
    current: Any = scope
    for part in path.split("."):
        if not isinstance(current, Mapping) or part not in current:
            return False
        current = current[part]
    return True


def _replace_expression(tag: Tag, scope: Scope, strict: Strict) -> str:
    assert tag.expression is not None
    text = tag.expression
    try:
        node = expr.parse(text)
    except LanguageError as error:
        # An error even where tags may stay: without a tree nobody can tell what is still to come.
        raise _failed(error, text) from None
    environment = scope.environment(text)
    missing = [name for name in _identifiers(text) if not has_path(environment, name)]
    for name in missing:
        if strict(name):
            raise SubstitutionError(f"failed to evaluate expression: {name} is missing", tag.position, missing=True)
    lenient = bool(missing) or strict is never
    unchanged = OPEN + tag.body + CLOSE
    if lenient and any(name in LATE for name in missing):
        return unchanged
    try:
        expr.compile_check(node, environment)
        value = expr.evaluate(node, environment)
    except LanguageError as error:
        if lenient:
            return unchanged
        raise _failed(error, text) from None
    if value is None:
        if lenient:
            return unchanged
        raise SubstitutionError(f"failed to evaluate expression {gojson.dump_string(text)}", tag.position)
    if isinstance(value, str):
        return value
    try:
        return gojson.dumps(value)
    except LanguageError as error:
        if lenient:
            return unchanged
        raise SubstitutionError(f"failed to marshal evaluated expression: {error.message}", tag.position) from None


def _failed(error: LanguageError, text: str) -> SubstitutionError:
    return SubstitutionError(f"failed to evaluate expression: {error.located(text)}", error.position)


@remembered(texts=1_024, longest=500)
def _identifiers(text: str) -> tuple[str, ...]:
    return tuple(expr.identifiers(expr.parse(text)))


@remembered(texts=1_024, longest=500)
def words(text: str) -> frozenset[str]:
    """Every name and text constant in an expression, paths split at dots: what a lazy scope must provide."""
    found: set[str] = set()
    stack: list[tree.Node] = [expr.parse(text)]
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Name):
            found.add(node.name)
        elif isinstance(node, tree.Constant) and isinstance(node.value, str):
            found.add(node.value)
            found.update(node.value.split("."))
        stack.extend(tree.children(node))
    return frozenset(found)


def expand(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names -> nested maps; where `a` and `a.b` both exist, the longer one wins."""
    out: dict[str, Any] = {}
    for key in sorted(flat):
        parts = key.split(".")
        current = out
        for part in parts[:-1]:
            below = current.get(part)
            if not isinstance(below, dict):
                below = {}
                current[part] = below
            current = below
        if not isinstance(current.get(parts[-1]), dict):
            current[parts[-1]] = flat[key]
    return out
