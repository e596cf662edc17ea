"""Serializer bases: strict bodies, strict queries, replies with `?fields=`.

A body field has the JSON type its schema says (no number for a text, no "yes" for a flag), and a name the schema does
not know is an error with the nearest known one: a misspelt field must never be ignored silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.fields import Field, empty

from fubini.common.errors import Invalid
from fubini.common.saying import ASKED, ENGLISH, Known, heard, ours, say, told, told_all
from fubini.rest.errors import as_fubini
from fubini.rest.nearest import nearest, shown

BIGINT_MAX = 2**63 - 1
_SECRET_NAMES = ("password", "secret", "token", "credential")


class BodySerializer(serializers.Serializer[Any]):
    """A request body. `read` is how views use it."""

    @classmethod
    def read(cls, data: Any, *, partial: bool = False) -> dict[str, Any]:
        """The validated fields.

        Raises:
            Invalid: with every error at once; each has pointer, code, what was found and what is allowed.
        """
        serializer = cls(data=data, partial=partial)
        errors = list(_type_errors(serializer, data, "")) or list(_length_errors(serializer, data))
        if not errors and not serializer.is_valid():
            errors = [
                _completed(serializer, data, e)
                for e in as_fubini(serializers.ValidationError(serializer.errors)).errors
            ]
        if errors:
            raise Invalid(_summary(errors), errors=errors)
        return dict(serializer.validated_data)


class QuerySerializer(serializers.Serializer[Any]):
    """Query parameters. Texts are converted; an unknown or repeated parameter is an error."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Texts as they were sent: a limit of length that spaces do not count for is not the one we publish."""
        fields = super().get_fields()
        for field in fields.values():
            if isinstance(field, serializers.CharField):
                field.trim_whitespace = False
        return fields

    @classmethod
    def read(cls, query: QueryDict, extra: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The validated parameters.

        Args:
            extra: names other layers read (`cursor`, `page_size`, `fields`).
        """
        serializer = cls()
        errors: list[dict[str, Any]] = []
        data: dict[str, Any] = {}
        for name, values in query.lists():
            if name in extra:
                continue
            field = serializer.fields.get(name)
            if field is None:
                allowed = sorted([*serializer.fields, *extra])
                errors.append(
                    {"path": name[:80], "code": "unknown", "detail": ours("There is no such parameter here."),
                     "found": shown(name), "allowed": allowed, "nearest": nearest(name, allowed)}
                )  # fmt: skip
            elif isinstance(field, serializers.ListField):
                data[name] = values
            elif len(values) > 1:
                errors.append(
                    {"path": name, "code": "repeated", "detail": ours("Give this parameter once."), "found": len(values)}
                )
            else:
                data[name] = values[0]
        if not errors:
            serializer = cls(data=data)
            if not serializer.is_valid():
                found = as_fubini(serializers.ValidationError(serializer.errors)).errors
                errors = [_completed(serializer, data, e) for e in found]
                for entry in errors:
                    entry["path"] = (entry.pop("pointer", None) or "/query")[1:].replace("/", ".")
        if errors:
            raise Invalid(_summary(errors), errors=errors)
        return dict(serializer.validated_data)


class ReplySerializer(serializers.Serializer[Any]):
    """A reply; with `only` in the context, just those fields (``?fields=a,b``)."""

    @classmethod
    def only(cls, wanted: str) -> frozenset[str]:
        """The names of ``?fields=``.

        Raises:
            Invalid: a name is not one of the reply's fields.
        """
        known = cls._declared_fields
        names = wanted.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise Invalid(
                say("There is no field {unknown!r} in this reply.", unknown=unknown[0][:80]),
                errors=[
                    {
                        "path": "fields",
                        "code": "unknown",
                        "found": shown(name),
                        "allowed": sorted(known),
                        "nearest": nearest(name, known),
                    }
                    for name in unknown
                ],
            )
        return frozenset(names)

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        listed = isinstance(self.parent, serializers.ListSerializer) and self.parent.parent is None
        only = self.context.get("only") if self.parent is None or listed else None
        return fields if only is None else {name: field for name, field in fields.items() if name in only}


class PauseBody(BodySerializer):
    """Why something is paused; every waiting step's why repeats it."""

    reason = serializers.CharField(max_length=200)


class CommaList(serializers.Field):  # type: ignore[type-arg]
    """``a,b,c`` in a query, each one of `choices` where given."""

    def __init__(self, choices: Mapping[str, str] | list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices = list(choices) if choices is not None else None

    def to_internal_value(self, data: Any) -> list[str]:
        parts = str(data).split(",") if data != "" else []  # an empty filter, as forms send it, asks for nothing
        if self.choices is None:
            parts = [part for part in parts if part]
        for part in parts:
            if self.choices is not None and part not in self.choices:
                what = say("{part!r} is not one of {choices}.", part=shown(part), choices=", ".join(self.choices))
                raise serializers.ValidationError(told(what), code="invalid_choice")
            if "\x00" in part:
                raise serializers.ValidationError("NUL is not allowed.", code="null_characters_not_allowed")
        return parts

    def to_representation(self, value: Any) -> Any:
        return ",".join(value)


class FirstPageOut(ReplySerializer):
    """The first page of a list with a route of its own, as a part of a page's one answer; subclasses say of what."""

    next = serializers.CharField(allow_null=True, help_text="Where the list's own route goes on; null: that was all.")


class SaidField(serializers.CharField):
    """A sentence of a reply, in the asker's language."""

    def to_representation(self, value: Any) -> str:
        return told(value)


class HeardField(SaidField):
    """A sentence that lies in a JSON column as `saying.kept` wrote it, in the asker's language."""

    def to_representation(self, value: Any) -> str:
        return told(heard(value))


class KnownField(SaidField):
    """A text that others wrote in English, in the asker's language where it is one of the sentences known here."""

    def __init__(self, known: Known, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.known = known

    def to_representation(self, value: Any) -> str:
        return value if ASKED.get() == ENGLISH else told(self.known.said(value))


class SaidJSONField(serializers.JSONField):
    """Data of a reply with sentences in it, those in the asker's language."""

    def to_representation(self, value: Any) -> Any:
        return told_all(value)


def big(**kwargs: Any) -> serializers.IntegerField:
    """An integer that fits the database's 64 bits."""
    return serializers.IntegerField(**{"min_value": -BIGINT_MAX, "max_value": BIGINT_MAX, **kwargs})


_JSON_TYPES: tuple[tuple[type, tuple[type, ...], str], ...] = (
    (serializers.BooleanField, (bool,), "true or false"),
    (serializers.IntegerField, (int,), "an integer"),
    (serializers.FloatField, (int, float), "a number"),
    (serializers.CharField, (str,), "a text"),
    (serializers.ChoiceField, (str,), "a text"),
    (serializers.DateTimeField, (str,), "a text (RFC 3339 time)"),
    (serializers.UUIDField, (str,), "a text"),
    (serializers.ListField, (list,), "a list"),
    (serializers.DictField, (dict,), "an object"),
    (serializers.ListSerializer, (list,), "a list"),
    (serializers.Serializer, (dict,), "an object"),
)


def _length_errors(serializer: serializers.Serializer[Any], data: Any) -> Iterator[dict[str, Any]]:
    """Texts longer than their limit only by the spaces around them, which are taken off before anything else looks."""
    for name, field in serializer.fields.items():
        value = data.get(name) if isinstance(data, Mapping) else None
        most = field.max_length if isinstance(field, serializers.CharField) else None
        if most is not None and isinstance(value, str) and len(value) > most >= len(value.strip()):
            detail = f"The text has {len(value)} characters with the spaces around it; it may have {most}."
            yield {"pointer": f"/{name}", "code": "max_length", "detail": detail, "found": len(value), "allowed": most}


def _type_errors(field: Any, value: Any, pointer: str) -> Iterator[dict[str, Any]]:
    """Errors of JSON type and of unknown names, all of them, before DRF converts anything."""
    if value is empty or (value is None and pointer):
        return  # whether null is allowed is DRF's to say
    for kind, python, said in _JSON_TYPES:
        if isinstance(field, kind):
            if not isinstance(value, python) or (isinstance(value, bool) and bool not in python):
                yield {
                    "pointer": pointer or None, "code": "type", "found": _safe(pointer, value), "allowed": said,
                    "detail": f"This is {said}." if pointer else "The body is a JSON object.",
                }  # fmt: skip
                return
            break
    if isinstance(field, serializers.Serializer) and isinstance(value, dict):
        fields = {name: f for name, f in field.fields.items() if not f.read_only}
        for name, item in value.items():
            here = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')[:80]}"
            if name not in fields:
                yield {
                    "pointer": here, "code": "unknown", "detail": "There is no such field here.", "found": shown(name),
                    "allowed": sorted(fields), "nearest": nearest(name, fields),
                }  # fmt: skip
            else:
                yield from _type_errors(fields[name], item, here)
    elif isinstance(field, serializers.ListSerializer | serializers.ListField) and isinstance(value, list):
        for index, item in enumerate(value[:1000]):
            yield from _type_errors(field.child, item, f"{pointer}/{index}")
    elif isinstance(field, serializers.DictField) and isinstance(value, dict):
        for name, item in list(value.items())[:1000]:
            yield from _type_errors(field.child, item, f"{pointer}/{name[:80]}")


def _safe(pointer: str, value: Any) -> Any:
    if not pointer and isinstance(value, str):
        return "a text"  # of a whole body nobody can say what it was meant to be, a password perhaps
    return "(not shown)" if any(name in pointer.lower() for name in _SECRET_NAMES) else shown(value)


def _completed(serializer: serializers.Serializer[Any], data: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """Add to one of DRF's errors what was found and what is allowed."""
    pointer = entry.get("pointer")
    if not pointer:
        return entry
    field: Any = serializer
    value: Any = data
    for part in pointer.strip("/").split("/"):
        field = getattr(field, "fields", {}).get(part) or getattr(field, "child", None)
        if isinstance(value, dict):
            value = value.get(part, empty)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = empty
        if field is None:
            return entry
    if value is not empty and not getattr(field, "write_only", False):
        entry["found"] = _safe(pointer, value)
    if isinstance(field, serializers.ChoiceField):
        entry["allowed"] = [str(choice) for choice in field.choices]
        entry["nearest"] = nearest(value, field.choices)
    elif isinstance(field, CommaList) and field.choices is not None:
        entry["allowed"] = list(field.choices)
    else:
        allowed = {
            key: getattr(field, key)
            for key in ("min_value", "max_value", "min_length", "max_length")
            if getattr(field, key, None) is not None
        }
        if allowed:
            entry["allowed"] = allowed
    return entry


def _summary(errors: list[dict[str, Any]]) -> str:
    first = errors[0]
    where = first.get("pointer") or first.get("path") or "the body"
    hint = say(" Did you mean {name!r}?", name=first["nearest"]) if first.get("nearest") else ""
    more = say(" ({count} more in `errors`.)", count=len(errors) - 1) if len(errors) > 1 else ""
    what = ours(str(first.get("detail", "not valid")))
    return say("{where}: {what}{hint}{more}", where=where, what=what, hint=hint, more=more)
