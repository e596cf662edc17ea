"""How much data one request, artifact or dataset may bring; settings may change each figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings

GIB: Final = 1024**3
PATH_MAX_BYTES: Final = 4096  # what Linux opens; nothing longer could be staged
NAME_MAX_BYTES: Final = 255  # one component, as file systems count it
DEFAULTS: Final = {
    "BLOB_MAX_BYTES": 64 * GIB,
    "ARTIFACT_MAX_ENTRIES": 100_000,
    "ARTIFACT_MAX_BYTES": 1024 * GIB,
    "ARCHIVE_MAX_BYTES": 64 * GIB,  # of a run's outputs as one tar: it cannot go on after a break
    # Kept free on the disk of an object store that is a folder.
    "STORE_RESERVE_BYTES": 64 * 1024**2,
    # An unreferenced blob is kept this long after it was last uploaded or asked for, so that a result on its way
    # never loses its bytes to the collector.
    "BLOB_GRACE_S": 24 * 3600,
    # What all blobs of a project and its open uploads may come to together; 0: no limit.
    "PROJECT_MAX_BYTES": 0,
    "UPLOADS_OPEN_MAX": 200,  # a project; small files need none
    "UPLOAD_TTL_S": 48 * 3600,  # after its last part
    "UPLOAD_PART_BYTES": 8 * 1024**2,  # what clients are asked to send at once, and what a long request is cut into
    "UPLOAD_CHECKED_MAX_BYTES": 64 * 1024**2,  # of a request whose checksum must be right before any of it counts
}


def limit(name: str) -> int:
    """The figure called `name`, from `settings.FUBINI` or its default."""
    figures: Mapping[str, Any] = settings.FUBINI
    return int(figures.get(name, DEFAULTS[name]))
