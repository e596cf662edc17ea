"""Loops: the items of `withItems`, `withParam` and `withSequence`, their texts and the names of their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fubini.language import goformat, gojson
from fubini.language.errors import LanguageError, LimitError


@dataclass(frozen=True, slots=True)
class Item:
    """One item: what `{{item}}` and `{{item.KEY}}` are, and what its node's name shows."""

    variables: Mapping[str, str]
    label: str


def is_loop(holder: Mapping[str, Any]) -> bool:
    """Whether a step or task is expanded."""
    return bool(holder.get("withItems") or holder.get("withParam") or holder.get("withSequence") is not None)


def item_name(name: str, index: int, label: str) -> str:
    """The name of one item's step: without parentheses, unique by its index."""
    return f"{name}({index}:{label.replace('(', '').replace(')', '')})"


def _shown(value: Any) -> str:
    """A value as an item prints itself: JSON, a text without its quotes."""
    text = gojson.dumps(value, sort=False)
    if text.startswith('"'):
        text = text[1:-1]
    return text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")


def make_item(value: Any) -> Item:
    """The item made of one JSON value."""
    if isinstance(value, str):
        return Item({"item": value}, _shown(value))
    if isinstance(value, Mapping):
        shown = {str(key): _shown(element) for key, element in value.items()}
        variables = {f"item.{key}": text for key, text in shown.items()}
        variables["item"] = gojson.dumps({k: gojson.Raw(gojson.dumps(v, sort=False)) for k, v in value.items()})
        return Item(variables, ",".join(sorted(f"{key}:{text}" for key, text in shown.items())))
    if isinstance(value, (list, tuple)):
        return Item(
            {"item": gojson.dumps(value, sort=False)}, "[" + " ".join(_shown(element) for element in value) + "]"
        )
    if value is None:
        return Item({"item": "null"}, "[]")
    text = _shown(value)
    return Item({"item": text}, text)


def _whole(text: str) -> int:
    try:
        if text.strip() != text or "_" in text:
            raise ValueError
        return int(text, 10)
    except ValueError:
        raise LanguageError(f'strconv.Atoi: parsing "{text}": invalid syntax') from None


def sequence(spec: Mapping[str, Any], limit: int) -> list[Item]:
    """The items of a `withSequence`.

    Raises:
        LanguageError: its numbers are none, or there are more than `limit` of them.
    """
    start = _whole(_text(spec["start"])) if spec.get("start") is not None else 0
    if spec.get("end") is not None:
        end = _whole(_text(spec["end"]))
    elif spec.get("count") is not None:
        count = _whole(_text(spec["count"]))
        if count == 0:
            return []
        end = start + count - 1
    else:
        raise LanguageError("neither end nor count was specified in withSequence")
    check_count(abs(end - start) + 1, limit)
    template = spec.get("format") or "%d"
    step = 1 if start <= end else -1
    return [_sequence_item(goformat.sprintf(template, number)) for number in range(start, end + step, step)]


def _sequence_item(text: str) -> Item:
    """Argo puts the number between quotes and reads it as JSON."""
    if text.isprintable() and not ('"' in text or "\\" in text):
        return make_item(text)
    control = next((character for character in text if character < " "), None)
    if control is not None:
        raise LanguageError(f"invalid character {control!r} in string literal")
    return make_item(gojson.loads(f'"{text}"'))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else gojson.dumps(value)


def check_count(count: int, limit: int) -> None:
    """Refuse a loop that is too long before anything of it runs."""
    if count > limit:
        raise LimitError(f"a loop of {count} items is refused: at most {limit} are run (the project's max_items)")


def parameter_items(text: str, limit: int) -> list[Item]:
    """The items of a `withParam`.

    Raises:
        LanguageError: not a JSON list, worded as Argo words it.
    """
    try:
        values = gojson.loads(text, raw_numbers=True)
    except LanguageError as error:
        raise LanguageError(
            f"withParam value could not be parsed as a JSON list: {text.strip()}: {error.message}"
        ) from None
    if values is None:
        return []
    if not isinstance(values, list):
        kind = {dict: "object", str: "string", bool: "bool"}.get(type(values), "number")
        raise LanguageError(
            f"withParam value could not be parsed as a JSON list: {text.strip()}: "
            f"json: cannot unmarshal {kind} into Go value of type []v1alpha1.Item"
        )
    check_count(len(values), limit)
    return [make_item(value) for value in values]


def items_of(holder: Mapping[str, Any], limit: int) -> list[Item]:
    """All items of a loop, its texts already substituted.

    Raises:
        LanguageError: they cannot be read or are too many.
    """
    if holder.get("withItems"):
        check_count(len(holder["withItems"]), limit)
        return [make_item(gojson.loads(gojson.dumps(value), raw_numbers=True)) for value in holder["withItems"]]
    if holder.get("withParam"):
        return parameter_items(holder["withParam"], limit)
    return sequence(holder["withSequence"], limit)
