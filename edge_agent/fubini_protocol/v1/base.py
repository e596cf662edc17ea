"""What every message of protocol v1 shares: tolerance.

Wire types outlive the programs that speak them, so a reader ignores fields it does not know and turns enum values it
does not know into ``UNKNOWN`` (and logs them once each) instead of refusing the message.
Annotations are evaluated by pydantic at import time and must stay readable for Python 3.9 (`Optional`, no `X | None`).
"""

from __future__ import annotations

import logging
from enum import Enum

from pydantic import BaseModel, ConfigDict

_log = logging.getLogger("fubini_protocol")
_logged: set[tuple[str, str]] = set()
_LOGGED_MAX = 256


class WireEnum(str, Enum):
    """A string enum whose members include ``UNKNOWN``; any other text becomes that member."""

    @classmethod
    def _missing_(cls, value: object) -> WireEnum | None:
        if not isinstance(value, str):
            return None  # a number or a list in place of a word is a malformed message, not a newer one
        seen = (cls.__name__, value[:40])
        if seen not in _logged and len(_logged) < _LOGGED_MAX:
            _logged.add(seen)
            _log.warning("unknown %s value %r: a newer peer? treated as unknown", cls.__name__, value[:40])
        return cls.__members__.get("UNKNOWN")


class Message(BaseModel):
    """A frozen message that ignores unknown fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")

    def to_json(self) -> bytes:
        """The body to send: UTF-8 JSON without the fields that hold their default, which every reader fills in."""
        return self.model_dump_json(exclude_defaults=True).encode()
