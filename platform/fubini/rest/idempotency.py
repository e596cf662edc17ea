"""Idempotency-Key: a POST sent twice under one key happens once, and both senders get the first reply.

The claim on a key is a row of its own commit; the effect and the stored reply are one transaction, so a crash between
leaves a claim without effect, which may be taken over after `CLAIM_S`. A late first sender then finds its claim gone
and its effect is rolled back. A failed request leaves no key: the same key may be tried again. Replies that show a
secret once are not kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common import clock
from fubini.common.errors import Conflict, Invalid
from fubini.rest.models import IdempotencyKey

KEEP = timedelta(hours=24)
CLAIM_S = 60
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_KEPT_HEADERS = ("ETag", "Location")


class KeyInUse(Conflict):
    code = "idempotency_in_progress"
    title = "A request with this Idempotency-Key is still being carried out"


class KeyReused(Invalid):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key belongs to another request"


class SecretShownOnce(Conflict):
    code = "secret_shown_once"
    title = "The reply held a secret and was not kept"


def idempotent(request: Request, principal: str, handle: Callable[[], Response], *, secret: bool = False) -> Response:
    """Carry out `handle` once for the request's key; without the header, just carry it out."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return handle()
    if not _KEY.fullmatch(key):
        raise Invalid(
            "Idempotency-Key is 1 to 128 visible ASCII characters.",
            errors=[{"path": "Idempotency-Key", "code": "invalid", "allowed": "1..128 visible ASCII characters"}],
        )
    digest = _digest(request)
    kept = _claim(principal, key, digest)
    if isinstance(kept, Response):
        return kept
    try:
        with transaction.atomic():
            response = handle()
            if response.status_code >= 400:
                raise _Rejected(response)
            body = None if secret else json.loads(JSONRenderer().render(response.data) or b"null")
            stored = IdempotencyKey.objects.filter(pk=kept.pk, created_at=kept.created_at, status=None).update(
                status=response.status_code,
                body={"reply": body} if not secret else None,
                headers={name: response[name] for name in _KEPT_HEADERS if response.has_header(name)},
            )
            if not stored:
                raise KeyInUse(
                    "This request took so long that another sender of the same key took over.",
                    next_step="Send the request again with the same key to get the reply.",
                )
    except _Rejected as rejected:
        _forget(kept)
        return rejected.response
    except BaseException:
        _forget(kept)
        raise
    return response


class _Rejected(Exception):
    def __init__(self, response: Response) -> None:
        self.response = response


def _digest(request: Request) -> str:
    found = hashlib.sha256()
    for part in (str(request.method), request.get_full_path()):
        found.update(part.encode("utf-8", "surrogateescape") + b"\0")
    found.update(request._request.body)
    return found.hexdigest()


def _claim(principal: str, key: str, digest: str) -> IdempotencyKey | Response:
    """Our new claim, or the reply that is stored already."""
    for _ in range(3):
        try:
            with transaction.atomic():
                return IdempotencyKey.objects.create(principal=principal, key=key, request_digest=digest)
        except IntegrityError:
            row = IdempotencyKey.objects.filter(principal=principal, key=key).first()
        if row is None:
            continue
        age = clock.now() - row.created_at
        if age > KEEP:
            IdempotencyKey.objects.filter(pk=row.pk, created_at=row.created_at).delete()
            continue
        if row.request_digest != digest:
            raise KeyReused(
                "The key was used within the last 24 hours for a request with another address or body.",
                next_step="Make a new key for each new request; repeat a key only with exactly the same request.",
            )
        if row.status is None:
            if age.total_seconds() > CLAIM_S:
                IdempotencyKey.objects.filter(pk=row.pk, created_at=row.created_at, status=None).delete()
                continue
            raise KeyInUse(next_step="Wait, then send the same request again to get its reply.", retry_after_s=1)
        if row.body is None:
            raise SecretShownOnce(
                "What was to be made exists, but its secret is shown only in the first reply.",
                next_step="Revoke it and make another one with a new key.",
            )
        return Response(row.body["reply"], status=row.status, headers={**row.headers, "Idempotent-Replayed": "true"})
    raise KeyInUse(retry_after_s=1)


def _forget(row: IdempotencyKey) -> None:
    IdempotencyKey.objects.filter(pk=row.pk, created_at=row.created_at, status=None).delete()


def keys_past(now: datetime) -> QuerySet[IdempotencyKey]:
    """The keys past their 24 hours."""
    return IdempotencyKey.objects.filter(created_at__lt=now - KEEP)
