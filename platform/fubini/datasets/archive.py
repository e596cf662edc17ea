"""Files of many artifacts as one tar, made while it is read: nothing is held but the piece on its way.

Names in it are safe on any machine that unpacks it: relative, nothing climbs, no control characters, none twice. The bytes
are the store's; a file that is missing or shorter than its manifest says breaks the stream off, so that a tar that ends as
tars do is whole. Modes are the files' own without set-id bits; owners and times say nothing.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final, Protocol

CHUNK_BYTES: Final = 256 * 1024
FILES_MAX: Final = 100_000
NAME_MAX: Final = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_ENDING = re.compile(r"(?<=[^.])\.[A-Za-z0-9]{1,10}(\.(gz|bz2|xz|zst))?$")


class Blobs(Protocol):
    def open(self, digest: str) -> IO[bytes]: ...


class Broken(Exception):
    """A blob is not what its manifest says."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its parts become directories, however they are spelled."""

    parts: tuple[str, ...]
    size_bytes: int
    digest: str
    mode: int = 0o644


def safe_path(parts: Iterable[str]) -> str:
    """Parts as a relative path: separators inside a part of the caller's stay, whatever climbs or hides does not."""
    kept = []
    for piece in "/".join(parts).split("/"):
        clean = _CONTROL.sub("_", piece).strip() or "_"
        if len(clean) > NAME_MAX:
            ending = ending_of(clean)
            clean = clean[: NAME_MAX - len(ending)] + ending
        kept.append("_" + clean if set(clean) <= {"."} else clean)
    return "/".join(kept)


def ending_of(name: str) -> str:
    """What a name ends in that says what the file is: `.csv`, `.tar.gz`; "" for nothing."""
    found = _ENDING.search(name)
    return found.group() if found else ""


def named(members: Iterable[Member]) -> Iterator[tuple[str, Member]]:
    """Each with its path; of equal ones, and of those that differ in case alone, the later get a number before the ending."""
    seen: set[str] = set()
    last: dict[str, int] = {}  # where counting goes on: thousands of equal ones are not counted from the start each time
    for member in members:
        path = wanted = safe_path(member.parts)
        key = wanted.casefold()
        while path.casefold() in seen:
            ending = ending_of(wanted.rpartition("/")[2])
            last[key] = number = last.get(key, 1) + 1
            path = f"{wanted.removesuffix(ending)}.{number}{ending}"
        seen.add(path.casefold())
        yield path, member


def tar_of(members: Iterable[Member], blobs: Blobs) -> Iterator[bytes]:
    """The archive, piece by piece.

    Raises:
        Broken: a file is not whole. BlobNotFound: from the store.
    """
    for path, member in named(members):
        info = tarfile.TarInfo(path)
        info.size, info.mode = member.size_bytes, member.mode & 0o777
        yield info.tobuf(tarfile.PAX_FORMAT, errors="replace")
        left = member.size_bytes
        with blobs.open(member.digest) as file:
            while left:
                piece = file.read(min(left, CHUNK_BYTES))
                if not piece:
                    raise Broken(f"{member.digest} ends {left} bytes early")
                left -= len(piece)
                yield piece
        yield b"\0" * (-member.size_bytes % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)
