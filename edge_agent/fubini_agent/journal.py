"""The agent's durable memory: leases it accepted and reports it owes. One SQLite file, WAL, synchronous=FULL.

Rules: a lease is journalled before it is acted on, a terminal report before it is sent; rows go only after the
platform's verdict. What the keeper did lives in its markers, not here.

Writes are queued and committed in groups by one thread, so the event loop never waits for a disk and many reports share
one fsync. A failing disk does not lose what is queued: the group is tried again until it lands (`problem` says why
meanwhile), and `RESERVE_BYTES` are kept aside so that a full disk can still take what is owed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
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
    """Use from one event loop. `keep`, `owe` and `drop` only queue; `flushed()` waits until all queued is on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self.commits = 0
        self._reserve = path.with_name("reserve.bin")
        self._ops: list[_Op] = []
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._cond = threading.Condition()
        self._closing = False
        self._db = self._open()
        self._hold_reserve()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def _open(self) -> sqlite3.Connection:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(descriptor)
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=20.0)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        db.executescript(_SCHEMA)
        return db

    def _hold_reserve(self) -> None:
        if self._reserve.exists():
            return
        try:
            with open(self._reserve, "wb") as file:
                file.write(b"\0" * RESERVE_BYTES)
        except OSError:
            self._drop_reserve()

    def _drop_reserve(self) -> None:
        with contextlib.suppress(OSError):
            self._reserve.unlink()

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
        with self._cond:
            self._ops.append(op)

    def flush_soon(self) -> None:
        """Commit what is queued without waiting for it."""
        with self._cond:
            if self._ops:
                self._cond.notify()

    async def flushed(self) -> None:
        """Wait until everything queued so far is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._cond:
            self._waiters.append((loop, future))
            self._cond.notify()
        await future

    def close(self) -> None:
        """Commit what is queued (once) and close."""
        with self._cond:
            self._closing = True
            self._cond.notify()
        self._thread.join(timeout=10.0)
        self._db.close()

    def _run(self) -> None:
        while True:
            with self._cond:
                while not self._waiters and not self._closing:
                    # Deletions may wait for company; they cost a re-sent report at worst.
                    if not self._cond.wait(timeout=0.5) and self._ops:
                        break
                ops, self._ops = self._ops, []
                waiters, self._waiters = self._waiters, []
                closing = self._closing
            if ops and not self._commit(ops, closing):
                return
            for loop, future in waiters:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(_resolve, future)
            if closing:
                return

    def _commit(self, ops: list[_Op], closing: bool) -> bool:
        while True:
            try:
                self._db.execute("begin immediate")
                for sql, values in ops:
                    self._db.execute(sql, values)
                self._db.execute("commit")
            except sqlite3.Error as exc:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("rollback")
                if not self.problem:
                    _log.error("the journal cannot be written, trying again: %s", exc)
                    self._drop_reserve()
                self.problem = f"the journal cannot be written: {exc}"
                if closing:
                    return False
                threading.Event().wait(RETRY_S)
                continue
            self.commits += 1
            if self.problem:
                _log.warning("the journal is written again")
                self.problem = ""
                self._hold_reserve()
            return True


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
