"""Input artifacts that lie elsewhere (`http`, `git`, `s3`): what the platform is to fetch, named so that it does so once.

The key of a remote artifact is a hash of all that says where it is: the same place in one run is one fetch, whatever
names and however many leaves and attempts read it. Only names of secrets are in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.secrets import secret_ref
from fubini.runs.codec import to_json
from fubini.runs.engine import HttpHeader, RemoteSource

KINDS = ("http", "git", "s3")
AWS = "s3.amazonaws.com"


def remote_source(artifact: Mapping[str, Any]) -> RemoteSource | None:
    """Where an input artifact lies, if it does not lie with the platform.

    Raises:
        EngineError: a place that cannot be, or something asked for that is not done here.
    """
    kind = next((kind for kind in KINDS if isinstance(artifact.get(kind), Mapping)), "")
    section = artifact.get(kind) or {}
    if not kind or (kind == "s3" and not section.get("bucket") and not section.get("endpoint")):
        return None
    archive = _archive(artifact.get("archive") or {})
    if kind == "http":
        return _http(artifact["name"], section, archive)
    if kind == "git":
        return _git(artifact["name"], section)
    return _s3(artifact["name"], section, archive)


def remote_key(prefix: str, source: RemoteSource) -> str:
    """The logical key under which the fetched files will be found."""
    text = json.dumps(to_json(source), sort_keys=True, separators=(",", ":"))
    return f"remote/{prefix}/{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def split_key(key: str) -> tuple[str, str]:
    """A stored key and the path inside it, where a listing's item names both: ``dataset/x@1/a/b`` or
    ``<run>/<node>/<generation>/<name>/a/b``."""
    parts = key.split("/")
    size = {"dataset": 2, "remote": 3}.get(parts[0], 4)
    return "/".join(parts[:size]), "/".join(parts[size:])


def headers_of(entries: Any) -> tuple[HttpHeader, ...]:
    """`headers` of an artifact or a request."""
    return tuple(
        HttpHeader(
            entry.get("name") or "",
            any_string(entry.get("value")) or "",
            secret_ref((entry.get("valueFrom") or {}).get("secretKeyRef")),
        )
        for entry in entries or ()
    )


def _archive(section: Mapping[str, Any]) -> str:
    return next((kind for kind in ("none", "tar", "zip") if section.get(kind) is not None), "")


def _http(name: str, section: Mapping[str, Any], archive: str) -> RemoteSource:
    if not section.get("url"):
        raise EngineError(f"artifact {name}: http needs a url")
    basic = (section.get("auth") or {}).get("basicAuth") or {}
    return RemoteSource(
        kind="http",
        url=section["url"],
        headers=headers_of(section.get("headers")),
        user=secret_ref(basic.get("usernameSecret")),
        password=secret_ref(basic.get("passwordSecret")),
        archive=archive,
    )


def _git(name: str, section: Mapping[str, Any]) -> RemoteSource:
    if not section.get("repo"):
        raise EngineError(f"artifact {name}: git needs a repo")
    if section.get("disableSubmodules") is False:
        raise EngineError(
            f"artifact {name}: submodules are not fetched here; leave disableSubmodules out, or set it true"
        )
    return RemoteSource(
        kind="git",
        url=section["repo"],
        revision=section.get("revision") or "",
        branch=section.get("branch") or "",
        depth=_count(name, section.get("depth")),
        refspecs=tuple(section.get("fetch") or ()),
        single_branch=bool(section.get("singleBranch")),
        insecure=bool(section.get("insecureSkipTLS")),
        user=secret_ref(section.get("usernameSecret")),
        password=secret_ref(section.get("passwordSecret")),
    )


def _s3(name: str, section: Mapping[str, Any], archive: str) -> RemoteSource:
    if not section.get("bucket") or not section.get("key"):
        raise EngineError(f"artifact {name}: s3 needs a bucket and a key")
    return RemoteSource(
        kind="s3",
        url=section.get("endpoint") or AWS,
        bucket=section["bucket"],
        key=section["key"],
        region=section.get("region") or "",
        insecure=bool(section.get("insecure")),
        user=secret_ref(section.get("accessKeySecret")),
        password=secret_ref(section.get("secretKeySecret")),
        token=secret_ref(section.get("sessionTokenSecret")),
        archive=archive,
    )


def _count(name: str, value: Any) -> int:
    text = any_string(value)
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise EngineError(f"artifact {name}: depth '{text}' is not a count")
    return int(text)
