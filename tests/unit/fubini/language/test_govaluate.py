"""`when` conditions, judged as the controller judges them."""

from __future__ import annotations

import pytest

from fubini.language.errors import LanguageError
from fubini.language.govaluate import MAX_LENGTH, parse, parse_time, should_execute

JUDGED = {
    "an empty condition runs": ("", True),
    "bare words are texts": ("heads == heads", True),
    "bare words may differ": ("heads == tails", False),
    "bare numbers are numbers": ("1.0 == 1", True),
    "quoted numbers are texts": ("'1' == 1", False),
    "two quoted numbers compare as texts": ("'10' < '9'", True),
    "bare numbers compare as numbers": ("10 < 9", False),
    "quoted dates compare as times": ('"2020-02-01" > "2020-01-31T23:00:00Z"', True),
    "a quoted hyphenated word is a text": ('"a-b" == "a-b"', True),
    "and binds tighter than or": ("true || false && false", True),
    "parentheses": ("(true || false) && false", False),
    "negation of a clause": ("!(1 == 2)", True),
    "negative numbers": ("-1 < 0", True),
    "subtraction is left associative": ("10 - 2 - 3 == 5", True),
    "a list holds a value": ("x in (a, b, x)", True),
    "a list lacks a value": ("x in (a, b)", False),
    "a pattern matches anywhere": ("'run-17' =~ '[0-9]+$'", True),
    "a pattern may be denied": ("'run' !~ '[0-9]'", True),
    "a ternary": ("1 > 2 ? false : true", True),
    "hexadecimal": ("0x1F == 31", True),
    "short circuit leaves the rest alone": ("false && word", False),
}


@pytest.mark.parametrize(("when", "want_value"), JUDGED.values(), ids=JUDGED.keys())
def test_conditions_are_judged(when: str, want_value: bool) -> None:
    assert should_execute(when) is want_value


REFUSED = {
    "a bare hyphen subtracts texts": ("a-b == a-b", "cannot be used with the modifier '-'"),
    "an unresolved tag": ("{{item}} == 1", "Invalid token: '{{' (hint: try wrapping"),
    "two values side by side": ("1 2", "Cannot transition token types from NUMERIC [1] to NUMERIC [2]"),
    "no value at the end": ("1 ==", "Unexpected end of expression"),
    "an open parenthesis": ("(1 == 1", "Unbalanced parenthesis"),
    "an open string": ("'abc == 1", "Unclosed string literal"),
    "a number is no answer": ("5", "Expected boolean evaluation for '5'. Got 5"),
    "a word is no answer": ("yes", "Expected boolean evaluation for 'yes'. Got yes"),
    "and over a word": ("true && yes", "it is not a bool"),
    "text against number": ("1 < a", "cannot be used with the comparator '<'"),
    "a function": ("f(1) == 1", "Undefined function f"),
    "a field": ("a.b == 1", "Unable to access unexported field 'b'"),
    "a number beyond 64 bits": ("0x" + "F" * 17 + " == 1", "Unable to parse hex value"),
    "thousands of parts": ("1 == 1" + " && 1 == 1" * 5_000, "too many parts"),
    "a bad pattern": ("'a' =~ '('", "error parsing regexp"),
}


@pytest.mark.parametrize(("when", "want_words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_judged_says_why(when: str, want_words: str) -> None:
    with pytest.raises(LanguageError) as caught:
        should_execute(when)
    assert want_words in caught.value.message


def test_a_position_points_at_the_token() -> None:
    with pytest.raises(LanguageError) as caught:
        parse("1 == 1 @ 2")
    assert caught.value.position == 7


def test_long_and_deep_conditions_are_refused_at_once() -> None:
    with pytest.raises(LanguageError, match="characters long"):
        parse("a" * (MAX_LENGTH + 1))
    with pytest.raises(LanguageError, match="nested deeper"):
        parse("(" * 5000 + "true" + ")" * 5000)


@pytest.mark.parametrize("text", ["2020-13-01", "2020-1-1", "soon", "12", "1.2.3"])
def test_texts_that_only_look_like_dates_stay_texts(text: str) -> None:
    assert parse_time(text) is None
