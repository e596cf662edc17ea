"""The content-addressed object store: bytes by their sha256, on any fsspec URL.

Decides where an object lives (`<root>/<first two hex>/<sha256>`) and that nothing appears under a name its bytes do not
hash to. Who may read an object is not decided here (`models.Blob` rows and `signing` do that).

Invariants: an object is complete or absent: bytes are written to a temporary file, hashed on the way, synced, and only
then moved to their name. Writing an object again replaces it by equal bytes, which also heals a damaged copy.
On a folder the move is a rename in the same file system, with the file and its folder synced; elsewhere the checked
temporary file is uploaded in one put, which object stores make visible at once or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, cast

import fsspec
from django.conf import settings

from fubini.common.errors import StorageFull
from fubini.common.saying import say
from fubini.datasets.errors import BlobMismatch, BlobNotFound, BlobTooLarge, StoreMisconfigured
from fubini.datasets.limits import limit

DIGEST: Final = re.compile(r"[0-9a-f]{64}")
UPLOAD_ID: Final = re.compile(r"[0-9a-f]{32}")
CHUNK_BYTES: Final = 1024 * 1024
# Names only: a chain such as `simplecache::http://...` could make the platform fetch addresses it must not reach.
SCHEMES: Final = frozenset({"file", "local", "memory", "s3", "oss", "gs", "gcs", "abfs", "az", "sftp", "ssh"})


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as the store lists it."""

    digest: str
    size_bytes: int
    modified_s: float


def is_digest(text: str) -> bool:
    """Is it 64 lower-case hex characters?"""
    return bool(DIGEST.fullmatch(text))


class Store:
    """Objects under one root. Thread-safe: it keeps no state but the file system's handle."""

    def __init__(self, url: str) -> None:
        if "::" in url:
            raise StoreMisconfigured(
                "The object store's URL chains file systems ('::').", next_step="Give one plain URL or folder."
            )
        scheme = url.split("://", 1)[0] if "://" in url else "file"
        if scheme not in SCHEMES:
            raise StoreMisconfigured(
                say("The object store's scheme {scheme!r} is not allowed.", scheme=scheme),
                allowed=sorted(SCHEMES),
                next_step="Set FUBINI_OBJECTS_URL to a folder or to a URL with one of the allowed schemes.",
            )
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._local = Path(self._root) if scheme in ("file", "local") else None

    # --- names ---

    def _path(self, digest: str) -> str:
        if not is_digest(digest):  # every path is made from checked hex, so no name can leave the root
            raise BlobNotFound("A blob is named by 64 lower-case hex characters.")
        return f"{self._root}/{digest[:2]}/{digest}"

    # --- reading ---

    def size(self, digest: str) -> int | None:
        """The object's bytes, None when it is not here."""
        path = self._path(digest)
        try:
            if self._local is not None:
                return Path(path).stat().st_size
            return int(self._fs.info(path)["size"])
        except FileNotFoundError:
            return None

    def no_room(self, size_bytes: int = 0) -> str:
        """Why `size_bytes` more may not be written, "" while there is room. Of a folder's disk a reserve is kept: the database
        and the logs beside it must be able to go on when the objects have filled it."""
        if self._local is None:
            return ""
        folder = self._local
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        free, reserve = shutil.disk_usage(folder).free, limit("STORE_RESERVE_BYTES")
        if free >= reserve + size_bytes:
            return ""
        if size_bytes:
            return say(
                "The object store's disk has {free} bytes left; {reserve} are kept free and {needed} are needed.",
                free=free, reserve=reserve, needed=size_bytes,
            )  # fmt: skip
        return say("The object store's disk has {free} bytes left; {reserve} are kept free.", free=free, reserve=reserve)

    def lost(self, sizes: Mapping[str, int]) -> set[str]:
        """Of these objects (digest -> bytes) those a folder lacks or has cut short. Other stores are not asked: a question
        an object is too slow to ask about thousands."""
        if self._local is None:
            return set()
        return {digest for digest, size in sizes.items() if self.size(digest) != size}

    def exists(self, digest: str) -> bool:
        return self.size(digest) is not None

    def open(self, digest: str) -> IO[bytes]:
        """The object, opened for reading; seekable.

        Raises:
            BlobNotFound: it is not here.
        """
        path = self._path(digest)
        try:
            if self._local is not None:
                return Path(path).open("rb")
            return cast("IO[bytes]", self._fs.open(path, "rb"))
        except FileNotFoundError:
            raise BlobNotFound(say("No object {digest}.", digest=digest)) from None

    def chunks(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes from `start` on, at most `length` of them, in pieces."""
        with self.open(digest) as file:
            if start:
                file.seek(start)
            left = length
            while left is None or left > 0:
                piece = file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
                if not piece:
                    return
                if left is not None:
                    left -= len(piece)
                yield piece

    def read(self, digest: str) -> bytes:
        """A small object whole."""
        with self.open(digest) as file:
            return file.read()

    def verify(self, digest: str) -> bool:
        """Do the stored bytes still hash to their name? Reads all of them."""
        sha = hashlib.sha256()
        for piece in self.chunks(digest):
            sha.update(piece)
        return sha.hexdigest() == digest

    def listing(self) -> Iterator[Stored]:
        """Every object, in no order; a fresh object may be missing from it."""
        for folder in self._ls(self._root):
            name = folder["name"].rstrip("/").rsplit("/", 1)[-1]
            if folder["type"] != "directory" or len(name) != 2:
                continue
            for info in self._ls(folder["name"]):
                digest = info["name"].rsplit("/", 1)[-1]
                if info["type"] == "file" and is_digest(digest):
                    yield Stored(digest, int(info["size"]), _modified_s(info))

    def _ls(self, path: str) -> list[dict[str, Any]]:
        try:
            return cast("list[dict[str, Any]]", self._fs.ls(path, detail=True))
        except FileNotFoundError:
            return []

    # --- writing ---

    def writer(self, digest: str, *, max_bytes: int | None = None) -> BlobWriter:
        """Start writing an object; a context manager that leaves nothing behind unless `commit` was called."""
        self._path(digest)
        return BlobWriter(self, digest, limit("BLOB_MAX_BYTES") if max_bytes is None else max_bytes)

    def put_bytes(self, data: bytes, digest: str | None = None) -> str:
        """Write a small object; its digest. With `digest`, the bytes are checked against it."""
        with self.writer(digest or hashlib.sha256(data).hexdigest()) as writer:
            writer.write(data)
            writer.commit()
            return writer.digest

    def put_stream(self, stream: IO[bytes], digest: str, *, max_bytes: int | None = None) -> int:
        """Write an object from a file-like; its size."""
        with self.writer(digest, max_bytes=max_bytes) as writer:
            while piece := stream.read(CHUNK_BYTES):
                writer.write(piece)
            return writer.commit()

    def keep(self, pieces: Iterable[bytes], *, max_bytes: int) -> tuple[str, int]:
        """Write bytes whose hash is not known before; (digest, size)."""
        with BlobWriter(self, "", max_bytes) as writer:
            for piece in pieces:
                writer.write(piece)
            size = writer.commit()
            return writer.digest, size

    def delete(self, digest: str) -> None:
        """Remove an object; nothing happens when it is not here."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(digest))

    def temporary_file(self) -> tuple[int, Path]:
        """A new private file to write an object into: in the store's own file system where that is a folder."""
        if self._local is not None:
            folder = self._local / "tmp"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / secrets.token_hex(16)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), path
        handle, name = tempfile.mkstemp(prefix="fubini-object-")
        return handle, Path(name)

    def sweep_temporary(self, *, older_than_s: float) -> int:
        """Remove what interrupted uploads left behind; how many."""
        if self._local is None or not (self._local / "tmp").is_dir():
            return 0
        removed = 0
        for path in (self._local / "tmp").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than_s:
                    path.unlink()
                    removed += 1
        return removed

    # --- parts of uploads that are not whole yet: `<root>/parts/<upload id>/<offset>` ---

    def part_writer(self, upload_id: str, offset: int, *, max_bytes: int, digest: str = "") -> BlobWriter:
        """Start writing the bytes of an upload from `offset` on; complete or absent, like an object. With `digest`
        (sha256) they must hash to it. The same offset written again replaces what was there."""
        return BlobWriter(self, digest, max_bytes, target=f"{self._parts(upload_id)}/{offset:016d}")

    def part_chunks(self, upload_id: str) -> Iterator[bytes]:
        """An upload's parts, one behind another. Whether they are whole shows when they are hashed.

        Raises:
            FileNotFoundError: it has none.
        """
        self._fs.invalidate_cache(self._parts(upload_id))  # some file systems remember listings
        for info in sorted(self._fs.ls(self._parts(upload_id), detail=True), key=lambda i: str(i["name"])):
            with self._fs.open(info["name"], "rb") as file:
                while piece := file.read(CHUNK_BYTES):
                    yield piece

    def parts_delete(self, upload_id: str) -> None:
        """Remove an upload's parts; nothing happens when there are none."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._parts(upload_id), recursive=True)

    def uploads_with_parts(self) -> list[str]:
        return [str(i["name"]).rstrip("/").rsplit("/", 1)[-1] for i in self._ls(f"{self._root}/parts")]

    def _parts(self, upload_id: str) -> str:
        if not UPLOAD_ID.fullmatch(upload_id):
            raise BlobNotFound("An upload is named by 32 lower-case hex characters.")
        return f"{self._root}/parts/{upload_id}"

    def _publish(self, handle: int, path: Path, target: str) -> None:
        if self._local is None:
            self._fs.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH120  a URL path, not a local one
            self._fs.put_file(str(path), target)
            path.unlink()
            return
        os.fchmod(handle, 0o400)
        os.fsync(handle)
        folder = Path(target).parent
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(folder.parent)
        path.rename(target)
        _sync_folder(folder)


class BlobWriter:
    """Bytes on their way in: hashed and counted as they come, published by `commit` if they are what they claim.

    With `digest` "" nothing is claimed; `commit` sets it. They go to `target`, by default the object's own place.
    """

    def __init__(self, store: Store, digest: str, max_bytes: int, *, target: str = "") -> None:
        self.digest = digest
        self._target = target
        self.size_bytes = 0
        self._store = store
        self._max_bytes = max_bytes
        self._sha = hashlib.sha256()
        if problem := store.no_room():
            raise StorageFull(problem, next_step="Free room or run the collector, then send the file again.")
        with _full_is_an_answer():
            self._handle, self._temporary = store.temporary_file()
        self._open = True

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Take more bytes.

        Raises:
            BlobTooLarge: more than the limit came.
            StorageFull: the disk is full.
        """
        self.size_bytes += len(data)
        if self.size_bytes > self._max_bytes:
            raise BlobTooLarge(
                say("A blob may have {max_bytes} bytes; more came.", max_bytes=self._max_bytes),
                max_bytes=self._max_bytes,
                next_step="Split the file, or have the limit BLOB_MAX_BYTES raised.",
            )
        self._sha.update(data)
        view = memoryview(data)
        with _full_is_an_answer():
            while view:
                view = view[os.write(self._handle, view) :]

    def commit(self) -> int:
        """Publish the object under its name; its size in bytes.

        Raises:
            BlobMismatch: the bytes hash to something else; they are dropped.
        """
        found = self._sha.hexdigest()
        self.digest = self.digest or found
        if found != self.digest:
            raise BlobMismatch(
                say(
                    "{size_bytes} bytes came with sha256 {found}, they were sent as {digest}.",
                    size_bytes=self.size_bytes,
                    found=found,
                    digest=self.digest,
                ),
                found=found,
                expected=self.digest,
                next_step="Send the whole file again; if it changed meanwhile, hash it again first.",
            )
        with _full_is_an_answer():
            self._store._publish(self._handle, self._temporary, self._target or self._store._path(self.digest))
        return self.size_bytes

    def close(self) -> None:
        """Let go; uncommitted bytes are removed."""
        if self._open:
            self._open = False
            os.close(self._handle)
            self._temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _full_is_an_answer() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "The object store's disk is full.",
                next_step="Free room or run the collector, then send the file again.",
            ) from error
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _modified_s(info: dict[str, Any]) -> float:
    """When an object was written; `now` where the file system does not say, so that nothing looks old by accident."""
    for key in ("mtime", "LastModified", "last_modified", "created", "updated"):
        value = info.get(key)
        if isinstance(value, (int, float)):
            return float(value)
        if value is not None and hasattr(value, "timestamp"):
            return float(value.timestamp())
    return time.time()


@cache
def _store(url: str) -> Store:
    return Store(url)


def default_store() -> Store:
    """The installation's store, `settings.FUBINI["OBJECTS_URL"]`."""
    return _store(settings.FUBINI["OBJECTS_URL"])
