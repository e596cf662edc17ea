"""Limits that act before a body is parsed: bytes by class of route, depth of JSON.

The ASGI wrapper refuses an over-large body while it arrives (also a chunked one, which declares no length); the
middleware applies the same table where there is no ASGI server. Source: the design, "limits before parsing".
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from fubini.common.saying import say
from fubini.rest.problems import CONTENT_TYPE, Malformed, TooLarge, problem
from fubini.rest.request_id import CURRENT, request_id_of

KIB, MIB = 1024, 1024 * 1024
JSON_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class RouteClass:
    """The most bytes a body of the routes that match may have; None leaves it to the route's own streaming quota."""

    pattern: re.Pattern[str]
    max_bytes: int | None


# The first match counts. A manifest may have 2 MiB; as a JSON string with escapes that is at most 6 times as much,
# in practice under 2 times.
ROUTE_CLASSES = (
    RouteClass(re.compile(r"/api/v1/(runs|lint|quotes|pipelines|crons)(/|$)"), 4 * MIB + 256 * KIB),
    RouteClass(re.compile(r"/api/v1/((cron-)?workflows|(cluster-)?workflow-templates)(/|$)"), 4 * MIB + 256 * KIB),
    RouteClass(re.compile(r"/api/v1/datasets(/|$)"), 16 * MIB),
    # Uploads by token never come here: the objects' door streams them under its own limit.
    RouteClass(re.compile(r"/api/v1/blobs/"), 64 * MIB),
    RouteClass(re.compile(r"/agent/v1/"), 16 * MIB),
    RouteClass(re.compile(r"/"), 256 * KIB),
)


def max_body_bytes(path: str) -> int | None:
    """The limit of a path's class; None where the route counts for itself."""
    for route in ROUTE_CLASSES:
        if route.pattern.match(path):
            return route.max_bytes
    return 256 * KIB


def too_large(limit: int, found: int | None) -> TooLarge:
    said = f"{found} bytes" if found is not None else f"more than {limit} bytes"
    return TooLarge(
        say(
            "The body has {said}; this address takes at most {limit}.",
            said=said,
            limit=limit,
        ),
        found=found,
        allowed=limit,
    )


_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def json_depth(text: bytes, limit: int = JSON_MAX_DEPTH) -> int:
    """How deep arrays and objects nest, counted without parsing; stops at `limit` + 1."""
    depth = deepest = 0
    for match in _TOKENS.finditer(text):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
            if deepest > limit:
                return deepest
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise Malformed(say("The name {twin!r} appears twice in one object.", twin=twin[:80]))
    return found


def _no_constant(name: str) -> Any:
    raise Malformed(say("{name} is not JSON.", name=name))


def json_read(text: bytes) -> Any:
    """Parse JSON strictly: UTF-8, limited depth, no repeated names, no NaN.

    Raises:
        Malformed: with line and column where the parser knows them.
    """
    if json_depth(text) > JSON_MAX_DEPTH:
        raise Malformed(
            say(
                "The JSON nests deeper than {json_max_depth}.",
                json_max_depth=JSON_MAX_DEPTH,
            ),
            allowed=JSON_MAX_DEPTH,
        )
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Malformed(say("The body is not UTF-8 (byte {start}).", start=error.start)) from None
    except json.JSONDecodeError as error:
        raise Malformed(
            say(
                "The body is not JSON: {msg} at line {lineno}, column {colno}.",
                msg=error.msg,
                lineno=error.lineno,
                colno=error.colno,
            ),
            errors=[{"code": "json", "detail": error.msg, "line": error.lineno, "column": error.colno}],
        ) from None
    except (ValueError, RecursionError):
        raise Malformed("The body has a number or a nesting that is too large.") from None


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyLimit:
    """ASGI wrapper: answers 413 as soon as a body passes its route's limit, without keeping it."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = max_body_bytes(scope["path"]) if scope["type"] == "http" else None
        if limit is None:
            await self.app(scope, receive, send)
            return
        headers = {k.lower(): v for k, v in scope.get("headers", [])}
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            await _refuse(send, limit, int(declared), headers)
            return
        seen, over, started = 0, False, False

        async def counted() -> Message:
            nonlocal seen, over
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    over = True
                    return {"type": "http.disconnect"}
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if over and not started:
                return
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except Exception:
            if not over:
                raise
        if over and not started:
            await _refuse(send, limit, None, headers)


async def _refuse(send: Send, limit: int, found: int | None, headers: dict[bytes, bytes]) -> None:
    request_id = request_id_of(headers.get(b"x-request-id", b"").decode("latin-1"))
    CURRENT.set(request_id)
    body = json.dumps(problem(too_large(limit, found))).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 413,
            "headers": [
                (b"content-type", CONTENT_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"x-request-id", request_id.encode()),
                (b"connection", b"close"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
