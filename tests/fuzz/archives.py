"""Directory trees that steps leave, and manifests that leases bring: nothing outside is read or written, caps hold.

No archive format is unpacked anywhere in the product: a directory artifact travels as a list of files. So what an archive
attack would hide in a tar is made here as a real tree (links, hard links, devices, pipes, sockets, holes, depth, numbers)
and as manifests of entries. Oracle: the secret beside the tree is never among what is kept, every refusal is in words, and
each input is through within two seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path

from fubini_agent.errors import StepFault
from fubini_agent.private_root import remove_tree
from fubini_agent.staging import inputs, names
from fubini_agent.staging.cache import Cache
from fubini_agent.staging.disks import Disks
from fubini_agent.staging.layout import Layout
from fubini_agent.staging.outputs import size_check, walk
from fubini_agent.transport import Transport
from fubini_protocol.v1.messages import Entry, ExecSpec
from tests.fuzz.artifact_names import scratch_parent
from tests.fuzz.common import FuzzResult, main

SECRET = b"the secret beside the tree"
EACH_S = 2.0
ENTRIES_CAP = 2_000


def _grow(rng: random.Random, root: Path, secret: Path) -> list[str]:
    """Make a hostile tree; the kinds of thing in it."""
    made: list[str] = []
    folders = [root]
    benign = ["file", "file", "file", "dir", "dir", "hard", "mode", "whiteout", "many"]
    hostile = ["link", "link", "fifo", "device", "socket", "sparse", "deep", "badname"]
    palette = benign + rng.sample(hostile, rng.choice([0, 0, 1, 3, len(hostile)]))
    for index in range(rng.randrange(1, 25)):
        here = rng.choice(folders)
        name = here / rng.choice([f"n{index}", f"é{index}", f"-{index}", f".{index}", f"a b{index}", f"\n{index}"])
        kind = rng.choice(palette)
        with contextlib.suppress(FileExistsError, PermissionError, OSError):
            if kind == "file":
                name.write_bytes(rng.randbytes(rng.randrange(200)))
            elif kind == "dir":
                name.mkdir()
                folders.append(name)
            elif kind == "link":
                target = rng.choice(
                    [str(secret), "/etc/passwd", "..", "../..", "../" * 20 + str(secret), ".", name.name, "/", "/proc/self/root",
                     "/o", "nothing", f"../{root.name}", "/dev/zero", "/proc/self/mem", os.path.relpath(secret, here)]
                )  # fmt: skip
                name.symlink_to(target)
            elif kind == "hard":
                first = root / "hardlinked"
                if not first.exists():
                    first.write_bytes(b"twice")
                os.link(first, name)
            elif kind == "fifo":
                os.mkfifo(name)
            elif kind == "device":
                os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(1, 5))
            elif kind == "whiteout":
                os.mknod(name, stat.S_IFCHR | 0o666, 0)
            elif kind == "socket":
                with socket.socket(socket.AF_UNIX) as one:
                    one.bind(str(name))
            elif kind == "sparse":
                with open(name, "wb") as file:
                    file.truncate(rng.choice([1 << 20, 1 << 33, 1 << 41, 1 << 43]))
            elif kind == "deep":
                deep = name
                for _ in range(rng.choice([5, 60, 140])):
                    deep.mkdir()
                    deep = deep / "d"
            elif kind == "many":
                name.mkdir()
                for number in range(rng.choice([5, 50, 50, ENTRIES_CAP + 10])):
                    (name / str(number)).touch()
            elif kind == "mode":
                name.write_bytes(b"x")
                name.chmod(rng.choice([0, 0o111, 0o4755, 0o777]))
            else:
                os.close(
                    os.open(bytes(here) + rng.choice([b"/\xff\xfe", b"/a\xf0b", b"/\xc3("]), os.O_CREAT | os.O_WRONLY)
                )
            made.append(kind)
    return made


def _tree(rng: random.Random, folder: Path, result: FuzzResult) -> None:
    secret = folder / "secret"
    secret.write_bytes(SECRET)
    layout = Layout(folder / "attempt", private=True)
    layout.make()
    root = layout.upper / "o"
    root.mkdir()
    made = _grow(rng, root, secret)
    kept = 0
    began = time.process_time()
    try:
        found = layout.open("/o")
        try:
            for file in walk(found, layout, ENTRIES_CAP):
                try:
                    size_check(file.path, file.info)
                    names.entry_path_check(file.path)
                    if not stat.S_ISREG(file.info.st_mode):
                        result.fail(f"{file.path!r} of {made} is kept and no regular file")
                    content = os.pread(file.descriptor, 4096, 0)
                    if SECRET in content or content.startswith(b"root:"):
                        result.fail(f"{file.path!r} of {made} shows a file from outside")
                    kept += 1
                finally:
                    os.close(file.descriptor)
        finally:
            found.close()
        result.outcomes["tree kept"] += 1
    except StepFault as exc:
        result.outcomes["tree refused"] += 1
        if not str(exc).isprintable() or str(folder) in str(exc):
            result.fail(f"the refusal of {made} shows a path of the host or raw characters: {str(exc)!r}")
    if kept > ENTRIES_CAP:
        result.fail(f"{kept} entries were kept, the limit is {ENTRIES_CAP}")
    remove_tree(str(folder / "attempt"))
    if (folder / "attempt").exists():
        shutil.rmtree(folder / "attempt", ignore_errors=True)
        result.fail(f"the tree of {made} could not be deleted by the agent")
    if secret.read_bytes() != SECRET:
        result.fail(f"deleting the tree of {made} changed a file outside")
    took_s = time.process_time() - began
    result.worst["slowest_s"] = max(float(result.worst.get("slowest_s", 0.0)), round(took_s, 3))
    if took_s > EACH_S:
        result.fail(f"the tree of {made} took {took_s:.1f} s of CPU")


def _manifest(rng: random.Random, folder: Path, result: FuzzResult, cache: Cache, digest: str) -> None:
    parts = ["a", "b", "c", "é", "a\\b"]
    bad_parts = ["..", ".", "", "/", "x" * 300, "\0"]
    hostile = rng.random() < 0.5
    entries = tuple(
        Entry(
            path="/".join(rng.choice(parts + bad_parts * hostile) for _ in range(rng.randrange(1, 6))),
            size=rng.choice([4, 4, 4, 0, -1, 1 << 50] if hostile else [4]),
            sha256=rng.choice([digest, digest, "../" + digest, "z" * 64, ""] if hostile else [digest]),
            mode=rng.choice([0o644, 0o755, 0o4777, 0, -1, 1 << 20]),
        )
        for _ in range(rng.randrange(1, 6))
    )
    path = rng.choice(["/d", "/d/e", "/../d", "/usr/x", "/proc/1", "/", "/tmp"])
    spec = ExecSpec.model_validate(
        {"argv": ["true"], "artifacts_in": [{"name": "i", "path": path, "entries": entries}]}
    )
    layout = Layout(folder / "attempt", private=True, bound=("/usr",))
    layout.make()
    disks = Disks(folder / "disks")
    before = {child.name for child in folder.iterdir()}

    async def stage() -> None:
        transport = Transport("http://127.0.0.1:9")
        try:
            inputs.plan_paths(layout, spec)
            await asyncio.wait_for(inputs.Stager(cache, transport, 1000, disks, {}).stage(layout, spec), 0.3)
        finally:
            await transport.close()

    try:
        asyncio.run(stage())
        result.outcomes["manifest staged"] += 1
    except StepFault as exc:
        result.outcomes["manifest refused"] += 1
        if not str(exc).isprintable():
            result.fail(f"the refusal of {entries!r} holds raw characters: {str(exc)!r}")
    except TimeoutError:
        result.outcomes["manifest waits for bytes"] += 1
    if {child.name for child in folder.iterdir()} != before:
        result.fail(f"staging {entries!r} at {path!r} wrote outside the attempt's folder")
    remove_tree(str(folder / "attempt"))


def run(count: int, seed: int) -> FuzzResult:
    rng = random.Random(seed)
    result = FuzzResult("archives", seed)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-archives-", dir=scratch_parent()))
    try:
        cache = Cache(folder / "cache", 1 << 30)
        content = folder / "content"
        content.write_bytes(b"abcd")
        digest = "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589"
        cache.offer(digest, 4, content)
        for number in range(count):
            result.inputs += 1
            try:
                if number % 2:
                    _manifest(rng, folder, result, cache, digest)
                else:
                    _tree(random.Random(rng.getrandbits(64)), folder, result)
            except Exception as exc:  # the oracle: every refusal is a StepFault
                result.fail(f"input {number}: {type(exc).__name__}: {exc}")
                shutil.rmtree(folder / "attempt", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result


if __name__ == "__main__":
    sys.exit(main(run, 200))
