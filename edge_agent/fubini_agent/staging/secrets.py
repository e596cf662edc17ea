"""Files of secrets in a step's root: private to the agent's user, shown read-only, gone when the command has ended.

They lie in the attempt's directory, in a folder of their own, so that one call removes them; they are never in a cache.
"""

from __future__ import annotations

import base64
import binascii
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from fubini_agent.errors import StepFault
from fubini_agent.staging import names
from fubini_agent.staging.layout import Layout
from fubini_protocol.v1.messages import Cause, OutcomeKind, SecretFile

FOLDER = "secrets"


def place(layout: Layout, mounts: Iterable[str], files: Sequence[SecretFile]) -> None:
    """Write what came and show it at its mount paths.

    Raises:
        StepFault: a path that cannot be, or a step without a root of its own, where the files would touch the host.
    """
    paths = list(dict.fromkeys(mounts))
    if not paths:
        return
    if not layout.private:
        text = f"mounts a secret at {names.shown(paths[0])}, and without a root of its own it would lie on the host"
        raise StepFault(OutcomeKind.PLATFORM, Cause.SITE, text)
    top = layout.top / FOLDER
    top.mkdir(mode=0o700)
    try:
        for index, mount in enumerate(paths):
            _mount(layout, top / str(index), mount, [file for file in files if file.mount_path == mount])
    except (names.BadName, FileExistsError, NotADirectoryError, IsADirectoryError, binascii.Error) as exc:
        text = str(exc) if isinstance(exc, names.BadName) else "two of its files have one path"
        raise StepFault(OutcomeKind.INPUT_ERROR, Cause.USER, f"the secret at {names.shown(mount)}: {text}") from exc


def _mount(layout: Layout, folder: Path, mount: str, files: Sequence[SecretFile]) -> None:
    target = layout.make_parents(mount)
    if len(files) == 1 and not files[0].path:
        _write(folder, files[0])
        target.touch(mode=0o600, exist_ok=True)
    else:
        names.entry_paths_check(file.path for file in files)
        folder.mkdir(mode=0o700)
        for file in files:
            path = folder / file.path
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, file)
        target.mkdir(mode=0o755, exist_ok=True)
    layout.binds.append((str(folder), layout.inside(mount)))


def _write(path: Path, file: SecretFile) -> None:
    # Of the wished mode only the owner's part counts: nobody else sees the file, and nobody else shall.
    mode = file.mode & 0o500 | 0o400
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(base64.b64decode(file.content, validate=True))
        if mode & 0o100:
            os.fchmod(out.fileno(), mode | 0o200)


def wipe(top: Path) -> None:
    """Remove an attempt's files of secrets; nothing happens where there are none."""
    shutil.rmtree(top / FOLDER, ignore_errors=True)
