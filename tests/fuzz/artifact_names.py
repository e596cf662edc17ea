"""Names of artifact entries and of paths: accepted ones round-trip byte for byte, the others are refused in words.

Oracle for an accepted entry path: it can be put below a directory and nowhere else, and reading that directory back
gives exactly that path and content. For an accepted inside path: it lies inside the attempt's own folder. For any name:
what an error shows is short, printable ASCII.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import unicodedata
from pathlib import Path

from fubini_agent.errors import StepFault
from fubini_agent.staging import names
from fubini_agent.staging.layout import Layout
from fubini_agent.staging.outputs import walk
from fubini_protocol.v1.messages import Entry
from tests.fuzz.common import FuzzResult, main

_SPECIAL = [
    "", ".", "..", "/", "//", "a/", "/a", "../a", "a/../b", "a/./b", "a//b", "\\", "..\\..\\x", "C:\\x", "\0", "a\0b",
    "CON", "nul.txt", "trailing.", "trailing ", " leading", "-rf", "--help", "$(touch x)", "`id`", ";ls", "a\nb", "\r",
    "\x1b[31mred", "\u202egnp.exe", "\ufeffbom", "é", "e\u0301", "ﬁ", "İ", "ß", "SS", "日本語", "😀" * 20, "a" * 255,
    "a" * 256, "é" * 127, "é" * 128, "x" * 10_000, "/".join("d" * 200 for _ in range(30)), "/".join("d" for _ in range(129)),
    "\udcff\udcfe", "\ud800", "%2e%2e%2f", "..%00/", "~root", "*", "?", "[a]", "{a}", "'", '"', "<script>", "&amp;", "a:b",
    "proc/self/root", "dev/null", ".hidden", "...", "....//", "user.overlay.opaque", ".wh.file",
]  # fmt: skip
_PIECES = [
    "a",
    "b",
    "..",
    ".",
    "",
    "/",
    "\\",
    "\0",
    "é",
    "e\u0301",
    "\u202e",
    "x" * 255,
    " ",
    "\n",
    "\udc80",
    "A",
    "..a",
    "a..",
]


def scratch_parent() -> str | None:
    """Memory where there is some: thousands of small trees are made and deleted."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def make_name(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(_SPECIAL)
    if kind < 0.55:
        return "/".join(rng.choice(_PIECES) for _ in range(rng.randrange(1, 8)))
    if kind < 0.75:
        return "".join(rng.choice(_PIECES) for _ in range(rng.randrange(1, 10)))
    if kind < 0.9:
        return "".join(
            chr(rng.choice([rng.randrange(128), rng.randrange(0x2000), rng.randrange(0x110000)])) for _ in range(12)
        )
    base = rng.choice(_SPECIAL)
    return unicodedata.normalize(rng.choice(["NFC", "NFD", "NFKC"]), base) + rng.choice(["", "/x", ".", " "])


def _check_shown(name: str, text: str, result: FuzzResult) -> None:
    shown = names.shown(name)
    if len(shown) > 200 or not shown.isascii() or not shown.isprintable():
        result.fail(f"{name!r} is shown as {shown!r}")
    if not text.isprintable():
        result.fail(f"the error for {name!r} holds raw characters: {text!r}")


def _entry(name: str, folder: Path, result: FuzzResult) -> None:
    try:
        names.entry_path_check(name)
    except names.BadName as exc:
        result.outcomes["entry refused"] += 1
        _check_shown(name, str(exc), result)
        return
    result.outcomes["entry accepted"] += 1
    root = folder / "entry"
    target = root / name
    if os.path.commonpath([os.path.normpath(target), root]) != str(root):
        result.fail(f"entry {name!r} leaves its folder: {target}")
        return
    if Entry.model_validate_json(Entry(path=name, size=1, sha256="0" * 64).to_json()).path != name:
        result.fail(f"entry {name!r} changes on the wire")
    layout = Layout(folder / "attempt", private=True)
    layout.make()
    try:
        full = layout.upper / "o" / name
        full.parent.mkdir(parents=True)
        full.write_bytes(b"content")
        found = layout.open("/o")
        try:
            files = list(walk(found, layout))
        finally:
            found.close()
        for file in files:
            content = os.pread(file.descriptor, 100, 0)
            os.close(file.descriptor)
            if (file.path, content) != (name, b"content"):
                result.fail(f"entry {name!r} is listed as {file.path!r}")
        if len(files) != 1:
            result.fail(f"entry {name!r} is listed {len(files)} times")
    except StepFault as exc:
        result.fail(f"entry {name!r} is accepted and then refused: {exc}")
    finally:
        shutil.rmtree(folder / "attempt")


def _twins(name: str, rng: random.Random, result: FuzzResult) -> None:
    """A directory's list of paths: twins that only look alike are kept apart, real repeats are refused."""
    twin = rng.choice([name, name + "/x", name.upper(), unicodedata.normalize("NFD", name), name + "x"])
    try:
        kept = names.entry_paths_check([name, twin])
    except names.BadName:
        result.outcomes["pair refused"] += 1
        return
    result.outcomes["pair accepted"] += 1
    if name == twin or twin.startswith(name + "/") or kept != [name, twin]:
        result.fail(f"the pair {name!r}, {twin!r} is accepted as {kept!r}")


def _inside(name: str, folder: Path, result: FuzzResult) -> None:
    layout = Layout(folder / "attempt", private=True, bound=("/usr", "/etc"), links={"/bin": "usr/bin"})
    layout.make()
    try:
        path = "/" + name
        try:
            layout.claim(path)
            target = layout.host_path(path)
        except names.BadName as exc:
            result.outcomes["path refused"] += 1
            _check_shown(path, str(exc), result)
            return
        result.outcomes["path accepted"] += 1
        top = str(folder / "attempt")
        if os.path.commonpath([os.path.normpath(target), top]) != top or os.path.normpath(target) == top:
            result.fail(f"path {path!r} would lie at {target}")
    finally:
        shutil.rmtree(folder / "attempt")


def run(count: int, seed: int) -> FuzzResult:
    rng = random.Random(seed)
    result = FuzzResult("artifact_names", seed)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-names-", dir=scratch_parent()))
    try:
        for _ in range(count):
            name = make_name(rng)
            result.inputs += 1
            try:
                _entry(name, folder, result)
                _inside(name, folder, result)
                _twins(name, rng, result)
            except Exception as exc:  # the oracle: every refusal is a BadName
                result.fail(f"{name!r}: {type(exc).__name__}: {exc}")
                shutil.rmtree(folder / "attempt", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result


if __name__ == "__main__":
    sys.exit(main(run, 3_000))
