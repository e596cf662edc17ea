"""Carrying out one fetch: the remote side is read under the guard, what comes is unpacked, hashed and kept as blobs.

No transaction is open while bytes move. Credentials are opened here, used, and forgotten; neither they nor a URL's query
are in what is recorded. Source: Argo's executor (a gzipped tar is unpacked unless ``archive`` says otherwise; a single
thing at the top of an archive takes the artifact's place).
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings

from fubini.common import clock
from fubini.common.options import option, option_group
from fubini.datasets.limits import limit
from fubini.datasets.models import Fetch
from fubini.datasets.services import blob_record
from fubini.datasets.store import Store, default_store
from fubini.flags.registry import REMOTE_INPUTS
from fubini.flags.selectors import flag_is_on
from fubini.remote import git, s3
from fubini.remote.guard import Policy, Refused, RemoteError, place_of, policy_from
from fubini.remote.http import Answer, Header, exchange
from fubini.remote.s3 import status_check
from fubini.runs.codec import from_json
from fubini.runs.engine import HttpHeader, RemoteSource, SecretRef
from fubini.secrets.selectors import secret_values
from fubini.secrets.services import secrets_used

CHUNK: Final = 1 << 18
_REVISION_HEADERS: Final = {"etag": "etag", "last-modified": "last_modified", "x-amz-version-id": "version_id"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: entries of an artifact, and where from."""

    entries: list[dict[str, Any]]
    provenance: dict[str, Any]


class Secrets:
    """A project's secrets as they are opened for one fetch or call."""

    def __init__(self, project_id: str, refs: list[SecretRef | None]) -> None:
        names = {ref.name for ref in refs if ref is not None}
        self._values = secret_values(project_id, names)
        if names:
            secrets_used(project_id=project_id, names=names)

    def text(self, ref: SecretRef | None) -> str:
        """A secret's value; "" where none is named, or an optional one is missing.

        Raises:
            RemoteError: it is not there, or not text.
        """
        if ref is None:
            return ""
        value = self._values.get(ref.name, {}).get(ref.key)
        if value is None:
            if ref.optional:
                return ""
            raise RemoteError(f"the project has no secret {ref.name!r} with the key {ref.key!r}")
        try:
            return value.decode("utf-8").strip("\r\n")
        except UnicodeDecodeError:
            raise RemoteError(f"the secret {ref.name!r}, key {ref.key!r}, is not text") from None

    def headers(self, headers: tuple[HttpHeader, ...]) -> list[Header]:
        return [
            Header(h.name, self.text(h.secret) if h.secret is not None else h.value, secret=h.secret is not None)
            for h in headers
        ]


def remote_policy(project_id: str) -> Policy:
    """What this installation lets the platform reach for a project.

    Raises:
        Refused: nothing, now.
    """
    if not flag_is_on(REMOTE_INPUTS, project_id):
        raise Refused(
            f"the feature flag {REMOTE_INPUTS.name!r} is off for this project, so nothing is read from outside; "
            "an administrator can turn it on"
        )
    return policy_from(option_group("REMOTE"))


def fetch_perform(fetch: Fetch) -> Fetched:
    """Bring one source in.

    Raises:
        RemoteError: it cannot be had; `again` says whether it may be later. FubiniError: it cannot be kept.
    """
    source = from_json(RemoteSource, fetch.source)
    refs = [source.user, source.password, source.token, *(h.secret for h in source.headers)]
    work = _Work(fetch, source, Secrets(fetch.project_id, refs))
    if source.kind == "http":
        return work.http()
    if source.kind == "git":
        return work.git()
    if source.kind == "s3":
        return work.s3()
    raise RemoteError(f"sources of the kind {source.kind!r} are not known to this version")


def _scratch() -> Path:
    return Path(settings.FUBINI_HOME) / "scratch"


def scratch_sweep() -> None:
    """Remove what killed workers left behind; what another worker may still use is younger."""
    oldest_s = time.time() - 2 * option("REMOTE_TIMEOUT_S")
    for folder in _scratch().glob("git-*"):
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_mtime < oldest_s:
                shutil.rmtree(folder, ignore_errors=True)


class _Work:
    def __init__(self, fetch: Fetch, source: RemoteSource, secrets: Secrets) -> None:
        self.fetch = fetch
        self.source = source
        self.secrets = secrets
        self.store: Store = default_store()
        self.policy = remote_policy(fetch.project_id)
        self.timeout_s = float(option("REMOTE_TIMEOUT_S"))
        self.left_bytes = min(option("REMOTE_MAX_BYTES"), limit("ARTIFACT_MAX_BYTES"))
        self.max_files = limit("ARTIFACT_MAX_ENTRIES")

    # --- kinds ---

    def http(self) -> Fetched:
        source = self.source
        headers = self.secrets.headers(source.headers)
        if source.user is not None or source.password is not None:
            pair = f"{self.secrets.text(source.user)}:{self.secrets.text(source.password)}".encode()
            headers.append(Header("Authorization", "Basic " + base64.b64encode(pair).decode("ascii"), secret=True))
        with exchange("GET", source.url, policy=self.policy, timeout_s=self.timeout_s, headers=headers) as answer:
            status_check(answer, "the artifact")
            return self._single(answer, {"kind": "http", "url": place_of(source.url, self.policy).shown})

    def s3(self) -> Fetched:
        source = self.source
        credentials = None
        if source.user is not None or source.password is not None:
            credentials = s3.Credentials(
                self.secrets.text(source.user), self.secrets.text(source.password), self.secrets.text(source.token)
            )
        region = source.region or "us-east-1"
        bucket = s3.Bucket(source.url, source.bucket, region, source.insecure, credentials)
        reader = s3.Reader(bucket, self.policy, timeout_s=self.timeout_s, clock=clock.now)
        where = {"kind": "s3", "url": place_of(bucket.url(source.key), self.policy).shown}
        if not source.key.endswith("/"):
            with reader.get(source.key) as answer:
                if answer.status != 404:
                    status_check(answer, "the object")
                    return self._single(answer, where)
        prefix = source.key.rstrip("/") + "/"
        entries, revisions = [], {}
        for key in reader.keys(prefix, self.max_files):
            name = key.removeprefix(prefix)
            if not name or name.endswith("/"):
                continue
            with reader.get(key) as answer:
                status_check(answer, "the object")
                entries.append(self._keep(answer.pieces(self.left_bytes), name))
                revisions[name] = _revision(answer)
        if not entries:
            raise RemoteError(f"the bucket {source.bucket!r} has nothing at {source.key[:200]!r}")
        return Fetched(entries, {**where, "revision": {"objects": dict(list(revisions.items())[:1000])}})

    def git(self) -> Fetched:
        source = self.source
        repository = git.Repository(
            source.url,
            source.revision,
            source.branch,
            source.depth,
            source.refspecs,
            source.single_branch,
            self.secrets.text(source.user),
            self.secrets.text(source.password),
            not source.insecure,
        )
        _scratch().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="git-", dir=_scratch()))
        with git.read(
            repository,
            folder,
            policy=self.policy,
            timeout_s=self.timeout_s,
            max_bytes=self.left_bytes,
            max_files=self.max_files,
        ) as found:
            entries = [self._keep(pieces, file.path, file.mode) for file, pieces in found.contents()]
            revision: dict[str, Any] = {"commit": found.commit}
            if found.left_out:
                revision["left_out"] = found.left_out
        return Fetched(entries, {"kind": "git", "url": source.url.partition("?")[0][:300], "revision": revision})

    # --- keeping ---

    def _keep(self, pieces: Iterator[bytes], path: str, mode: int = 0o644) -> dict[str, Any]:
        digest, size = self.store.keep(pieces, max_bytes=min(self.left_bytes, limit("BLOB_MAX_BYTES")))
        self.left_bytes -= size
        blob_record(project_id=self.fetch.project_id, digest=digest, size_bytes=size)
        return {"path": path, "size": size, "mode": mode, "sha256": digest}

    def _single(self, answer: Answer, where: dict[str, Any]) -> Fetched:
        """One body: a file, or the files of the archive it is."""
        entry = self._keep(answer.pieces(self.left_bytes), "")
        provenance = {**where, "revision": _revision(answer), "sha256": entry["sha256"], "size": entry["size"]}
        if self.source.archive == "none":
            return Fetched([entry], provenance)
        with self.store.open(entry["sha256"]) as file:
            if self.source.archive == "zip":
                return Fetched(_lifted(self._unzip(file)), provenance)
            if self.source.archive == "tar" or _is_tar(file):
                file.seek(0)
                return Fetched(_lifted(self._untar(file)), provenance)
        return Fetched([entry], provenance)

    def _untar(self, file: IO[bytes]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        try:
            with tarfile.open(fileobj=file, mode="r|gz") as archive:
                for member in archive:
                    if not member.isreg():
                        continue
                    self._count(entries, member.size)
                    content = archive.extractfile(member)
                    assert content is not None
                    entries.append(self._keep(_pieces(content), _plain(member.name), member.mode & 0o777 or 0o644))
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise RemoteError(f"the archive cannot be unpacked ({type(error).__name__})") from None
        return entries

    def _unzip(self, file: IO[bytes]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if info.is_dir():
                        continue
                    self._count(entries, info.file_size)
                    with archive.open(info) as content:
                        entries.append(
                            self._keep(
                                _pieces(content), _plain(info.filename), (info.external_attr >> 16) & 0o777 or 0o644
                            )
                        )
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
            raise RemoteError(f"the archive cannot be unpacked ({type(error).__name__})") from None
        return entries

    def _count(self, entries: list[dict[str, Any]], size: int) -> None:
        if len(entries) >= self.max_files or size > self.left_bytes:
            raise RemoteError(f"the archive holds more than {self.max_files} files, or more bytes than are allowed")


def _revision(answer: Answer) -> dict[str, str]:
    return {
        name: answer.headers[header][:200] for header, name in _REVISION_HEADERS.items() if header in answer.headers
    }


def _pieces(content: IO[bytes]) -> Iterator[bytes]:
    while piece := content.read(CHUNK):
        yield piece


def _plain(name: str) -> str:
    """A member's name without the ``./`` that archives begin with; whether it may be kept, the manifest's check says."""
    return name.removeprefix("./")


def _is_tar(file: IO[bytes]) -> bool:
    if file.read(2) != b"\x1f\x8b":
        return False
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r|gz") as archive:
            return archive.next() is not None
    except (tarfile.TarError, EOFError, OSError):
        return False


def _lifted(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The one file or folder at the top of an archive takes the artifact's place."""
    tops = {entry["path"].partition("/")[0] for entry in entries}
    if len(tops) != 1 or tops & {"", ".", ".."}:
        return entries  # names that may not be kept are left for the manifest's check to refuse
    [top] = tops
    return [{**entry, "path": entry["path"].removeprefix(top).removeprefix("/")} for entry in entries]
