"""``/api/v1/events``: the one event stream, as server-sent events or as a long poll.

It lives with projects because what a reader may see is decided here; numbering and serving are in `fubini.events`.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from rest_framework import serializers

from fubini.accounts.authentication import principal_of_request
from fubini.accounts.session_engine import session_person
from fubini.common.errors import FubiniError, Invalid, NotFound, Unauthenticated
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.events.selectors import MAX_BATCH, EventFilter, event_document, run_is_seen
from fubini.events.stream import SEATS, frames, in_thread, poll
from fubini.projects.authorize import project_get, projects_visible
from fubini.rest.errors import as_fubini
from fubini.rest.problems import MethodNotAllowed, problem_response
from fubini.rest.serializers import BIGINT_MAX, QuerySerializer

WAIT_MAX_S = 60
_WAIT = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)s?")


class EventQuery(QuerySerializer):
    project = serializers.CharField(max_length=64, required=False, help_text="A project's slug or id.")
    run = serializers.CharField(max_length=32, required=False, help_text="A run's id.")
    topic = serializers.CharField(
        max_length=200, required=False, help_text="Topics by commas: run, node, task, attempt, ..."
    )
    cursor = serializers.IntegerField(
        min_value=0, max_value=BIGINT_MAX, required=False, help_text="Read after this number; 0: from the beginning."
    )
    wait = serializers.CharField(
        max_length=8, required=False, help_text="Long poll instead of a stream: seconds, `30` or `30s`, at most 60."
    )
    limit = serializers.IntegerField(min_value=1, max_value=MAX_BATCH, required=False, help_text="Of a long poll.")


def _reader(request: HttpRequest) -> Principal:
    """Who reads, looked up afresh each time: the session or token may have ended meanwhile."""
    if "Authorization" not in request.headers and request.session.session_key:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        request.session = store(request.session.session_key)
        request.user = session_person(request)
    principal = principal_of_request(request)
    if principal is None:
        raise Unauthenticated()
    return principal


def _filter(principal: Principal, params: dict[str, Any]) -> EventFilter:
    """What a reader, looked up just now, may see of what it asks for.

    Raises:
        NotFound, Forbidden: nothing, or nothing any more.
    """
    topics = tuple(t for t in params.get("topic", "").split(",") if t)
    if "project" in params:
        project = project_get(principal, params["project"], "event.read")
        ids: tuple[str, ...] | None = (project.pk,)
    else:
        if "read" not in principal.scopes:
            raise NotFound()
        ids = None if principal.administers else tuple(projects_visible(principal).values_list("pk", flat=True))
    run = params.get("run")
    if run is not None and not run_is_seen(run, ids):
        raise NotFound("There is no such run, or you cannot see it.")
    return EventFilter(ids, run, topics)


def _wait_s(text: str) -> float:
    match = _WAIT.fullmatch(text)
    if match is None or float(match.group(1)) > WAIT_MAX_S:
        raise Invalid(
            say(
                "wait is {text!r}; it is seconds from 0 to {wait_max_s}, as `30` or `30s`.",
                text=text[:20],
                wait_max_s=WAIT_MAX_S,
            ),
            errors=[
                {
                    "path": "wait",
                    "code": "range",
                    "found": text[:20],
                    "allowed": say(
                        "0..{wait_max_s}",
                        wait_max_s=WAIT_MAX_S,
                    ),
                }
            ],
        )
    return float(match.group(1))


def _cursor(request: HttpRequest, params: dict[str, Any]) -> int | None:
    given = request.headers.get("Last-Event-ID")
    if given is None:
        return params.get("cursor")
    if not (given.isascii() and given.isdigit() and int(given) <= BIGINT_MAX):
        raise Invalid("Last-Event-ID is not one of our numbers.", next_step="Leave it out to read from now on.")
    return int(given)


async def events(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """GET: a stream, or with `wait` a long poll's JSON."""
    try:
        if request.method != "GET":
            raise MethodNotAllowed(say("{method} is not possible here.", method=request.method), allowed=["GET"])
        principal = await in_thread(lambda: _reader(request))  # 401 before any word about the parameters
        params = await in_thread(lambda: EventQuery.read(request.GET))
        after = _cursor(request, params)

        def watch() -> EventFilter:
            return _filter(_reader(request), params)

        await in_thread(lambda: _filter(principal, params))
        wait_s = _wait_s(params["wait"]) if "wait" in params else None
        seat = SEATS.take(
            principal.actor,
            most=settings.FUBINI["STREAMS_MAX"],
            most_an_actor=settings.FUBINI["STREAMS_MAX_A_PRINCIPAL"],
        )
        if wait_s is not None:
            try:
                batch = await poll(watch, after, wait_s=wait_s, limit=params.get("limit", 500))
            finally:
                seat.release()
            return JsonResponse(
                {"events": [event_document(e) for e in batch.events], "cursor": batch.cursor, "gap": batch.gap},
                headers={"Cache-Control": "no-store"},
            )
    except FubiniError as error:
        return problem_response(error)
    except Exception as error:
        ours = as_fubini(error)
        if ours.http_status >= 500:
            raise
        return problem_response(ours)

    async def body() -> AsyncIterator[bytes]:
        try:
            async for frame in frames(watch, after, recheck_s=settings.FUBINI["STREAM_RECHECK_S"]):
                yield frame
        finally:
            seat.release()

    response = StreamingHttpResponse(
        body(),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    # A body that is never begun has no end either: then the seat goes with the response, closed or dropped.
    response._resource_closers.append(seat.release)  # type: ignore[attr-defined]
    weakref.finalize(response, seat.release)
    return response


def openapi(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook of the OpenAPI document: the stream is no REST framework view, so it says of itself."""
    parameters: list[dict[str, Any]] = []
    for name, field in EventQuery().fields.items():
        kind: dict[str, Any] = (
            {"type": "integer"} if isinstance(field, serializers.IntegerField) else {"type": "string"}
        )
        for bound, key in (("min_value", "minimum"), ("max_value", "maximum"), ("max_length", "maxLength")):
            if getattr(field, bound, None) is not None:
                kind[key] = getattr(field, bound)
        parameters.append({"name": name, "in": "query", "description": str(field.help_text or name), "schema": kind})
    parameters.append(
        {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The last number read; wins over `cursor`.",
            "schema": {"type": "string"},
        }
    )
    event = {
        "type": "object",
        "required": ["seq", "at_ms", "topic", "kind", "entity_id", "data"],
        "properties": {
            "seq": {"type": "integer", "description": "Number in commit order: resume after it."},
            "at_ms": {"type": "integer"},
            "topic": {"type": "string"},
            "kind": {"type": "string"},
            "project_id": {"type": "string", "nullable": True},
            "run_id": {"type": "string", "nullable": True},
            "entity_id": {"type": "string"},
            "generation": {"type": "integer"},
            "from_state": {"type": "string"},
            "to_state": {"type": "string"},
            "actor": {"type": "string"},
            "data": {"type": "object", "additionalProperties": {}},
        },
    }
    batch = {
        "type": "object",
        "required": ["events", "cursor", "gap"],
        "properties": {
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
            "cursor": {"type": "integer", "description": "Where to read on."},
            "gap": {"type": "boolean", "description": "Events after the cursor were deleted before they were read."},
        },
    }
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Event"], schemas["EventBatch"] = event, batch
    result["paths"]["/api/v1/events"] = {
        "get": {
            "operationId": "events_stream",
            "summary": "Follow what happens, from any number on",
            "description": "A stream of server-sent events (`text/event-stream`), or with `wait` a long poll's JSON. "
            "Without a cursor it begins now. Besides events the stream has `cursor`, `gap` and `end` frames.",
            "parameters": parameters,
            "tags": ["events"],
            "security": [{"token": []}, {"session": []}],
            "responses": {
                "200": {
                    "description": "Events.",
                    "content": {
                        "text/event-stream": {"schema": {"type": "string"}},
                        "application/json": {"schema": {"$ref": "#/components/schemas/EventBatch"}},
                    },
                }
            },
        }
    }
    result["paths"] = dict(sorted(result["paths"].items()))
    return result
