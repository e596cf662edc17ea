"""Codes of the gateway's refusals, and their body.

A refusal is ``application/problem+json``; an agent branches on `code` and on the HTTP status, never on text. 401 and 403
mean the credential is dead (stop and ask a person); 429 and 503 carry ``Retry-After``; 5xx and broken connections are
retried with jitter.
"""

from __future__ import annotations

from typing import Optional

from fubini_protocol.v1.base import Message, WireEnum


class ErrorCode(WireEnum):
    JOIN_TOKEN_INVALID = "join_token_invalid"  # noqa: S105 - a code. Unknown, used, expired or revoked: ask for a new one
    CREDENTIAL_INVALID = "credential_invalid"  # the agent was revoked or never joined
    AGENT_ID_MISMATCH = "agent_id_mismatch"  # the body names another agent than the credential
    DUPLICATE_SESSION = "duplicate_session"  # another process lives with this agent's identity (a copied state folder)
    VERSION_UNSUPPORTED = "version_unsupported"  # the platform serves N and N-1 only
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    BLOB_MISMATCH = "blob_mismatch"  # the bytes do not hash to the name they were sent under
    BLOB_NOT_ALLOWED = "blob_not_allowed"  # the token does not cover this blob, or has expired
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


class ErrorBody(Message):
    """The part of a problem document that an agent reads."""

    code: ErrorCode = ErrorCode.UNKNOWN
    title: str = ""
    detail: str = ""
    status: Optional[int] = None
    retry_after_s: Optional[float] = None
