"""Large files on their way in: begun once, continued after any break, whole only when their sha256 is right.

Decides where an upload stands, who may begin one (project's room, number of open ones), and when it is forgotten. Bytes
lie in the store as parts until all are here; then they are hashed into their place and become a blob like any other, and
until then nothing can refer to them. How parts come is the protocol's business (`tus`); rows change here only.

Invariants: `offset_bytes` moves by compare-and-set after the part's bytes are safe, so a crash may leave a part that is
sent again, never a gap. The same bytes in one project share one open upload. No file is written inside a transaction.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce

from fubini.common import clock
from fubini.common.errors import Conflict, StorageFull
from fubini.common.ids import new_id
from fubini.common.saying import say
from fubini.datasets.errors import BlobMismatch, BlobTooLarge, NoRoom, UploadNotFound, UploadOffset
from fubini.datasets.limits import limit
from fubini.datasets.models import Upload
from fubini.datasets.selectors import ProjectIds, blob_of, project_bytes
from fubini.datasets.services import blob_record
from fubini.datasets.store import Store, default_store
from fubini.projects.models import Quota

LINK_TTL_S = 6 * 3600


def uploads_open(project_ids: ProjectIds) -> QuerySet[Upload]:
    """Uploads of these projects that can still be continued."""
    return Upload.objects.filter(project_id__in=project_ids, state="open", touched_at_ms__gte=_oldest_ms())


def upload_find(project_id: str, upload_id: str) -> Upload:
    """An upload, open or whole.

    Raises:
        UploadNotFound: there is none, or it was not continued in time.
    """
    row = Upload.objects.filter(pk=upload_id, project_id=project_id, touched_at_ms__gte=_oldest_ms()).first()
    if row is None:
        raise UploadNotFound(
            "The upload was discarded, or nothing came for too long.",
            next_step="Begin it again; files that are here are not sent twice.",
        )
    return row


def expires_at_ms(row: Upload) -> int:
    """When an upload is forgotten unless more of it comes."""
    return row.touched_at_ms + limit("UPLOAD_TTL_S") * 1000


def _oldest_ms() -> int:
    return clock.now_ms() - limit("UPLOAD_TTL_S") * 1000


def room_check(*, project_id: str, size_bytes: int) -> None:
    """May the project bring in so many more bytes?

    Raises:
        NoRoom: its limit (the installation's, or its quota), counting what is on its way, would be passed.
    """
    quota = Quota.objects.filter(project_id=project_id, user=None).values_list("storage_bytes", flat=True).first()
    most = min((n for n in (limit("PROJECT_MAX_BYTES") or None, quota) if n is not None), default=None)
    if most is None:
        return
    coming: int = uploads_open([project_id]).aggregate(s=Coalesce(Sum("size_bytes"), 0))["s"]
    have = project_bytes(project_id)
    if have + coming + size_bytes > most:
        raise NoRoom(
            say(
                "The project keeps {have} bytes and {coming} are on their way; with {size_bytes} more it "
                "would pass its {most}.",
                have=have,
                coming=coming,
                size_bytes=size_bytes,
                most=most,
            ),
            found=have + coming + size_bytes,
            allowed=most,
            next_step="Delete datasets or old runs that are not needed, or ask the administrators for more room.",
        )


def blob_admit(*, project_id: str, digest: str, size_bytes: int) -> None:
    """May the project take in this file, sent whole? What it has already takes no more room.

    Raises:
        NoRoom: see `room_check`.
    """
    if blob_of(project_id, digest) is None:
        room_check(project_id=project_id, size_bytes=size_bytes)


def upload_begin(
    *, project_id: str, digest: str, size_bytes: int, actor: str, name: str = "", store: Store | None = None
) -> Upload:
    """Begin an upload, or find the one to go on with; state `whole` when the project has the bytes already.

    Raises:
        BlobTooLarge, NoRoom, StorageFull: it would not fit.
        Conflict: too many are open.
    """
    store = store or default_store()
    if size_bytes > limit("BLOB_MAX_BYTES"):
        raise BlobTooLarge(
            say(
                "A file may have {blob_max_bytes} bytes; this one has {size_bytes}.",
                blob_max_bytes=limit("BLOB_MAX_BYTES"),
                size_bytes=size_bytes,
            ),
            max_bytes=limit("BLOB_MAX_BYTES"),
            next_step="Split the file, or have the limit BLOB_MAX_BYTES raised.",
        )
    now = clock.now_ms()
    blob = blob_of(project_id, digest)
    if blob is not None and store.size(digest) == blob.size_bytes == size_bytes:
        blob_record(project_id=project_id, digest=digest, size_bytes=size_bytes)  # kept until it is imported
        return Upload(
            id=new_id(), project_id=project_id, digest=digest, size_bytes=size_bytes, offset_bytes=size_bytes,
            state="whole", name=name[:400], created_by=actor, created_at=clock.now(), touched_at_ms=now,
        )  # fmt: skip
    row = uploads_open([project_id]).filter(digest=digest).first()
    if row is not None and row.size_bytes != size_bytes:
        upload_discard(row=row, store=store)  # one of the two sizes is wrong; only hashing tells which
        row = None
    if row is None:
        Upload.objects.filter(project_id=project_id, digest=digest, state="open").delete()  # past its time
        if uploads_open([project_id]).count() >= limit("UPLOADS_OPEN_MAX"):
            raise Conflict(
                say(
                    "The project has {uploads_open_max} unfinished uploads.",
                    uploads_open_max=limit("UPLOADS_OPEN_MAX"),
                ),
                next_step="Finish or discard some of them first.",
            )
        room_check(project_id=project_id, size_bytes=size_bytes)
        if problem := store.no_room(2 * size_bytes):  # the parts, and the whole made of them
            raise StorageFull(problem, next_step="Free room or run the collector, then begin again.")
        try:
            with transaction.atomic():
                row = Upload.objects.create(
                    project_id=project_id, digest=digest, size_bytes=size_bytes, name=name[:400], created_by=actor, touched_at_ms=now
                )  # fmt: skip
        except IntegrityError:  # somebody began the same a moment ago
            row = uploads_open([project_id]).get(digest=digest)
    return upload_finish(row=row, store=store) if row.offset_bytes == row.size_bytes else row


def upload_advance(*, row: Upload, at_bytes: int, by_bytes: int) -> Upload:
    """The bytes from `at_bytes` on are safe in a part: the upload stands behind them.

    Raises:
        UploadOffset: it did not stand there any more; another request was faster.
    """
    moved = Upload.objects.filter(pk=row.pk, state="open", offset_bytes=at_bytes).update(
        offset_bytes=F("offset_bytes") + by_bytes, touched_at_ms=clock.now_ms()
    )
    if not moved:
        raise offset_error(upload_find(row.project_id, row.pk), at_bytes)
    row.refresh_from_db()
    return row


def offset_error(row: Upload, found: int) -> UploadOffset:
    return UploadOffset(
        say(
            "{offset_bytes} bytes of {size_bytes} are here; these begin at {found}.",
            offset_bytes=row.offset_bytes,
            size_bytes=row.size_bytes,
            found=found,
        ),
        offset_bytes=row.offset_bytes,
        found=found,
        allowed=row.offset_bytes,
        next_step="Ask where the upload stands and go on from there.",
    )


def upload_assemble(*, row: Upload, store: Store) -> bool:
    """Hash an upload's parts into their place; long for a long file, and touches no row. False: the parts are gone.

    Raises:
        BlobMismatch, BlobTooLarge: the bytes are not what was announced.
    """
    try:
        with store.writer(row.digest, max_bytes=row.size_bytes) as writer:
            for piece in store.part_chunks(row.pk) if row.size_bytes else ():
                writer.write(piece)
            writer.commit()
    except FileNotFoundError:  # another request was faster, or they were discarded
        return False
    return True


def upload_whole(*, row: Upload, store: Store) -> Upload:
    """The assembled bytes are a blob of the project from now on.

    Raises:
        UploadNotFound: the upload was discarded meanwhile.
    """
    with transaction.atomic():
        if not Upload.objects.filter(pk=row.pk).update(state="whole", touched_at_ms=clock.now_ms()):
            raise UploadNotFound("The upload was discarded meanwhile.")
        blob_record(project_id=row.project_id, digest=row.digest, size_bytes=row.size_bytes)
    row.refresh_from_db()
    store.parts_delete(row.pk)
    return row


def upload_finish(*, row: Upload, store: Store) -> Upload:
    """Assemble and record; may be asked again after a crash.

    Raises:
        BlobMismatch, BlobTooLarge: the bytes hash to something else; the upload is forgotten.
    """
    try:
        if upload_assemble(row=row, store=store):
            return upload_whole(row=row, store=store)
    except (BlobMismatch, BlobTooLarge):
        upload_discard(row=row, store=store)
        raise
    return upload_find(row.project_id, row.pk)


def upload_remember(*, row: Upload) -> Upload:
    """Give a file that was here already a row, so that it can be asked for like an upload that has just ended."""
    row.save(force_insert=True)
    return row


def upload_discard(*, row: Upload, store: Store) -> None:
    """Forget an upload and what came of it."""
    Upload.objects.filter(pk=row.pk).delete()
    store.parts_delete(row.pk)


def uploads_expire(*, store: Store | None = None) -> int:
    """Forget uploads nothing came for, whole ones past their time, and parts of uploads there is no row of; how many."""
    store = store or default_store()
    done = 0
    for row in Upload.objects.filter(touched_at_ms__lt=_oldest_ms()).order_by("touched_at_ms")[:1000]:
        upload_discard(row=row, store=store)
        done += 1
    # A row is always there before its first part, so parts without one are left over.
    there = store.uploads_with_parts()
    rows = set(Upload.objects.filter(pk__in=there[:5000]).values_list("pk", flat=True))
    for upload_id in there[:5000]:
        if upload_id not in rows:
            store.parts_delete(upload_id)
            done += 1
    return done
