"""Reads on data: what an artifact key or a claim means, which bytes a site lacks, what may be downloaded.

Querysets are born scoped: each takes the project or projects it may look into. Artifacts and dataset versions never
change, so what a key resolves to may be remembered for the life of a process.
"""

from __future__ import annotations

import difflib
import re
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from fubini.common.errors import NotFound
from fubini.common.saying import say
from fubini.datasets.entries import Manifest, manifest_of
from fubini.datasets.models import Artifact, Blob, Dataset, DatasetVersion, Replica, Transfer

CLAIM: Final = re.compile(r"(?P<name>.+)-v(?P<number>[1-9][0-9]{0,8})")
IN_MAX: Final = 5000  # values in one IN (...); SQLite takes 32,766 in a statement
ProjectIds = Collection[str] | QuerySet[Any]
REMEMBERED: Final = 2048
WHOLE: Final = ("present", "pinned")  # states of a replica that can be read


class DataNotFound(NotFound):
    """A key, dataset, version or path inside one that does not exist in this project."""

    title = "No such data"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a key and a path inside it mean: files and their bytes. `key` has the version a dataset resolved to."""

    key: str
    manifest: Manifest

    @property
    def entries(self) -> tuple[dict[str, Any], ...]:
        """{path, size, mode, sha256} a file; a single file has path ""."""
        return tuple(self.manifest.to_json())

    @property
    def size_bytes(self) -> int:
        return self.manifest.size_bytes

    @property
    def sizes(self) -> dict[str, int]:
        """Digest -> bytes."""
        return self.manifest.sizes


class _Memory:
    """The newest manifests by (project, key); small, because a manifest of 100,000 files is not."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Manifest] = OrderedDict()
        self._lock = Lock()

    def get(self, project_id: str, key: str) -> Manifest | None:
        with self._lock:
            found = self._kept.get((project_id, key))
            if found is not None:
                self._kept.move_to_end((project_id, key))
            return found

    def put(self, project_id: str, key: str, manifest: Manifest) -> None:
        if len(manifest.entries) > 1000:
            return
        with self._lock:
            self._kept[project_id, key] = manifest
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


_memory = _Memory()
_digests: dict[tuple[str, str, str], str] = {}  # (project, key, path inside it) -> content digest


def memory_clear() -> None:
    """Forget resolved keys; for tests and after data was removed."""
    _memory.clear()
    _digests.clear()


# --- lists ---


def datasets_of(project_ids: ProjectIds) -> QuerySet[Dataset]:
    """Datasets of these projects with their newest version's figures as `latest_*`."""
    newest = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by("-number")
    return (
        Dataset.objects.filter(project_id__in=project_ids)
        .select_related("project")
        .annotate(
            latest_number=Subquery(newest.values("number")[:1]),
            latest_files=Subquery(newest.values("files")[:1]),
            latest_size_bytes=Subquery(newest.values("size_bytes")[:1]),
        )
    )


def datasets_found(rows: QuerySet[Dataset], text: str) -> QuerySet[Dataset]:
    """Those with `text` in their name or description."""
    return rows.filter(Q(name__icontains=text) | Q(description__icontains=text)) if text else rows


def versions_of(dataset: Dataset) -> QuerySet[DatasetVersion]:
    """A dataset's versions without their (possibly long) lists of files."""
    return DatasetVersion.objects.filter(dataset=dataset).defer("entries")


def artifacts_of_run(run_id: str) -> QuerySet[Artifact]:
    return Artifact.objects.filter(run_id=run_id)


def artifact_get(project_ids: ProjectIds, key: str) -> Artifact:
    """One artifact of these projects.

    Raises:
        DataNotFound: there is none of that key there.
    """
    found = Artifact.objects.filter(pk=key, project_id__in=project_ids).first()
    if found is None:
        raise DataNotFound(say("No artifact {key!r}.", key=key[:200]))
    return found


def blob_of(project_id: str, digest: str) -> Blob | None:
    """The project's record of a blob."""
    return Blob.objects.filter(project_id=project_id, digest=digest).first()


def blobs_known(project_id: str, digests: Collection[str]) -> dict[str, int]:
    """Digest -> bytes of those the project has."""
    found: dict[str, int] = {}
    for some in _slices(sorted(set(digests))):
        found.update(Blob.objects.filter(project_id=project_id, digest__in=some).values_list("digest", "size_bytes"))
    return found


# --- what keys and claims mean ---


def claim_key(project_id: str, claim: str) -> str:
    """The key of a dataset version a PVC claim names: ``methanol-v1`` is version 1, ``methanol`` the newest.

    Raises:
        DataNotFound: no such dataset or version; `nearest` names one that exists.
    """
    match = CLAIM.fullmatch(claim)
    if match:
        name, number = match["name"], int(match["number"])
        if DatasetVersion.objects.filter(dataset__project_id=project_id, dataset__name=name, number=number).exists():
            return f"dataset/{name}@{number}"
    else:
        number_found = _newest(project_id, claim)
        if number_found:
            return f"dataset/{claim}@{number_found}"
    names = list(Dataset.objects.filter(project_id=project_id).values_list("name", flat=True)[:1000])
    base = match["name"] if match else claim
    near = difflib.get_close_matches(base, names, 1)
    if base in names:
        versions = DatasetVersion.objects.filter(dataset__project_id=project_id, dataset__name=base).order_by("number")
        has = list(versions.values_list("number", flat=True))[-20:]
        detail = (
            say(
                "The dataset {name!r} has no version {number}; it has {has}.",
                name=base,
                number=match["number"],
                has=has,
            )
            if match and has
            else say("The dataset {name!r} has no version yet.", name=base)
        )
    else:
        detail = say("There is no dataset {name!r} in this project.", name=base)
    raise DataNotFound(
        detail,
        nearest=near[0] if near else "",
        next_step="Import it (`fubini data import PATH --name NAME`) or name one that exists.",
    )


def claims_of_data(project_id: str, claims: Collection[str]) -> set[str]:
    """Which of these claims mean a dataset version, as `claim_key` has it; one query, none where there are no claims."""
    if not claims:
        return set()
    parted = {claim: CLAIM.fullmatch(claim) for claim in claims}
    names = {match["name"] if match else claim for claim, match in parted.items()}
    rows = DatasetVersion.objects.filter(dataset__project_id=project_id, dataset__name__in=names)
    versions = set(rows.values_list("dataset__name", "number"))
    newest = {name for name, _ in versions}
    return {
        claim
        for claim, match in parted.items()
        if ((match["name"], int(match["number"])) in versions if match else claim in newest)
    }


def claims_known(project_id: str, claims: Iterable[str]) -> dict[str, str]:
    """Claim -> key for those that mean a dataset version; the others are left out."""
    found: dict[str, str] = {}
    for claim in dict.fromkeys(claims):
        try:
            found[claim] = claim_key(project_id, claim)
        except DataNotFound:
            continue
    return found


def artifact_resolve(project_id: str, key: str, sub_path: str = "") -> Resolved:
    """What `key` means to this project: an artifact's key, ``dataset/<name>@<version>``, or ``dataset/<claim>``.

    Raises:
        DataNotFound: no such key, version, or path inside it.
    """
    found = artifacts_resolve(project_id, [key])
    if key not in found:
        raise DataNotFound(
            say(
                "There is no data {key!r} in this project.",
                key=key[:200],
            ),
            next_step="List what exists with `fubini data list`.",
        )
    return resolved_below(found[key], sub_path)


def artifacts_resolve(project_id: str, keys: Iterable[str]) -> dict[str, Resolved]:
    """`artifact_resolve` for many keys in at most a query a kind; keys that mean nothing are left out."""
    found: dict[str, Resolved] = {}
    artifacts: list[str] = []
    for key in dict.fromkeys(keys):
        if key.startswith("dataset/"):
            resolved = _dataset_resolve(project_id, key)
            if resolved is not None:
                found[key] = resolved
        elif (kept := _memory.get(project_id, key)) is not None:
            found[key] = Resolved(key, kept)
        else:
            artifacts.append(key)
    for some in _slices(artifacts):
        for pk, rows in Artifact.objects.filter(project_id=project_id, pk__in=some).values_list("key", "entries"):
            manifest = manifest_of(rows)
            _memory.put(project_id, pk, manifest)
            found[pk] = Resolved(pk, manifest)
    return found


def content_digests(project_id: str, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(key, path inside it) -> a digest of what lies there; what does not exist is left out.

    Equal digests mean equal files. A version of a dataset is known by its own digest and the path, so that its list of
    files, which may be long, is not read. An artifact never changes under its key, so its digest is remembered.
    """
    found: dict[tuple[str, str], str] = {}
    missing: dict[str, list[str]] = {}
    for key, sub_path in wanted:
        kept = _digests.get((project_id, key, sub_path))
        if kept is not None:
            found[key, sub_path] = kept
        else:
            missing.setdefault(key, []).append(sub_path)
    if not missing:
        return found
    versions = {k: p for k in missing if k.startswith("dataset/") and (p := _version_place(project_id, k))}
    for key, (name, number) in versions.items():
        rows = DatasetVersion.objects.filter(dataset__project_id=project_id, dataset__name=name, number=number)
        digest = rows.values_list("digest", flat=True).first()
        if digest is not None:
            found.update({(key, path): f"{digest}/{path.strip('/')}" for path in missing[key]})
    for key, resolved in artifacts_resolve(project_id, [k for k in missing if not k.startswith("dataset/")]).items():
        for path in missing[key]:
            try:
                found[key, path] = resolved_below(resolved, path).manifest.digest()
            except DataNotFound:
                continue
    for (key, path), digest in found.items():
        if not key.startswith("dataset/"):
            _digests[project_id, key, path] = digest
    while len(_digests) > REMEMBERED * 4:
        _digests.pop(next(iter(_digests)), None)
    return found


def _version_place(project_id: str, key: str) -> tuple[str, int] | None:
    """The name and number of the dataset version a key means now."""
    name, at, version = key.removeprefix("dataset/").partition("@")
    if at:
        return (name, int(version)) if version.isascii() and version.isdigit() and len(version) < 10 else None
    known = claims_known(project_id, [name]).get(name)
    return _version_place(project_id, known) if known and "@" in known else None


def resolved_below(resolved: Resolved, sub_path: str) -> Resolved:
    """A file or folder inside what a key means.

    Raises:
        DataNotFound: nothing lies there; `nearest` names a path that exists.
    """
    if sub_path.strip("/") in ("", "."):
        return resolved
    inside = resolved.manifest.below(sub_path)
    if not inside.entries:
        near = difflib.get_close_matches(sub_path.strip("/"), [e.path for e in resolved.manifest.entries[:2000]], 1)
        raise DataNotFound(
            say(
                "There is no {sub_path!r} in {key!r}.",
                sub_path=sub_path[:200],
                key=resolved.key,
            ),
            nearest=near[0] if near else "",
        )
    return Resolved(resolved.key, inside)


def _dataset_resolve(project_id: str, key: str) -> Resolved | None:
    name, at, version = key.removeprefix("dataset/").partition("@")
    if at and not (version.isascii() and version.isdigit() and len(version) < 10):
        return None
    claim = None if at else CLAIM.fullmatch(name)
    number: int | None
    if claim is not None:
        name, number = claim["name"], int(claim["number"])
    else:
        number = int(version) if at else _newest(project_id, name)
    if not number:
        return None
    full = f"dataset/{name}@{number}"
    kept = _memory.get(project_id, full)
    if kept is None:
        rows = (
            DatasetVersion.objects.filter(dataset__project_id=project_id, dataset__name=name, number=number)
            .values_list("entries", flat=True)
            .first()
        )
        if rows is None:
            return None
        kept = manifest_of(rows)
        _memory.put(project_id, full, kept)
    return Resolved(full, kept)


def _newest(project_id: str, name: str) -> int | None:
    return (
        DatasetVersion.objects.filter(dataset__project_id=project_id, dataset__name=name)
        .order_by("-number")
        .values_list("number", flat=True)
        .first()
    )


# --- where bytes are ---


def replica_sites(digests: Iterable[str]) -> dict[str, set[str]]:
    """Digest -> the sites whose caches hold it whole."""
    found: dict[str, set[str]] = defaultdict(set)
    for some in _slices(sorted(set(digests))):
        rows = Replica.objects.filter(digest__in=some, state__in=WHOLE)
        for digest, site_id in rows.values_list("digest", "site_id"):
            found[digest].add(site_id)
    return dict(found)


def replicas_of(manifest: Manifest) -> dict[str, tuple[int, int]]:
    """Site -> (files, bytes) of the manifest that its cache holds whole. Few queries also for a hundred thousand files."""
    times: dict[str, int] = defaultdict(int)
    for entry in manifest.entries:
        times[entry.sha256] += 1
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    digests, sizes = list(times), manifest.sizes
    for at in range(0, len(digests), 30_000):
        rows = Replica.objects.filter(digest__in=digests[at : at + 30_000], state__in=WHOLE)
        for site_id, digest in rows.values_list("site_id", "digest"):
            found[site_id][0] += times[digest]
            found[site_id][1] += times[digest] * sizes[digest]
    return {site: (files, size) for site, (files, size) in found.items()}


def cached_of_project(project_id: str) -> dict[str, tuple[int, int]]:
    """Site -> (files, bytes) of the project's blobs that its cache holds whole; equal files once."""
    blobs = Blob.objects.filter(project_id=project_id).values("digest")
    rows = Replica.objects.filter(digest__in=blobs, state__in=WHOLE).values("site_id")
    counted = rows.annotate(n=Count("pk"), size=Sum("size_bytes")).values_list("site_id", "n", "size")
    return {site: (n, size) for site, n, size in counted}


def transfers_open(project_id: str) -> QuerySet[Transfer]:
    """Bytes that move now, or are about to, for the project."""
    return Transfer.objects.filter(project_id=project_id, state__in=["planned", "moving"])


def transfers_of_run(run_id: str) -> QuerySet[Transfer]:
    return Transfer.objects.filter(run_id=run_id)


def project_bytes(project_id: str) -> int:
    """All bytes a project keeps, each blob once."""
    total: int = Blob.objects.filter(project_id=project_id).aggregate(s=Coalesce(Sum("size_bytes"), 0))["s"]
    return total


def _slices(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[at : at + IN_MAX] for at in range(0, len(values), IN_MAX))
