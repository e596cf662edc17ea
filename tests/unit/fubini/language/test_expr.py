"""expr-lang: values, what the compiler refuses, what an expression refers to, limits."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.language import expr
from fubini.language.errors import LanguageError, LimitError
from fubini.language.expr.builtins import ARGO

SCOPE: dict[str, Any] = {
    **ARGO,
    "inputs": {"parameters": {"n": "3", "name": "bob"}},
    "steps": {"x-y": {"outputs": {"result": "[1,2,3]"}, "status": "Succeeded"}},
    "retries": "2",
}


def value(text: str) -> Any:
    node = expr.parse(text)
    expr.compile_check(node, SCOPE)
    return expr.evaluate(node, SCOPE)


VALUES = {
    "arithmetic": ("1 + 2 * 3", 7),
    "division is a float": ("7 / 2", 3.5),
    "division by zero is infinite": ("1 / 0 > 1000000", True),
    "modulo keeps the sign": ("-7 % 3", -1),
    "power is right associative": ("2 ** 3 ** 2", 512.0),
    "asInt": ("asInt(inputs.parameters.n) + 1", 4),
    "names with hyphens": ("len(fromJSON(steps['x-y'].outputs.result))", 3),
    "missing members are nil": ("inputs.parameters.none ?? 'd'", "d"),
    "optional chains": ("inputs?.nothing?.more", None),
    "predicates": ("filter([1, 2, 3], {# > 1})", [2, 3]),
    "predicates without braces": ("map([{'e': 1}], .e)", [1]),
    "pipes": ("[3, 1, 2] | sort() | first()", 1),
    "reduce with accumulator": ("reduce(1..4, #acc + #, 10)", 20),
    "groupBy": ("groupBy(['ab', 'ac', 'b'], #[0:1])", {"a": ["ab", "ac"], "b": ["b"]}),
    "let": ("let x = 3; x * x", 9),
    "if": ("if 1 > 2 {'a'} else {'b'}", "b"),
    "ternary": ("true ? 1 : 2", 1),
    "in and not in": ("'a' in ['a'] and 'b' not in ['a']", True),
    "matches": ("'exit code 41' matches 'code 4[01]'", True),
    "contains": ("'abc' contains 'b'", True),
    "slices": ("'abcdef'[1:3]", "bc"),
    "negative index": ("[1, 2, 3][-1]", 3),
    "string of a number": ("string(1.50)", "1.5"),
    "toJson sorts keys": ("toJson({'b': 1, 'a': [1.5, '<']})", '{"a":[1.5,"\\u003c"],"b":1}'),
    "jsonpath": ("jsonpath('{\"a\":[{\"b\":1}]}', '$.a[0].b')", 1),
    "jsonpath with many": ('jsonpath(\'{"a":[{"b":1},{"b":2}]}\', \'$.a[*].b\')', [1, 2]),
    "sprig": ("sprig.upper(sprig.trunc(2, 'abcd'))", "AB"),
    "sprig numbers are lenient": ("sprig.add('2', 3)", 5),
    "sprig defaults": ("sprig.default('x', '')", "x"),
    "no text is an empty text to sprig": (
        "sprig.upper(nil) + sprig.trunc(3, nil) + sprig.replace(nil, 'x', 'ab')",
        "xaxbx",
    ),
    "comments": ("1 /* one */ + 1 // two", 2),
    "escapes": ("'a\\n\\u0041'", "a\nA"),
}


@pytest.mark.parametrize(("text", "want_value"), VALUES.values(), ids=VALUES.keys())
def test_expressions_have_their_value(text: str, want_value: Any) -> None:
    assert value(text) == want_value


REFUSED = {
    "unknown name": ("nobody.x", "unknown name nobody"),
    "text against number": ("retries > 1", "mismatched types string and int"),
    "text and number": ("'a' + 1", "mismatched types string and int"),
    "a field of a text": ("inputs.parameters.n.b", "cannot fetch b from string"),
    "a field of nil": ("inputs.nothing.more", "cannot fetch more from <nil>"),
    "an index too far": ("[1][5]", "index out of range"),
    "not a number": ("asInt('twelve')", "int(twelve)"),
    "no condition": ("1 ? 2 : 3", "non-bool expression"),
    "a list as a key": ("inputs[[1]]", "cannot use []interface {} as a key"),
    "groups by lists": ("groupBy([1], [#])", "as a key of a map"),
    "a map in a map": ("{'a': 1} in inputs", "cannot use map[string]interface {} as a key"),
    "unfinished": ("1 +", "unexpected token EOF"),
    "the clock": ("now()", "clock"),
    "an unknown sprig function": ("sprig.uuidv4()", "not callable"),
}


@pytest.mark.parametrize(("text", "want_words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_value_says_why(text: str, want_words: str) -> None:
    with pytest.raises(LanguageError) as caught:
        value(text)
    assert want_words in caught.value.message


def test_errors_show_their_place_as_expr_lang_shows_it() -> None:
    text = "1 +\n  nobody"
    with pytest.raises(LanguageError) as caught:
        value(text)
    assert caught.value.located(text) == "unknown name nobody (2:3)\n |   nobody\n | ..^"


def test_lists_that_share_their_parts_count_as_they_are_written_out() -> None:
    assert value("len(string(reduce(1..10, [#acc, #acc], 1)))") > 2**10
    with pytest.raises(LimitError, match="builds too much"):
        value("reduce(1..200, {{'a': #acc, 'b': #acc}}, 1)")


def test_uniq_tells_elements_apart_as_equality_does() -> None:
    assert value("uniq([1, 1.0, '1', true, [1], [1.0], {'a': 1}, {'a': 1}, nil, nil, 1])") == [
        1, "1", True, [1], {"a": 1}, None,
    ]  # fmt: skip


def test_a_range_beyond_the_limit_is_named() -> None:
    with pytest.raises(LimitError, match="100000 elements"):
        value("len(1..200000)")


def test_identifiers_leave_guarded_paths_out() -> None:
    node = expr.parse("(steps.a.outputs.result ?? 'd') + inputs.parameters.x + tasks?.b.c")
    found = expr.identifiers(node)
    assert "steps" in found and "steps.a.outputs.result" not in found
    assert "inputs.parameters.x" in found
    assert "tasks" in found and "tasks.b.c" not in found


def test_conditions_must_be_bool() -> None:
    with pytest.raises(LanguageError, match=r"unable to cast expression result '%!s\(int=1\)' to bool"):
        expr.evaluate_bool(expr.parse("1"), SCOPE, "1")


def test_a_tag_left_in_an_expression_is_reported_in_expr_langs_words() -> None:
    with pytest.raises(LanguageError, match=r'^a map key must be .* \(unexpected token Bracket\("\{"\)\)$'):
        expr.parse("asInt({{retries}}) < 2")


@pytest.mark.parametrize(
    ("text", "want_type"),
    [
        ("toJSON(groupBy([1, 2], # % 2))", "map[interface {}][]interface {}"),
        ("toJson(fromPairs([['a', 1]]))", "map[interface {}]interface {}"),
    ],
)
def test_maps_with_keys_of_any_type_have_no_json(text: str, want_type: str) -> None:
    with pytest.raises(LanguageError, match="unsupported type") as caught:
        value(text)
    assert want_type in str(caught.value)
