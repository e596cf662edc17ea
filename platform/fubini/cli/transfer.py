"""Moving files: what is in a folder, upload what is missing, download what is not there yet.

Decides that a transfer can be broken off anywhere and taken up again: uploads ask first which bytes the server lacks,
and large files go on inside (`resume`); downloads go to `NAME.part`, go on where they stopped, and take their name only
after their sha256 was right. A path from the server is used only if it stays below the target folder; links are not
followed when writing.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fubini.cli import resume
from fubini.cli.client import Client, segment
from fubini.cli.errors import READABLE, CliError, Exit

CHUNK_BYTES = 1024 * 1024
ASK_AT_ONCE = 5000
SMALL_BYTES = 4 * 1024 * 1024  # smaller files go through REST, larger ones are streamed under a grant
PARTS_FROM_BYTES = 16 * 1024 * 1024  # and those above this go in parts, which go on after a break
PARALLEL = 4
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to upload; `entry` is its place in the dataset."""

    source: Path
    entry: dict[str, Any]


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            digest.update(piece)
            if progress:
                progress(len(piece))
    return digest.hexdigest()


def scan(root: Path, *, skip: frozenset[str] = frozenset()) -> list[LocalFile]:
    """The plain files of a path, with digests, sorted; a single file has the empty path. Folders in `skip` are left out.

    Raises:
        CliError: it is not there, cannot be read, or has something that is not a file or folder.
    """
    if root.is_file():
        return [_local(root, "")]
    if not root.is_dir():
        raise CliError(f"no file or folder {root}", try_="check the path", exit_code=Exit.USAGE)
    found: list[LocalFile] = []
    for folder, names, files in os.walk(root, followlinks=False):
        names[:] = sorted(name for name in names if name not in skip)
        for name in sorted(files):
            path = Path(folder) / name
            found.append(_local(path, path.relative_to(root).as_posix()))
    if not found:
        raise CliError(f"{root} has no files", why="a dataset version holds at least one", exit_code=Exit.USAGE)
    return sorted(found, key=lambda file: str(file.entry["path"]))


def _local(path: Path, name: str) -> LocalFile:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise CliError(
                f"{path} is not a plain file", why="a dataset holds files and folders only", exit_code=Exit.USAGE
            )
        entry = {"path": name, "size": info.st_size, "mode": info.st_mode & 0o777, "sha256": sha256_of(path)}
    except OSError as error:
        raise CliError(f"cannot read {path}", why=error.strerror or str(error), try_=READABLE, exit_code=Exit.USAGE) from error
    return LocalFile(path, entry)


def missing(client: Client, project: str, digests: Sequence[str]) -> set[str]:
    """Which of these bytes the project does not have yet."""
    found: set[str] = set()
    for at in range(0, len(digests), ASK_AT_ONCE):
        body = {"project": project, "digests": list(digests[at : at + ASK_AT_ONCE])}
        found |= set(client.post("/blobs/missing", body)["missing"])
    return found


def upload(client: Client, project: str, files: Sequence[LocalFile], progress: Progress) -> int:
    """Upload what the server lacks; how many files were sent."""
    by_digest = {str(file.entry["sha256"]): file for file in files}
    wanted = missing(client, project, sorted(by_digest))
    progress(sum(int(f.entry["size"]) for d, f in by_digest.items() if d not in wanted))
    todo = [by_digest[digest] for digest in sorted(wanted)]
    grant = _Grant(client, project)

    def send(file: LocalFile) -> None:
        if int(file.entry["size"]) > PARTS_FROM_BYTES:
            _in_parts(client, project, file, progress)
            return
        _put(client, project, file, grant)
        progress(int(file.entry["size"]))

    _all(send, todo)
    return len(todo)


class _Grant:
    """A right to upload, renewed before it runs out."""

    def __init__(self, client: Client, project: str) -> None:
        self.client, self.project = client, project
        self.url, self.token, self.until = "", "", 0.0

    def get(self) -> tuple[str, str]:
        if time.monotonic() > self.until:
            made = self.client.send("POST", "/blobs/grants", body={"project": self.project})
            self.url, self.token = str(made["url"]), str(made["token"])
            self.until = time.monotonic() + float(made["expires_in_s"]) / 2
        return self.url, self.token


def _put(client: Client, project: str, file: LocalFile, grant: _Grant) -> None:
    digest, size = str(file.entry["sha256"]), int(file.entry["size"])
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}

    def once() -> Any:
        if size <= SMALL_BYTES:
            path = f"/api/v1/blobs/{segment(digest)}"
            return client.http.put(path, params={"project": project}, content=_pieces(file.source), headers=headers)
        url, token = grant.get()
        sent = {**headers, "Authorization": f"Bearer {token}"}
        return client.http.put(f"{url}/{digest}", content=_pieces(file.source), headers=sent, timeout=None)

    try:
        client.retrying(once, safe=True)
    except OSError as error:
        raise CliError(f"cannot read {file.source}", why=error.strerror or str(error), try_=READABLE) from error


def _in_parts(client: Client, project: str, file: LocalFile, progress: Progress) -> None:
    try:
        resume.send(client, project, file.source, str(file.entry["sha256"]), int(file.entry["size"]), progress)
    except OSError as error:
        raise CliError(f"cannot read {file.source}", why=error.strerror or str(error), try_=READABLE) from error


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def _all(work: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Do the work on all items, a few at once; the first failure ends it."""
    if len(items) <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            raise


# --- downloads ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to fetch: where it goes, what it must be, and where its bytes are asked for."""

    target: Path
    size: int
    sha256: str
    mode: int
    content: str  # an API path that redirects to the bytes
    params: Mapping[str, str]
    link: str = ""  # the bytes' own short-lived address; with it the server need not look through the whole list a file


def listing(client: Client, base: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """All entries of an artifact or a dataset version (`base` is its API path)."""
    entries: list[dict[str, Any]] = []
    after = None
    while True:
        page = client.get(f"{base}/files", limit=1000, after=after, links="true")
        entries += page["entries"]
        after = page["next_after"]
        if after is None:
            return page, entries


def below(root: Path, path: str) -> Path:
    """A server's path as a place below `root`.

    Raises:
        CliError: it would leave the folder.
    """
    pure = PurePosixPath(path)
    parts = pure.parts
    if not parts or pure.is_absolute() or ".." in parts or "\x00" in path or "\\" in path:
        raise CliError(
            f"the server names a file {path!r}", why="that would be written outside the target folder; nothing was"
        )
    return root.joinpath(*parts)


def wanted_of(client: Client, base: str, target: Path, *, into_folder: bool) -> list[Wanted]:
    """What one artifact or version comes to under `target`; a single file keeps the target's own name."""
    page, entries = listing(client, base)
    found = []
    for entry in entries:
        place = below(target, entry["path"]) if entry["path"] else target
        if page["is_directory"] and not entry["path"]:
            continue
        if into_folder and not entry["path"]:
            place = target / target.name
        found.append(
            Wanted(place, entry["size"], entry["sha256"], entry["mode"], f"{base}/content", {"path": entry["path"]}, entry.get("url") or "")
        )
    return found


def download(client: Client, files: Iterable[Wanted], root: Path, progress: Progress) -> tuple[int, int]:
    """Fetch what is not there yet; how many files were fetched and how many were there already, verified."""
    todo: list[Wanted] = []
    there = 0
    for file in files:
        if _is_there(file):
            there += 1
            progress(file.size)
        else:
            todo.append(file)
    _all(lambda file: _fetch(client, file, root, progress), todo)
    return len(todo), there


def _is_there(file: Wanted) -> bool:
    try:
        return (
            not file.target.is_symlink()
            and file.target.stat().st_size == file.size
            and sha256_of(file.target) == file.sha256
        )
    except OSError:
        return False


def _fetch(client: Client, file: Wanted, root: Path, progress: Progress) -> None:
    """One file, going on where an earlier try stopped."""
    part = file.target.with_name(file.target.name + ".part")
    try:
        file.target.parent.mkdir(parents=True, exist_ok=True)
        if not file.target.parent.resolve().is_relative_to(root.resolve()):
            raise CliError(
                f"{file.target.parent} leads outside {root}", why="a link is in the way", try_="remove the link"
            )
        for _ in range(2):
            _append(client, file, part, progress)
            if sha256_of(part) == file.sha256:
                part.chmod(file.mode & 0o777 or 0o644)
                part.replace(file.target)
                return
            part.unlink()  # the rest of an older try did not fit: once more from the start
    except OSError as error:
        raise CliError(
            f"cannot write {file.target}", why=error.strerror or str(error), try_="check the folder and the disk's room"
        ) from error
    raise CliError(
        f"{file.target.name} arrived damaged twice",
        why=f"its bytes do not hash to {file.sha256[:16]}...",
        try_="run the same command again; if it stays so, tell the administrators",
    )


def _append(client: Client, file: Wanted, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() and not part.is_symlink() else 0
    if have > file.size:
        part.unlink()
        have = 0
    progress(have)
    if have == file.size and part.exists():
        return

    link = file.link

    def once() -> Any:
        nonlocal link
        if link:
            reply = bytes_at(link)
            if reply.status_code not in {403, 404}:
                return reply
            link = ""  # it is over
        asked = client.http.get(f"/api/v1{file.content}", params=dict(file.params))
        return bytes_at(asked.headers["location"]) if asked.status_code == 302 else asked

    def bytes_at(address: str) -> Any:
        # Signed links carry their own right; the token stays with the API.
        start = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = client.http.build_request("GET", address, headers=headers)
        request.headers.pop("Authorization", None)
        reply = client.http.send(request, stream=True)
        try:
            if reply.status_code in {200, 206}:
                flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
                flags |= os.O_APPEND if reply.status_code == 206 else os.O_TRUNC
                with os.fdopen(os.open(part, flags, 0o600), "wb" if reply.status_code == 200 else "ab") as out:
                    for piece in reply.iter_bytes(CHUNK_BYTES):
                        out.write(piece)
                        progress(len(piece))
            else:
                reply.read()
        finally:
            reply.close()
        return reply

    client.retrying(once, safe=True)
