"""Money and bytes as people read them: one way for every sentence, page of text and command. Pure.

Money is integer micros, a millionth of the installation's one currency; sizes are bytes, shown in binary units with their own
names (KiB, MiB, GiB), for that is what requests for memory and disks are written in. The scheduler's core, which imports
nothing of the platform, formats its reasons alike (`fubini_scheduler.reasons.Figure`); the pages do in `lib/format.ts`.
"""

from __future__ import annotations

from typing import Final

MICROS: Final = 1_000_000
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

CURRENCY_HEADER: Final = "X-Fubini-Currency"
"""Of every answer of the API: the currency its amounts are in, percent-encoded, so that no client needs to ask for it."""


def amount(micros: int) -> str:
    """Micros as currency units, without the currency: two digits after the point, more only where they say something."""
    whole, part = divmod(abs(int(micros)), MICROS)
    return f"{'-' if micros < 0 else ''}{whole:,}.{f'{part:06d}'.rstrip('0').ljust(2, '0')}"


def money(micros: int, currency: str) -> str:
    """A sum that stands alone: its amount and its currency."""
    return f"{amount(micros)} {currency}".rstrip()


def size(count: float) -> str:
    """Bytes in the largest binary unit they fill, with four digits at most: ``512 MiB``, ``1.5 GiB``."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if abs(value) < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{value:.4g} {unit}" if abs(value) < 1000 else f"{value:.0f} {unit}"
