"""Paths into an object and conditions on it, as resource templates use them."""

from __future__ import annotations

import pytest

from fubini.language import conditions, jsonpath
from fubini.language.errors import LanguageError

RUN = {
    "metadata": {"name": "child-1", "labels": {"a.b/c": "x"}},
    "status": {
        "phase": "Succeeded",
        "count": 4,
        "done": True,
        "outputs": {"parameters": [{"name": "loss", "value": "0.5"}, {"name": "steps", "value": "9"}]},
    },
}


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("{.status.phase}", "Succeeded"),
        ("{.metadata.name}", "child-1"),
        ("status.phase", "Succeeded"),
        ("$.status.phase", "Succeeded"),
        ("{.status.outputs.parameters[0].value}", "0.5"),
        ("{.status.outputs.parameters[-1].value}", "9"),
        ("{.status.outputs.parameters[*].name}", "loss steps"),
        ('{.status.outputs.parameters[?(@.name=="steps")].value}', "9"),
        ("{.status.outputs.parameters[?(@.name == 'loss')].value}", "0.5"),
        ("{.metadata.labels['a.b/c']}", "x"),
        ("{.status.count}", "4"),
        ("{.status.done}", "true"),
        ("{.status.nothing.here}", ""),
        ("{.status.outputs.parameters[7]}", ""),
        ("{.status.outputs.parameters[1]}", '{"name":"steps","value":"9"}'),
    ],
)
def test_a_path_finds_what_kubectl_prints(path: str, want: str) -> None:
    assert jsonpath.value_at(path, RUN) == want


@pytest.mark.parametrize("path", ["{.a[}", "{..a}", "{.a[?(@.x>1)]}", "{range .items[*]}", "." + "a." * 600])
def test_what_is_no_path_here_is_refused(path: str) -> None:
    with pytest.raises(LanguageError, match="JSONPath"):
        jsonpath.value_at(path, RUN)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("status.phase == Succeeded", True),
        ("status.phase=Succeeded", True),
        ("status.phase != Succeeded", False),
        ("status.phase in (Failed, Error)", False),
        ("status.phase notin (Failed, Error)", True),
        ("status.count > 3, status.count < 5", True),
        ("status.count > 4", False),
        ("status.phase == Succeeded,status.count > 9", False),
        ("status.done == true", True),
        ("metadata.name", True),
        ("!metadata.deletionTimestamp", True),
        ("status.outputs.parameters.0.name == loss", True),
        ("status.missing == x", False),
        ("status.missing != x", True),
    ],
)
def test_a_condition_looks_into_the_object(text: str, want: bool) -> None:
    assert all(r.matches(RUN) for r in conditions.parse(text)) is want


@pytest.mark.parametrize("text", ["status.phase ==== x y", "in (a)", "(", "a in b", "a == b c", "x" * 2001])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(LanguageError, match="condition"):
        conditions.parse(text)


def test_a_condition_is_told_as_kubernetes_tells_it() -> None:
    assert [str(r) for r in conditions.parse("status.phase in (Failed, Error),!a,b,c!=d")] == [
        "status.phase in (Error,Failed)",
        "!a",
        "b",
        "c!=d",
    ]
