"""From the names a person gives to texts: files, folders, standard input, and programs that write manifests.

Folders are walked for ``.yaml``, ``.yml`` and ``.json``, hidden ones left out; a Python file is only run when it is
named itself. Everything is bounded, and a file that cannot be read is the caller's mistake, not a finding.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fubini.cli.errors import READABLE, CliError, Exit
from fubini.cli.pyfile import manifests_of_program

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILES = 10_000
MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A text under the name it is reported by. `named` is False for what was only found in a folder."""

    name: str
    raw: bytes
    named: bool = True
    generated: bool = False


def source_files(paths: Iterable[Path], *, python: str = "") -> Iterator[SourceFile]:
    """The texts of all `paths`, each file once.

    Raises:
        CliError: something cannot be read, is too large or too many; a program failed.
    """
    seen: set[str] = set()
    for path in paths:
        if str(path) == "-":
            yield SourceFile("stdin", _bounded("standard input", sys.stdin.buffer.read(MAX_FILE_BYTES + 1)))
            continue
        if path.is_dir():
            for count, found in enumerate(_walk(path)):
                if count >= MAX_FILES:
                    raise CliError(
                        f"{path} holds more than {MAX_FILES:,} manifests",
                        try_="name the folders you mean",
                        exit_code=Exit.USAGE,
                    )
                if _first(found, seen):
                    yield SourceFile(str(found), _read(found), named=False)
        elif _first(path, seen):
            if path.suffix == ".py":
                yield SourceFile(str(path), manifests_of_program(path, python=python).encode(), generated=True)
            else:
                yield SourceFile(str(path), _read(path))


def _first(path: Path, seen: set[str]) -> bool:
    real = os.path.realpath(path)
    if real in seen:
        return False
    seen.add(real)
    return True


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(where) / name


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return _bounded(str(path), stream.read(MAX_FILE_BYTES + 1))
    except OSError as error:
        raise CliError(f"cannot read {path}", why=error.strerror or str(error), try_=READABLE, exit_code=Exit.USAGE) from error


def _bounded(name: str, raw: bytes) -> bytes:
    if len(raw) > MAX_FILE_BYTES:
        raise CliError(f"{name} is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB", exit_code=Exit.USAGE)
    return raw
