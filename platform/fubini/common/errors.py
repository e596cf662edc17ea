"""The platform's root error: a stable code for machines, data for people's sentences, an HTTP status for REST."""

from __future__ import annotations

from typing import Any, ClassVar


class FubiniError(Exception):
    """Something a caller can act on.

    Subclasses set `code` (stable, machine-read), `http_status` and `title`. `detail` says what was found and what is
    allowed, `next_step` what to do; `data` is structured. Nothing secret goes into any of them.
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 400
    title: ClassVar[str] = "The request could not be carried out"

    def __init__(
        self, detail: str = "", *, next_step: str = "", errors: list[dict[str, Any]] | None = None, **data: Any
    ):
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.next_step = next_step
        self.errors = errors or []
        self.data = data


class NotFound(FubiniError):
    code = "not_found"
    http_status = 404
    title = "No such object"


class Conflict(FubiniError):
    code = "conflict"
    http_status = 409
    title = "The object's state does not allow this"


class Invalid(FubiniError):
    code = "invalid"
    http_status = 422
    title = "The request is not valid"


class Forbidden(FubiniError):
    code = "forbidden"
    http_status = 403
    title = "Your role does not allow this"


class Unauthenticated(FubiniError):
    code = "unauthenticated"
    http_status = 401
    title = "Sign in or send a valid token"


class TooManyRequests(FubiniError):
    code = "too_many_requests"
    http_status = 429
    title = "Too many requests"


class StorageFull(FubiniError):
    code = "storage_full"
    http_status = 507
    title = "There is no room left"


class InvalidTransition(Conflict):
    """A move the entity's table does not allow; `history` has its recent events."""

    code = "invalid_transition"
    title = "That change of state is not possible"
