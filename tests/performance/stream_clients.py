"""Many readers of the event stream in one process, cheap enough to leave the machine to the server they measure.

    python -m tests.performance.stream_clients   (told by lines of JSON on standard input, answers on standard output)

Told {"url", "project", "tokens", "clients"} it opens the streams and answers {"open": n}; told {"drop": share, "seed"}
it breaks that share of them at random, each without a word and for up to three seconds, after which they resume by
`Last-Event-ID`; told {"until": n} it answers once every reader has come to number n (or said `stuck`) with what each
missed, saw twice or out of order, and how late its events were: milliseconds from the event's own time to the reader's
hands, for those that happened while it was connected.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any
from urllib.parse import quote, urlsplit

STUCK_S = 60.0


class Reader:
    """One client: a socket, the numbers it has seen, and how late they were."""

    def __init__(self, url: str, project: str, token: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.path, self.token = f"/api/v1/events?project={quote(project)}", token
        self.cursor = self.first = -1
        self.seen: list[int] = []
        self.late_ms: list[int] = []
        self.resumed = self.refused = self.gaps = 0
        self.opened = asyncio.Event()
        self.pause_s = 0.0
        self.connected_ms = 0
        self.writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Read for ever; whatever ends a connection, the next one goes on from the last number."""
        while True:
            try:
                await self.read()
            except (OSError, asyncio.IncompleteReadError, ValueError):
                pass
            finally:
                if self.writer is not None:
                    self.writer.close()
                    self.writer = None
            await asyncio.sleep(self.pause_s or 0.5)
            self.pause_s = 0.0

    def drop(self, pause_s: float) -> None:
        self.pause_s = pause_s
        if self.writer is not None:
            self.writer.transport.abort()

    async def read(self) -> None:
        reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=1 << 22)
        resume = f"Last-Event-ID: {self.cursor}\r\n" if self.cursor >= 0 else ""
        head = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {self.token}\r\n{resume}\r\n"
        self.writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answer.split(b"\r\n", 1)[0]:
            self.refused += 1
            raise ConnectionError(answer[:100])
        self.resumed += self.cursor >= 0
        self.connected_ms = round(time.time() * 1000)
        kept = b""
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            if size == 0:
                return
            kept += (await reader.readexactly(size + 2))[:-2]
            kept = self.take(kept)

    def take(self, text: bytes) -> bytes:
        now_ms = round(time.time() * 1000)
        *frames, rest = text.split(b"\n\n")
        for frame in frames:
            at = frame.find(b"id: ")
            if at < 0:
                continue
            number = int(frame[at + 4 : frame.find(b"\n", at)])
            if b"\nevent: " in frame:
                self.gaps += b"\nevent: gap" in frame
                if self.first < 0:
                    self.first = number
                    self.opened.set()
            else:
                self.seen.append(number)
                stamp = frame.find(b'"at_ms":') + 8
                happened_ms = int(frame[stamp : frame.find(b",", stamp)])
                if happened_ms >= self.connected_ms:
                    self.late_ms.append(now_ms - happened_ms)
            self.cursor = max(self.cursor, number)
        return rest


async def serve() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    readers: list[Reader] = []
    tasks: list[asyncio.Task[None]] = []

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), flush=True)

    while line := await lines.readline():
        told = json.loads(line)
        if "url" in told:
            for n in range(told["clients"]):
                readers.append(Reader(told["url"], told["project"], told["tokens"][n % len(told["tokens"])]))
                tasks.append(asyncio.create_task(readers[-1].run()))
            await asyncio.gather(*(reader.opened.wait() for reader in readers))
            say({"open": len(readers)})
        elif "drop" in told:
            chance = random.Random(told["seed"])
            chosen = chance.sample(readers, round(len(readers) * told["drop"]))
            for reader in chosen:
                reader.drop(chance.uniform(0.1, 3.0))
            say({"dropped": len(chosen)})
        elif "until" in told:
            deadline = time.monotonic() + STUCK_S
            while any(r.cursor < told["until"] for r in readers) and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            say({"readers": [
                {"first": r.first, "cursor": r.cursor, "seen": r.seen, "late_ms": r.late_ms, "resumed": r.resumed,
                 "refused": r.refused, "gaps": r.gaps} for r in readers
            ]})  # fmt: skip
            return


if __name__ == "__main__":
    asyncio.run(serve())
