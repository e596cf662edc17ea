"""Tags: passes, nested tags, what stays, what must resolve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fubini.language import tags
from fubini.language.errors import LanguageError
from fubini.language.expr.builtins import ARGO


class Names:
    """A scope over a plain dict of dotted names."""

    def __init__(self, **names: Any) -> None:
        self.names = {key.replace("__", "."): value for key, value in names.items()}

    def lookup(self, name: str) -> Any:
        return self.names.get(name, tags.MISSING)

    def environment(self, text: str) -> Mapping[str, Any]:
        return {**tags.expand(self.names), **ARGO}


SCOPE = Names(a="1", inputs__parameters__x="five", inputs__parameters__which="x", gone=None)

REPLACED = {
    "no tag": ("plain", "plain"),
    "one tag": ("{{a}}", "1"),
    "white space inside": ("<{{ a }}>", "<1>"),
    "unknown stays": ("{{nobody}} {{a}}", "{{nobody}} 1"),
    "an expression": ("{{=asInt(a) + 1}}", "2"),
    "an expression's structure is JSON": ("{{={'k': a}}}", "{{={'k': a}}}"),
    "a list is JSON": ("{{=[asInt(a), 2]}}", "[1,2]"),
    "nested tags open one layer a pass": (
        "{{inputs.parameters.{{inputs.parameters.which}}}}",
        "{{inputs.parameters.x}}",
    ),
    "an expression over unknown names stays": ("{{=nobody + 1}}", "{{=nobody + 1}}"),
    "an expression that cannot be computed stays": (
        "{{=asInt(inputs.parameters.x)}}",
        "{{=asInt(inputs.parameters.x)}}",
    ),
    "late variables stay": ("{{=item ?? 'd'}}", "{{=item ?? 'd'}}"),
    "no end is text": ("{{a", "{{a"),
}


@pytest.mark.parametrize(("text", "want_text"), REPLACED.values(), ids=REPLACED.keys())
def test_one_pass_replaces_what_is_known(text: str, want_text: str) -> None:
    if text == "{{={'k': a}}}":
        with pytest.raises(tags.SubstitutionError):  # the tag ends at the first pair of braces
            tags.replace(text, SCOPE)
        return
    assert tags.replace(text, SCOPE) == want_text


def test_values_are_not_expanded_in_the_same_pass() -> None:
    scope = Names(a="{{b}}", b="2")
    once = tags.replace("{{a}}", scope)
    assert once == "{{b}}"
    assert tags.replace(once, scope) == "2"


def test_strict_tags_must_resolve() -> None:
    with pytest.raises(tags.SubstitutionError, match=r"failed to resolve \{\{nobody\}\}") as caught:
        tags.replace("{{nobody}}", SCOPE, tags.always)
    assert caught.value.missing
    assert tags.replace("{{item}}", SCOPE, tags.step_references) == "{{item}}"
    with pytest.raises(tags.SubstitutionError):
        tags.replace("{{steps.a.outputs.result}}", SCOPE, tags.step_references)
    assert tags.replace("{{tasksA}}", SCOPE, tags.step_references) == "{{tasksA}}"


def test_absent_values_fail_whatever_may_stay() -> None:
    with pytest.raises(tags.SubstitutionError, match="absent optional") as caught:
        tags.replace("x-{{gone}}", SCOPE)
    assert not caught.value.missing


def test_a_strict_expression_fails_where_a_lenient_one_stays() -> None:
    with pytest.raises(tags.SubstitutionError, match=r"failed to evaluate expression: .*int\(five\)"):
        tags.replace("{{=asInt(inputs.parameters.x)}}", SCOPE, tags.step_references)


def test_parse_finds_open_tags_and_bad_expressions_with_their_place() -> None:
    assert [tag.name for tag in tags.parse("{{a}} {{ b }}")] == ["a", "b"]
    with pytest.raises(LanguageError) as caught:
        tags.parse("ok {{a")
    assert caught.value.position == 3
    with pytest.raises(LanguageError) as caught:
        tags.parse("{{=1 + }}")
    assert (caught.value.position or 0) >= 6


def test_longer_names_win_when_names_are_nested() -> None:
    assert tags.expand({"a": 1, "a.b": 2, "c.d": 3}) == {"a": {"b": 2}, "c": {"d": 3}}


def test_long_texts_are_read_anew_and_short_ones_are_remembered() -> None:
    short, long = "{{a}} " * 10, "{{a}} " * 1_000
    assert tags.split(short) is tags.split(short)
    assert tags.split(long) is not tags.split(long)
    assert tags.split(long) == tags.split(long)
