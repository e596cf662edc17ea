"""The agent's end of the keeper's socket: find or start the keeper, speak its lines, read its markers."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import fubini_agent
from fubini_agent.errors import AgentError

_log = logging.getLogger("fubini_agent.keeper")
START_S = 10.0
HUNG_S = 30.0
LINE_LIMIT = 64 * 1024 * 1024
_START = "import sys; sys.path.insert(0, sys.argv[1]); from fubini_agent.keeper import main; main(sys.argv[2])"


class KeeperLink:
    """One connection at a time. `on_event` gets every event; `on_lost` is called once when the connection breaks."""

    def __init__(self, folder: Path, on_event: Callable[[dict[str, Any]], None], on_lost: Callable[[], None]) -> None:
        self.folder = folder
        self.on_event = on_event
        self.on_lost = on_lost
        self.keeper_id = ""
        self.pid = 0
        self._writer: Optional[asyncio.StreamWriter] = None
        self._reading: Optional[asyncio.Task[None]] = None
        self._process: Optional[subprocess.Popen[bytes]] = None

    @property
    def connected(self) -> bool:
        return self._writer is not None

    async def connect(self) -> dict[str, Any]:
        """Reach the keeper, starting one when none lives; its hello.

        Raises:
            AgentError: no keeper can be started or reached.
        """
        deadline = asyncio.get_running_loop().time() + START_S
        hung_at = deadline - START_S + HUNG_S
        while True:
            with contextlib.suppress(OSError, asyncio.TimeoutError, ValueError):
                return await self._try_connect()
            now = asyncio.get_running_loop().time()
            self._poll_process()
            if not self.is_alive():
                if now > deadline:
                    raise AgentError(f"the keeper does not start: see {self.folder / 'keeper.log'}")
                if self._process is None:
                    self._spawn()
            elif now > hung_at:
                # It lives and does not answer (stopped, stuck): its commands cannot be watched any more.
                self.kill()
                hung_at = now + HUNG_S
            await asyncio.sleep(0.02)

    async def _try_connect(self) -> dict[str, Any]:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/sock", limit=LINE_LIMIT)
        finally:
            os.close(folder)
        try:
            hello: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), 5.0))
        except BaseException:
            writer.close()
            raise
        self._writer = writer
        self.keeper_id, self.pid = str(hello["keeper_id"]), int(hello["pid"])
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))
        return hello

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                try:
                    event = json.loads(line)
                except ValueError:
                    _log.error("the keeper sent a line that is not JSON: %r", line[:200])
                    continue
                try:
                    self.on_event(event)
                except Exception:
                    _log.exception("an event of the keeper could not be handled: %s", event.get("id"))
        except (OSError, asyncio.LimitOverrunError, ValueError) as exc:
            _log.warning("the connection to the keeper broke: %s", exc)
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self.on_lost()

    def send(self, request: dict[str, Any]) -> bool:
        """Queue a request; False when there is no connection."""
        if self._writer is None:
            return False
        self._writer.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")
        return True

    async def close(self) -> None:
        """Leave the keeper to its work."""
        writer, self._writer = self._writer, None
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        if writer is not None:
            writer.close()

    # --- the process ----------------------------------------------------------------------------------------------

    def _spawn(self) -> None:
        root = str(Path(fubini_agent.__file__).resolve().parent.parent)
        log_path = self.folder / "keeper.log"
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, root, str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _poll_process(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._process = None

    def is_alive(self) -> bool:
        """Whether some process holds the keeper's lock."""
        self._poll_process()
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def kill(self) -> None:
        """End a keeper that does not answer; everything it parents dies with it."""
        from fubini_agent.keeper import process_start_ticks

        try:
            pid, ticks = (int(part) for part in (self.folder / "lock").read_text().split())
        except (OSError, ValueError):
            return
        if ticks and process_start_ticks(pid) == ticks:  # never a stranger that got the number
            _log.error("the keeper (pid %d) does not answer and is killed", pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    # --- markers --------------------------------------------------------------------------------------------------

    def read_markers(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Everything all keepers of this folder wrote: attempt id -> {"started": ..., "exited": ...}."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for path in sorted(self.folder.glob("markers-*.log"), key=lambda path: path.stat().st_mtime):
            for line in path.read_bytes().split(b"\n"):
                try:
                    record = json.loads(line)
                    found.setdefault(str(record["id"]), {})[str(record["m"])] = record
                except (ValueError, KeyError, TypeError):
                    continue  # the torn last line of a machine that lost power
        return found

    def clean_markers(self, needed: set[str]) -> None:
        """Delete dead keepers' markers in which no attempt of `needed` is named."""
        for path in self.folder.glob("markers-*.log"):
            if path.name == f"markers-{self.keeper_id}.log":
                continue
            raw = path.read_bytes()
            if not any(json.dumps(attempt_id).encode() in raw for attempt_id in needed):
                path.unlink(missing_ok=True)
