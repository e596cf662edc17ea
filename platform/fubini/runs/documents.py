"""What many rows have in common is stored once: why tasks wait; where attempts could have run, their prices, what they ran in.

A task's `why` and an attempt's `placement`, `rates` and `environment` read as plain values; behind them are references to
documents found by the hash of their text. A document never changes, so whoever sets a new value gets another document.
`documents_keep` must be called, in the transaction that writes the rows, before they are written; `transitions` does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Model

from fubini.runs.models import Attempt, SharedDocument, Task

SHARED = {name: f"{name}_document" for name in ("placement", "rates", "environment")}  # as read -> as stored
KEPT_NEWEST = 1000
SLICE = 500
WITH_DOCUMENTS = tuple(SHARED.values())  # for `select_related`
WHY = "why_document"
REFERRERS: dict[type[Model], tuple[str, ...]] = {Attempt: WITH_DOCUMENTS, Task: (WHY,)}


def digest_of(content: Any) -> str:
    """The name of a content: SHA-256 of its text, whose keys keep their order, in hex."""
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def stored_names(names: Iterable[str]) -> list[str]:
    """The fields to write for these attributes of an attempt."""
    return [SHARED.get(name, name) for name in names]


def documents_keep(rows: Sequence[Attempt] | Sequence[Task]) -> None:
    """Store the contents these rows were given and nobody has stored yet; afterwards they refer to them.

    The caller is inside `transaction.atomic`. Two transactions may store the same content at a time: one row is kept.
    """
    waiting: list[tuple[Model, str, str]] = []  # row, field, digest
    contents: dict[str, Any] = {}
    for row in rows:
        for field in REFERRERS[type(row)]:
            document = row._state.fields_cache.get(field)
            if document is not None and document.pk is None:
                digest = digest_of(document.content)
                contents[digest] = document.content
                waiting.append((row, field, digest))
    if not waiting:
        return
    found = _found(contents)
    missing = sorted(contents.keys() - found.keys())
    if missing:
        SharedDocument.objects.bulk_create(
            [SharedDocument(digest=d, content=contents[d]) for d in missing], ignore_conflicts=True
        )
        found |= _found(missing)
    for referrer, field, digest in waiting:
        setattr(referrer, field, SharedDocument(pk=found[digest], digest=digest, content=contents[digest]))


def _found(digests: Iterable[str]) -> dict[str, int]:
    return dict(SharedDocument.objects.filter(digest__in=list(digests)).values_list("digest", "pk"))


def documents_forget() -> int:
    """Delete the documents nothing refers to; how many went. The newest stay: somebody may be about to refer to them.

    Who finds a document that goes in the same moment is refused by the foreign key, and its caller does its work again.
    """
    newest = SharedDocument.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    rows = SharedDocument.objects.filter(pk__lte=newest - KEPT_NEWEST)
    for model, names in REFERRERS.items():
        for name in names:
            used = model._default_manager.filter(**{f"{name}__isnull": False}).values(name)
            rows = rows.exclude(pk__in=used)
    going = list(rows.values_list("pk", flat=True))
    for start in range(0, len(going), SLICE):
        # Not `delete()`: it would ask for referring attempts by columns that have no index.
        part = SharedDocument.objects.filter(pk__in=going[start : start + SLICE])
        part._raw_delete(part.db)
    return len(going)
