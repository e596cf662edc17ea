"""What can be wrong with data, as the errors every door shows."""

from __future__ import annotations

from typing import ClassVar

from fubini.common.errors import Conflict, Forbidden, FubiniError, Invalid, NotFound


class BlobMismatch(Invalid):
    """The bytes do not hash to the name they were sent under; nothing was kept."""

    code: ClassVar[str] = "blob_mismatch"
    title: ClassVar[str] = "The bytes do not match their sha256"


class BlobMissing(Conflict):
    """A manifest names blobs that were never uploaded to this project; `errors` lists them."""

    code: ClassVar[str] = "blob_missing"
    title: ClassVar[str] = "Some files have not been uploaded"


class BlobTooLarge(FubiniError):
    code: ClassVar[str] = "too_large"
    http_status: ClassVar[int] = 413
    title: ClassVar[str] = "That is too large"


class BlobNotFound(NotFound):
    title: ClassVar[str] = "No such blob"


class LinkNotValid(Forbidden):
    """A signed URL or upload token that was changed, has expired, or is for something else."""

    code: ClassVar[str] = "blob_not_allowed"
    title: ClassVar[str] = "This link does not allow that"


class EntriesInvalid(Invalid):
    """A manifest of files with impossible names or sizes; `errors` has one item an entry, at most 50."""

    code: ClassVar[str] = "entries_invalid"
    title: ClassVar[str] = "The list of files is not valid"


class StoreMisconfigured(FubiniError):
    code: ClassVar[str] = "store_misconfigured"
    http_status: ClassVar[int] = 500
    title: ClassVar[str] = "The object store's address cannot be used"


class UploadNotFound(NotFound):
    """An upload that was never begun here, was discarded, or was not continued in time."""

    title: ClassVar[str] = "No such upload"


class UploadOffset(Conflict):
    """Bytes for another place than where the upload stands; `offset_bytes` is where it does."""

    code: ClassVar[str] = "upload_offset"
    title: ClassVar[str] = "The upload stands somewhere else"


class ChecksumMismatch(FubiniError):
    """A part arrived damaged; none of it counts. The status is the upload protocol's."""

    code: ClassVar[str] = "checksum_mismatch"
    http_status: ClassVar[int] = 460
    title: ClassVar[str] = "The part arrived damaged"


class NoRoom(Conflict):
    """The project may not keep that many more bytes."""

    code: ClassVar[str] = "project_full"
    title: ClassVar[str] = "The project's room for data is used up"


class DatasetInUse(Conflict):
    """A dataset that something needs; `errors` lists what: path, code (pinned, run) and name."""

    code: ClassVar[str] = "dataset_in_use"
    title: ClassVar[str] = "The dataset is still needed"
