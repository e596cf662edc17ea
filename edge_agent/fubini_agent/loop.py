"""The agent's loop: perform the machine's instructions, keep in touch with the platform.

Order that must hold: leases are journalled before anything is done for them; a terminal report is journalled before it
is sent and leaves the outbox only with its verdict. Two syncs run side by side: a long poll that brings orders, and one
that carries reports as soon as there are any. Everything else (staging, uploads, logs, deleting) runs in the background.

The platform may be away for any time: steps go on, reports wait in the journal, both syncs try again with jitter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import time
from typing import Optional

from fubini_agent import facts
from fubini_agent.config import Identity, SiteFile, StateFolder
from fubini_agent.drivers.local import LocalDriver, RootSupport
from fubini_agent.environments import Environments
from fubini_agent.errors import AgentError, Permanent, Transient, Unauthorized
from fubini_agent.journal import Journal
from fubini_agent.logs import LogShipper
from fubini_agent.room import Room
from fubini_agent.staging.cache import Cache
from fubini_agent.state import (
    TERMINAL_SEQUENCE,
    AttemptForgotten,
    CancelOrdered,
    Collect,
    Discard,
    DrainOrdered,
    End,
    Event,
    Instruction,
    KeepLease,
    Launch,
    LeaseExtended,
    LeaseOffered,
    Limits,
    Machine,
    Now,
    RoomChanged,
    Send,
    Stage,
    Ticked,
    VerdictGiven,
)
from fubini_agent.transport import Backoff, Transport
from fubini_protocol.v1.errors import ErrorCode
from fubini_protocol.v1.messages import (
    PROTOCOL_VERSION,
    AttemptState,
    CacheReport,
    Capacity,
    FilesAsk,
    HostFacts,
    LinkUse,
    Offer,
    Provenance,
    Report,
    SyncReply,
    SyncRequest,
    VerdictKind,
)

_log = logging.getLogger("fubini_agent.loop")
TICK_S = 0.25
SWEEP_S = 0.5
STATUS_S = 2.0
REPORTS_A_SYNC = 500
#: Two syncs with reports start at least this far apart: under load it makes batches, when idle it costs nothing.
REPORT_GAP_S = 0.01
#: With leases waiting for room nothing waits for an answer, so larger batches cost nobody time.
BACKLOG_GAP_S = 0.06
BACKLOG_LEASES = 6
#: A passing state younger than this is not worth a message: most short steps end before it is sent.
SETTLE_S = 0.1
REPEATED_ORDER_S = 0.2
LOG_GRACE_S = 600.0
UNAUTHORIZED_MAX = 5
LOOKS_MAX = 8  # looks at steps' files that are answered at once


class Stopped(AgentError):
    """The agent ends itself: its credential is dead or its identity lives elsewhere too."""


class Agent:
    """One agent process. `run()` returns when told to stop.

    Args:
        folder: a joined state folder, its lock held by the caller.
        support: what `probe_private_root` found.
    """

    def __init__(
        self, folder: StateFolder, identity: Identity, site: SiteFile, support: RootSupport, environments: Environments
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.site = site
        self.support = support
        self.environments = environments
        self.boot_id = facts.boot_id()
        self.session_id = secrets.token_hex(8)
        self.host: HostFacts = facts.host_facts(folder.path, site, support.ok)
        self.offer: Offer = facts.offer(self.host, site)
        self.transport = Transport(identity.url, identity)
        self.journal = Journal(folder.journal_path)
        self.cache = Cache(folder.cache, site.cache.max_bytes)
        self.driver = LocalDriver(
            folder, site, support, environments, facts.devices(site), self.cache, self.transport, self.post
        )
        self.room = Room((folder.path, self.driver.work, self.cache.folder))
        self.machine = Machine(
            Limits(
                cpu_millis=self.offer.cpu_millis,
                memory_bytes=self.offer.memory_bytes,
                devices={device.name: device.count for device in self.offer.devices},
                steps_max=site.offer.steps_max or 1_000,
            )
        )
        self.logs = LogShipper(self.transport, identity.agent_id, self.session_id, self.driver.secrets.maskers)
        self._hardware = facts.cpu_model()
        self._sync_seq = 0
        self._outbox: dict[tuple[str, int], Report] = {}
        self._fresh: dict[tuple[str, int], tuple[Report, float]] = {}  # passing states and when they may go out
        self._sent: set[tuple[str, int]] = set()
        self._terminal: list[Report] = []  # waiting for the journal
        self._lingering: dict[str, float] = {}  # discarded, logs not shipped yet: attempt id -> give up at
        self._failed: set[str] = set()  # their directories are kept
        self._looks: dict[str, asyncio.Task[None]] = {}  # being answered, by ask id
        self._commit_wanted = asyncio.Event()
        self._report_wanted = asyncio.Event()
        self._tell_capacity = False  # whether we take work has changed: said at once, not with the next poll
        self._stop = asyncio.Event()
        self._stop_reason: Optional[Stopped] = None
        self._introduced = False
        self._unauthorized = 0
        self._last_sync_s: Optional[float] = None
        self._last_error = ""
        self._events: list[Event] = []
        self._handling = False

    # --- life -----------------------------------------------------------------------------------------------------

    async def run(self, *, stop_steps: bool = False) -> None:
        """Recover, then work until `stop` is called or a SIGTERM comes.

        Raises:
            Stopped: the platform does not want this agent. AgentError: no keeper.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.stop)
        await self._recover()
        workers = [
            loop.create_task(work(), name=work.__name__)
            for work in (self._poll, self._report, self._commit, self._tick, self.logs.run, self._housekeep)
        ]
        stopping = loop.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait([*workers, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task is not stopping and task.exception() is not None:
                    raise AgentError(f"{task.get_name()} failed: {task.exception()!r}") from task.exception()
        finally:
            for task in [*workers, stopping, *self._looks.values()]:
                task.cancel()
            await asyncio.gather(*workers, stopping, return_exceptions=True)
            await self._close(stop_steps)
        if self._stop_reason is not None:
            raise self._stop_reason

    def stop(self) -> None:
        self._stop.set()

    async def _close(self, stop_steps: bool) -> None:
        if stop_steps:
            await self.driver.stop_steps()
        with contextlib.suppress(asyncio.TimeoutError, AgentError):
            await asyncio.wait_for(self._last_words(), 3.0)
        await self.driver.close()
        await self.transport.close()
        await self.journal.close()
        self._write_status(running=False)

    async def _last_words(self) -> None:
        """What is already journalled may as well be told now; otherwise the next start does."""
        self._move_terminal()
        if self._outbox and self._stop_reason is None:
            reports = list(self._outbox.values())[:REPORTS_A_SYNC]
            reply = await self.transport.sync(self._request(0.0, reports, poll=False))
            for verdict in reply.verdicts:
                if verdict.verdict is not VerdictKind.UNKNOWN:
                    self.journal.drop(verdict.attempt_id)

    async def _recover(self) -> None:
        found = self.journal.load()
        for restored in await self.driver.recover(found, self.boot_id):
            layout = self.driver.layouts.get(restored.offer.attempt_id)
            if layout is not None:
                self.logs.follow(restored.offer, layout)
                if restored.pid is None:
                    self.logs.ended(restored.offer.attempt_id)
            if restored.report is not None:
                self._outbox[(restored.report.attempt_id, restored.report.sequence)] = restored.report
                self._note_failed(restored.report)
            self.post(restored)
        if found:
            _log.info("took up %d attempts from before", len(found))

    # --- events and instructions ----------------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        """Feed one event and perform what follows. Leases go through `_take` instead: they wait for the journal."""
        self._events.append(event)
        if self._handling:  # an instruction answered at once: its event comes after the instructions under way
            return
        self._handling = True
        try:
            while self._events:
                for instruction in self.machine.handle(self._events.pop(0), self._now()):
                    self._perform(instruction)
        finally:
            self._handling = False

    @staticmethod
    def _now() -> Now:
        return Now(time.monotonic(), int(time.time() * 1000))

    def _perform(self, instruction: Instruction) -> None:
        if isinstance(instruction, Send):
            self._send(instruction.report)
        elif isinstance(instruction, Stage):
            self.driver.stage(self.machine.attempts[instruction.attempt_id].offer)
        elif isinstance(instruction, Launch):
            self._launch(instruction)
        elif isinstance(instruction, Collect):
            self.logs.ended(instruction.attempt_id)
            self.driver.collect(self.machine.attempts[instruction.attempt_id].offer, instruction.exit)
        elif isinstance(instruction, End):
            self.driver.end(instruction.attempt_id, instruction.grace_s)
        elif isinstance(instruction, Discard):
            self._discard(instruction.attempt_id)
        else:
            assert isinstance(instruction, KeepLease)  # `_take` has journalled it already

    def _launch(self, instruction: Launch) -> None:
        attempt = self.machine.attempts[instruction.attempt_id]
        self.machine.provenance.setdefault(attempt.offer.spec.image, self._provenance(attempt.offer.spec.image))
        layout = self.driver.layouts.get(instruction.attempt_id)
        if layout is not None:
            self.logs.follow(attempt.offer, layout)
        self.driver.launch(instruction.attempt_id, instruction.devices)

    def _provenance(self, image: str) -> Provenance:
        environment = self.environments.for_image(image)
        record = environment.record
        return Provenance(
            agent_version=facts.AGENT_VERSION,
            environment_image=environment.image,
            environment_fingerprint=record.fingerprint if record else "",
            hardware=self._hardware,
            hostname=self.host.hostname,
        )

    def _discard(self, attempt_id: str) -> None:
        self.journal.drop(attempt_id)
        for state in (1, 2, 3, 4, TERMINAL_SEQUENCE):
            key = (attempt_id, state)
            self._outbox.pop(key, None)
            self._fresh.pop(key, None)
            self._sent.discard(key)
        self.logs.ended(attempt_id)
        if self.logs.is_done(attempt_id):
            self.logs.forget(attempt_id)
            self._let_go(attempt_id)
        else:
            self._lingering[attempt_id] = time.monotonic() + LOG_GRACE_S

    def _let_go(self, attempt_id: str) -> None:
        self.driver.discard(attempt_id, keep=attempt_id in self._failed)
        self._failed.discard(attempt_id)

    def _note_failed(self, report: Report) -> None:
        if report.state is AttemptState.FAILED:
            self._failed.add(report.attempt_id)

    def _send(self, report: Report) -> None:
        if report.is_terminal:
            self._note_failed(report)
            self.logs.ended(report.attempt_id)
            # What was not sent of its earlier states is folded into this one.
            for state in (1, 2, 3, 4):
                key = (report.attempt_id, state)
                self._fresh.pop(key, None)
                if key not in self._sent:
                    self._outbox.pop(key, None)
            self.journal.owe(report)
            self._terminal.append(report)
            self._commit_wanted.set()
        else:
            self._fresh[(report.attempt_id, report.sequence)] = (report, time.monotonic() + SETTLE_S)

    # --- workers --------------------------------------------------------------------------------------------------

    async def _commit(self) -> None:
        """Terminal reports become sendable once they are on disk; many share one commit."""
        while True:
            await self._commit_wanted.wait()
            self._commit_wanted.clear()
            batch, self._terminal = self._terminal, []
            await self.journal.flushed()
            for report in batch:
                if report.attempt_id in self.machine.attempts:
                    self._outbox[(report.attempt_id, report.sequence)] = report
            self._report_wanted.set()

    def _move_terminal(self) -> None:
        for report in self._terminal:
            self._outbox[(report.attempt_id, report.sequence)] = report
        self._terminal = []

    async def _tick(self) -> None:
        next_tick = 0.0
        while True:
            await asyncio.sleep(SETTLE_S)
            now = time.monotonic()
            ripe = [key for key, (_report, due) in self._fresh.items() if due <= now]
            for key in ripe:
                self._outbox[key] = self._fresh.pop(key)[0]
            if ripe:
                self._report_wanted.set()
            if now >= next_tick:
                next_tick = now + TICK_S
                self.post(Ticked())

    async def _poll(self) -> None:
        backoff = Backoff()
        while True:
            wait_s = min(self.site.wait_s, self.identity.wait_max_s, self.identity.renew_s) if self._introduced else 0.0
            try:
                reply = await self._sync(wait_s, [], poll=True)
            except Transient as exc:
                await self._pause(backoff, exc)
                continue
            except Permanent as exc:
                await self._refused(backoff, exc)
                continue
            backoff.reset()
            if not self._introduced:
                self._introduced = True
                self._report_wanted.set()
            if reply.next_sync_s:
                await asyncio.sleep(min(reply.next_sync_s, 60.0))
            elif (reply.cancel or reply.forget or reply.looks) and not reply.start:
                # Orders are repeated until they are carried out, which takes a while: no reason to ask all the time.
                await asyncio.sleep(REPEATED_ORDER_S)

    async def _report(self) -> None:
        backoff = Backoff()
        while True:
            await self._report_wanted.wait()
            self._report_wanted.clear()
            while self._introduced and (self._outbox or self._tell_capacity):
                began = time.monotonic()
                batch = list(self._outbox.items())[:REPORTS_A_SYNC]
                self._sent.update(key for key, _report in batch)
                try:
                    reply = await self._sync(0.0, [report for _key, report in batch], poll=False)
                except Transient as exc:
                    await self._pause(backoff, exc)
                    continue
                except Permanent as exc:
                    await self._refused(backoff, exc)
                    continue
                backoff.reset()
                answered = {(verdict.attempt_id, verdict.sequence) for verdict in reply.verdicts}
                if batch and not any(key in answered for key, _report in batch):
                    await asyncio.sleep(1.0)  # a platform that says nothing of any report is not hammered
                gap_s = BACKLOG_GAP_S if len(self.machine.attempts) >= BACKLOG_LEASES else REPORT_GAP_S
                await asyncio.sleep(max(0.0, began + gap_s - time.monotonic()))

    async def _pause(self, backoff: Backoff, exc: Transient) -> None:
        if not backoff.failures:
            _log.warning("the platform does not answer, steps go on: %s", exc)
        self._last_error = str(exc)
        await asyncio.sleep(backoff.next_s(exc.retry_after_s))

    async def _refused(self, backoff: Backoff, exc: Permanent) -> None:
        self._last_error = str(exc)
        _log.error("the platform refuses: %s", exc)
        if exc.code == ErrorCode.DUPLICATE_SESSION.value:
            self._end(f"another agent lives with this identity (a copied state folder?): {exc}")
        if isinstance(exc, Unauthorized):
            self._unauthorized += 1
            if self._unauthorized >= UNAUTHORIZED_MAX:
                self._end(f"the credential is refused: join again with a new token. {exc}")
        await asyncio.sleep(backoff.next_s())

    def _end(self, text: str) -> None:
        self._stop_reason = Stopped(text)
        self._stop.set()

    async def _housekeep(self) -> None:
        last_status = 0.0
        trouble = ""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            if self.room.look() != self.machine.no_room:
                _log.warning("%s", self.room.problem or "there is room on the disk again")
                self.post(RoomChanged(self.room.problem))
            if self._capacity().reason != trouble:
                trouble = self._capacity().reason
                self._tell_capacity = True
                self._report_wanted.set()
            for attempt_id, give_up in list(self._lingering.items()):
                if self.logs.is_done(attempt_id) or now > give_up:
                    del self._lingering[attempt_id]
                    self.logs.forget(attempt_id)
                    self._let_go(attempt_id)
            await self.driver.sweep()
            self.driver.measure()
            self.journal.flush_soon()
            if now - last_status > STATUS_S:
                last_status = now
                self._write_status(running=True)

    # --- syncs ----------------------------------------------------------------------------------------------------

    def _request(
        self, wait_s: float, reports: list[Report], cache: Optional[CacheReport] = None, *, poll: bool
    ) -> SyncRequest:
        self._sync_seq += 1
        first = not self._introduced
        return SyncRequest(
            protocol_version=PROTOCOL_VERSION,
            agent_id=self.identity.agent_id,
            boot_id=self.boot_id,
            session_id=self.session_id,
            sync_seq=self._sync_seq,
            wait_s=wait_s,
            agent_version=facts.AGENT_VERSION,
            held=tuple(self.machine.held()),
            reports=tuple(reports),
            cache=cache,
            capacity=self._capacity() if poll or first or self._tell_capacity else None,
            link=self._link_use() if poll else None,
            host=self.host if first else None,
            offer=self.offer if first else None,
            environments=self.environments.records() if first else None,
            disks=() if reports else self.driver.idle_disks(),
        )

    def _link_use(self) -> Optional[LinkUse]:
        meter = self.transport.meter
        if not meter.moved_bytes:
            return None
        return LinkUse(downloaded_bytes=meter.moved_bytes, busy_ms=meter.busy_ms(time.monotonic()))

    def _capacity(self) -> Capacity:
        free = facts.disk_free_bytes(self.folder.path)
        reason = self.journal.problem or self.driver.problem or self.room.problem
        if not reason and self.machine.drain:
            reason = "draining"
        with contextlib.suppress(OSError):
            load = int(os.getloadavg()[0] * 1000)
            return Capacity(free_disk_bytes=free, load_1m_millis=load, accepting=not reason, reason=reason)
        return Capacity(free_disk_bytes=free, accepting=not reason, reason=reason)

    async def _sync(self, wait_s: float, reports: list[Report], *, poll: bool) -> SyncReply:
        # The poll carries the cache's changes: one carrier, so a confirmation always matches what was sent.
        cache = self.cache.report() if poll else None
        request = self._request(wait_s, reports, cache, poll=poll)
        reply = await self.transport.sync(request)
        if request.capacity is not None and request.capacity.reason == self._capacity().reason:
            self._tell_capacity = False
        self._unauthorized = 0
        self._last_sync_s = time.monotonic()
        self._last_error = ""
        if cache is not None:
            self.cache.confirmed(cache)
        if reply.cache_resync:
            self.cache.resync()
        await self._take(reply)
        return reply

    async def _take(self, reply: SyncReply) -> None:
        """Verdicts and orders at once; new leases after the journal has them."""
        for verdict in reply.verdicts:
            if verdict.verdict in (VerdictKind.REJECTED, VerdictKind.UNKNOWN):
                _log.error(
                    "report %s/%d: %s %s", verdict.attempt_id, verdict.sequence, verdict.verdict.value, verdict.reason
                )
            if verdict.verdict is not VerdictKind.UNKNOWN:
                self._outbox.pop((verdict.attempt_id, verdict.sequence), None)
                self._sent.discard((verdict.attempt_id, verdict.sequence))
            self.post(VerdictGiven(verdict.attempt_id, verdict.sequence, verdict.verdict, verdict.reason))
        self.post(DrainOrdered(reply.drain))
        if reply.drop_disks:
            self.driver.drop_disks(reply.drop_disks)
        for extension in reply.extend:
            self.post(LeaseExtended(extension.attempt_id, extension.fence, extension.expires_in_s))
        for order in reply.cancel:
            self.post(CancelOrdered(order.attempt_id, order.fence, order.reason, order.preempt))
        for attempt_id in reply.forget:
            self.post(AttemptForgotten(attempt_id))
        for ask in reply.looks:
            if ask.ask_id not in self._looks and len(self._looks) < LOOKS_MAX:
                task = asyncio.get_running_loop().create_task(self._look(ask))
                self._looks[ask.ask_id] = task
                task.add_done_callback(lambda _done, ask_id=ask.ask_id: self._looks.pop(ask_id, None))  # type: ignore[misc]
        fresh = [offer for offer in reply.start if self.machine.is_news(offer)]
        if fresh:
            for offer in fresh:
                self.journal.keep(offer, self.boot_id)
            await self.journal.flushed()
        for offer in reply.start:
            self.post(LeaseOffered(offer))

    async def _look(self, ask: FilesAsk) -> None:
        """Answer one look at a step's files; whoever asked asks again when the answer is lost."""
        try:
            await self.transport.files(await self.driver.look(ask))
        except AgentError as exc:
            _log.warning("a look at %s was not answered: %s", ask.attempt_id, exc)
        except Exception:
            _log.exception("a look at %s failed", ask.attempt_id)

    # --- status ---------------------------------------------------------------------------------------------------

    def _write_status(self, *, running: bool) -> None:
        now = time.monotonic()
        data = {
            "pid": os.getpid() if running else None,
            "running": running,
            "agent_id": self.identity.agent_id,
            "site": self.identity.site,
            "url": self.identity.url,
            "at_ms": int(time.time() * 1000),
            "last_sync_age_s": None if self._last_sync_s is None else round(now - self._last_sync_s, 1),
            "last_error": self._last_error,
            "keeper_pid": self.driver.link.pid,
            "private_root": self.support.ok,
            "unsent_reports": len(self._outbox) + len(self._terminal),
            "problem": self.journal.problem or self.driver.problem or self.room.problem,
            "attempts": [
                {"attempt_id": held.attempt_id, "task_id": held.task_id, "state": held.state.value, "pid": held.pid}
                for held in self.machine.held()
            ],
        }
        temporary = self.folder.status_path.with_name("status.json.new")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(data, indent=2) + "\n")
            temporary.replace(self.folder.status_path)
