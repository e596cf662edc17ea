"""Does this kernel give us private roots, and which kind? Tried for real, once, in a small process."""

from __future__ import annotations

import json
import os
import time

from fubini_agent.private_root.commands import (
    EXITED,
)
from fubini_agent.private_root.init import start_init
from fubini_agent.private_root.kernel import (
    SetupError,
    clone_supported,
)
from fubini_agent.private_root.roots import (
    PRIVATE_DIRS,
    device_nodes,
    host_binds,
    prepare_dev_dir,
    prepare_skeleton,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from collections.abc import Callable


def probe(scratch: str) -> dict[str, object]:
    """Try whole private roots under `scratch`, best kind first. Only in a process without threads.

    Returns:
        {"ok": bool, "why": str, "overlay": bool, "userns": bool}; `why` is the last refusal.
    """
    if not clone_supported():
        return {"ok": False, "why": f"machine {os.uname().machine!r} is not known", "overlay": False, "userns": False}
    why = ""
    for use_userns in (False, True) if os.geteuid() == 0 else (True,):
        for use_overlay in (True, False):
            problem = _probe_once(scratch, use_userns, use_overlay)
            if not problem:
                return {"ok": True, "why": why, "overlay": use_overlay, "userns": use_userns}
            why = problem
    return {"ok": False, "why": why, "overlay": False, "userns": False}


def _probe_once(scratch: str, use_userns: bool, use_overlay: bool) -> str:
    """ "" when a command runs in such a root and its file lands where it should, else why not."""
    base = os.path.join(scratch, f"probe-{os.getpid()}-{time.monotonic_ns()}")
    root, dev, proc, upper, work = (os.path.join(base, name) for name in ("root", "dev", "proc", "upper", "work"))
    for path in (root, proc, upper, work):
        os.makedirs(path)
    prepare_dev_dir(dev)
    binds, links = host_binds([])
    if use_overlay:
        prepare_skeleton(root, binds, links)
    channel = None
    try:
        pid, channel = start_init(dev, device_nodes([]), proc, use_userns)
        request = {
            "argv": ["touch", "/tmp/x"],
            "env": {"PATH": "/usr/bin:/bin"},
            "cwd": "/",
            "stdout": os.path.join(base, "stdout"),
            "stderr": os.path.join(base, "stderr"),
            "root": {
                "root": root,
                "binds": binds,
                "dev_dir": dev,
                "proc_dir": proc,
                "upper": upper if use_overlay else "",
                "work": work,
                "links": links,
                "dirs": PRIVATE_DIRS,
            },
        }
        channel.settimeout(10.0)
        channel.sendall(json.dumps(request).encode() + b"\n")
        raw = channel.recv(1 << 16)
        channel.close()
        os.waitpid(pid, 0)
        if not raw:
            return "the probe process died"
        result = json.loads(raw)
        if result["kind"] != EXITED or result["status"]:
            return result["text"] or f"the probe command ended with {result['status']}"
        landed = os.path.join(upper if use_overlay else root, "tmp", "x")
        return "" if os.path.exists(landed) else "the probe's file did not land in its private root"
    except (SetupError, OSError) as exc:
        return str(exc)
    finally:
        if channel is not None:
            channel.close()
        remove_tree(base)


def remove_tree(path: str) -> None:
    """Delete without following links; what cannot be deleted is left (the agent's cleaner tries again)."""
    try:
        entries = list(os.scandir(path))
    except PermissionError:  # the step took our right to list its own directory; we own it
        _quiet(lambda name: os.chmod(name, 0o700), path)
        try:
            entries = list(os.scandir(path))
        except OSError:
            return
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            try:
                os.unlink(entry.path)
            except PermissionError:
                _quiet(lambda name: os.chmod(name, 0o700), path)
                _quiet(os.unlink, entry.path)
            except OSError:
                pass
    _quiet(os.rmdir, path)


def _quiet(call: Callable[[str], object], path: str) -> None:
    try:
        call(path)
    except OSError:
        pass
