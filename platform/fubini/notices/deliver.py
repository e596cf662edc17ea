"""Sending: e-mails and webhook messages that are due, each tried until it is accepted or given up.

A message is taken by compare-and-set for `HOLD_MS` and sent outside any transaction; what came of it is written after. A
worker killed in between leaves it to be sent again under the same id: at least once. Tries are bounded (`BACKOFF_S`), and a
webhook that `OFF_AFTER` messages in a row were given up for, or that answers 410, is switched off and its owners told.
Webhooks go through the guard of `remote`: no private address that an administrator has not listed, no redirects.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F

from fubini.common import clock
from fubini.common.options import option_group
from fubini.notices.kinds import sentence
from fubini.notices.models import Delivery, Webhook
from fubini.notices.signing import signature_headers
from fubini.notices.tell import Fact, facts_tell, who_may
from fubini.notices.webhooks import secrets_of
from fubini.projects.models import Role
from fubini.remote.guard import RemoteError, policy_from
from fubini.remote.http import Header, exchange

log = logging.getLogger(__name__)
BACKOFF_S: Final = (5, 30, 120, 600, 3600, 3 * 3600, 12 * 3600)
HOLD_MS: Final = 90_000
TIMEOUT_S: Final = 15.0
ANSWER_MAX_BYTES: Final = 2048
OFF_AFTER: Final = 10
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try. `state`: delivered | again (not accepted, but it may be later) | failed (it never will be)."""

    state: str
    status: int | None = None
    answer: str = ""


def deliveries_send(limit: int = 50) -> int:
    """Send what is due; how many were tried."""
    for done in range(limit):
        row = _take()
        if row is None:
            return done
        try:
            tried = _email(row) if row.webhook_id is None else _post(row)
        except Exception as error:  # one poisoned message must not stop the others
            log.exception("message %s could not be sent", row.pk)
            tried = Tried("again", answer=f"could not be sent ({type(error).__name__})")
        _record(row, tried)
    return limit


def _take() -> Delivery | None:
    """One due message, this worker's for a while."""
    at_ms = clock.now_ms()
    for row in Delivery.objects.filter(state="waiting", due_at_ms__lte=at_ms, taken_until_ms__lte=at_ms).order_by(
        "due_at_ms"
    )[:10]:
        # The count of tries is the compare: whoever raises it has the message.
        mine = Delivery.objects.filter(pk=row.pk, state="waiting", tries=row.tries, taken_until_ms=row.taken_until_ms)
        if mine.update(tries=F("tries") + 1, taken_until_ms=at_ms + HOLD_MS):
            return Delivery.objects.select_related("webhook__project", "user", "project").get(pk=row.pk)
    return None


def _email(row: Delivery) -> Tried:
    user = row.user
    assert user is not None
    if not user.email or not user.is_active:
        return Tried("failed", answer="the person has no e-mail address any more")
    items: Sequence[dict[str, Any]] = row.payload["items"]
    lines = [sentence(item["kind"], item["data"], user.language) for item in items]
    chinese = user.language.startswith("zh")
    count = len(items) + row.payload.get("more", 0)
    many = f"（共 {count} 条）" if chinese else f" ({count} in all)"
    links = dict.fromkeys(_link(item) for item in items)
    body = "\n".join(lines)
    if row.payload.get("more"):
        body += f"\n… +{row.payload['more']}"
    body += "\n\n" + "\n".join(links)
    message = EmailMessage(
        subject=f"[Fubini] {lines[-1]}{many if count > 1 else ''}"[:180],
        body=body,
        to=[user.email],
        headers={"Message-ID": f"<{row.pk}@fubini>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except OSError as error:  # smtplib's errors are OSErrors
        return Tried("again", getattr(error, "smtp_code", None), type(error).__name__)
    return Tried("delivered")


def _link(item: dict[str, Any]) -> str:
    base = str(dict(settings.FUBINI)["PUBLIC_URL"])
    run_id = item["data"].get("run_id")
    return f"{base}/runs/{run_id}" if run_id else f"{base}/notices"


def body_of(row: Delivery) -> bytes:
    """The bytes that are posted: the same at every try."""
    assert row.project is not None
    document = {
        "type": row.kind,
        "timestamp": clock.from_ms(row.created_at_ms).isoformat(),
        "project": row.project.slug,
        "data": row.payload,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _post(row: Delivery) -> Tried:
    hook = row.webhook
    assert hook is not None
    if not hook.active:
        return Tried("failed", answer="the webhook is switched off")
    body = body_of(row)
    at_ms = clock.now_ms()
    signed = signature_headers(secrets_of(hook, at_ms=at_ms), row.pk, at_ms // 1000, body)
    headers = [Header("Content-Type", "application/json"), *(Header(name, value) for name, value in signed.items())]
    try:
        with exchange(
            "POST", hook.url, policy=policy_from(option_group("REMOTE")), timeout_s=TIMEOUT_S, headers=headers,
            content=body, redirects_max=0,
        ) as answer:  # fmt: skip
            said = b""
            try:
                for piece in answer.pieces(1 << 20):
                    said += piece
                    if len(said) >= ANSWER_MAX_BYTES:
                        break
            except RemoteError:
                pass  # the status is what counts
            state = "delivered" if 200 <= answer.status < 300 else "failed" if answer.status == GONE else "again"
            return Tried(state, answer.status, said[:ANSWER_MAX_BYTES].decode("utf-8", "replace"))
    except RemoteError as error:
        return Tried("again", answer=error.message)


def _record(row: Delivery, tried: Tried) -> None:
    at_ms = clock.now_ms()
    with transaction.atomic():
        row.last_status = tried.status
        row.last_answer = "".join(c if c.isprintable() else " " for c in tried.answer)[:500]
        row.taken_until_ms = 0
        if tried.state == "again" and row.tries <= len(BACKOFF_S):
            row.due_at_ms = at_ms + BACKOFF_S[row.tries - 1] * 1000
        else:
            row.state, row.ended_at_ms = "delivered" if tried.state == "delivered" else "failed", at_ms
        row.save(update_fields=["last_status", "last_answer", "taken_until_ms", "state", "ended_at_ms", "due_at_ms"])
        if row.webhook_id is not None and row.state != "waiting":
            _count(row, tried, at_ms)


def _count(row: Delivery, tried: Tried, at_ms: int) -> None:
    hook = Webhook.objects.select_for_update().get(pk=row.webhook_id)
    hook.failed_in_a_row = 0 if tried.state == "delivered" else hook.failed_in_a_row + 1
    if hook.active and (tried.status == GONE or hook.failed_in_a_row >= OFF_AFTER):
        reason = (
            "it answered 410 (gone)"
            if tried.status == GONE
            else f"{hook.failed_in_a_row} messages in a row were not accepted"
        )
        hook.active, hook.why_inactive = False, reason
        people = who_may(hook.project_id, Role.MAINTAINER, Role.OWNER)
        data = {"webhook": hook.name, "project": row.project.slug if row.project else "", "reason": reason}
        facts_tell([Fact("webhook_off", people, data, hook.project_id, webhooks=False)], at_ms=at_ms)
    hook.save(update_fields=["failed_in_a_row", "active", "why_inactive"])
