"""The object store: nothing appears under a name its bytes do not hash to, whatever goes wrong on the way."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from fubini.common.errors import StorageFull
from fubini.datasets.errors import BlobMismatch, BlobNotFound, BlobTooLarge, StoreMisconfigured
from fubini.datasets.store import Store


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(
        str(tmp_path / "objects") if request.param == "folder" else f"memory://{tmp_path.name}-{request.node.name}"
    )


def files_below(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_what_was_put_is_read_back_whole_and_in_ranges(store: Store) -> None:
    data = os.urandom(3_000_000)
    digest = store.put_bytes(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert store.size(digest) == len(data)
    assert store.read(digest) == data
    assert b"".join(store.chunks(digest, 1_000_000, 1_500_000)) == data[1_000_000:2_500_000]
    assert [s.digest for s in store.listing()] == [digest]
    assert store.verify(digest)


def test_bytes_that_do_not_hash_to_their_name_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digest = hashlib.sha256(b"right").hexdigest()
    with pytest.raises(BlobMismatch) as caught:
        store.put_bytes(b"wrong", digest)
    assert caught.value.data["expected"] == digest
    assert store.size(digest) is None
    assert files_below(tmp_path) == []


def test_more_bytes_than_allowed_stop_the_upload_at_the_limit(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digest = hashlib.sha256(b"x" * 100).hexdigest()
    with pytest.raises(BlobTooLarge), store.writer(digest, max_bytes=64) as writer:
        writer.write(b"x" * 60)
        writer.write(b"x" * 40)
    assert files_below(tmp_path) == []


def test_an_interrupted_upload_is_not_an_object_and_is_swept_later(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    writer = store.writer(hashlib.sha256(b"half").hexdigest())
    writer.write(b"ha")  # and then the process is killed
    assert list(store.listing()) == []
    assert store.sweep_temporary(older_than_s=3600) == 0
    assert store.sweep_temporary(older_than_s=-1) == 1
    assert files_below(tmp_path) == []


def test_writing_an_object_again_heals_a_damaged_copy(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digest = store.put_bytes(b"the bytes")
    path = next(p for p in files_below(tmp_path) if p.name == digest)
    path.chmod(0o600)
    path.write_bytes(b"the b tes")
    assert not store.verify(digest)
    store.put_bytes(b"the bytes")
    assert store.verify(digest)


def test_objects_and_their_folders_belong_to_the_owner_alone(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "objects"))
    digest = store.put_bytes(b"secret science")
    path = next(p for p in files_below(tmp_path) if p.name == digest)
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o077 == 0


def test_an_object_that_is_not_here_is_a_clear_answer(store: Store) -> None:
    missing = "0" * 64
    assert store.size(missing) is None
    with pytest.raises(BlobNotFound):
        store.open(missing)
    store.delete(missing)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "/x", "0" * 63 + "\n", "..", "/"]
)
def test_no_name_but_a_digest_makes_a_path(store: Store, name: str) -> None:
    with pytest.raises(BlobNotFound):
        store.size(name)
    with pytest.raises(BlobNotFound):
        store.writer(name)


@pytest.mark.parametrize(
    "url",
    [
        "simplecache::http://127.0.0.1/x",
        "http://169.254.169.254/",
        "https://example.org",
        "github://a:b@/",
        "zip://x.zip",
    ],
)
def test_an_address_the_platform_must_not_reach_is_refused(url: str) -> None:
    with pytest.raises(StoreMisconfigured):
        Store(url)


def test_a_full_disk_is_an_answer_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with store.writer(hashlib.sha256(b"x").hexdigest()) as writer:
        monkeypatch.setattr("fubini.datasets.store.os.write", full)
        with pytest.raises(StorageFull):
            writer.write(b"x")
    assert files_below(tmp_path) == []
