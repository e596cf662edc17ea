"""`depends` conditions: meaning of names, results, limits."""

from __future__ import annotations

import pytest

from fubini.language.depends import ContinueOn, TaskResults, of_dependencies, parse
from fubini.language.errors import LanguageError

OK, BAD, ERR, SKIP = (
    TaskResults(Succeeded=True),
    TaskResults(Failed=True),
    TaskResults(Errored=True),
    TaskResults(Skipped=True),
)

CASES = {
    "a bare name means success": ("a", {"a": OK}, True),
    "a bare name takes a skipped task": ("a", {"a": SKIP}, True),
    "a bare name does not take a failed one": ("a", {"a": BAD}, False),
    "a result": ("a.Failed", {"a": BAD}, True),
    "and, or, not": ("a && (b.Failed || !c.Succeeded)", {"a": OK, "b": OK, "c": BAD}, True),
    "not over a clause": ("!(a || b)", {"a": BAD, "b": BAD}, True),
    "names with hyphens": ("a-b.Succeeded && c-d", {"a-b": OK, "c-d": OK}, True),
    "any item": ("a.AnySucceeded", {"a": TaskResults(Failed=True, AnySucceeded=True)}, True),
    "a comparison is left to expr-lang": ("a.Succeeded == !a.Failed", {"a": OK}, True),
}


@pytest.mark.parametrize(("text", "results", "want_value"), CASES.values(), ids=CASES.keys())
def test_conditions_are_judged(text: str, results: dict[str, TaskResults], want_value: bool) -> None:
    assert parse(text).evaluate(results) is want_value


def test_continue_on_widens_the_bare_name() -> None:
    known = {"a": ContinueOn(failed=True)}
    assert parse("a", known).evaluate({"a": BAD})
    assert not parse("a", known).evaluate({"a": ERR})
    assert of_dependencies(["a", "b"], known).evaluate({"a": BAD, "b": OK})


def test_item_results_are_marked() -> None:
    assert parse("a.AnySucceeded && b").tasks == {"a": True, "b": False}


@pytest.mark.parametrize("text", ["a &&", "a || (b", "a.Nope", "a b", "&& a", "a ! b"])
def test_what_is_no_condition_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(LanguageError) as caught:
        parse(text)
    assert caught.value.position is not None


def test_ten_thousand_names_do_not_nest() -> None:
    names = [f"task-{n}" for n in range(10_000)]
    depends = parse(" && ".join(names))
    assert depends.evaluate(dict.fromkeys(names, OK))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(LanguageError, match="nested deeper"):
        parse("(" * 500 + "a" + ")" * 500)
