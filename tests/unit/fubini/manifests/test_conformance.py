"""What the real controller refused is refused, and what it accepted is not: every recorded case."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from fubini.manifests.check import check_manifest
from fubini.manifests.supported import SupportedFields
from tests.unit.fubini.manifests.shared import shared_folder

CASES = "conformance/argo/cases"


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(shared_folder(CASES).glob("*.json"))]


def test_every_case_is_judged_as_the_controller_judged_it(cases: list[dict[str, Any]]) -> None:
    wrong: list[str] = []
    counts = {True: 0, False: 0}
    for case in cases:
        library = [yaml.safe_load(extra) for extra in case.get("extras", [])]
        report = check_manifest(case["manifest"], supported=SupportedFields.everything(), library=library)
        accepted = not report.invalid
        counts[case["accepted"]] += 1
        if accepted != case["accepted"]:
            reason = case.get("message", "") if accepted else [f"{f.path}: {f.message}" for f in report.invalid]
            wrong.append(f"{case['name']}: Argo {'accepts' if case['accepted'] else 'refuses'}: {reason}")
    assert wrong == []
    assert counts[True] >= 500
    assert counts[False] >= 80


# What Argo takes without a word and then stumbles over: a warning says so before.
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("refuse-hook-template-unknown", "unknown-template"),
        ("refuse-extra-argument", "unknown-argument"),
        ("refuse-input-enum-value", "not-allowed"),
        ("refuse-memoize-max-age", "duration"),
        ("refuse-retry-backoff-duration", "duration"),
        ("refuse-retry-expression-syntax", "expression"),
        ("refuse-retry-limit-word", "not-a-number"),
        ("refuse-script-without-source", "no-source"),
        ("refuse-sequence-no-end", "no-end"),
        ("refuse-unknown-variable-root", "unknown-root"),
        ("refuse-volume-mount-undeclared", "unknown-volume"),
        ("refuse-when-not-boolean", "not-boolean"),
    ],
)
def test_what_goes_wrong_later_is_a_warning(cases: list[dict[str, Any]], name: str, code: str) -> None:
    case = next(c for c in cases if c["name"] == name)
    report = check_manifest(case["manifest"], supported=SupportedFields.everything())
    assert code in [f.code for f in report.warnings]
    assert report.ok


def test_most_accepted_cases_have_no_warnings(cases: list[dict[str, Any]]) -> None:
    """A warning on what runs well would teach people to look away."""
    warned = 0
    for case in cases:
        if case["accepted"]:
            library = [yaml.safe_load(extra) for extra in case.get("extras", [])]
            report = check_manifest(case["manifest"], supported=SupportedFields.everything(), library=library)
            warned += bool(report.warnings)
    assert warned <= 30
