"""Errors as grpc-gateway shows them: `{"code", "message", "error"}` with gRPC's code and the HTTP status that goes with it.

Clients show the message alone, so it has everything: what was found, what is allowed, what to do next, and of a refused
manifest every finding by path. Source: gRPC's status codes; grpc-gateway v1's table of HTTP statuses.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar, Final

from fubini.common.errors import (
    Conflict,
    Forbidden,
    FubiniError,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from fubini.crons.services import CronExists
from fubini.rest.problems import Internal, MethodNotAllowed, headers_of, next_step_of

MESSAGE_MAX_CHARS: Final = 16_000


class Code(IntEnum):
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAUTHENTICATED = 16


_HTTP: Final = {
    Code.INVALID_ARGUMENT: 400,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAUTHENTICATED: 401,
}


class AlreadyExists(Conflict):
    code: ClassVar[str] = "already_exists"
    title: ClassVar[str] = "An object of that name exists"


class Unimplemented(FubiniError):
    code: ClassVar[str] = "unimplemented"
    http_status: ClassVar[int] = 501
    title: ClassVar[str] = "Fubini does not serve this"


_CODES: Final[tuple[tuple[type[FubiniError], Code], ...]] = (
    (AlreadyExists, Code.ALREADY_EXISTS),
    (CronExists, Code.ALREADY_EXISTS),
    (Unimplemented, Code.UNIMPLEMENTED),
    (MethodNotAllowed, Code.UNIMPLEMENTED),
    (NotFound, Code.NOT_FOUND),
    (Forbidden, Code.PERMISSION_DENIED),
    (Unauthenticated, Code.UNAUTHENTICATED),
    (TooManyRequests, Code.RESOURCE_EXHAUSTED),
    (Conflict, Code.FAILED_PRECONDITION),
    (Invalid, Code.INVALID_ARGUMENT),
    (Internal, Code.INTERNAL),
)


def code_of(error: FubiniError) -> Code:
    """gRPC's code for an error."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return Code.INVALID_ARGUMENT if error.http_status < 500 else Code.INTERNAL


def error_reply(error: FubiniError) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Body, HTTP status and headers."""
    code = code_of(error)
    message = message_of(error)
    return {"code": int(code), "message": message, "error": message}, _HTTP[code], headers_of(error)


def message_of(error: FubiniError) -> str:
    """Everything there is to say, for clients that show nothing else."""
    lines = [error.detail]
    for entry in error.errors[:50]:
        where = entry.get("path") or entry.get("pointer") or ""
        text = f"{where}: {entry.get('detail') or ''}".strip(": ")
        for word in ("found", "allowed", "nearest"):
            if entry.get(word) not in (None, "", [], "nothing"):
                text += f" ({word}: {entry[word]})"
        lines.append(text)
    lines.append(next_step_of(error))
    return "\n".join(line for line in lines if line)[:MESSAGE_MAX_CHARS]
