"""What the environment may say, and that what it may not say is refused with what to write instead."""

from __future__ import annotations

import pytest

from fubini.settings.env import SettingsError, currency_checked


@pytest.mark.parametrize("word", ["CNY", "EUR", "credits", "元"])
def test_a_currency_is_a_code_or_one_word(word: str) -> None:
    assert currency_checked(word) == word


@pytest.mark.parametrize("word", ["", "two words", "12", "A" * 17, "EUR\r\nX-Header: 1"])
def test_what_cannot_stand_behind_a_sum_is_no_currency(word: str) -> None:
    with pytest.raises(SettingsError, match=r"FUBINI_CURRENCY: .* write its ISO 4217 code"):
        currency_checked(word)
