"""How messages to webhooks are signed: the scheme of Standard Webhooks, so that receivers can use its libraries. Pure.

``webhook-id`` is the message's (the same at every try: a receiver drops what it has seen), ``webhook-timestamp`` the
seconds of this try, ``webhook-signature`` one or more ``v1,<base64 of HMAC-SHA256 over id.timestamp.body>`` with spaces
between: after a rotation the old secret signs beside the new one. Source: the Standard Webhooks specification.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"


def secret_new() -> str:
    """A fresh secret of 256 bits, as its receiver is given it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def signature_headers(known: Iterable[str], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of one try."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp_s, body) for secret in known),
    }
