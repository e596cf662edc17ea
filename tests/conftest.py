"""What all tests share: the `needs` marker, and that no test touches the state folder or profiles of a person."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import NEEDS, missing, must_fail

# No server is found by accident: what a person's shell says does not reach the tests.
for _name in ("FUBINI_URL", "FUBINI_TOKEN", "FUBINI_TOKEN_FILE", "FUBINI_PROJECT", "FUBINI_PROFILE"):
    os.environ.pop(_name, None)
# Set by `fubini.settings.test`, which pytest-django loads before this file.
TEST_HOME = Path(os.environ["FUBINI_TEST_HOME"])
os.environ["XDG_CONFIG_HOME"] = str(TEST_HOME / "config")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("needs"):
            for name in mark.args:
                if name not in NEEDS:
                    raise pytest.UsageError(f"{item.nodeid}: no need {name!r} in tests/needs.py")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            reason = missing(name)
            if reason and must_fail(name):
                pytest.fail(f"{reason} (a missing need is a failure where CI is set)", pytrace=False)
            if reason:
                pytest.skip(reason)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In continuous integration a skip that no exempt need explains is a failure, however it came about."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI", "").lower() not in {"1", "true", "yes"} or reporter is None or exitstatus:
        return
    allowed = {missing(name) for name, need in NEEDS.items() if need.exempt}
    skipped = [r for r in reporter.stats.get("skipped", []) if isinstance(r.longrepr, tuple)]
    reasons = {r.nodeid: r.longrepr[2].removeprefix("Skipped: ") for r in skipped}
    unexplained = {nodeid for nodeid, why in reasons.items() if why not in allowed and "FUBINI_SHARED" not in why}
    for nodeid in sorted(unexplained):
        reporter.write_line(f"skipped without a reason that counts here: {nodeid}")
    if unexplained:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each unmet need how to meet it."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)}
    for reason in sorted(reasons):
        terminalreporter.write_line(f"skipped: {reason}")


@pytest.fixture(scope="session", autouse=True)
def _state_folder_goes_away() -> Iterator[None]:
    yield
    if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share it
        shutil.rmtree(TEST_HOME, ignore_errors=True)
