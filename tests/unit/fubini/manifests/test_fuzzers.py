"""The fuzzers themselves: a few inputs pass, and their oracle sees planted faults."""

from __future__ import annotations

import random

import pytest

from fubini.language.errors import LanguageError
from fubini.manifests import check as check_module
from fubini.manifests.findings import Finding, Report
from tests.fuzz import dags, expressions, manifests
from tests.fuzz.common import FuzzResult
from tests.unit.fubini.manifests.build import check


def test_the_good_manifests_are_good_and_many() -> None:
    assert len(manifests.GOOD) >= 30
    library = [
        check(path.read_text()).document
        for path in manifests.GOOD
        if path.stem in ("template-only", "cluster-template")
    ]
    for path in manifests.GOOD:
        report = check(path.read_text(), library=[d for d in library if d])
        assert report.errors == (), path.stem


def test_a_few_hostile_manifests_pass_and_are_repeatable() -> None:
    first, second = manifests.run(150, 7, first=1000), manifests.run(150, 7, first=1000)
    assert first.failures == []
    assert first.inputs == 150
    assert first.outcomes == second.outcomes


def test_a_few_hostile_expressions_pass_and_are_repeatable() -> None:
    first, second = expressions.run(200, 7, first=1000), expressions.run(200, 7, first=1000)
    assert first.failures == []
    assert first.inputs == 200
    assert first.outcomes == second.outcomes
    for language in expressions.LANGUAGES:
        assert first.outcomes[f"{language}: read"] and first.outcomes[f"{language}: refused"]


def test_the_oracle_of_expressions_sees_planted_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(text: str) -> object:
        if text == "raise":
            raise KeyError("planted")
        if text == "place":
            raise LanguageError("planted", 99)
        if text == "hang":
            while True:
                pass
        return f"the environment says {expressions.CANARY}"

    monkeypatch.setattr(expressions, "MAX_WALL_S", 0.2)
    monkeypatch.setitem(expressions.LANGUAGES, "expr", (planted, expressions.LANGUAGES["expr"][1]))
    for text, want in (
        ("raise", "KeyError"),
        ("place", "an error at 99"),
        ("hang", "no end after"),
        ("x", "environment"),
    ):
        result = FuzzResult("expressions", 1)
        expressions._judge(result, "expr", text, "planted", twice=False)
        assert any(want in failure for failure in result.failures), (text, result.failures)


def test_a_few_graph_shapes_pass() -> None:
    result = dags.run(40, 7, first=1000)
    assert result.failures == []
    assert result.inputs == 40
    assert any(o.startswith("ran: ") for o in result.outcomes)
    assert any(o.startswith("refused: ") for o in result.outcomes)


def test_a_loop_over_a_million_items_of_a_result_ends_at_the_limit() -> None:
    result = FuzzResult("dags", 1)
    dags._judge(result, dags.million_in_steps(random.Random(1)), "here")
    assert result.failures == []
    assert list(result.outcomes) == ["ended at a limit: a million items from a result"]


@pytest.mark.parametrize(
    ("report", "want"),
    [
        (Report(None), "no document and no error"),
        (Report({}, (Finding("error", "c", "a", 0, 1, "m", "f", "a", "", "h"),)), "no line and column"),
        (Report({}, (Finding("error", "c", "", 1, 1, "m", "f", "a", "", "h"),)), "no path"),
        (Report({}, (Finding("error", "c", "a", 1, 1, "m", "", "a", "", "h"),)), "lacks found"),
        (
            Report({}, (Finding("error", "c", "a", 1, 1, "m", "f", "a", "", "h", "unsupported"),)),
            "begins with its path",
        ),
        (Report({}, (Finding("error", "c", "a", 1, 1, "m\x1b", "f", "a", "", "h"),)), "control characters"),
    ],
)
def test_the_oracle_sees_a_planted_fault(monkeypatch: pytest.MonkeyPatch, report: Report, want: str) -> None:
    monkeypatch.setattr(manifests, "check_manifest", lambda *a, **k: report)
    result = FuzzResult("manifests", 1)
    manifests._judge(result, 1, "planted", "a: 1", [], None)
    assert any(want in failure for failure in result.failures)


def test_the_oracle_sees_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*a: object, **k: object) -> Report:
        raise RecursionError("planted")

    monkeypatch.setattr(manifests, "check_manifest", broken)
    result = FuzzResult("manifests", 1)
    manifests._judge(result, 1, "planted", "a: 1", [], None)
    assert "RecursionError" in result.failures[0]
    assert check_module.check_manifest is not broken


def test_a_shape_that_is_wrongly_refused_or_accepted_is_a_failure() -> None:
    sound = dags.sound_dag(random.Random(1))
    sound.document["spec"]["entrypoint"] = "gone"
    result = FuzzResult("dags", 1)
    dags._judge(result, sound, "planted")
    assert "sound shape is refused" in result.failures[0]
    broken = dags.cycle(random.Random(1))
    for task in broken.document["spec"]["templates"][0]["dag"]["tasks"]:
        task.pop("depends", None)
        task.pop("dependencies", None)
    dags._judge(result, broken, "planted")
    assert "want one of" in result.failures[1]
