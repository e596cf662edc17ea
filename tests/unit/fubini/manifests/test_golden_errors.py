"""Every message of the golden manifests, word by word: where, what was found, what is allowed, what to do next.

A file holds a manifest, a line of ``=====`` and the findings as a person reads them. After a change of wording run
with ``FUBINI_UPDATE_GOLDEN=1``, and read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from fubini.manifests.findings import Finding
from tests.unit.fubini.manifests.shared import REPOSITORY

FOLDER = REPOSITORY / "tests" / "golden" / "manifest_errors"
CASES = sorted(FOLDER.glob("*.txt"))
RULER = "=====\n"


def rendered(finding: Finding) -> str:
    lines = [
        f"{finding.severity} {finding.code} at {finding.path}, line {finding.line}, column {finding.column}",
        f"  {finding.message}",
        f"  found:   {finding.found}",
        f"  allowed: {finding.allowed}",
    ]
    if finding.nearest:
        lines.append(f"  nearest: {finding.nearest}")
    lines.append(f"  next:    {finding.help}")
    return "\n".join(lines)


def test_there_are_enough_golden_manifests() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("path", CASES, ids=[p.stem for p in CASES])
def test_the_findings_of_a_golden_manifest_are_worded_as_recorded(path: Path) -> None:
    manifest, _, want = path.read_text().partition(RULER)
    report = check_manifest(manifest, supported=SUPPORTED)
    got = "\n".join(rendered(f) for f in report.findings) + "\n"
    if os.environ.get("FUBINI_UPDATE_GOLDEN"):
        path.write_text(manifest + RULER + got)
        want = got
    assert got == want


@pytest.mark.parametrize("path", CASES, ids=[p.stem for p in CASES])
def test_each_golden_finding_says_where_what_and_what_next(path: Path) -> None:
    manifest = path.read_text().partition(RULER)[0]
    findings = check_manifest(manifest, supported=SUPPORTED).findings
    assert findings
    for finding in findings:
        assert finding.line >= 1
        assert finding.column >= 1
        assert all((finding.path, finding.message, finding.found, finding.allowed, finding.help))
