"""The nearest known name: what turns "unknown field" into "did you mean"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(found: Any, allowed: Iterable[Any]) -> str | None:
    """The allowed name most like `found`, or None where nothing is close. Case does not count."""
    if not isinstance(found, str) or len(found) > 200:
        return None
    known = {str(name).lower(): str(name) for name in allowed}
    close = difflib.get_close_matches(found.lower(), known, n=1, cutoff=0.6)
    return known[close[0]] if close else None


def shown(value: Any, limit: int = 80) -> Any:
    """A value fit to be repeated in an error: scalars as they are, texts cut, containers by their kind."""
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or abs(value) < 10**20 else "an integer of more than 20 digits"
    if isinstance(value, str):
        clean = value.encode("utf-8", "replace").decode().replace("\x00", "\\0")
        return clean if len(clean) <= limit else clean[:limit] + "…"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else type(value).__name__
