"""What every message of protocol v1 shares: tolerance.

Wire types outlive the programs that speak them, so a reader ignores fields it does not know and turns enum values it
does not know into ``UNKNOWN`` (and logs them once each) instead of refusing the message.
Annotations are evaluated by pydantic at import time and must stay readable for Python 3.9 (`Optional`, no `X | None`).
"""

from __future__ import annotations

import logging
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

_log = logging.getLogger("fubini_protocol")
_logged: set[tuple[str, str]] = set()
_LOGGED_MAX = 256


_M = TypeVar("_M", bound="Message")


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

    @classmethod
    def read(cls: type[_M], content: bytes) -> tuple[_M, list[str]]:
        """Read a body, leaving out those list elements that are malformed: one bad lease or report must not keep all the
        others from being read.

        Returns:
            The message, and a sentence for each element left out.

        Raises:
            ValidationError: something else than an element of a top-level list is malformed.
        """
        try:
            return cls.model_validate_json(content), []
        except ValidationError as exc:
            bad: dict[str, set[int]] = {}
            problems = []
            for error in exc.errors(include_url=False, include_input=False):
                where = error["loc"]
                if len(where) < 2 or not isinstance(where[0], str) or not isinstance(where[1], int):
                    raise
                bad.setdefault(where[0], set()).add(where[1])
                problems.append(f"{'.'.join(str(part) for part in where)}: {error['msg']}"[:300])
            data: dict[str, Any] = from_json(content)
            for name, indices in bad.items():
                data[name] = [item for index, item in enumerate(data[name]) if index not in indices]
            return cls.model_validate(data), problems
