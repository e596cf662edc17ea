"""The installation's figures from the settings, typed."""

from __future__ import annotations

from typing import Any

from django.conf import settings


def option(name: str) -> int:
    """An integer setting of `FUBINI`."""
    value: Any = dict(settings.FUBINI)[name]
    return int(value)


def option_group(name: str) -> dict[str, Any]:
    """A mapping of `FUBINI`; empty when it is not set."""
    group = dict(settings.FUBINI).get(name, {})
    assert isinstance(group, dict), f"FUBINI[{name!r}] is not a mapping"
    return group
