"""Kubernetes quantities (``500m``, ``2Gi``, ``1e3``) as integers: millis for cores, bytes for memory, counts."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache

from fubini.language.errors import LanguageError

_SUFFIX = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)")
_LIMIT = Decimal(2**63)


@lru_cache(maxsize=1024)
def parse(text: str) -> Decimal:
    """The exact value of a quantity.

    Raises:
        LanguageError: not a quantity, negative or beyond 2^63.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise LanguageError(f'"{text}" is not a quantity: write a number with a suffix such as 500m, 2, 4Gi or 10M')
    number, exponent, suffix = match.groups()
    try:
        value = Decimal(number + (exponent or "")) * _SUFFIX[suffix or ""]
    except InvalidOperation:
        raise LanguageError(f'"{text}" is not a quantity this platform can count') from None
    if value < 0 or value >= _LIMIT:
        raise LanguageError(f'"{text}" is out of range: a quantity lies between 0 and 2^63')
    return value


def millis(text: str) -> int:
    """Thousandths, rounded up: ``1500m`` and ``1.5`` are 1500."""
    return int((parse(text) * 1000).to_integral_value(ROUND_CEILING))


def whole(text: str) -> int:
    """Whole units, rounded up: bytes of memory, counts of devices."""
    return int(parse(text).to_integral_value(ROUND_CEILING))
