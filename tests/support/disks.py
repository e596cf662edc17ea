"""A small disk of its own, to fill up. Needs the right to mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


class SmallDisk:
    """A mounted tmpfs. `fill` leaves a given number of bytes, `free_up` gives all back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ballast = path / "ballast"

    def free(self) -> int:
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def fill(self, leave: int = 0) -> None:
        with self.ballast.open("ab") as file, contextlib.suppress(OSError):
            while (room := self.free() - leave) > 0:
                file.write(b"\0" * min(room, 1 << 20))
                file.flush()

    def free_up(self) -> None:
        self.ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(size_bytes: int) -> Iterator[SmallDisk]:
    path = Path(tempfile.mkdtemp(prefix="fubini-disk-"))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "none", str(path)], check=True, timeout=30
    )
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False, timeout=30)
        path.rmdir()
