"""Money, sizes, times and tables as people see them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fubini.cli import output

MONEY = [(0, "0.00"), (1, "0.000001"), (1_500_000, "1.50"), (-250_000, "-0.25"), (1_234_567_890_000, "1,234,567.89")]


@pytest.mark.parametrize(("micros", "want"), MONEY)
def test_money_shows_every_micro_and_no_float(micros: int, want: str) -> None:
    assert output.money(micros) == want


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_money_typed_as_it_was_shown_is_the_same_amount(micros: int) -> None:
    assert output.micros_of(output.money(micros)) == micros


@pytest.mark.parametrize("text", ["", "-", ".", "1e3", "1.0000001", "١", "0x10", "1.2.3", "nan", "1 000"])
def test_what_is_not_an_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        output.micros_of(text)


@given(st.text())
def test_no_text_can_steer_a_terminal(text: str) -> None:
    shown = output.plain(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert shown == text or not text.isprintable()


def test_wide_characters_keep_columns_straight() -> None:
    lines = output.table([["模型", "x"], ["ab", "y"]], ["NAME", "V"]).splitlines()
    assert [output.width(line[: line.index(mark)]) for line, mark in zip(lines, "Vxy", strict=True)] == [6, 6, 6]


DURATIONS = [(None, "-"), (3.21, "3.2 s"), (42, "42 s"), (185, "3:05 min"), (7800, "2:10 h"), (273_600, "3 d 4 h")]


@pytest.mark.parametrize(("seconds", "want"), DURATIONS)
def test_durations_use_the_unit_people_would(seconds: float | None, want: str) -> None:
    assert output.duration(seconds) == want


SIZES = [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (250_000, "250 kB"), (3_200_000_000, "3.2 GB")]


@pytest.mark.parametrize(("count", "want"), SIZES)
def test_sizes_are_decimal(count: int, want: str) -> None:
    assert output.size(count) == want
