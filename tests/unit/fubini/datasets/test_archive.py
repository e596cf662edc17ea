"""The archive of a run's outputs: a tar that Python's own reader opens, whatever its files are called."""

from __future__ import annotations

import io
import tarfile
from typing import IO

import pytest

from fubini.datasets.archive import Broken, Member, ending_of, named, safe_path, tar_of
from fubini.rest.streaming import streamed


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
        Member(("fit(0)", "plot.png"), 1, "c"),
        Member(("fit(0)", "Plot.png"), 1, "c"),
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
        "fit(0)/plot.png": (0o644, b"c"),
        "fit(0)/Plot.2.png": (0o644, b"c"),
        f"_/abs/a_b_c/{long}": (0o644, b"c"),
    }


def test_equal_names_are_counted_on_and_stay_apart_from_those_that_have_a_number() -> None:
    members = [Member((name,), 0, "a") for name in ("a.csv", "a.2.csv", "A.csv", "a.csv", "a.2.csv")]
    assert [path for path, _ in named(members)] == ["a.csv", "a.2.csv", "A.3.csv", "a.4.csv", "a.2.2.csv"]


def test_a_blob_that_is_shorter_than_its_manifest_breaks_the_stream_off() -> None:
    pieces = tar_of([Member(("a",), 10, "a")], Memory(a=b"short"))
    assert next(pieces)
    with pytest.raises(Broken):
        list(pieces)


def test_a_name_that_is_cut_keeps_its_ending() -> None:
    assert safe_path(["x" * 500 + ".tar.gz"]) == "x" * 193 + ".tar.gz"
    assert [ending_of(n) for n in ("a.csv", "a.b.gz", "v1.2", ".bashrc", "none", "..", "a.")] == [
        ".csv",
        ".b.gz",
        ".2",
        "",
        "",
        "",
        "",
    ]
