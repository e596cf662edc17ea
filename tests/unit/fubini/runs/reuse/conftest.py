"""Runs on real rows with the real engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rest import House, make_house
from tests.support.rows import Place, make_place


@pytest.fixture(autouse=True)
def check_only_engine() -> None:
    """These runs really advance: the engine above, which only checks, is not used."""


@pytest.fixture
def house(db: None, tmp_path: Any, settings: Any) -> House:
    settings.FUBINI_HOME = tmp_path
    return make_house(budget_micros=100_000_000)


@pytest.fixture
def place(db: None) -> Place:
    return make_place()
