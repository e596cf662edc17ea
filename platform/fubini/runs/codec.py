"""`TaskSpec` and `LeafOutcome` as JSON and back: how a leaf's needs and its end are stored in a row.

Fields that hold their default are left out, so a no-op step's spec is some hundred bytes.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from fubini.runs.engine import LeafOutcome, TaskSpec

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """A dataclass, tuple, mapping, enum or plain value as JSON-able data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            name: to_json(got) for name, default in _defaults(type(value)) if (got := getattr(value, name)) != default
        }
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    return value


def from_json(kind: type[T], data: Mapping[str, Any]) -> T:
    """Build dataclass `kind` from `to_json`'s output; unknown keys are ignored."""
    readers = _readers(kind)  # type: ignore[arg-type]
    return kind(**{key: readers[key](value) for key, value in data.items() if key in readers})


def spec_of(data: Mapping[str, Any]) -> TaskSpec:
    return from_json(TaskSpec, data)


def outcome_of(data: Mapping[str, Any]) -> LeafOutcome:
    return from_json(LeafOutcome, data)


@cache
def _defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    missing = object()
    return tuple(
        (
            f.name,
            f.default
            if f.default is not dataclasses.MISSING
            else (f.default_factory() if f.default_factory is not dataclasses.MISSING else missing),
        )
        for f in dataclasses.fields(kind)
    )


@cache
def _readers(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {f.name: _reader(hints[f.name]) for f in dataclasses.fields(kind)}


def _reader(hint: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = _reader(next(a for a in args if a is not type(None)))
        return lambda v: None if v is None else inner(v)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            item = _reader(args[0])
            return lambda v: tuple(item(x) for x in v)
        items = [_reader(a) for a in args]
        return lambda v: tuple(r(x) for r, x in zip(items, v, strict=True))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return lambda v: from_json(hint, v)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return lambda v: v
