"""Patterns: the same answers as Python's matcher where both know the syntax, and no pattern that hangs."""

from __future__ import annotations

import random
import re

import pytest

from fubini.language import regex
from fubini.language.errors import LanguageError, LimitError

TEXTS = ["", "a", "ab", "abc", "aXc", "xyz abc", "a\nb", "42", "exit code 41", "run-17", "aaa", "foo_bar", "A", "é"]
PATTERNS = [
    "a", "^a", "c$", "^$", "a|b", "(ab)+c?", "a*", "a{2}", "a{2,}", "a{1,2}$", "[a-c]+$", "[^a-c]", r"\d+", r"\w+\s\w+",
    r"\bcode\b", r"code 4[01]$", ".", "a.b", "(?s)a.b", "(?i)ABC", r"[\d_]", r"\.", "(?:a|x)(b|y)", "a??b", "x*y*z", r"[]a]",
    r"[a\-z]", r"\x41", "(?m)^b$", "[[:alpha:]]",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_answers_are_those_of_the_backtracking_matcher(pattern: str) -> None:
    python = re.compile(pattern.replace("[[:alpha:]]", "[A-Za-z]"), re.ASCII)
    for text in TEXTS:
        assert regex.compile(pattern).search(text) is bool(python.search(text)), (pattern, text)


def test_random_patterns_agree_with_the_backtracking_matcher() -> None:
    chance = random.Random(7)
    for _ in range(2_000):
        pattern = "".join(
            chance.choice(["a", "b", ".", "(a|b)", "[ab]", "a?", "b*", "(ab)*", "a{1,2}", "^", "$"]) for _ in range(4)
        )
        text = "".join(chance.choice("abc") for _ in range(chance.randint(0, 6)))
        assert regex.compile(pattern).search(text) is bool(re.search(pattern, text)), (pattern, text)


@pytest.mark.parametrize("pattern", ["(", ")", "[a", "*a", "a{2,1}", "\\", r"(?=a)", r"\1", "[z-a]", "a{9999}"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(LanguageError, match="error parsing regexp"):
        regex.compile(pattern)


@pytest.mark.parametrize("pattern", ["a" * 2_000, "(((a{100}){100}){100})", "(" * 100 + "a" + ")" * 100])
def test_patterns_too_large_are_refused(pattern: str) -> None:
    with pytest.raises(LimitError):
        regex.compile(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+", "a*b*c*", "(a|b)*", "((a+))+b", "(a?){9}"])
def test_replacing_takes_only_patterns_that_cannot_explode(pattern: str) -> None:
    with pytest.raises(LimitError):
        regex.compile_backtracking(pattern)
    assert regex.compile_backtracking("[0-9]+").sub("x", "a1b22") == "axbx"


def test_replacing_counts_the_ways_a_pattern_can_match() -> None:
    regex.compile_backtracking("[0-9]+[.][0-9]+", 300)
    with pytest.raises(LimitError, match="too many ways"):
        regex.compile_backtracking("[0-9]+[.][0-9]+", 5_000)
    with pytest.raises(LimitError, match="too many ways"):
        regex.compile_backtracking("a?" * 30 + "a" * 30, 30)
