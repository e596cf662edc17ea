"""The streaming routes: workflow events and logs, as newline JSON or as server-sent events where the client accepts them.

Every message is ``{"result": ...}``. A watch first shows what there is (ADDED), then each run whenever it has changed
(MODIFIED, DELETED), at most once a pace: what happened between two looks is one message. A log stream reads what
attempts have printed and, when following, goes on until the run has ended. Who reads is asked again every
`STREAM_RECHECK_S`, and streams take a seat like the platform's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from fubini.accounts.authentication import principal_of_request
from fubini.common.errors import FubiniError, Invalid, Unauthenticated
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.compat.argo import reads
from fubini.compat.argo.codes import error_reply
from fubini.compat.argo.selection import Fields, Wanted, wanted_of
from fubini.compat.argo.shapes import pod_name
from fubini.events.selectors import EventFilter, events_after
from fubini.events.sequence import events_sequence, newest_position
from fubini.events.stream import SEATS, TAIL, in_thread
from fubini.flags.registry import ARGO_DOOR
from fubini.flags.services import flag_require
from fubini.language import regex
from fubini.language.errors import LanguageError
from fubini.projects.authorize import project_get, projects_visible
from fubini.rest.errors import as_fubini
from fubini.rest.problems import MethodNotAllowed
from fubini.runs.logs import READ_MAX_BYTES, log_is_late, log_read, log_streams
from fubini.runs.models import Run, RunNode, Task
from fubini.runs.selectors import containers_of, tasks_of
from fubini.runs.transitions import ATTEMPT_ENDED, RUN_ENDED, TASK_ENDED

PACE_S: Final = 0.4
BEAT_S: Final = 10.0
WATCHED_MAX: Final = 500
LOG_TASKS_MAX: Final = 5_000
TURNS_MAX: Final = 1_000  # of a stream that does not follow but reads what is printed while it reads
LINE_MAX_BYTES: Final = 64 * 1024
MAIN: Final = "main"
Messages = AsyncIterator[dict[str, Any] | None]  # None keeps the connection alive


def _principal(request: HttpRequest) -> Principal:
    """Bearer tokens only, like the rest of the door."""
    if "Authorization" not in request.headers:
        raise Unauthenticated()
    found = principal_of_request(request)
    if found is None:
        raise Unauthenticated()
    flag_require(ARGO_DOOR)
    return found


async def _serve(request: HttpRequest, begin: Callable[[], Any], messages: Callable[[Any], Messages]) -> Any:
    """Check in `begin` (in a thread), then stream; an error before the first byte is an ordinary answer."""
    try:
        if request.method != "GET":
            raise MethodNotAllowed(say("{method} is not possible here.", method=request.method), allowed=["GET"])
        principal = await in_thread(lambda: _principal(request))
        begun = await in_thread(begin)
        limits = settings.FUBINI
        seat = SEATS.take(principal.actor, most=limits["STREAMS_MAX"], most_an_actor=limits["STREAMS_MAX_A_PRINCIPAL"])
    except Exception as error:
        ours = as_fubini(error)
        if ours.http_status >= 500:
            raise
        return _refusal(ours)
    sse = "text/event-stream" in request.headers.get("Accept", "")

    async def body() -> AsyncIterator[bytes]:
        checked = time.monotonic()
        try:
            async for message in messages(begun):
                if message is None:
                    yield b":\n\n" if sse else b"\n"
                else:
                    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
                    yield b"data: " + text + b"\n\n" if sse else text + b"\n"
                if time.monotonic() - checked >= limits["STREAM_RECHECK_S"]:
                    checked = time.monotonic()
                    await in_thread(begin)
        except FubiniError as error:
            reply, status, _ = error_reply(error)
            failed = {"error": {"grpc_code": reply["code"], "http_code": status, "message": reply["message"]}}
            yield (b"data: " if sse else b"") + json.dumps(failed).encode() + b"\n\n"
        finally:
            seat.release()

    kind = "text/event-stream" if sse else "application/json"
    response = StreamingHttpResponse(
        body(), content_type=kind, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    response._resource_closers.append(seat.release)  # type: ignore[attr-defined]
    weakref.finalize(response, seat.release)
    return response


def _refusal(error: FubiniError) -> HttpResponse:
    body, status, headers = error_reply(error)
    return JsonResponse(body, status=status, headers=headers)


# --- watch ---


@dataclass(slots=True)
class _Watch:
    """One watch: what is wanted, in which projects, and which runs it has shown in which version."""

    wanted: Wanted
    fields: Fields
    projects: tuple[str, ...]
    principal: Principal
    namespace: str
    shown: dict[str, str] = field(default_factory=dict)


async def workflow_events(request: HttpRequest, namespace: str = "") -> Any:
    """``workflow-events/{namespace}``."""

    def begin() -> _Watch:
        principal = _principal(request)
        wanted = wanted_of(request.GET)
        if namespace or wanted.namespace:
            projects: tuple[str, ...] = (project_get(principal, namespace or wanted.namespace, "event.read").pk,)
        else:
            projects = tuple(projects_visible(principal).values_list("pk", flat=True))
        if wanted.name == reads.LATEST:
            run = reads.run_named(principal, namespace, wanted.name)
            wanted = wanted_of({**request.GET.dict(), "listOptions.fieldSelector": f"metadata.name={run.name}"})
        fields = Fields(request.GET.get("fields") or "", prefix="result.object.")
        return _Watch(wanted, fields, projects, principal, namespace)

    return await _serve(request, begin, _watched)


async def _watched(watch: _Watch) -> Messages:
    until = time.monotonic() + watch.wanted.timeout_s if watch.wanted.timeout_s else None
    cursor = await in_thread(_now)
    for message in await in_thread(lambda: _changes(watch, None)):
        yield message
    beaten = time.monotonic()
    asked = EventFilter(watch.projects, topics=("run", "node", "task"))
    with TAIL.listen() as grown:
        while until is None or time.monotonic() < until:
            grown.clear()
            after = cursor
            batch = await in_thread(lambda a=after: events_after(asked, a))  # type: ignore[misc]
            cursor = batch.cursor
            ids = {event.run_id for event in batch.events if event.run_id}
            if ids:
                found = await in_thread(lambda i=ids: _changes(watch, i))  # type: ignore[misc]
                for message in found:
                    yield message
                beaten = time.monotonic() if found else beaten
                await asyncio.sleep(PACE_S)
                continue
            if time.monotonic() - beaten >= BEAT_S:
                beaten = time.monotonic()
                yield None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(grown.wait(), 1.0)


def _now() -> int:
    events_sequence()
    return newest_position()


def _changes(watch: _Watch, ids: set[str] | None) -> list[dict[str, Any]]:
    """Messages of the runs among `ids` (None: of all there are) that are not as last shown."""
    rows = reads.runs_selected(watch.principal, watch.namespace, watch.wanted).select_related("project")
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    runs = list(rows.prefetch_related("labels")[:WATCHED_MAX])
    there = {run.pk for run in runs}
    found: list[dict[str, Any]] = []
    with_nodes = not watch.fields.leaves_out("status.nodes")
    for run in reversed(runs):
        workflow = reads.workflow_read(run, with_nodes=with_nodes)
        version = workflow["metadata"]["resourceVersion"]
        before = watch.shown.get(run.pk)
        watch.shown[run.pk] = version
        if before != version or run.state not in RUN_ENDED:
            kind = "ADDED" if before is None else "MODIFIED"
            found.append({"result": {"type": kind, "object": watch.fields.clean(workflow)}})
    gone = [pk for pk in ids or () if pk in watch.shown and pk not in there]
    for run in Run.objects.filter(pk__in=gone).select_related("project").prefetch_related("labels"):
        del watch.shown[run.pk]
        workflow = reads.workflow_read(run, with_nodes=False)
        found.append({"result": {"type": "DELETED", "object": watch.fields.clean(workflow)}})
    return found


# --- logs ---


@dataclass(slots=True)
class _Log:
    """One log stream: of which run's leaves, and how far each attempt's streams have been read.

    `container` "main" is the one that stands for a step, whatever its name.
    """

    run_id: str
    pod: str
    container: str
    follow: bool
    tail: int | None
    limit: int | None
    match: Callable[[str], bool]
    nothing: bool
    at: dict[tuple[str, str], int] = field(default_factory=dict)
    rest: dict[tuple[str, str], bytes] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    sent: int = 0


async def workflow_logs(request: HttpRequest, namespace: str, name: str, pod: str = "") -> Any:
    """``workflows/{namespace}/{name}/log`` and ``.../{podName}/log``."""

    def begin() -> _Log:
        run = reads.run_named(_principal(request), namespace, name, "log.read")
        query = request.GET
        return _Log(
            run_id=run.pk,
            pod=pod or query.get("podName") or "",
            container=query.get("logOptions.container") or MAIN,
            follow=query.get("logOptions.follow", "").lower() == "true",
            tail=_count(query.get("logOptions.tailLines")),
            limit=_count(query.get("logOptions.limitBytes")),
            match=_matcher(query.get("grep") or ""),
            nothing=query.get("logOptions.previous", "").lower() == "true",
        )

    return await _serve(request, begin, _logged)


def _count(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        raise Invalid(say("{text!r} is not a number of lines or bytes.", text=text[:40]))
    return int(text)


def _matcher(pattern: str) -> Callable[[str], bool]:
    if not pattern:
        return lambda _: True
    try:
        found = regex.compile(pattern)
        found.search("")
    except LanguageError as error:
        raise Invalid(
            say(
                'failed to compile "{pattern}": {message}',
                pattern=pattern[:100],
                message=error.message,
            )
        ) from None

    def holds(line: str) -> bool:
        try:
            return bool(found.search(line[:2000]))
        except LanguageError:
            return False

    return holds


async def _logged(log: _Log) -> Messages:
    beaten = time.monotonic()
    for turn in itertools.count():
        complete, lines = await in_thread(lambda: _lines(log))
        for message in lines:
            yield message
        if log.limit is not None and log.sent >= log.limit:
            return
        if complete or (not log.follow and (not lines or turn >= TURNS_MAX)):
            return
        if lines:
            beaten = time.monotonic()
        elif time.monotonic() - beaten >= BEAT_S:
            beaten = time.monotonic()
            yield None
        if not lines:
            await asyncio.sleep(PACE_S)


def _lines(log: _Log) -> tuple[bool, list[dict[str, Any]]]:
    """What has been printed since the last look, by leaf in the order they were made; is that all there will be?

    An attempt may end before its last lines have come: its log is at an end when the agent has said so of each stream,
    or some seconds after its end, for an agent that cannot any more.
    """
    run = Run.objects.get(pk=log.run_id)  # before its logs: what is printed until it has ended is there then
    ended = run.state in RUN_ENDED
    if log.nothing:
        return ended, []
    found: list[dict[str, Any]] = []
    unread = ("outcome",) if log.container != MAIN else ("spec", "outcome")
    tasks = [t for t in tasks_of(run).defer(*unread).order_by("id")[:LOG_TASKS_MAX] if t.pk not in log.done]
    names = _pods(run, tasks)
    for task in tasks:
        pod = names.get(task.node_id, task.node_id)
        attempts = task.attempt_rows  # type: ignore[attr-defined]
        settled = task.state in TASK_ENDED
        container = _container(log, task)
        if container is None or (log.pod and log.pod not in (pod, task.node_id)) or (settled and not attempts):
            log.done.add(task.pk)
            continue
        if not attempts:
            continue
        attempt = attempts[-1]
        over = attempt.state in ATTEMPT_ENDED
        late = log_is_late(attempt)
        streams = log_streams(run.pk, attempt.pk, container)
        closed = [_new(log, run.pk, attempt.pk, container, stream, late or not log.follow) for stream in streams]
        found += [{"result": {"content": line, "podName": pod}} for lines, _ in closed for line in lines]
        if settled and over and (late or (streams and all(eof for _, eof in closed))):
            log.done.add(task.pk)
        if len(found) > 5_000:
            return False, found
    return ended and all(task.pk in log.done for task in tasks), found


def _pods(run: Run, tasks: list[Task]) -> dict[str, str]:
    rows = RunNode.objects.filter(run=run, node_id__in=[t.node_id for t in tasks[:LOG_TASKS_MAX]])
    return {row.node_id: pod_name(run, row) for row in rows.only("node_id", "name", "template_name", "extra")}


def _container(log: _Log, task: Task) -> str | None:
    """The name under which the wanted container's log is kept; None where the step has no such container."""
    if log.container == MAIN:
        return ""
    names = containers_of(task)
    if log.container not in names:
        return None
    return "" if log.container == names[0] else log.container


def _new(log: _Log, run_id: str, attempt_id: str, container: str, stream: str, flush: bool) -> tuple[list[str], bool]:
    """New whole lines of one stream, and whether it is at its end; then the last line needs no end of its own."""
    key = (attempt_id, stream)
    pieces: list[bytes] = []
    while True:
        part = log_read(
            run_id, attempt_id, stream=stream, container=container, offset=log.at.get(key, 0), limit=READ_MAX_BYTES
        )
        if part.data:
            log.at[key] = part.next_offset
            pieces.append(part.data)
        if not part.data or part.eof or len(pieces) >= 16:
            break
    data = log.rest.pop(key, b"") + b"".join(pieces)
    whole, _, rest = data.rpartition(b"\n")
    lines = whole.split(b"\n") if whole or data.startswith(b"\n") else []
    if rest and (flush or part.eof or len(rest) > LINE_MAX_BYTES):
        lines.append(rest)
    elif rest:
        log.rest[key] = rest
    texts = [line.rstrip(b"\r").decode("utf-8", "replace") for line in lines]
    if log.tail is not None and not log.follow:
        texts = texts[-log.tail :] if log.tail else []
    kept = [text for text in texts if log.match(text)]
    log.sent += sum(len(text) + 1 for text in kept)
    return kept, part.eof
