"""Money and bytes in every sentence, and that the scheduler's reasons and the platform's say them alike."""

from __future__ import annotations

import pytest

from fubini.common.figures import amount, money, size
from fubini_scheduler.reasons import Figure

MICROS = [0, 1, 1_500_000, -250_000, 1_234_567_890_000]
BYTES = [0, 1, 1023, 1024, 1536, 256 << 20, 900 << 30, (1 << 40) - 1, 1 << 50, 5000 << 50]


@pytest.mark.parametrize("micros", MICROS)
def test_the_core_and_the_platform_show_the_same_sum(micros: int) -> None:
    assert f"{Figure(micros):money}" == amount(micros) == money(micros, "")
    assert f"{Figure.of(micros, 'EUR'):money}" == money(micros, "EUR") == f"{amount(micros)} EUR"


@pytest.mark.parametrize("count", BYTES)
def test_the_core_and_the_platform_show_the_same_size(count: int) -> None:
    assert f"{Figure(count):size}" == size(count)


def test_sizes_are_binary_and_named_so() -> None:
    assert [size(n) for n in (1023, 1536, 900 << 30, 5000 << 50)] == ["1023 B", "1.5 KiB", "900 GiB", "5000 PiB"]
