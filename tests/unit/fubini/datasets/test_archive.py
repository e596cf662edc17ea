"""The archive of a run's outputs: a tar that Python's own reader opens, whatever its files are called."""

from __future__ import annotations

import io
import tarfile
from typing import IO

import pytest

from fubini.datasets.archive import Broken, Member, streamed, tar_of


class Memory:
    """Blobs by their name; counts what is open at once."""

    def __init__(self, **blobs: bytes) -> None:
        self.blobs = blobs

    def open(self, digest: str) -> IO[bytes]:
        return io.BytesIO(self.blobs[digest])


async def test_a_stream_unpacks_to_the_same_files_under_names_that_cannot_climb() -> None:
    long = "x" * 150 + "é"
    store = Memory(a=b"a" * 700_000, b=b"", c=b"c")
    members = [
        Member(("fit(0)", "model", "../../etc/passwd"), 700_000, "a", 0o4755),
        Member(("fit(0)", "Log"), 0, "b"),
        Member(("fit(0)", "log"), 1, "c"),
        Member(("/abs", "a\nb\\c", long), 1, "c"),
    ]
    pieces = [piece async for piece in streamed(tar_of(iter(members), store))]
    assert max(map(len, pieces)) <= 256 * 1024
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        got = {info.name: (info.mode, tar.extractfile(info).read()) for info in tar}  # type: ignore[union-attr]
    assert got == {
        "fit(0)/model/_../_../etc/passwd": (0o755, b"a" * 700_000),
        "fit(0)/Log": (0o644, b""),
        "fit(0)/log.2": (0o644, b"c"),
        f"_/abs/a_b_c/{long}": (0o644, b"c"),
    }


def test_a_blob_that_is_shorter_than_its_manifest_breaks_the_stream_off() -> None:
    pieces = tar_of([Member(("a",), 10, "a")], Memory(a=b"short"))
    assert next(pieces)
    with pytest.raises(Broken):
        list(pieces)
