"""A store whose disk fills up: a clear refusal, nothing half-written, room kept for the database, recovery by itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from fubini.common.errors import StorageFull
from fubini.datasets.store import Store
from fubini.rest.errors import as_fubini
from tests.support.disks import SmallDisk, small_disk

MIB = 1 << 20


@pytest.fixture
def disk(settings: Any) -> Iterator[SmallDisk]:
    settings.FUBINI = {**settings.FUBINI, "STORE_RESERVE_BYTES": 4 * MIB}
    with small_disk(16 * MIB) as made:
        yield made


@pytest.mark.needs("small disk")
def test_an_upload_is_refused_before_the_reserve_is_touched(disk: SmallDisk) -> None:
    store = Store(str(disk.path / "objects"))
    kept = store.put_bytes(b"kept")
    disk.fill(leave=3 * MIB)
    with pytest.raises(StorageFull) as refused:
        store.put_bytes(b"more")
    assert refused.value.http_status == 507
    assert "4194304 are kept free" in str(refused.value.detail)
    assert disk.free() > 2 * MIB
    disk.free_up()
    assert store.put_bytes(b"more")
    assert store.verify(kept)


@pytest.mark.needs("small disk")
def test_a_disk_that_fills_in_the_middle_of_an_upload_leaves_nothing_of_it(disk: SmallDisk) -> None:
    store = Store(str(disk.path / "objects"))
    data = os.urandom(20 * MIB)  # more than the whole disk
    digest = hashlib.sha256(data).hexdigest()
    with pytest.raises(StorageFull), store.writer(digest) as writer:
        for at in range(0, len(data), MIB):
            writer.write(data[at : at + MIB])
    assert not store.exists(digest)
    assert [p for p in (disk.path / "objects").rglob("*") if p.is_file()] == []
    assert disk.free() > 15 * MIB


class ServerSays(Exception):
    sqlstate = "53100"


@pytest.mark.parametrize("words", ["database or disk is full", "could not extend file"])
def test_a_database_without_room_is_told_apart_from_a_fault_of_ours(words: str) -> None:
    error = OperationalError(words)
    error.__cause__ = ServerSays() if "extend" in words else None
    found = as_fubini(error)
    assert (found.code, found.http_status) == ("storage_full", 507)
    assert as_fubini(OperationalError("database is locked")).http_status == 500
