"""Limits are named where they refuse, and so is the setting that can raise them."""

from __future__ import annotations

import json

import pytest

from tests.unit.fubini.manifests.build import check, steps

LOOPS = {
    "withItems": "withItems: [" + ", ".join(["1"] * 11) + "]",
    "withParam": "withParam: '" + json.dumps(list(range(11))) + "'",
    "a count": "withSequence: {count: 11}",
    "an end": "withSequence: {start: 1, end: 11}",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_a_loop_is_held_to_the_project_s_own_limit(loop: str) -> None:
    text = steps(
        f"{{name: a, template: take, {loop}, arguments: {{parameters: [{{name: x, value: '{{{{item}}}}'}}]}}}}"
    )
    assert check(text, max_items=11).errors == ()
    (error,) = check(text, max_items=10).errors
    assert (error.code, error.found) == ("too-many-items", "11 items")
    assert "at most 10" in error.allowed and "max_items" in error.allowed
    assert "administrator" in error.help and "200,000" in error.help


def test_a_project_at_the_highest_limit_is_not_told_to_raise_it() -> None:
    (error,) = check(steps("{name: a, template: leaf, withSequence: {count: 200001}}"), max_items=200_000).errors
    assert "administrator" not in error.help
    assert check(steps("{name: a, template: leaf, withSequence: {count: 200000}}"), max_items=200_000).errors == ()


HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: a}\nspec:\n"
TEXTS = {
    "size": (HEAD + "# " + "x" * (2 << 20), "too-large", "2 MiB"),
    "depth": (HEAD + "  a: " + "[" * 70 + "]" * 70, "too-deep", "64"),
    "aliases": (
        HEAD + "  a: &a [" + "x, " * 50 + "]\n  b: &b [" + "*a, " * 50 + "]\n  c: [" + "*b, " * 50 + "]\n",
        "alias",
        "4",
    ),
}


@pytest.mark.parametrize(("text", "code", "limit"), TEXTS.values(), ids=TEXTS.keys())
def test_what_is_refused_before_it_is_built_names_its_limit(text: str, code: str, limit: str) -> None:
    (error,) = check(text).errors
    assert code in error.code
    assert limit in error.allowed
    assert error.path and error.line and error.help
