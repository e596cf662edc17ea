"""The problem document: what an error looks like on the wire, and the errors of HTTP itself. Source: RFC 9457.

Stands below DRF, so that middleware, parsers and streams can use it too.
"""

from __future__ import annotations

from typing import Any

from django.http import JsonResponse

from fubini.common.errors import (
    Conflict,
    Forbidden,
    FubiniError,
    Invalid,
    InvalidTransition,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from fubini.common.saying import told, told_all
from fubini.rest.request_id import CURRENT

CONTENT_TYPE = "application/problem+json"
MAX_ERRORS = 50


class TooLarge(FubiniError):
    code = "too_large"
    http_status = 413
    title = "The request body is too large"


class PreconditionFailed(FubiniError):
    code = "changed"
    http_status = 412
    title = "The object has changed since you read it"


class PreconditionRequired(FubiniError):
    code = "if_match_required"
    http_status = 428
    title = "Say which version you are changing"


class Malformed(FubiniError):
    code = "malformed"
    http_status = 400
    title = "The request could not be read"


class NotAcceptable(FubiniError):
    code = "not_acceptable"
    http_status = 406
    title = "The answer cannot be given in the format asked for"


class MethodNotAllowed(FubiniError):
    code = "method_not_allowed"
    http_status = 405
    title = "This address does not know that method"


class UnsupportedMedia(FubiniError):
    code = "unsupported_media_type"
    http_status = 415
    title = "The body's content type is not understood"


class Internal(FubiniError):
    code = "internal"
    http_status = 500
    title = "The server failed"


_NEXT_STEP: dict[type[FubiniError], str] = {
    NotFound: "Check the id, and that you are a member of the project it belongs to; lists show what you can see.",
    Forbidden: "Ask an owner or maintainer of the project for a higher role.",
    Unauthenticated: "Sign in, or send `Authorization: Bearer <token>` with a token that is still valid.",
    TooManyRequests: "Wait as long as `Retry-After` says, then send the request again.",
    Conflict: "Read the object again and decide by its present state.",
    Invalid: "Correct the fields named in `errors` and send the request again.",
    InvalidTransition: "Read the object again; `history` shows how it came to its present state.",
    PreconditionFailed: "Read the object again and repeat your change with its new `ETag`.",
    PreconditionRequired: "Send `If-Match` with the `ETag` of your last read, or `If-Match: *` to overwrite.",
    Malformed: "Send a JSON object in UTF-8 with `Content-Type: application/json`.",
    TooLarge: "Send less in one request.",
    NotAcceptable: "Leave out `Accept`, or accept `application/json`.",
    MethodNotAllowed: "See `/api/docs` for the methods of this address.",
    UnsupportedMedia: "Send `Content-Type: application/json`.",
    Internal: "Try again; if it fails again, tell the administrators the request id.",
}
_LIST_KEYS = (
    "pointer", "path", "line", "column", "code", "detail", "found", "allowed", "nearest", "next_step",
)  # fmt: skip
_SENTENCES = frozenset({"detail", "allowed", "next_step"})
_RESERVED = frozenset({"type", "title", "status", "code", "detail", "next_step", "errors", "request_id"})


def next_step_of(error: FubiniError) -> str:
    """The error's own next step, else its class's."""
    if error.next_step:
        return error.next_step
    for kind in type(error).__mro__:
        if kind in _NEXT_STEP:
            return _NEXT_STEP[kind]
    return "See `/api/docs` for what this address expects."


def problem(error: FubiniError) -> dict[str, Any]:
    """The problem document of an error; at most `MAX_ERRORS` entries, `errors_left_off` counts the rest."""
    entries = [_entry(e) for e in error.errors[:MAX_ERRORS]]
    document: dict[str, Any] = {
        "type": f"urn:fubini:error:{error.code}",
        "title": told(error.title),
        "status": error.http_status,
        "code": error.code,
        "detail": told(error.detail),
        "next_step": told(next_step_of(error)),
        "errors": entries,
        "request_id": CURRENT.get(),
    }
    if len(error.errors) > MAX_ERRORS:
        document["errors_left_off"] = len(error.errors) - MAX_ERRORS
    document.update({key: told_all(value) for key, value in error.data.items() if key not in _RESERVED})
    return document


def _entry(error: dict[str, Any]) -> dict[str, Any]:
    found = {key: error[key] for key in _LIST_KEYS if error.get(key) is not None}
    return {key: told(value) if key in _SENTENCES and isinstance(value, str) else value for key, value in found.items()}


def headers_of(error: FubiniError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="fubini"'
    if "retry_after_s" in error.data:
        headers["Retry-After"] = str(max(1, int(error.data["retry_after_s"])))
    if isinstance(error, MethodNotAllowed) and error.data.get("allowed"):
        headers["Allow"] = ", ".join(error.data["allowed"])
    return headers


def problem_response(error: FubiniError) -> JsonResponse:
    """The answer outside DRF: middleware, Django's handlers, async views."""
    return JsonResponse(problem(error), status=error.http_status, content_type=CONTENT_TYPE, headers=headers_of(error))
