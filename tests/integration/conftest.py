"""One running Fubini for all tests that only use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cli import Cli, cli_on
from tests.support.stack import Stack, stack


@pytest.fixture(scope="session")
def running() -> Iterator[Stack]:
    with stack() as started:
        yield started


@pytest.fixture
def fubini(running: Stack) -> Cli:
    return cli_on(running.home)
