"""Version 1 of the wire protocol: `messages` (bodies) and `errors` (codes of refusals)."""

from __future__ import annotations

from fubini_protocol.v1.errors import ErrorBody, ErrorCode
from fubini_protocol.v1.messages import PROTOCOL_VERSION

__all__ = ["PROTOCOL_VERSION", "ErrorBody", "ErrorCode"]
