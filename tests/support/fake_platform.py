"""A real HTTP fake of the platform's agent gateway, for tests of the agent and its benches.

One asyncio server in a thread of its own, HTTP/1.1 with keep-alive, no framework: it keeps leases, verdicts, blobs and
logs in memory and checks what an agent promises (`violations`). Faults are switches: `down` refuses connections,
`lose_replies` commits and then drops the connection, `slow_s` delays.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fubini_protocol.v1.messages import (
    BlobAccess,
    CancelOrder,
    Extension,
    FilesAnswer,
    FilesAsk,
    FilesTaken,
    JoinReply,
    JoinRequest,
    LeaseOffer,
    LogsReply,
    LogsRequest,
    NextOffset,
    Report,
    SecretsReply,
    SecretsRequest,
    Stream,
    SyncReply,
    SyncRequest,
    Verdict,
    VerdictKind,
)

TOKEN = "one-use-token"
CREDENTIAL = "credential-of-the-test"
BLOB_TOKEN = "blob-token"


@dataclass
class Lease:
    """One attempt as the platform sees it."""

    offer: LeaseOffer
    granted: bool = False
    seen_held: bool = False
    seen_seq: int = 0
    reports: list[Report] = field(default_factory=list)
    outcome: Report | None = None
    granted_s: float = 0.0
    done_s: float = 0.0


class FakePlatform:
    """Start with `start()`, stop with `stop()`, or use as a context manager. Thread-safe for one test thread."""

    def __init__(self, *, lease_s: float = 30.0, wait_max_s: float = 5.0) -> None:
        self.lease_s = lease_s
        self.wait_max_s = wait_max_s
        self.leases: dict[str, Lease] = {}
        self.blobs: dict[str, bytes] = {}
        self.logs: dict[tuple[str, str], bytearray] = defaultdict(bytearray)
        self.disks: tuple[str, ...] = ()  # as the agent said last
        self.drop_disks: set[str] = set()
        self.log_marks: dict[tuple[str, str], int] = {}
        self.joins: list[JoinRequest] = []
        self.syncs: list[SyncRequest] = []
        self.keep_syncs = True
        self.sync_count = 0
        self.report_syncs = 0
        self.cache: dict[str, int] = {}
        self.sessions: list[str] = []
        self.violations: list[str] = []
        self.down = False
        self.lose_replies = 0
        self.slow_s = 0.0
        self.credential = CREDENTIAL
        self.tokens = {TOKEN}
        self.blob_gets = 0
        self.cut_downloads = 0
        self.secrets: dict[str, SecretsReply] = {}  # by attempt id; asked for, counted in `secret_asks`
        self.secret_asks = 0
        self.looks: dict[str, FilesAsk] = {}  # not answered yet
        self.answers: dict[str, FilesAnswer] = {}
        self.drain = False
        self.grant_limit: int | None = None
        self.on_outcome: Callable[[Report], None] | None = None
        self._cancels: list[CancelOrder] = []
        self._forget: set[str] = set()
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self.port = 0

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> FakePlatform:
        self._thread = threading.Thread(target=self._run, name="fake-platform", daemon=True)
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(5)

    def __enter__(self) -> FakePlatform:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._bell = asyncio.Event()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 26))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with contextlib.suppress(RuntimeError):
            self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def ring(self) -> None:
        if self._loop is not None and self._bell is not None:
            self._loop.call_soon_threadsafe(self._bell.set)

    # --- what a test does -----------------------------------------------------------------------------------------

    def lease(
        self, attempt_id: str, *, fence: int = 1, task_id: str = "", expires_in_s: float | None = None, **spec: Any
    ) -> LeaseOffer:
        """Offer one attempt; `spec` are ExecSpec's fields (image defaults to ``host``)."""
        body: dict[str, Any] = {"image": "host", "grace_s": 1.0, **spec}
        body.setdefault("upload", BlobAccess(url="/blobs", token=BLOB_TOKEN))
        body.setdefault("download", BlobAccess(url="/blobs", token=BLOB_TOKEN))
        offer = LeaseOffer.model_validate(
            {
                "lease_id": f"lease-{attempt_id}",
                "attempt_id": attempt_id,
                "task_id": task_id or f"task-{attempt_id}",
                "fence": fence,
                "expires_in_s": self.lease_s if expires_in_s is None else expires_in_s,
                "spec": body,
            }
        )
        with self._lock:
            self.leases[attempt_id] = Lease(offer)
        self.ring()
        return offer

    def put_blob(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def drop_finished(self, age_s: float = 1.0) -> None:
        """Forget old finished leases, so that a long bench does not measure this fake's table."""
        with self._lock:
            for name, lease in list(self.leases.items()):
                if lease.outcome is not None and time.monotonic() - lease.done_s > age_s:
                    del self.leases[name]

    def cancel(self, attempt_id: str, reason: str = "test", *, preempt: bool = False, fence: int | None = None) -> None:
        lease = self.leases[attempt_id]
        order = CancelOrder(
            attempt_id=attempt_id,
            fence=lease.offer.fence if fence is None else fence,
            reason=reason,
            preempt=preempt,
        )
        with self._lock:
            self._cancels.append(order)
        self.ring()

    def forget(self, attempt_id: str) -> None:
        with self._lock:
            self._forget.add(attempt_id)
            self.leases.pop(attempt_id, None)
        self.ring()

    def wait(self, condition: Callable[[], Any], what: str = "condition", timeout_s: float = 60.0) -> Any:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError(f"{what} did not come within {timeout_s} s; leases: {self.summary()}")

    def outcome(self, attempt_id: str, timeout_s: float = 60.0) -> Report:
        """The terminal report of an attempt."""
        report: Report = self.wait(lambda: self.leases[attempt_id].outcome, f"outcome of {attempt_id}", timeout_s)
        return report

    def state(self, attempt_id: str) -> str:
        """What the agent last said of it in `held`, or its terminal state."""
        lease = self.leases[attempt_id]
        if lease.outcome is not None:
            return lease.outcome.state.value
        for sync in reversed(self.syncs):
            for held in sync.held:
                if held.attempt_id == attempt_id:
                    return held.state.value
        return ""

    def wait_running(self, attempt_id: str, timeout_s: float = 60.0) -> None:
        def running() -> bool:
            lease = self.leases[attempt_id]
            return (
                any(report.state.value == "running" for report in lease.reports) or self.state(attempt_id) == "running"
            )

        self.wait(running, f"{attempt_id} running", timeout_s)

    def wait_log(self, attempt_id: str, content: bytes, stream: str = "stdout") -> None:
        """Until a stream has this content and no other: its chunks may come after the step's end."""
        self.wait(lambda: bytes(self.logs[(attempt_id, stream)]) == content, f"{stream} of {attempt_id}")

    def summary(self) -> dict[str, str]:
        return {name: self.state(name) for name in list(self.leases)[:20]}

    # --- HTTP -----------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                line = await reader.readline()
                if not line or self.down:
                    break
                method, path, _version = line.decode("latin-1").split()
                headers: dict[str, str] = {}
                while (raw := (await reader.readline()).decode("latin-1").strip()) != "":
                    name, _, value = raw.partition(":")
                    headers[name.strip().lower()] = value.strip()
                if headers.get("transfer-encoding", "") == "chunked":
                    body = b"".join([chunk async for chunk in _chunked(reader)])
                else:
                    body = await reader.readexactly(int(headers.get("content-length", "0")))
                if self.slow_s:
                    await asyncio.sleep(self.slow_s)
                status, content, extra = await self._answer(method, path, headers, body)
                if self.down:
                    break
                if self.lose_replies and path.startswith("/agent"):
                    self.lose_replies -= 1
                    break
                if self.cut_downloads and method == "GET" and path.startswith("/blobs"):
                    self.cut_downloads -= 1
                    writer.write(_head(status, len(content), extra) + content[: len(content) // 2])
                    await writer.drain()
                    break
                writer.write(_head(status, len(content), extra) + (b"" if method == "HEAD" else content))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            pass
        finally:
            with contextlib.suppress(Exception):
                writer.close()

    async def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        if path == "/agent/v1/join":
            return self._join(body)
        if path.startswith("/blobs/"):
            return self._blob(method, path.rsplit("/", 1)[1], headers, body)
        if headers.get("authorization") != f"Bearer {self.credential}":
            return 401, json.dumps({"code": "credential_invalid", "title": "unknown credential"}).encode(), {}
        if path == "/agent/v1/sync":
            return 200, await self._sync(SyncRequest.model_validate_json(body)), {}
        if path == "/agent/v1/logs":
            return 200, self._logs(LogsRequest.model_validate_json(body)), {}
        if path == "/agent/v1/secrets":
            return self._secrets(SecretsRequest.model_validate_json(body))
        if path == "/agent/v1/files":
            answer = FilesAnswer.model_validate_json(body)
            self.looks.pop(answer.ask_id, None)
            self.answers[answer.ask_id] = answer
            return 200, FilesTaken().to_json(), {}
        return 404, b"{}", {}

    def look(self, attempt_id: str, path: str = "", *, fence: int = 1, **more: int) -> FilesAnswer:
        """Ask the agent to look at a step's files, and wait for what it says."""
        ask_id = f"look-{len(self.answers)}-{len(self.looks)}"
        with self._lock:
            self.looks[ask_id] = FilesAsk(ask_id=ask_id, attempt_id=attempt_id, fence=fence, path=path, **more)
        self.ring()
        self.wait(lambda: ask_id in self.answers, f"an answer to a look at {path or 'its directory'}")
        return self.answers[ask_id]

    def _secrets(self, request: SecretsRequest) -> tuple[int, bytes, dict[str, str]]:
        lease = self.leases.get(request.attempt_id)
        self.secret_asks += 1
        if lease is None or lease.outcome is not None or lease.offer.fence != request.fence:
            return 404, json.dumps({"code": "not_found", "title": "no such attempt"}).encode(), {}
        return 200, self.secrets[request.attempt_id].to_json(), {}

    def _join(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        request = JoinRequest.model_validate_json(body)
        if request.token not in self.tokens:
            problem = {"code": "join_token_invalid", "title": "the token is unknown or used"}
            return 403, json.dumps(problem).encode(), {}
        self.tokens.discard(request.token)
        self.joins.append(request)
        reply = JoinReply(
            agent_id="agent-1",
            credential=self.credential,
            site="testsite",
            lease_s=self.lease_s,
            renew_s=self.lease_s / 3,
            wait_max_s=self.wait_max_s,
        )
        return 200, reply.to_json(), {}

    def _blob(
        self, method: str, digest: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        if headers.get("authorization") != f"Bearer {BLOB_TOKEN}":
            return 403, json.dumps({"code": "blob_not_allowed"}).encode(), {}
        if method == "PUT":
            if hashlib.sha256(body).hexdigest() != digest:
                return 422, json.dumps({"code": "blob_mismatch"}).encode(), {}
            self.blobs[digest] = body
            return 201, b"", {}
        if digest not in self.blobs:
            return 404, json.dumps({"code": "not_found"}).encode(), {}
        content = self.blobs[digest]
        if method == "GET":
            self.blob_gets += 1
        if headers.get("range", "").startswith("bytes="):
            at = int(headers["range"][6:].rstrip("-"))
            return 206, content[at:], {"content-range": f"bytes {at}-{len(content) - 1}/{len(content)}"}
        return 200, content, {}

    # --- sync -----------------------------------------------------------------------------------------------------

    async def _sync(self, request: SyncRequest) -> bytes:
        assert self._bell is not None
        with self._lock:
            verdicts = self._take_reports(request)
            self._take_held(request)
            if request.session_id not in self.sessions:
                self.sessions.append(request.session_id)
        until = time.monotonic() + min(request.wait_s, self.wait_max_s)
        while True:
            self._bell.clear()
            with self._lock:
                reply = self._reply(request, verdicts)
            quiet = not (reply.verdicts or reply.start or reply.cancel or reply.forget or reply.looks)
            left = until - time.monotonic()
            if not quiet or left <= 0:
                return reply.to_json()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._bell.wait(), left)

    def _take_reports(self, request: SyncRequest) -> list[Verdict]:
        verdicts = []
        for report in request.reports:
            lease = self.leases.get(report.attempt_id)
            kind = VerdictKind.ACCEPTED
            if lease is None:
                kind = VerdictKind.REJECTED
            elif report.fence != lease.offer.fence:
                kind = VerdictKind.SUPERSEDED
            elif lease.outcome is not None:
                if report.is_terminal and report.outcome != lease.outcome.outcome:
                    self.violations.append(f"{report.attempt_id}: two different outcomes")
                kind = VerdictKind.ALREADY_ACCEPTED
            else:
                lease.reports.append(report)
                if report.is_terminal:
                    lease.outcome = report
                    lease.done_s = time.monotonic()
                    if self.on_outcome is not None:
                        self.on_outcome(report)
            verdicts.append(Verdict(attempt_id=report.attempt_id, sequence=report.sequence, verdict=kind))
        if request.reports:
            self.report_syncs += 1
        return verdicts

    def _take_held(self, request: SyncRequest) -> None:
        self.sync_count += 1
        if self.keep_syncs:
            self.syncs.append(request)
        if not request.reports:
            self.disks = request.disks
        held = {attempt.attempt_id: attempt for attempt in request.held}
        reported = {report.attempt_id for report in request.reports}
        for attempt_id, lease in self.leases.items():
            if attempt_id in held:
                lease.seen_held, lease.seen_seq = True, max(lease.seen_seq, request.sync_seq)
            elif (
                lease.seen_held
                and lease.outcome is None
                and attempt_id not in reported
                and request.sync_seq > lease.seen_seq
            ):
                self.violations.append(f"{attempt_id}: vanished from held without a terminal report")
        if request.cache is not None:
            if request.cache.full:
                self.cache = {}
            self.cache.update({blob.sha256: blob.size for blob in request.cache.added})
            for digest in request.cache.removed:
                self.cache.pop(digest, None)

    def _reply(self, request: SyncRequest, verdicts: list[Verdict]) -> SyncReply:
        held = {attempt.attempt_id for attempt in request.held}
        start = []
        for lease in self.leases.values():
            attempt_id = lease.offer.attempt_id
            if lease.outcome is None and attempt_id not in held and (not lease.granted or not lease.seen_held):
                if lease.granted and time.monotonic() - lease.granted_s < 2.0:
                    continue  # its reply may still be on the way
                if self.grant_limit is not None and len(start) >= self.grant_limit:
                    break
                lease.granted, lease.granted_s = True, time.monotonic()
                start.append(lease.offer)
        cancels, self._cancels = self._cancels, []
        forget = [attempt_id for attempt_id in held if attempt_id in self._forget]
        return SyncReply(
            server_time_ms=int(time.time() * 1000),
            verdicts=tuple(verdicts),
            start=tuple(start),
            cancel=tuple(cancels),
            forget=tuple(forget),
            extend=tuple(
                Extension(attempt_id=held_.attempt_id, fence=held_.fence, expires_in_s=self.lease_s)
                for held_ in request.held
                if held_.attempt_id in self.leases
            ),
            drain=self.drain,
            drop_disks=tuple(self.drop_disks),
            looks=tuple(self.looks.values()) if request.wait_s else (),
        )

    def _logs(self, request: LogsRequest) -> bytes:
        answers = []
        for chunk in request.chunks:
            container = f"{chunk.container}/" if chunk.container else ""
            key = (chunk.attempt_id, f"{container}{chunk.stream.value}")
            have = self.logs[key]
            content = chunk.content()
            if chunk.offset == len(have):
                have.extend(content)
            elif chunk.offset > len(have):
                self.violations.append(f"log {key}: a hole before byte {chunk.offset}")
            if chunk.truncated:
                self.log_marks[key] = chunk.skipped_bytes
            answers.append(
                NextOffset(
                    attempt_id=chunk.attempt_id,
                    stream=Stream(chunk.stream),
                    offset=len(have),
                    container=chunk.container,
                )
            )
        return LogsReply(next=tuple(answers)).to_json()


async def _chunked(reader: asyncio.StreamReader) -> Any:
    while True:
        size = int((await reader.readline()).strip(), 16)
        content = await reader.readexactly(size)
        await reader.readline()
        if not size:
            return
        yield content


def _head(status: int, length: int, extra: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {length}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in extra.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@contextlib.contextmanager
def platform(**options: Any) -> Iterator[FakePlatform]:
    fake = FakePlatform(**options).start()
    try:
        yield fake
    finally:
        fake.stop()
