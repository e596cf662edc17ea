"""The agent's durable memory: leases it accepted and reports it owes. One SQLite file, WAL, synchronous=FULL.

Rules: a lease is journalled before it is acted on, a terminal report before it is sent; rows go only after the
platform's verdict. What the keeper did lives in its markers, not here.

Writes are queued and committed in groups; only the commit itself, which waits for the disk, runs in a thread, so the
event loop never does and many reports share one fsync. A failing disk does not lose what is queued: the group is tried
again until it lands (`problem` says why meanwhile). `RESERVE_BYTES` of room are kept inside the journal's own files, so
that a full disk can still take what is owed: room beside them would go to whoever writes next, a step perhaps.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

from fubini_protocol.v1.messages import LeaseOffer, Report

_log = logging.getLogger("fubini_agent.journal")
RESERVE_BYTES = 5 * 1024 * 1024
RETRY_S = 1.0
_SCHEMA = """
create table if not exists lease (attempt_id text primary key, boot_id text not null, offer blob not null) without rowid;
create table if not exists outbox (
    attempt_id text not null, sequence integer not null, report blob not null,
    primary key (attempt_id, sequence)) without rowid;
create table if not exists note (name text primary key, value text not null) without rowid;
"""
_Op = tuple[str, tuple[object, ...]]


class Journalled:
    """One lease as it was found at start."""

    __slots__ = ("boot_id", "offer", "report")

    def __init__(self, offer: LeaseOffer, boot_id: str, report: Optional[Report]) -> None:
        self.offer = offer
        self.boot_id = boot_id
        self.report = report


class Journal:
    """Use from one event loop. `keep`, `owe` and `drop` only queue; `flushed()` waits until all queued is on disk.

    Deletions may wait for company: what they cost when they are lost is a report sent twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self.commits = 0
        self._ops: list[_Op] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._working: Optional[asyncio.Task[None]] = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._db = self._open()
        self._hold_reserve()

    def _open(self) -> sqlite3.Connection:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(descriptor)
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=20.0)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        db.executescript(_SCHEMA)
        return db

    def _hold_reserve(self) -> None:
        """Make both files larger than they need to be. SQLite then writes into what they have: it keeps freed pages in
        the database and begins its log at the front again, and gives neither back while the journal is open."""
        try:
            self._db.execute("begin immediate")
            self._db.execute("insert into note values ('reserve', randomblob(?))", (RESERVE_BYTES,))
            self._db.execute("delete from note where name = 'reserve'")
            self._db.execute("commit")
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.Error as exc:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("rollback")
            _log.warning("the journal has no reserve: %s", exc)

    # --- start ----------------------------------------------------------------------------------------------------

    def load(self) -> list[Journalled]:
        """Every lease, with its terminal report when there is one; oldest first. A row nobody can read is set aside."""
        reports: dict[str, Report] = {}
        for attempt_id, raw in self._db.execute("select attempt_id, report from outbox"):
            try:
                reports[attempt_id] = Report.model_validate_json(raw)
            except ValueError as exc:
                _log.error("the journalled report of %s is unreadable and is dropped: %s", attempt_id, exc)
        found = []
        for attempt_id, boot_id, raw in self._db.execute("select attempt_id, boot_id, offer from lease"):
            try:
                offer = LeaseOffer.model_validate_json(raw)
            except ValueError as exc:
                _log.error("the journalled lease of %s is unreadable and is dropped: %s", attempt_id, exc)
                continue
            found.append(Journalled(offer, boot_id, reports.get(attempt_id)))
        return found

    # --- writes ---------------------------------------------------------------------------------------------------

    def keep(self, offer: LeaseOffer, boot_id: str) -> None:
        self._put(("insert or replace into lease values (?, ?, ?)", (offer.attempt_id, boot_id, offer.to_json())))

    def owe(self, report: Report) -> None:
        row = (report.attempt_id, report.sequence, report.to_json())
        self._put(("insert or replace into outbox values (?, ?, ?)", row))

    def drop(self, attempt_id: str) -> None:
        self._put(("delete from outbox where attempt_id = ?", (attempt_id,)))
        self._put(("delete from lease where attempt_id = ?", (attempt_id,)))

    def _put(self, op: _Op) -> None:
        self._ops.append(op)

    def flush_soon(self) -> None:
        """Commit what is queued without waiting for it."""
        if self._ops:
            self._start()

    async def flushed(self) -> None:
        """Wait until everything queued so far is durable."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        self._start()
        await future

    def _start(self) -> None:
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._ops or self._waiters:
                ops, self._ops = self._ops, []
                waiters, self._waiters = self._waiters, []
                while ops:
                    try:
                        self._apply(ops)
                        await asyncio.get_running_loop().run_in_executor(self._executor, self._db.execute, "commit")
                        self._landed()
                        break
                    except sqlite3.Error as exc:
                        self._failed(exc)
                        await asyncio.sleep(RETRY_S)
                for future in waiters:
                    if not future.done():
                        future.set_result(None)
        finally:
            self._working = None

    def _apply(self, ops: list[_Op]) -> None:
        self._db.execute("begin immediate")
        for sql, values in ops:
            self._db.execute(sql, values)

    def _landed(self) -> None:
        self.commits += 1
        if self.problem:
            _log.warning("the journal is written again")
            self.problem = ""
            self._hold_reserve()

    def _failed(self, exc: sqlite3.Error) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("rollback")
        if not self.problem:
            _log.error("the journal cannot be written, trying again: %s", exc)
        self.problem = f"the journal cannot be written: {exc}"

    async def close(self) -> None:
        """Commit what is queued, for a while, and close."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.flushed(), 10.0)
        self._executor.shutdown(wait=True)
        self._db.close()
