"""Manifests from a Python file (Hera's, or any that prints them), run here and never on a server.

Decides whose interpreter runs it (``--python``, ``FUBINI_PYTHON``, the active virtual environment, else ours), that it
has a minute and a bounded output, and what it means: the workflows it would have created are its manifests; else what
it printed, where that is manifests; else the workflows its variables hold. Its own words go to standard error.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from fubini.cli.errors import READABLE, CliError, Exit

TIMEOUT_S = 60.0
MAX_OUTPUT_BYTES = 16 * 1024 * 1024

# Runs in the user's interpreter, which need not have Fubini. argv: the file, where to write, the most bytes.
_RUNNER = r"""
import builtins, io, os, re, runpy, sys
file, out, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.argv = [file]
sys.path[0] = os.path.dirname(os.path.abspath(file))
made = []
def stands_for(name):
    def create(self, *args, **kwargs):
        made.append(self)
        return self.build()
    async def create_later(self, *args, **kwargs):
        return create(self)
    return create_later if name.startswith("async_") else create
def patch(hera):
    for kind in ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"):
        known = getattr(hera, kind, None)
        for method in ("create", "async_create", "update", "async_update", "lint", "async_lint"):
            if known is not None and method in vars(known):
                setattr(known, method, stands_for(method))
plain_import, ready = builtins.__import__, []
def watched_import(*args, **kwargs):
    module = plain_import(*args, **kwargs)
    hera = sys.modules.get("hera.workflows")
    if hera is not None and not ready and not getattr(hera.__spec__, "_initializing", False):
        ready.append(patch(hera))
    return module
builtins.__import__ = watched_import
class Said(io.StringIO):
    def write(self, text):
        if self.tell() < most:
            super().write(text)
        return len(text)
printed, sys.stdout = Said(), None
sys.stdout = printed
try:
    variables = runpy.run_path(file, run_name="__main__")
finally:
    sys.stdout = sys.stderr
printed = printed.getvalue()
if made:
    found = made
elif begin := re.search(r"^(---\s*$|apiVersion:|kind:|metadata:|\{)", printed, re.MULTILINE):
    found, text, printed = [], printed[begin.start():], printed[:begin.start()]
else:
    found = [v for v in variables.values() if callable(getattr(v, "to_yaml", None)) and not isinstance(v, type)]
if printed:
    sys.stderr.write(printed if printed.endswith("\n") else printed + "\n")
if found:
    unique = list({id(v): v for v in found}.values())
    text = "\n---\n".join(v.to_yaml() for v in unique)
elif "text" not in globals():
    text = ""
with open(out, "w", encoding="utf-8") as stream:
    stream.write(text[:most + 1])
"""


def interpreter(chosen: str = "") -> str:
    """The interpreter that runs people's Python files."""
    if chosen or os.environ.get("FUBINI_PYTHON"):
        return chosen or os.environ["FUBINI_PYTHON"]
    active = os.environ.get("VIRTUAL_ENV", "")
    candidate = Path(active) / "bin" / "python"
    return str(candidate) if active and candidate.exists() else sys.executable


def manifests_of_program(path: Path, *, python: str = "", timeout_s: float = TIMEOUT_S) -> str:
    """Run a Python file and return the manifests it makes, as YAML documents.

    Raises:
        CliError: it cannot be run, fails, takes too long, or makes nothing.
    """
    if not path.is_file():
        raise CliError(f"cannot read {path}", why="there is no such file", try_=READABLE, exit_code=Exit.USAGE)
    chosen = interpreter(python)
    with tempfile.TemporaryDirectory(prefix="fubini-") as folder:
        out = Path(folder) / "manifests.yaml"
        argv = [chosen, "-c", _RUNNER, str(path), str(out), str(MAX_OUTPUT_BYTES)]
        try:
            # What the file's own children print must not be taken for our results.
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=_stderr(), start_new_session=True)
        except OSError as error:
            raise CliError(
                f"cannot start {chosen}",
                why=error.strerror or str(error),
                try_="--python PATH, or set FUBINI_PYTHON",
                exit_code=Exit.USAGE,
            ) from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            raise CliError(
                f"{path} did not end within {timeout_s:.0f} s",
                why="a file that describes a workflow should only build it",
                try_="take waiting and computing out of it",
            ) from None
        except BaseException:
            _end(process)
            raise
        if code != 0:
            raise CliError(
                f"{path} failed with exit code {code}",
                why=f"its own words stand above; it was run by {chosen}",
                try_="mend it, or choose its interpreter with --python (it needs hera there)",
            )
        text = out.read_text(encoding="utf-8") if out.exists() else ""
    if len(text) > MAX_OUTPUT_BYTES:
        raise CliError(f"{path} makes more than {MAX_OUTPUT_BYTES // 1024 // 1024} MiB of manifests")
    if not text.strip():
        raise CliError(
            f"{path} makes no manifest",
            why="it created no workflow, printed none, and none of its variables is one",
            try_="print(workflow.to_yaml()) at its end",
            exit_code=Exit.USAGE,
        )
    return text


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return subprocess.DEVNULL


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started in its session; it has not been waited for, so the id is still its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
