"""Sums in what the dispatcher says: in the installation's currency, also of reasons that were kept without one."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.common.saying import ASKED, CHINESE, told
from fubini.dispatch.why import reason_said
from fubini_scheduler.reasons import Reason, ReasonCode

FIGURES = {"missing_micros": 50_000, "hold_micros": 2_100_000, "available_micros": 0}
LACKS = Reason(ReasonCode.BUDGET, None, tuple(FIGURES.items()))


@pytest.fixture(autouse=True)
def euros(settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "CURRENCY": "EUR"}


def test_a_reason_kept_with_the_cores_sentence_is_told_with_the_currency_in_either_language() -> None:
    said = reason_said({"code": "budget", "sentence": LACKS.sentence, **FIGURES})
    assert said == "The project's budget lacks 0.05 EUR: 2.10 EUR must be set aside, 0.00 EUR are left."
    token = ASKED.set(CHINESE)
    try:
        assert "0.05 EUR" in told(said) and "budget" not in told(said)
    finally:
        ASKED.reset(token)


def test_a_reason_with_words_of_its_own_keeps_them() -> None:
    assert reason_said({"code": "budget", "sentence": "An agent said so.", **FIGURES}) == "An agent said so."
