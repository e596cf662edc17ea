"""The store under many writers at once: the same bytes, other bytes, readers in between."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from fubini.datasets.store import Store


def test_many_writers_of_the_same_and_of_other_bytes_never_show_half_an_object(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    blobs = [os.urandom(200_000) for _ in range(4)]
    digests = [hashlib.sha256(b).hexdigest() for b in blobs]
    wrong: list[str] = []
    done = threading.Event()

    def write() -> None:
        for _ in range(10):
            for data in blobs:
                store.put_bytes(data)

    def read() -> None:
        while not done.is_set():
            for digest in digests:
                if store.exists(digest) and not store.verify(digest):
                    wrong.append(digest)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write) for _ in range(4)]
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert wrong == []
    assert sorted(s.digest for s in store.listing()) == sorted(digests)
    assert store.sweep_temporary(older_than_s=-1) == 0, "every temporary file was published or removed"
