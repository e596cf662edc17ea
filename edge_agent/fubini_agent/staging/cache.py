"""The site cache: blobs by sha256 in a folder that only the agent writes.

A blob is verified when it is written and on its first use after a restart; a damaged one is dropped and fetched again.
Steps never get the cached file itself in a writable form: small inputs are copied, large ones are shown through
read-only mounts of links to it. Eviction is by last use, never of a blob that a held attempt needs (pins).
Changes are collected as differences for the sync.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from fubini_agent.errors import Permanent, Transient
from fubini_protocol.v1.messages import CachedBlob, CacheReport

_log = logging.getLogger("fubini_agent.cache")
INLINE_HASH_BYTES = 256 * 1024
_CHUNK = 1 << 20
#: Fetches a blob into an open file; given the digest, the size and the file (see transport.Transport.download).
Fetch = Callable[[str, int, Path], Awaitable[int]]


class Cache:
    """One folder of blobs. Use from one event loop."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.sizes: dict[str, int] = {}
        self._used: dict[str, float] = {}
        self._verified: set[str] = set()
        self._pins: dict[str, int] = {}
        self._fetching: dict[str, asyncio.Future[int]] = {}
        self._added: dict[str, int] = {}
        self._removed: set[str] = set()
        self._full = True
        self.temporary = folder / "tmp"
        self._scan()

    def _scan(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.temporary.mkdir(mode=0o700, exist_ok=True)
        for stale in self.temporary.iterdir():
            stale.unlink(missing_ok=True)  # a download that a restart cut short; its size is not worth a resume
        for shard in self.folder.iterdir():
            if len(shard.name) != 2 or not shard.is_dir():
                continue
            for blob in shard.iterdir():
                if is_digest(blob.name):
                    info = blob.stat()
                    self.sizes[blob.name] = info.st_size
                    self._used[blob.name] = info.st_mtime

    def path(self, digest: str) -> Path:
        if not is_digest(digest):
            raise Permanent(f"{digest[:80]!r} is not a sha256 in hexadecimal")
        return self.folder / digest[:2] / digest

    # --- use ------------------------------------------------------------------------------------------------------

    def pin(self, digests: Iterable[str]) -> None:
        for digest in digests:
            self._pins[digest] = self._pins.get(digest, 0) + 1

    def unpin(self, digests: Iterable[str]) -> None:
        for digest in digests:
            left = self._pins.get(digest, 0) - 1
            if left > 0:
                self._pins[digest] = left
            else:
                self._pins.pop(digest, None)

    async def get(self, digest: str, size: int, fetch: Fetch) -> int:
        """Have a verified blob; returns the bytes moved over the network (0 = it was here).

        Raises:
            Transient, Permanent: from `fetch`; Permanent also when what came has another hash or size.
        """
        path = self.path(digest)
        if digest in self.sizes:
            if digest in self._verified or await self._still_good(digest, size):
                self._used[digest] = time.time()
                return 0
            _log.warning("cached blob %s is damaged: fetched again", digest)
            self._forget(digest)
        running = self._fetching.get(digest)
        if running is not None:
            await asyncio.shield(running)  # somebody else's download of the same blob
            return 0
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._fetching[digest] = future
        try:
            moved = await self._download(digest, size, path, fetch)
        except BaseException as exc:
            if isinstance(exc, (Transient, Permanent)):
                future.set_exception(exc)
                future.exception()  # seen: nobody else may be waiting
            else:
                future.set_exception(Transient("the download was interrupted"))
                future.exception()
            raise
        else:
            future.set_result(moved)
            return moved
        finally:
            del self._fetching[digest]

    async def _download(self, digest: str, size: int, path: Path, fetch: Fetch) -> int:
        self._make_room(size)
        partial = self.temporary / f"{digest}.{os.getpid()}"
        try:
            moved = await fetch(digest, size, partial)
            found = await hash_file(partial, size)
            if found != digest:
                raise Permanent(f"blob {digest} came with the hash {found}: it is damaged where it is stored")
            self._adopt(partial, digest, size, path)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        return moved

    def _adopt(self, partial: Path, digest: str, size: int, path: Path) -> None:
        os.chmod(partial, 0o444)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(partial, path)
        self._remember(digest, size)

    def _remember(self, digest: str, size: int) -> None:
        self.sizes[digest] = size
        self._verified.add(digest)
        self._used[digest] = time.time()
        self._added[digest] = size
        self._removed.discard(digest)

    async def _still_good(self, digest: str, size: int) -> bool:
        if self.sizes[digest] != size:
            return False
        try:
            good = await hash_file(self.path(digest), size) == digest
        except OSError:
            return False
        if good:
            self._verified.add(digest)
        return good

    def offer(self, digest: str, size: int, source: Path | int) -> None:
        """Keep an output that was just hashed, by linking its file (or open descriptor): no bytes are copied."""
        if digest in self.sizes or size > self.max_bytes // 4:
            return
        path = self.path(digest)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            origin = f"/proc/self/fd/{source}" if isinstance(source, int) else str(source)
            os.link(origin, path, follow_symlinks=True)
            os.chmod(path, 0o444)
        except OSError:
            return  # another file system, no /proc: it is only a shortcut
        self._make_room(0)
        self._remember(digest, size)

    # --- room -----------------------------------------------------------------------------------------------------

    def _make_room(self, size: int) -> None:
        total = sum(self.sizes.values()) + size
        if total <= self.max_bytes:
            return
        for digest in sorted(self.sizes, key=lambda name: self._used.get(name, 0.0)):
            if total <= self.max_bytes:
                return
            if digest in self._pins:
                continue
            total -= self.sizes[digest]
            self._forget(digest)

    def _forget(self, digest: str) -> None:
        with contextlib.suppress(OSError):
            self.path(digest).unlink()
        self.sizes.pop(digest, None)
        self._used.pop(digest, None)
        self._verified.discard(digest)
        self._added.pop(digest, None)
        self._removed.add(digest)

    # --- the sync -------------------------------------------------------------------------------------------------

    def report(self) -> CacheReport | None:
        """What changed since the last confirmed report; the caller says `confirmed` once it was answered."""
        if self._full:
            blobs = tuple(CachedBlob(sha256=digest, size=size) for digest, size in self.sizes.items())
            return CacheReport(full=True, added=blobs)
        if not self._added and not self._removed:
            return None
        added = tuple(CachedBlob(sha256=digest, size=size) for digest, size in self._added.items())
        return CacheReport(added=added, removed=tuple(sorted(self._removed)))

    def confirmed(self, report: CacheReport) -> None:
        self._full = False
        for blob in report.added:
            self._added.pop(blob.sha256, None)
        self._removed.difference_update(report.removed)

    def resync(self) -> None:
        self._full = True


def is_digest(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def hash_descriptor(descriptor: int) -> tuple[str, int]:
    """(sha256, bytes) of an open file, from its start."""
    digest, total = hashlib.sha256(), 0
    os.lseek(descriptor, 0, os.SEEK_SET)
    while True:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return digest.hexdigest(), total
        digest.update(chunk)
        total += len(chunk)


def _hash_path(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return hash_descriptor(descriptor)[0]
    finally:
        os.close(descriptor)


async def hash_file(path: Path, size: int) -> str:
    """sha256 of a file; in a thread unless it is small."""
    if size <= INLINE_HASH_BYTES:
        return _hash_path(path)
    return await asyncio.get_running_loop().run_in_executor(None, _hash_path, path)
