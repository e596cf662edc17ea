"""Writing and checking the trail: append-only, each row's hash covers the row before it.

Rows of one installation form one chain. The writer locks the newest row's place (SQLite: the write lock it holds
anyway; PostgreSQL: an advisory lock), so two writers cannot follow the same row. Deleting, changing or inserting a row
breaks the chain at that place; deleting the newest rows does not, which is why `head` can be noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from django.db import connection, transaction

from fubini.audit.models import AuditEntry
from fubini.common import clock

GENESIS = "0" * 64
_LOCK = 0x46554241  # advisory lock number of the trail


@dataclass(frozen=True, slots=True)
class TrailCheck:
    """`broken_at` is the id of the first row that does not follow from the one before it; None: the chain is whole."""

    entries: int
    head: str
    broken_at: int | None


def audit_append(
    *, actor: str, action: str, target: str, project_id: str | None = None, data: Mapping[str, Any] | None = None
) -> AuditEntry:
    """Append one entry in the caller's transaction. `data` holds no secret."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = AuditEntry.objects.order_by("-id").values_list("hash", flat=True).first()
        entry = AuditEntry(
            at=clock.now(),
            actor=actor[:80],
            action=action,
            target=target[:120],
            project_id=project_id,
            data=dict(data or {}),
            previous_hash=last or GENESIS,
        )
        entry.hash = _hash(entry)
        entry.save(force_insert=True)
    return entry


def _hash(entry: AuditEntry) -> str:
    text = json.dumps(
        [
            entry.previous_hash,
            entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            entry.actor,
            entry.action,
            entry.target,
            entry.project_id,
            entry.data,
        ],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def audit_check() -> TrailCheck:
    """Walk the whole chain."""
    previous, entries, broken = GENESIS, 0, None
    for entry in AuditEntry.objects.order_by("id").iterator(chunk_size=1000):
        entries += 1
        if broken is None and (entry.previous_hash != previous or entry.hash != _hash(entry)):
            broken = int(entry.pk)
        previous = entry.hash
    return TrailCheck(entries=entries, head=previous, broken_at=broken)
