"""The agents' door: join, sync, logs, secrets, files. JSON bodies under a size limit, bearer credentials, nothing else.

Database work runs in threads of its own with lasting connections, so that a sync costs no connection; on SQLite, where
there is one writer anyway, in one thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from pydantic import ValidationError

from fubini.common.errors import FubiniError, Unauthenticated
from fubini.common.saying import say
from fubini.gateway import joining
from fubini.gateway.looks import answer_take, asks_for
from fubini.gateway.secrets import secrets_deliver
from fubini.gateway.services import has_news, sync_handle, sync_poll
from fubini.gateway.spool import logs_take
from fubini.gateway.waiting import Waiter
from fubini.sites.models import Agent
from fubini.sites.services import agent_authenticate
from fubini_protocol.v1 import messages as wire

log = logging.getLogger(__name__)
T = TypeVar("T")
M = TypeVar("M", wire.JoinRequest, wire.SyncRequest, wire.LogsRequest, wire.SecretsRequest, wire.FilesAnswer)
SYNC_MAX_BYTES = 16 * 1024 * 1024
JOIN_MAX_BYTES = 256 * 1024
FILES_MAX_BYTES = 4 * 1024 * 1024
WAIT_MAX_S = 25.0
RECHECK_S = 5.0

_threads = ThreadPoolExecutor(
    max_workers=1 if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") else 4, thread_name_prefix="gateway"
)


async def _in_thread(work: Callable[[], T]) -> T:
    def run() -> T:
        close_old_connections()
        return work()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


def _problem(error: FubiniError) -> JsonResponse:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.http_status,
        "code": error.code,
        "detail": error.detail,
        "next_step": error.next_step,
    }
    return JsonResponse(body, status=error.http_status, content_type="application/problem+json")


class _Malformed(FubiniError):
    code = "malformed"
    http_status = 400
    title = "The message is not of the protocol"


class _TooLarge(FubiniError):
    code = "too_large"
    http_status = 413
    title = "The message is too large"


def _parse(request: HttpRequest, kind: type[M], limit: int) -> M:
    """The body as a message, its size checked before it is read."""
    try:
        length = int(request.headers.get("Content-Length") or "0")
    except ValueError:
        length = 0
    if length > limit:
        raise _TooLarge(
            say(
                "{length} bytes; at most {limit} are read.",
                length=length,
                limit=limit,
            ),
            next_step="Send fewer reports or smaller chunks at once.",
        )
    body = request.read(limit + 1)
    if len(body) > limit:
        raise _TooLarge(
            say(
                "More than {limit} bytes.",
                limit=limit,
            ),
            next_step="Send fewer reports or smaller chunks at once.",
        )
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _Malformed(
            say(
                "{error_count} fields are wrong; the first: {where}: {msg}.",
                error_count=error.error_count(),
                where=where,
                msg=first["msg"],
            )
        ) from None
    except (ValueError, RecursionError):
        raise _Malformed("The body is not JSON.") from None


def _agent_of(request: HttpRequest) -> Agent:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    agent = agent_authenticate(credential) if scheme == "Bearer" else None
    if agent is None:
        raise Unauthenticated(
            "The agent's credential is not valid or was revoked.", next_step="Join again with a new join token."
        )
    return agent


def _json(
    message: wire.JoinReply | wire.SyncReply | wire.LogsReply | wire.SecretsReply | wire.FilesTaken,
) -> HttpResponse:
    return HttpResponse(message.model_dump_json(), content_type="application/json")


def _post_only(request: HttpRequest) -> HttpResponse | None:
    if request.method == "POST":
        return None
    return JsonResponse(
        {"title": "Method not allowed", "status": 405, "code": "method_not_allowed"},
        status=405,
        content_type="application/problem+json",
        headers={"Allow": "POST"},
    )


@csrf_exempt
async def join(request: HttpRequest) -> HttpResponse:
    """A one-use token becomes an agent's credential."""
    if refused := _post_only(request):
        return refused
    try:
        message = _parse(request, wire.JoinRequest, JOIN_MAX_BYTES)
        return _json(await _in_thread(lambda: joining.join(message)))
    except FubiniError as error:
        return _problem(error)


@csrf_exempt
async def sync(request: HttpRequest) -> HttpResponse:
    """Take the agent's state in; answer with the difference, at once if there is one, else when there is."""
    if refused := _post_only(request):
        return refused
    try:
        message = _parse(request, wire.SyncRequest, SYNC_MAX_BYTES)

        def take() -> tuple[Agent, wire.SyncReply]:
            agent = _agent_of(request)
            reply = sync_handle(agent, message)
            return agent, _with_looks(agent, reply) if message.wait_s > 0 else reply

        deadline = asyncio.get_running_loop().time() + max(0.0, min(message.wait_s, WAIT_MAX_S))
        agent_id = message.agent_id[:64]
        with Waiter(agent_id) as waiter:
            agent, reply = await _in_thread(take)
            if agent.pk != agent_id:
                return _json(reply)
            extends = reply.extend
            while not has_news(reply):
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                rung = await waiter.wait(min(left, RECHECK_S))

                def look() -> wire.SyncReply:
                    agent = _agent_of(request)
                    return _with_looks(agent, sync_poll(agent, message))

                if rung or left <= RECHECK_S:
                    reply = await _in_thread(look)
            return _json(reply.model_copy(update={"extend": extends or reply.extend}))
    except FubiniError as error:
        return _problem(error)


def _with_looks(agent: Agent, reply: wire.SyncReply) -> wire.SyncReply:
    """Only a poll carries looks: one carrier, so that two syncs side by side do not both say them."""
    looks = asks_for(agent)
    return reply.model_copy(update={"looks": looks}) if looks else reply


@csrf_exempt
async def logs(request: HttpRequest) -> HttpResponse:
    """Append chunks of steps' output at their offsets."""
    if refused := _post_only(request):
        return refused
    try:
        message = _parse(request, wire.LogsRequest, SYNC_MAX_BYTES)
        return _json(await _in_thread(lambda: logs_take(_agent_of(request), message)))
    except FubiniError as error:
        return _problem(error)


@csrf_exempt
async def secrets(request: HttpRequest) -> HttpResponse:
    """Give the holder of a lease what its step is to know; no cache on the way may keep it."""
    if refused := _post_only(request):
        return refused
    try:
        message = _parse(request, wire.SecretsRequest, JOIN_MAX_BYTES)
        reply = _json(await _in_thread(lambda: secrets_deliver(_agent_of(request), message)))
    except FubiniError as error:
        return _problem(error)
    reply["Cache-Control"] = "no-store"
    return reply


@csrf_exempt
async def files(request: HttpRequest) -> HttpResponse:
    """What an agent found where somebody wanted to look at a step's files."""
    if refused := _post_only(request):
        return refused
    try:
        message = _parse(request, wire.FilesAnswer, FILES_MAX_BYTES)
        return _json(await _in_thread(lambda: answer_take(_agent_of(request), message)))
    except FubiniError as error:
        return _problem(error)
