"""Every error leaves as `application/problem+json` with a stable code, what was found and allowed, and a next step.

Decides how `FubiniError`, DRF's and Django's exceptions become one shape. Nothing of a stack, a setting or a host path
goes out: an unknown exception is logged under the request's id and answered by that id alone. Source: RFC 9457.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from fubini.common.errors import (
    Forbidden,
    FubiniError,
    Invalid,
    NotFound,
    StorageFull,
    TooManyRequests,
    Unauthenticated,
)
from fubini.common.saying import say
from fubini.rest.problems import (
    CONTENT_TYPE,
    Internal,
    Malformed,
    MethodNotAllowed,
    NotAcceptable,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    UnsupportedMedia,
    headers_of,
    problem,
    problem_response,
)
from fubini.rest.request_id import CURRENT

__all__ = [
    "CONTENT_TYPE",
    "Internal",
    "MethodNotAllowed",
    "PreconditionFailed",
    "PreconditionRequired",
    "TooLarge",
    "exception_handler",
    "problem",
    "problem_response",
]

log = logging.getLogger("fubini.rest")


def pointer_of(attr: str | None) -> str | None:
    """``a.0.b`` as a JSON pointer; None for errors of the whole body."""
    if not attr or attr == "non_field_errors":
        return None
    parts = [p.replace("~", "~0").replace("/", "~1") for p in attr.split(".") if p != "non_field_errors"]
    return "/" + "/".join(parts)


def as_fubini(error: Exception) -> FubiniError:
    """Any exception as one of ours; what is not a client's mistake becomes `Internal`."""
    if isinstance(error, FubiniError):
        return error
    if isinstance(error, Http404 | exceptions.NotFound):
        return NotFound("There is no such object, or you cannot see it.")
    if isinstance(error, exceptions.ValidationError):
        entries = [
            {"pointer": pointer_of(e.attr), "code": e.code, "detail": e.detail} for e in flatten_errors(error.detail)
        ]
        return Invalid(
            say(
                "{entries_count} field(s) are not valid.",
                entries_count=len(entries),
            )
            if entries
            else "",
            errors=entries,
        )
    if isinstance(error, exceptions.ParseError):
        return Malformed(str(error.detail))
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return Unauthenticated("" if isinstance(error, exceptions.NotAuthenticated) else str(error.detail))
    if isinstance(error, exceptions.PermissionDenied):
        return Forbidden(str(error.detail))
    if isinstance(error, PermissionDenied):
        return Forbidden()
    if isinstance(error, exceptions.MethodNotAllowed):
        return MethodNotAllowed(str(error.detail))
    if isinstance(error, exceptions.UnsupportedMediaType):
        return UnsupportedMedia(str(error.detail))
    if isinstance(error, exceptions.NotAcceptable):
        return NotAcceptable(str(error.detail))
    if isinstance(error, exceptions.Throttled):
        wait_s = int(getattr(error, "wait", None) or 1)
        return TooManyRequests(
            say(
                "The limit is reached; it frees in about {wait_s} s.",
                wait_s=wait_s,
            ),
            retry_after_s=wait_s,
        )
    if isinstance(error, OperationalError) and is_full(error):
        return StorageFull(
            "The database's disk is full; nothing of this request was kept.",
            next_step="Have an administrator free room on it, then send the request again.",
        )
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, SuspiciousOperation | RawPostDataException):
        return Malformed()
    return Internal("The request id leads the administrators to the cause.")


def is_full(error: OperationalError) -> bool:
    """Does a database say that its disk is full? SQLite says so in words, PostgreSQL by its class 53100."""
    cause = error.__cause__
    return "disk is full" in str(error) or getattr(cause, "sqlstate", None) == "53100"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every exception of a view ends here."""
    ours = as_fubini(error)
    if isinstance(error, exceptions.MethodNotAllowed) and context.get("view") is not None:
        ours.data["allowed"] = list(context["view"].allowed_methods)
    if isinstance(ours, Internal):
        log.error("request %s failed", CURRENT.get(), exc_info=error)
    set_rollback()
    return Response(problem(ours), status=ours.http_status, content_type=CONTENT_TYPE, headers=headers_of(ours))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400."""
    ours = as_fubini(exception) if exception is not None else Malformed()
    return problem_response(ours if ours.http_status < 500 else Malformed())


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler403."""
    return problem_response(Forbidden())


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404."""
    return problem_response(
        NotFound("There is nothing at this address.", next_step="See `/api/docs` for the addresses there are.")
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; Django has logged the exception."""
    return problem_response(Internal("The request id leads the administrators to the cause."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    return problem_response(
        Forbidden(
            "The request did not prove that it comes from Fubini's own pages.",
            next_step="Send the `csrftoken` cookie's value in `X-CSRFToken`, or use a token instead of a session.",
        )
    )
