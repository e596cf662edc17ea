"""Our table of Argo's fields as types that a validator can walk, with a short help for the fields people write.

Built once from `argo_fields`. Decides nothing about a manifest; `structure` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from fubini.manifests.argo_fields import PATTERNS, TABLE
from fubini.manifests.field_help import FIELD_HELP, SAME_AS

Scalar = Literal["s", "b", "i32", "i64", "n", "is", "q", "any", "obj"]
SCALARS: frozenset[str] = frozenset({"s", "b", "i32", "i64", "n", "is", "q", "any", "obj"})


@dataclass(frozen=True, slots=True)
class FieldType:
    """What may stand in a field.

    `shape` is ``scalar`` (then `name` is one of `SCALARS`), ``type`` (`name` is a type of the table), ``list`` or
    ``map`` (then `inner` is set). Limits are None or empty where there are none; `pattern` names one of `PATTERNS`.
    """

    shape: Literal["scalar", "type", "list", "map"]
    name: str = ""
    inner: FieldType | None = None
    words: tuple[str, ...] = ()
    pattern: str = ""
    minimum: int | None = None
    maximum: int | None = None
    max_length: int | None = None
    least: int | None = None
    most: int | None = None
    unique_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: FieldType
    required: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True)
class ObjectType:
    name: str
    fields: dict[str, Field]
    required: tuple[str, ...]


KINDS: dict[str, str] = {
    "Workflow": "Workflow",
    "WorkflowTemplate": "Workflow",
    "ClusterWorkflowTemplate": "Workflow",
    "CronWorkflow": "CronWorkflow",
}
API_VERSION = "argoproj.io/v1alpha1"

_TOKEN = re.compile(r"\s*(\[|\]|\{|\}|[^\s\[\]{}]+)")


def _parse_type(text: str) -> FieldType:
    tokens = _TOKEN.findall(text)
    parsed, rest = _take(tokens)
    if rest:
        raise ValueError(f"{text!r}: {rest} left over")
    return parsed


def _take(tokens: list[str]) -> tuple[FieldType, list[str]]:
    head, rest = tokens[0], tokens[1:]
    inner: FieldType | None = None
    if head in "[{":
        inner, rest = _take(rest)
        if rest[0] != ("]" if head == "[" else "}"):
            raise ValueError(f"unbalanced {head}")
        rest = rest[1:]
    limits: dict[str, object] = {}
    while rest and rest[0] not in "]}":
        word, rest = rest[0], rest[1:]
        if word[0] == "=":
            limits["words"] = tuple("" if w == "_" else w for w in word[1:].split("|"))
        elif word[0] == "~":
            if word[1:] not in PATTERNS:
                raise ValueError(word)
            limits["pattern"] = word[1:]
        else:
            key, _, value = word.partition("=")
            if key == "by":
                limits["unique_by"] = tuple(value.split(","))
            else:
                name = {"min": "minimum", "max": "maximum", "len": "max_length", "least": "least", "most": "most"}[key]
                limits[name] = int(value)
    shape: Literal["scalar", "type", "list", "map"]
    if inner is not None:
        shape, name = ("list" if head == "[" else "map"), ""
    else:
        shape, name = ("scalar" if head in SCALARS else "type"), head
    return FieldType(shape, name, inner, **limits), rest  # type: ignore[arg-type]


def _build() -> dict[str, ObjectType]:
    types: dict[str, ObjectType] = {}
    for line in TABLE.splitlines():
        if not line.strip():
            continue
        type_name, _, body = line.partition(":")
        fields: dict[str, Field] = {}
        for part in body.split(";"):
            name, _, text = part.strip().partition(" ")
            required = name.endswith("!")
            name = name.rstrip("!")
            if name in fields:
                raise ValueError(f"{type_name}.{name} twice")
            own, shared = f"{type_name}.{name}", f"{SAME_AS.get(type_name, type_name)}.{name}"
            fields[name] = Field(name, _parse_type(text), required, FIELD_HELP.get(own) or FIELD_HELP.get(shared, ""))
        if type_name in types:
            raise ValueError(f"{type_name} twice")
        types[type_name] = ObjectType(type_name, fields, tuple(f.name for f in fields.values() if f.required))
    return types


@cache
def object_types() -> dict[str, ObjectType]:
    """All types of the table by name."""
    return _build()


def object_type(name: str) -> ObjectType:
    return object_types()[name]


def type_of_kind(kind: str) -> ObjectType | None:
    """The type of a whole manifest of this kind, or None for a kind that is not a pipeline's."""
    name = KINDS.get(kind)
    return object_types()[name] if name else None


def describe(field_type: FieldType) -> str:
    """A type in words, for "allowed"."""
    if field_type.words:
        return "one of " + ", ".join(w or "''" for w in field_type.words)
    if field_type.shape == "list":
        assert field_type.inner is not None
        return f"a list of {_plural(field_type.inner)}"
    if field_type.shape == "map":
        assert field_type.inner is not None
        return f"a mapping of names to {_plural(field_type.inner)}"
    if field_type.shape == "type":
        return f"a mapping with {_some_fields(field_type.name)}"
    return _WORDS[field_type.name]


_FIRST = {
    "WorkflowSpec": "entrypoint, templates, arguments and others",
    "Template": "a name and container, script, steps, dag or another type",
    "Container": "image, command, args and others",
    "Script": "image, command, source and others",
    "ObjectMeta": "name, labels, annotations and others",
    "RetryStrategy": "limit, retryPolicy, backoff and others",
}
_MANY = {
    "Template": "templates",
    "Step": "steps",
    "Task": "tasks",
    "Parameter": "parameters, each with a name",
    "Artifact": "artifacts, each with a name",
    "EnvVar": "variables, each with name and value",
    "VolumeMount": "mounts, each with name and mountPath",
    "Volume": "volumes, each with a name",
    "SetContainer": "containers",
    "Hook": "hooks, each with a template",
}
_WORDS = {
    "s": "text",
    "b": "true or false",
    "i32": "a whole number",
    "i64": "a whole number",
    "n": "a number",
    "is": "a whole number, or text",
    "q": "a quantity such as 500m, 2 or 4Gi",
    "any": "any value",
    "obj": "a mapping",
}


def _plural(field_type: FieldType) -> str:
    if field_type.shape == "list":
        assert field_type.inner is not None
        return f"lists of {_plural(field_type.inner)}"
    if field_type.shape == "type":
        return _MANY.get(field_type.name) or f"mappings with {_some_fields(field_type.name)}"
    return {"s": "texts", "i32": "whole numbers", "i64": "whole numbers", "n": "numbers", "q": "quantities"}.get(
        field_type.name, "values"
    )


def _some_fields(type_name: str) -> str:
    if type_name in _FIRST:
        return _FIRST[type_name]
    known = object_type(type_name)
    names = list(known.required) or list(known.fields)
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and others"
