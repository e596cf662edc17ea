"""Money, sizes, times and tables as people see them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fubini.cli import output
from fubini.common.figures import CURRENCY_HEADER

MONEY = [(0, "0.00"), (1, "0.000001"), (1_500_000, "1.50"), (-250_000, "-0.25"), (1_234_567_890_000, "1,234,567.89")]


@pytest.mark.parametrize(("micros", "want"), MONEY)
def test_money_shows_every_micro_and_no_float(micros: int, want: str) -> None:
    assert output.amount(micros) == want


def test_a_sum_alone_and_a_columns_head_say_the_currency_the_server_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_currency", "")
    rows, head = [["run", output.amount(2_500_000)]], ["WHAT", f"COST{output.IN_CURRENCY}"]
    assert (output.money(2_500_000), output.table(rows, head)) == ("2.50", "WHAT  COST\nrun   2.50")
    output.currency_from({CURRENCY_HEADER: "%E5%85%83"})
    output.currency_from({})  # an answer of something between that names none
    assert (output.money(2_500_000), output.in_currency("1.00 to 2.50")) == ("2.50 元", "1.00 to 2.50 元")
    assert output.table(rows, head) == "WHAT  COST (元)\nrun   2.50"
    assert output.money(None) == "-"


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_money_typed_as_it_was_shown_is_the_same_amount(micros: int) -> None:
    assert output.micros_of(output.amount(micros)) == micros


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


SIZES = [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (900 << 30, "900 GiB"), (1 << 50, "1 PiB"), (5000 << 50, "5000 PiB")]


@pytest.mark.parametrize(("count", "want"), SIZES)
def test_sizes_are_in_binary_units_with_their_own_names(count: int, want: str) -> None:
    assert output.size(count) == want
