"""Reading one revision of a git repository under the guard, by the `git` program.

The address is checked and pinned before the program starts, redirects are followed here and not by it, and it is told to
speak no other protocol. Nothing of a checkout happens: no hooks, filters, submodules or links of the repository act here;
the tree's files are read from the object database. The program's own environment is empty but for what is set below, and
credentials come by environment, never by argument.

Source: git-config (protocol.allow, http.curloptResolve), git-fetch, git-ls-tree, git-cat-file.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from fubini.remote.guard import Pinned, Policy, Refused, RemoteError, Resolver, pin, place_of, resolve
from fubini.remote.http import Header, exchange
from fubini.remote.s3 import status_check

REVISION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@{}^~+-]{0,250}")
REFSPEC: Final = re.compile(r"\+?[A-Za-z0-9_][A-Za-z0-9_./*-]{0,250}(:[A-Za-z0-9_][A-Za-z0-9_./*-]{0,250})?")
COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LOOK_S: Final = 0.25
_INFO = "/info/refs?service=git-upload-pack"


@dataclass(frozen=True, slots=True)
class Repository:
    """What to read. `revision` "" is the branch, and without one the repository's HEAD; `depth` 0 is as little as does."""

    url: str
    revision: str = ""
    branch: str = ""
    depth: int = 0
    fetch: tuple[str, ...] = ()
    single_branch: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    verify: bool = True


@dataclass(frozen=True, slots=True)
class TreeFile:
    path: str
    mode: int
    object_id: str
    size: int


@dataclass(slots=True)
class Read:
    """A revision in reach: its commit and its files; `left_out` counts links and submodules, which are no files."""

    commit: str
    files: list[TreeFile]
    left_out: int
    _git: _Git

    def contents(self) -> Iterator[tuple[TreeFile, Iterator[bytes]]]:
        """Each file with its bytes, in order; take all of one before the next."""
        return self._git.blobs(self.files)


class _Git:
    """One bare repository in a folder of its own, bounded in time and bytes."""

    def __init__(self, folder: Path, deadline: float, max_bytes: int) -> None:
        self.folder = folder
        self.deadline = deadline
        self.max_bytes = max_bytes
        self.config: list[tuple[str, str]] = [
            ("core.hooksPath", os.devnull),
            ("core.fsmonitor", "false"),
            ("credential.helper", ""),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("transfer.fsckObjects", "true"),
            ("fetch.fsckObjects", "true"),
            ("fetch.recurseSubmodules", "false"),
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "60"),
            ("protocol.allow", "never"),
            ("safe.bareRepository", "all"),
        ]

    def env(self) -> dict[str, str]:
        """All the program sees. Settings by `GIT_CONFIG_*`, so that none of them is an argument others can list."""
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_DIR": str(self.folder / "repository"),
            "GIT_CONFIG_COUNT": str(len(self.config)),
        }
        for index, (key, value) in enumerate(self.config):
            env[f"GIT_CONFIG_KEY_{index}"], env[f"GIT_CONFIG_VALUE_{index}"] = key, value
        return env

    def run(self, *args: str, what: str, out_max: int = 64 * 1024 * 1024) -> bytes:
        """Run it to its end; its standard output.

        Raises:
            RemoteError: it failed, took too long, or brought too much.
        """
        with (self.folder / "out").open("w+b") as out, (self.folder / "err").open("w+b") as err:
            process = subprocess.Popen(
                ["git", *args], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env(), start_new_session=True
            )
            try:
                self._watch(process, what)
            finally:
                _end(process)
            if process.returncode != 0:
                err.seek(0)
                raise _failure(what, err.read(4000))
            out.seek(0)
            return out.read(out_max)

    def _watch(self, process: subprocess.Popen[bytes], what: str) -> None:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_S)
                return
            if time.monotonic() > self.deadline:
                raise RemoteError(f"{what} was not done in time", again=True)
            if _bytes_below(self.folder) > self.max_bytes:
                raise RemoteError(f"{what} brought more than the {self.max_bytes} bytes that are allowed")

    def blobs(self, files: list[TreeFile]) -> Iterator[tuple[TreeFile, Iterator[bytes]]]:
        process = subprocess.Popen(
            ["git", "cat-file", "--batch", "--buffer"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env(),
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        wanted = "".join(f"{file.object_id}\n" for file in files).encode()
        feeder = threading.Thread(target=_feed, args=(process.stdin, wanted), daemon=True)
        feeder.start()
        try:
            for file in files:
                head = process.stdout.readline(200).split()
                if len(head) != 3 or head[0].decode() != file.object_id or int(head[2]) != file.size:
                    raise RemoteError(f"the object of {file.path[:80]!a} could not be read")
                yield file, self._content(process.stdout, file.size)
                process.stdout.read(1)
        finally:
            _end(process)
            feeder.join(5)
            process.stdout.close()

    def _content(self, stream: IO[bytes], size: int) -> Iterator[bytes]:
        while size > 0:
            if time.monotonic() > self.deadline:
                raise RemoteError("reading the repository was not done in time", again=True)
            piece = stream.read(min(size, 1 << 18))
            if not piece:
                raise RemoteError("the repository could not be read to its end")
            size -= len(piece)
            yield piece


@contextmanager
def read(
    repository: Repository,
    folder: Path,
    *,
    policy: Policy,
    timeout_s: float,
    max_bytes: int,
    max_files: int,
    resolver: Resolver = resolve,
) -> Iterator[Read]:
    """Bring a revision into `folder` (empty, removed at the end of the context) and list its files.

    Raises:
        Refused: the guard says no. RemoteError: no such revision, too large, too slow, not a repository.
    """
    for text, form in (
        (repository.revision, REVISION),
        (repository.branch, REVISION),
        *((f, REFSPEC) for f in repository.fetch),
    ):
        if text and (not form.fullmatch(text) or ".." in text):
            raise RemoteError(f"{text[:80]!a} is not a revision, branch or refspec")
    deadline = time.monotonic() + timeout_s
    git = _Git(folder, deadline, max_bytes)
    address = _address(repository, git, policy, timeout_s, resolver)
    try:
        git.run("init", "--quiet", "--bare", "--template=", str(folder / "repository"), what="making a repository")
        commit = _fetched(repository, git, address)
        yield _listed(git, commit, max_bytes, max_files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _address(repository: Repository, git: _Git, policy: Policy, timeout_s: float, resolver: Resolver) -> str:
    """The address `git` is given, with all it needs to go exactly there."""
    if urlsplit(repository.url).scheme == "file":
        if "file" not in policy.schemes:
            raise Refused(
                "the scheme 'file' is not allowed here; an administrator would list it in FUBINI_REMOTE_SCHEMES"
            )
        git.config.append(("protocol.file.allow", "always"))
        return repository.url
    headers = []
    if repository.username or repository.password:
        pair = base64.b64encode(f"{repository.username}:{repository.password}".encode()).decode("ascii")
        headers = [Header("Authorization", f"Basic {pair}", secret=True)]
    place = place_of(repository.url, policy)
    base = f"{place.scheme}://{place.netloc}{place.target.rstrip('/')}"
    with exchange(
        "GET",
        base + _INFO,
        policy=policy,
        timeout_s=timeout_s,
        headers=headers,
        verify=repository.verify,
        resolver=resolver,
    ) as answer:
        status_check(answer, "the repository")
        landed = answer.place
    if not landed.target.endswith(_INFO):
        raise RemoteError(f"{landed.shown} is not a git repository")
    moved = landed.origin != place.origin
    final: Pinned = pin(landed, policy, resolver)
    pinned_to = f"[{final.address}]" if final.address.version == 6 else str(final.address)
    target = f"{landed.scheme}://{landed.netloc}{landed.target.removesuffix(_INFO)}"
    git.config += [
        (f"protocol.{landed.scheme}.allow", "always"),
        ("http.curloptResolve", f"{landed.host}:{landed.port}:{pinned_to}"),
        ("http.proxy", ""),
        ("http.sslVerify", "true" if repository.verify else "false"),
    ]
    if headers and not moved:
        git.config.append(("http.extraHeader", f"Authorization: {headers[0].value}"))
    return target


def _fetched(repository: Repository, git: _Git, address: str) -> str:
    """Fetch what is needed and no more where the server can do that; the commit."""
    wanted = repository.revision or repository.branch or "HEAD"
    depth = [f"--depth={repository.depth or 1}"]
    common = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--update-head-ok"]
    if repository.fetch:
        plain = [f"--depth={repository.depth}"] if repository.depth else []
        git.run(*common, *plain, "--", address, *repository.fetch, what="fetching the refspecs")
    with suppress(RemoteError):
        # A name or a full commit can be asked for alone; some servers refuse, and some expressions need history.
        git.run(*common, *depth, "--", address, f"+{wanted}:refs/wanted/it", what="fetching the revision")
        return _commit(git, "refs/wanted/it")
    refs = [f"+refs/heads/{repository.branch}:refs/heads/{repository.branch}"] if repository.single_branch and repository.branch else [
        "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/wanted/head",
    ]  # fmt: skip
    git.run(*common, "--", address, *refs, what="fetching the repository")
    for name in ("refs/wanted/head",) if wanted == "HEAD" else (f"refs/tags/{wanted}", f"refs/heads/{wanted}", wanted):
        with suppress(RemoteError):
            return _commit(git, name)
    raise RemoteError(f"the repository has no revision {wanted[:80]!a}")


def _commit(git: _Git, name: str) -> str:
    found = git.run(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", what="finding the revision"
    )
    commit = found.decode("ascii", "replace").strip()
    if not COMMIT.fullmatch(commit):
        raise RemoteError("the revision is not a commit")
    return commit


def _listed(git: _Git, commit: str, max_bytes: int, max_files: int) -> Read:
    raw = git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, what="listing the revision")
    files: list[TreeFile] = []
    left_out = total = 0
    for line in raw.split(b"\0"):
        if not line:
            continue
        meta, _, path = line.partition(b"\t")
        mode, kind, object_id, size = meta.split()
        if kind != b"blob" or mode == b"120000":
            left_out += 1
            continue
        try:
            name = path.decode("utf-8")
        except UnicodeDecodeError:
            raise RemoteError(f"the file name {path[:80]!a} is not UTF-8") from None
        files.append(TreeFile(name, 0o755 if mode == b"100755" else 0o644, object_id.decode("ascii"), int(size)))
        total += int(size)
        if len(files) > max_files or total > max_bytes:
            raise RemoteError(f"the revision has more than {max_files} files or {max_bytes} bytes, which are allowed")
    return Read(commit, files, left_out, git)


def _failure(what: str, said: bytes) -> RemoteError:
    """The program's last words, without addresses: they may have been redirected, and an answer may hold anything."""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    text = re.sub(r"\S*://\S*", "<address>", lines[-1] if lines else "")
    clean = "".join(c if c.isprintable() else " " for c in text)[:200]
    gone = any(
        word in text for word in ("not found", "couldn't find remote ref", "Authentication failed", "not our ref")
    )
    return RemoteError(f"{what} failed: {clean or 'git said nothing'}", again=not gone)


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _folders, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118 - many files, often
    return total


def _feed(stream: IO[bytes], content: bytes) -> None:
    with suppress(OSError, ValueError):
        stream.write(content)
        stream.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
