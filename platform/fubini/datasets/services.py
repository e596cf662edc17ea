"""Writes on data: blobs a project has, datasets and versions, artifacts of steps, replicas, transfers, and clearing up.

An artifact or dataset may only name blobs that were uploaded *to its own project*: knowing another project's hash gives
no right to its bytes. Versions and artifacts never change once written. Hot functions are batches in the caller's
transaction and answer per item, so that one bad manifest does not fail its neighbours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from fubini.common import clock
from fubini.common.bulk import rows_insert, rows_update
from fubini.common.errors import Conflict, Invalid
from fubini.common.saying import say
from fubini.datasets.entries import SIZE_MAX, Manifest, manifest_check
from fubini.datasets.errors import BlobMissing, DatasetInUse, EntriesInvalid
from fubini.datasets.limits import limit
from fubini.datasets.models import Artifact, Blob, Dataset, DatasetVersion, Fetch, Replica, Transfer
from fubini.datasets.selectors import CLAIM, IN_MAX, artifact_resolve, blobs_known, memory_clear
from fubini.datasets.signing import blob_url, upload_grant
from fubini.datasets.store import Store, Stored, default_store, is_digest
from fubini.datasets.uses import uses_of
from fubini.events.services import EventDraft, events_append
from fubini.projects.models import Project

__all__ = [
    "ArtifactDraft",
    "Collected",
    "Recorded",
    "TransferDraft",
    "TransferEnd",
    "artifact_resolve",
    "artifacts_delete",
    "artifacts_record",
    "blob_record",
    "blob_url",
    "blobs_collect_garbage",
    "blobs_renew",
    "dataset_create",
    "dataset_delete",
    "dataset_import",
    "dataset_update",
    "replicas_apply",
    "transfers_finish",
    "transfers_plan",
    "upload_grant",
    "version_pin",
]

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
KEY_MAX: Final = 500
ARTIFACT_NAME_MAX: Final = 128
TRANSFER_ENDS: Final = frozenset({"verified", "failed", "dropped"})


# --- blobs ---


def blob_record(*, project_id: str, digest: str, size_bytes: int) -> None:
    """Say that the project has these stored bytes. Saying it again renews the date the collector looks at."""
    Blob.objects.bulk_create(
        [Blob(project_id=project_id, digest=digest, size_bytes=size_bytes)],
        update_conflicts=True,
        unique_fields=["project_id", "digest"],
        update_fields=["size_bytes", "created_at"],
    )


def blobs_renew(*, project_id: str, digests: Iterable[str]) -> None:
    """Keep these from the collector for another grace; those the project does not have are not made."""
    wanted = sorted(set(digests))
    for at in range(0, len(wanted), IN_MAX):
        Blob.objects.filter(project_id=project_id, digest__in=wanted[at : at + IN_MAX]).update(created_at=clock.now())


def _blobs_missing(project_id: str, manifest: Manifest) -> list[dict[str, Any]]:
    known = blobs_known(project_id, manifest.sizes)
    problems = []
    for entry in manifest.entries:
        size = known.get(entry.sha256)
        if size is None:
            detail = "was not uploaded to this project"
        elif size != entry.size:
            detail = f"has {size} bytes, {entry.size} were declared"
        else:
            continue
        problems.append({"path": entry.path, "found": entry.sha256, "code": "blob_missing", "detail": detail})
    return problems


# --- datasets ---


@transaction.atomic
def dataset_create(*, project: Project, name: str, actor: str, description: str = "") -> Dataset:
    """An empty dataset.

    Raises:
        Invalid: the name cannot be a claim name.
        Conflict: the project has one of that name.
    """
    if not NAME.fullmatch(name):
        raise Invalid(
            say("The dataset name {name!r} is not usable.", name=name[:80]),
            next_step="Use lower-case letters, digits and '-', at most 63, starting and ending with a letter or digit.",
        )
    if CLAIM.fullmatch(name):
        raise Invalid(
            say(
                "The dataset name {name!r} ends like a version: as a claim it would mean a version of another dataset.",
                name=name,
            ),
            next_step="Leave the '-v<number>' out: versions are numbered by themselves.",
        )
    if Dataset.objects.filter(project=project, name=name).exists():
        raise Conflict(
            say(
                "The project has a dataset {name!r} already.",
                name=name,
            ),
            next_step="Import into it to make a new version.",
        )
    dataset = Dataset.objects.create(project=project, name=name, description=description[:400], created_by=actor)
    _say(dataset, "dataset.created", actor, {"name": name})
    return dataset


@transaction.atomic
def dataset_update(*, dataset: Dataset, actor: str, description: str) -> Dataset:
    """Change the description; names and versions stay."""
    dataset.description = description[:400]
    dataset.save(update_fields=["description"])
    _say(dataset, "dataset.changed", actor, {"name": dataset.name})
    return dataset


@transaction.atomic
def dataset_import(
    *, project: Project, name: str, entries: Sequence[Any], actor: str, description: str = "", made_from: str = ""
) -> tuple[DatasetVersion, bool]:
    """Make the next version of dataset `name` (and the dataset, if new) from uploaded blobs; (version, is it new).

    The same files again give the version that has them. `made_from` is the key of the artifact whose entries these are.

    Raises:
        EntriesInvalid: names or sizes that cannot be.
        BlobMissing: files whose bytes are not here; `errors` names at most 50.
    """
    manifest = manifest_check(
        entries, max_entries=limit("ARTIFACT_MAX_ENTRIES"), max_bytes=limit("ARTIFACT_MAX_BYTES"), may_be_empty=False
    )
    missing = _blobs_missing(project.pk, manifest)
    if missing:
        raise BlobMissing(
            say(
                "{missing_count} of {entries_count} files have not been uploaded as declared.",
                missing_count=len(missing),
                entries_count=len(manifest.entries),
            ),
            errors=missing[:50],
            next_step="PUT each to /api/v1/blobs/<sha256>?project=..., then import again.",
        )
    dataset = Dataset.objects.select_for_update().filter(project=project, name=name).first()
    if dataset is None:
        dataset = dataset_create(project=project, name=name, actor=actor, description=description)
    digest = manifest.digest()
    same = dataset.versions.defer("entries").filter(digest=digest).order_by("-number").first()
    if same is not None:
        return same, False
    last = dataset.versions.order_by("-number").values_list("number", flat=True).first() or 0
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=last + 1,
        digest=digest,
        entries=manifest.to_json(),
        files=len(manifest.entries),
        size_bytes=manifest.size_bytes,
        created_by=actor,
        made_from=made_from,
    )
    _say(dataset, "dataset.version", actor, {"name": name, "version": version.number, "size_bytes": version.size_bytes})
    return version, True


@transaction.atomic
def version_pin(*, version: DatasetVersion, actor: str, pinned: bool) -> DatasetVersion:
    """Say that a version must be kept, or that it need not be any more. Who pinned it first stays named."""
    if pinned == bool(version.pinned_by):
        return version
    version.pinned_by = actor if pinned else ""
    version.save(update_fields=["pinned_by"])
    kind = "dataset.pinned" if pinned else "dataset.unpinned"
    _say(version.dataset, kind, actor, {"name": version.dataset.name, "version": version.number})
    return version


@transaction.atomic
def dataset_delete(*, dataset: Dataset, actor: str) -> None:
    """Remove a dataset with its versions; its bytes go with the next collection unless something else has them.

    Raises:
        DatasetInUse: a version is pinned, or a run that goes on reads it.
    """
    pinned = dataset.versions.exclude(pinned_by="").order_by("number").values_list("number", "pinned_by")
    reasons = [
        {"path": f"versions/{number}", "code": "pinned", "found": by, "detail": f"Version {number} is pinned by {by}."}
        for number, by in pinned[:20]
    ] + [
        {
            "path": f"{use.kind}s/{use.id}",
            "code": use.kind,
            "found": use.name,
            "detail": f"The {use.kind} {use.name!r} reads it.",
        }
        for use in uses_of(dataset)
        if use.blocks
    ]
    if reasons:
        raise DatasetInUse(
            say("The dataset {name!r} cannot be deleted: {detail}", name=dataset.name, detail=reasons[0]["detail"]),
            errors=reasons[:50],
            next_step="Unpin its versions and wait for the runs, or cancel them; then delete it.",
        )
    _say(dataset, "dataset.deleted", actor, {"name": dataset.name})
    dataset.delete()
    transaction.on_commit(memory_clear)


def _say(dataset: Dataset, kind: str, actor: str, data: dict[str, Any]) -> None:
    events_append(
        [
            EventDraft(
                topic="dataset",
                kind=kind,
                entity_id=dataset.pk,
                at_ms=clock.now_ms(),
                project_id=dataset.project_id,
                actor=actor,
                data=data,
            )
        ]
    )


# --- artifacts ---


@dataclass(frozen=True, slots=True)
class ArtifactDraft:
    """What an accepted result says a step left. `entries` are raw: {path, size, mode, sha256} as the agent sent."""

    project_id: str
    run_id: str
    node_id: str
    generation: int
    name: str
    attempt_id: str
    entries: Sequence[Mapping[str, Any]]
    key: str  # the logical key, as the engine names it


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a draft: its key, or why it was refused (`error`, a sentence; the cause is `data`)."""

    key: str
    size_bytes: int = 0
    error: str = ""


def artifacts_record(drafts: Sequence[ArtifactDraft], *, at_ms: int) -> list[Recorded]:
    """Record many artifacts in the caller's transaction; one answer a draft, in order.

    Recording the same files under the same key by the same attempt again is fine; anything else under a key that is
    taken is refused, for keys are never reused.
    """
    checked: list[Manifest | str] = [_draft_check(d) for d in drafts]
    wanted: dict[str, set[str]] = defaultdict(set)
    for draft, manifest in zip(drafts, checked, strict=True):
        if isinstance(manifest, Manifest):
            wanted[draft.project_id].update(manifest.sizes)
    known = {project_id: blobs_known(project_id, digests) for project_id, digests in wanted.items()}
    keys = [d.key for d in drafts]
    taken: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    for at in range(0, len(keys), IN_MAX):
        there = Artifact.objects.filter(pk__in=keys[at : at + IN_MAX])
        for key, attempt_id, entries in there.values_list("key", "attempt_id", "entries"):
            taken[key] = (attempt_id, entries)
    rows: list[Artifact] = []
    answers: list[Recorded] = []
    for draft, manifest in zip(drafts, checked, strict=True):
        error = manifest if isinstance(manifest, str) else _unknown_blob(manifest, known[draft.project_id])
        if isinstance(manifest, str) or error:
            answers.append(Recorded(draft.key, 0, error))
            continue
        as_json = manifest.to_json()
        if draft.key in taken:
            same = taken[draft.key] == (draft.attempt_id, as_json)
            error = "" if same else "an artifact of that key exists already"
            answers.append(Recorded(draft.key, manifest.size_bytes, error))
            continue
        taken[draft.key] = (draft.attempt_id, as_json)
        rows.append(
            Artifact(
                key=draft.key,
                project_id=draft.project_id,
                run_id=draft.run_id,
                node_id=draft.node_id,
                generation=draft.generation,
                name=draft.name,
                attempt_id=draft.attempt_id,
                entries=as_json,
                size_bytes=manifest.size_bytes,
                created_at_ms=at_ms,
            )
        )
        answers.append(Recorded(draft.key, manifest.size_bytes))
    rows_insert(rows)
    return answers


def _draft_check(draft: ArtifactDraft) -> Manifest | str:
    if not draft.name or len(draft.name) > ARTIFACT_NAME_MAX or "/" in draft.name or "\x00" in draft.name:
        return f"the artifact name {draft.name[:80]!a} is not usable"
    if len(draft.key) > KEY_MAX:
        return f"the artifact's key has {len(draft.key)} characters, {KEY_MAX} are allowed"
    try:
        return manifest_check(
            list(draft.entries), max_entries=limit("ARTIFACT_MAX_ENTRIES"), max_bytes=limit("ARTIFACT_MAX_BYTES")
        )
    except EntriesInvalid as error:
        return error.detail


def _unknown_blob(manifest: Manifest, known: Mapping[str, int]) -> str:
    for entry in manifest.entries:
        if known.get(entry.sha256) != entry.size:
            name = f"{entry.path[:200]!a}" if entry.path else "the file"
            return f"the bytes of {name} were not uploaded (sha256 {entry.sha256})"
    return ""


@transaction.atomic
def artifacts_delete(*, run_ids: Iterable[str], keep: QuerySet[Any] | None = None) -> int:
    """Remove the artifacts of runs that are gone; their bytes go with the next collection. Returns how many.

    `keep` has the keys of those that something else still names.
    """
    ids, gone = list(run_ids), 0
    for at in range(0, len(ids), IN_MAX):
        doomed = Artifact.objects.filter(run_id__in=ids[at : at + IN_MAX])
        gone += (doomed.exclude(key__in=keep) if keep is not None else doomed).delete()[0]
        # A fetch whose artifact is gone brought nothing any more: should the run go on, it is fetched anew.
        ended = Fetch.objects.filter(run_id__in=ids[at : at + IN_MAX], state__in=["verified", "failed"])
        ended.exclude(key__in=doomed.values("key")).delete()
    transaction.on_commit(memory_clear)
    return gone


# --- replicas and transfers ---


@transaction.atomic
def replicas_apply(
    *, site_id: str, added: Iterable[tuple[str, int]], removed: Iterable[str] = (), full: bool = False
) -> None:
    """Bring our picture of a site's cache up to date; `added` is (digest, bytes), all there is when `full`.

    What is not a digest or a size is left out: a picture of a cache decides cost, never rights.
    """
    sizes = {digest: size for digest, size in added if is_digest(digest) and 0 <= size <= SIZE_MAX}
    if full:
        gone = set(Replica.objects.filter(site_id=site_id).values_list("digest", flat=True)) - sizes.keys()
    else:
        gone = {d for d in removed if is_digest(d)} - sizes.keys()
    doomed = sorted(gone)
    for at in range(0, len(doomed), IN_MAX):
        Replica.objects.filter(site_id=site_id, digest__in=doomed[at : at + IN_MAX]).delete()
    Replica.objects.bulk_create(
        [Replica(site_id=site_id, digest=digest, size_bytes=size) for digest, size in sorted(sizes.items())],
        update_conflicts=True,
        unique_fields=["site_id", "digest"],
        update_fields=["size_bytes", "state"],
        batch_size=500,
    )


@dataclass(frozen=True, slots=True)
class TransferDraft:
    """Bytes that must move for an attempt: `direction` in (to the site) or out (from it)."""

    project_id: str
    run_id: str
    attempt_id: str
    site_id: str
    direction: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TransferEnd:
    """How an attempt's transfers of one direction ended. `size_bytes` is what really moved, None = as planned."""

    attempt_id: str
    direction: str
    state: str = "verified"
    size_bytes: int | None = None
    error: str = ""


def transfers_plan(drafts: Sequence[TransferDraft], *, at_ms: int, state: str = "planned") -> list[Transfer]:
    """Write transfers in the caller's transaction; those of no bytes are left out."""
    rows = [
        Transfer(
            project_id=d.project_id,
            run_id=d.run_id,
            attempt_id=d.attempt_id,
            site_id=d.site_id,
            direction=d.direction,
            state=state,
            files=d.files,
            size_bytes=d.size_bytes,
            planned_at_ms=at_ms,
        )
        for d in drafts
        if d.size_bytes > 0 or d.files > 0
    ]
    rows_insert(rows)
    return rows


def transfers_finish(ends: Sequence[TransferEnd], *, at_ms: int) -> int:
    """End planned or moving transfers in the caller's transaction, each once; how many."""
    wanted = {(e.attempt_id, e.direction): e for e in ends}
    ids = sorted({e.attempt_id for e in ends})
    rows: list[Transfer] = []
    for at in range(0, len(ids), IN_MAX):
        rows += Transfer.objects.filter(attempt_id__in=ids[at : at + IN_MAX], state__in=["planned", "moving"])
    ended, before = [], []
    for row in rows:
        end = wanted.get((row.attempt_id, row.direction))
        if end is None:
            continue
        assert end.state in TRANSFER_ENDS, end.state
        before.append(row.state)
        row.state, row.ended_at_ms, row.error = end.state, at_ms, end.error[:200]
        if end.size_bytes is not None:
            row.size_bytes = end.size_bytes
        ended.append(row)
    rows_update(ended, ["state", "ended_at_ms", "error", "size_bytes"], expect="state", expected=before)
    return len(ended)


# --- clearing up ---


@dataclass(slots=True)
class Collected:
    """What a collection did."""

    blobs: int = 0  # rows: a project no longer has the bytes
    objects: int = 0
    size_bytes: int = 0
    temporary: int = 0
    failed: list[str] = field(default_factory=list)


def blobs_collect_garbage(*, store: Store | None = None, grace_s: int | None = None) -> Collected:
    """Forget blobs nothing names any more, then remove objects no project has.

    What was uploaded or asked for within the grace is kept whatever names it: its result may be on the way. Rows go
    first, so a crash in between leaves objects for the next collection, never rows without bytes.
    """
    store = store or default_store()
    grace = limit("BLOB_GRACE_S") if grace_s is None else grace_s
    now_ms = clock.now_ms()
    before = clock.from_ms(now_ms - grace * 1000)
    done = Collected()
    for project_id in list(Blob.objects.order_by().values_list("project_id", flat=True).distinct()):
        doomed = dict(Blob.objects.filter(project_id=project_id, created_at__lt=before).values_list("digest", "pk"))
        if doomed:
            for rows in _manifests_of(project_id):
                for row in rows:
                    doomed.pop(row["sha256"], None)
        ids = list(doomed.values())
        for at in range(0, len(ids), IN_MAX):
            # No lock was held while the manifests were read: whatever names a blob anew has renewed its date first.
            done.blobs += Blob.objects.filter(pk__in=ids[at : at + IN_MAX], created_at__lt=before).delete()[0]
    old = (s for s in store.listing() if s.modified_s * 1000 < now_ms - grace * 1000)
    while some := list(islice(old, IN_MAX)):
        known = set(Blob.objects.filter(digest__in=[s.digest for s in some]).values_list("digest", flat=True))
        for stored in some:
            if stored.digest not in known:
                _object_remove(store, stored, done)
    done.temporary = store.sweep_temporary(older_than_s=grace)
    return done


def _object_remove(store: Store, stored: Stored, done: Collected) -> None:
    """Remove an object unless a project claimed it meanwhile; the transaction keeps one from doing so in between."""
    with transaction.atomic():
        if Blob.objects.select_for_update().filter(digest=stored.digest).exists():
            return
        try:
            store.delete(stored.digest)
        except OSError as error:
            done.failed.append(f"{stored.digest}: {error.strerror}")
            return
    done.objects += 1
    done.size_bytes += stored.size_bytes


def _manifests_of(project_id: str) -> Iterable[list[dict[str, Any]]]:
    yield from Artifact.objects.filter(project_id=project_id).values_list("entries", flat=True).iterator(chunk_size=200)
    versions = DatasetVersion.objects.filter(dataset__project_id=project_id)
    yield from versions.values_list("entries", flat=True).iterator(chunk_size=50)
