"""What an expression may cost, counted and not timed: every text ends within the counts, and nothing works uncharged.

`calls_of` counts the functions that the interpreter and the C library enter, which is the same on every machine.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from fubini.language import expr, regex
from fubini.language.depends import TaskResults
from fubini.language.depends import parse as parse_depends
from fubini.language.errors import LanguageError, LimitError
from fubini.language.expr.builtins import _PLAIN, ARGO
from fubini.language.expr.sprig import SPRIG

limits = importlib.import_module("fubini.language.expr.evaluate")  # the package names a function alike

SCOPE: dict[str, Any] = {**ARGO, "inputs": {"parameters": {"n": "3"}}}
COMPILING = 2_500  # what a pattern or path of the longest kind takes to read
CALLS_A_PART = 25  # the dearest are nested values that are written as JSON

HOSTILE = [
    "1..1000000000",
    "map(1..90000, {map(1..90000, {#})})",
    "repeat('x', 100000000)",
    "reduce(1..100, #acc + #acc, 'aaaaaaaaaaaaaaaa')",
    "(" * 3000 + "1" + ")" * 3000,
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' matches '^(a+)+$'",
    "2 ** 2 ** 2 ** 2 ** 2 ** 2 ** 2",
    "[" * 5000,
    "sprig.until(100000000)",
    "1" + "+1" * 4_000,
    "inputs" + ".a" * 9_000,
    "replace(repeat('x', 50000), 'x', repeat('x', 50000))",
    "sprig.replace('x', repeat('x', 50000), repeat('x', 50000))",
    "sprig.indent(3000000, repeat('\\n', 3000000))",
    "sprig.regexReplaceAllLiteral('x', repeat('x', 5000), repeat('y', 3000000))",
    "uniq(map(1..50000, {[#]}))",
    "string(reduce(1..200, [#acc, #acc], 1))",
    "reduce(1..200, [#acc, #acc], 1) == reduce(1..200, [#acc, #acc], 1)",
    "sprig.deepEqual(reduce(1..60, [#acc, #acc], 1), 1)",
    "toJSON(map(1..5000, {repeat('x', 50000)}))",
    "toJSON(reduce(1..190, [#acc], 1..90000))",
    "reduce(1..1000, len(1..90000))",
    "reduce(1..60000, {#acc + 'a'}, repeat('x', 3900000))",
    "let x = repeat('x', 3900000); let y = repeat('x', 3900000); filter(1..60000, {x == y})",
    "let x = repeat('x', 3900000); map(1..60000, {len(x[1:])})",
    "let x = repeat('a', 5000); map(1..20000, {x matches '(a|aa)+$'})",
    "let x = repeat('a', 5000); map(1..20000, {sprig.regexMatch('(a|aa)+b$', x)})",
    "let x = 1..90000; map(1..20000, {5.5 in x})",
    "sort(map(1..60000, {string(#)}))",
    "let x = map(1..300, {1..300}); map(1..1000, {toJSON(x)})",
    "let x = map(1..300, {1..300}); let y = map(1..300, {1..300}); map(1..1000, {x == y})",
    "count(1..60000, {repeat('x', 4000000) == ''})",
    "sprig.regexFind('a*a*b', repeat('a', 5000))",
    "sprig.regexFind('((a+))+b', repeat('a', 40))",
    "jsonpath(repeat('[', 100) + repeat(']', 100), '$' + repeat('..*', 6))",
    "jsonpath('[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"]', '$[?@ =~ /(a+)+$/]')",
    "sprig.regexFind(repeat('a?', 30) + repeat('a', 30), repeat('a', 30))",
    "map(1..20000, {sprig.regexReplaceAll('a+b', repeat('a', 1000), '')})",
]


def calls_of(work: Callable[[], Any]) -> int:
    entered = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal entered
        entered += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    except LanguageError as error:
        assert error.message
    finally:
        sys.setprofile(before)
    return entered


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_expressions_stay_within_the_counts(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_STEPS", "MAX_WORK", "MAX_BUILT", "MAX_WEIGHT"):  # a tenth says the same and is counted sooner
        monkeypatch.setattr(limits, name, getattr(limits, name) // 10)
    try:
        node = expr.parse(text)
        expr.compile_check(node, SCOPE)
    except LimitError as error:
        assert error.message
        return
    run = limits.Runtime(SCOPE)
    entered = calls_of(lambda: run.run(node))
    assert run.steps <= limits.MAX_STEPS + 1
    assert run.work <= limits.MAX_WORK
    assert run.built <= limits.MAX_BUILT + limits.PART * limits.MAX_ELEMENTS
    # What is entered is paid for.
    assert entered <= COMPILING + CALLS_A_PART * (run.steps + run.work + run.built // limits.PART)


LIST = [f"{n % 97}" for n in range(600)]
NESTED = [[str(n), [n]] for n in range(400)]
MAP = {f"k{n}": n for n in range(200)}
TEXT = "a1 b2-" * 4_000
JSON = "[" + ",".join("[1]" for _ in range(300)) + "]"
FORMS = [(LIST,), (NESTED,), (MAP,), (TEXT,), (JSON,), (TEXT, " "), (" ", TEXT), (LIST, "7"), ("7", LIST), (MAP, "k7")]
FORMS += [(LIST, LIST), (TEXT, "a", "bb"), ("a", "bb", TEXT), (3, TEXT), ([*range(300)],), (JSON, "$[*]"), (MAP, MAP)]
FUNCTIONS = {name: _PLAIN[name] for name in _PLAIN} | {f"sprig.{n}": SPRIG[n] for n in SPRIG}
FUNCTIONS |= {name: ARGO[name] for name in ARGO if name != "sprig"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_charges_for_what_it_reads_and_makes(name: str) -> None:
    for form in FORMS:
        scope = {**SCOPE, **{f"x{n}": value for n, value in enumerate(form)}}
        node = expr.parse(f"{name}({', '.join(f'x{n}' for n in range(len(form)))})")
        calls_of(lambda node=node, scope=scope: limits.Runtime(scope).run(node))  # type: ignore[misc]  # imports
        run = limits.Runtime(scope)
        entered = calls_of(lambda run=run, node=node: run.run(node))  # type: ignore[misc]
        assert entered <= COMPILING + CALLS_A_PART * (run.steps + run.work), (name, [str(value)[:20] for value in form])


def test_equality_membership_and_slices_charge_for_their_parts() -> None:
    for text, want_work in (
        ("x == y", 3_000),
        ("'no' in x", 1_500),
        ("x[1:]", 1_400),
        ("t + 'a'", 100),
        ("t[1:]", 100),
    ):
        run = limits.Runtime({"x": [1] * 1_500, "y": [1] * 1_500, "t": "x" * 110_000})
        run.run(expr.parse(text))
        assert run.work >= want_work, text


def test_what_is_seen_at_a_glance_is_not_charged_by_its_size() -> None:
    run = limits.Runtime({"x": list(range(90_000))})
    assert run.run(expr.parse("sum(1..1000, {len(x)})")) == 90_000_000
    assert run.work < 10_000


PATTERNS = ["(a+)+$", r"(\w+\s?)*$", "(a|aa)+$", "(a*)*b", "a*a*a*a*a*a*b", "(x+x+)+y"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_that_hang_other_matchers_follow_each_state_at_most_once_a_character(pattern: str) -> None:
    text = "a" * 5_000 + "!"
    compiled = regex.compile(pattern)
    found, states = compiled.looked(text)
    assert not found or states
    assert states <= (len(text) + 1) * (len(compiled._states) + 1)


def test_a_search_that_would_take_too_many_states_is_refused() -> None:
    with pytest.raises(LimitError, match="steps"):
        regex.compile("(a|b|c|d|e|f|g|h)*" * 20 + "!").search("abcdefgh" * 2_000)


def test_the_work_for_depends_grows_as_its_names_do() -> None:
    def work(count: int) -> int:
        names = [f"task-{n}" for n in range(count)]
        results = dict.fromkeys(names, TaskResults(Succeeded=True))
        return calls_of(lambda: parse_depends(" && ".join(names)).evaluate(results))

    assert work(4_000) < 2.2 * work(2_000)
