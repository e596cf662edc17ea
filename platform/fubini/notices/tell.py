"""Telling: a fact and whom it concerns become notices, e-mails and webhook messages, by each person's rules.

Grouping: an unread notice of the same person, project and kind that is younger than the person's window counts up instead
of a second one; an e-mail waits for the window (and for the end of the quiet hours) and then tells of all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from fubini.accounts.models import User
from fubini.common import bell
from fubini.events.services import EventDraft, events_append
from fubini.ledger.accounting import books
from fubini.notices.kinds import KINDS, quiet_for_minutes, wanted
from fubini.notices.models import Delivery, Notice, NoticeRules, Webhook
from fubini.projects.models import Membership, Role

ITEMS_MAX: Final = 20  # that one e-mail spells out
MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to tell. `users` are the ids of those it concerns; `project_id` also its webhooks."""

    kind: str
    users: frozenset[str]
    data: Mapping[str, Any]
    project_id: str | None = None
    webhooks: bool = field(default=True)


def who_may(project_id: str, *roles: Role) -> frozenset[str]:
    """Active members of a project with one of these roles."""
    rows = Membership.objects.filter(project_id=project_id, role__in=roles, user__is_active=True)
    return frozenset(rows.values_list("user_id", flat=True))


def administrators() -> frozenset[str]:
    return frozenset(User.objects.filter(is_staff=True, is_active=True).values_list("pk", flat=True))


def facts_tell(facts: Sequence[Fact], *, at_ms: int) -> None:
    """Write what follows from facts. The caller holds a transaction, in which the facts are marked as told."""
    people = {u for fact in facts for u in fact.users}
    if facts:
        rules = {row.user_id: row for row in NoticeRules.objects.filter(user_id__in=people)}
        emails = dict(User.objects.filter(pk__in=people).exclude(email="").values_list("pk", "email"))
        for fact in facts:
            for user_id in sorted(fact.users):
                row = rules.get(user_id) or NoticeRules(user_id=user_id)
                if wanted(row.channels, fact.kind, "page"):
                    _notice(fact, row, at_ms)
                if user_id in emails and wanted(row.channels, fact.kind, "email"):
                    _email(fact, row, at_ms)
            if fact.webhooks and fact.project_id is not None and KINDS[fact.kind].webhook:
                _webhooks(fact, at_ms)
        transaction.on_commit(lambda: bell.ring("notices"))


def _notice(fact: Fact, rules: NoticeRules, at_ms: int) -> None:
    since = at_ms - rules.group_minutes * MINUTE_MS
    there = Notice.objects.filter(
        user_id=rules.user_id, project_id=fact.project_id, kind=fact.kind, read_at_ms=None, updated_at_ms__gt=since
    ).first()
    if there is not None:
        there.count += 1
        there.data, there.updated_at_ms = dict(fact.data), at_ms
        there.save(update_fields=["count", "data", "updated_at_ms"])
    else:
        there = Notice.objects.create(
            user_id=rules.user_id, project_id=fact.project_id, kind=fact.kind, data=dict(fact.data), created_at_ms=at_ms,
            updated_at_ms=at_ms,
        )  # fmt: skip
    # The event says only that there is something: what, each reader asks for with their own rights.
    events_append(
        [
            EventDraft(
                topic="notice", kind="notice.told", entity_id=there.pk, at_ms=at_ms, project_id=fact.project_id,
            )
        ]
    )  # fmt: skip


def _email(fact: Fact, rules: NoticeRules, at_ms: int) -> None:
    item = {"kind": fact.kind, "data": dict(fact.data), "at_ms": at_ms}
    # Locked, so that it cannot be on its way while something is added to it.
    waiting = (
        Delivery.objects.select_for_update()
        .filter(
            user_id=rules.user_id,
            project_id=fact.project_id,
            kind=fact.kind,
            state="waiting",
            tries=0,
            taken_until_ms=0,
        )
        .first()
    )
    if waiting is not None:
        items = waiting.payload["items"]
        if len(items) < ITEMS_MAX:
            items.append(item)
        else:
            waiting.payload["more"] += 1
        waiting.save(update_fields=["payload"])
        return
    Delivery.objects.create(
        user_id=rules.user_id, project_id=fact.project_id, kind=fact.kind, payload={"items": [item], "more": 0},
        created_at_ms=at_ms, due_at_ms=email_due_ms(rules, fact.kind, at_ms),
    )  # fmt: skip


def email_due_ms(rules: NoticeRules, kind: str, at_ms: int) -> int:
    """When a person's e-mail goes: after the window that groups, and not in the quiet hours. A test goes at once."""
    if kind == "test":
        return at_ms
    due = at_ms + rules.group_minutes * MINUTE_MS
    local = datetime.fromtimestamp(due / 1000, ZoneInfo(books().zone))
    minute = local.hour * 60 + local.minute
    return due + quiet_for_minutes(minute, rules.quiet_from_minute, rules.quiet_until_minute) * MINUTE_MS


def _webhooks(fact: Fact, at_ms: int) -> None:
    hooks = Webhook.objects.filter(project_id=fact.project_id, active=True)
    for hook in hooks:
        if fact.kind in hook.kinds:
            webhook_send(hook, fact.kind, fact.data, at_ms)


def webhook_send(hook: Webhook, kind: str, data: Mapping[str, Any], at_ms: int) -> Delivery:
    """Put one message on its way to a webhook."""
    return Delivery.objects.create(
        webhook=hook, project_id=hook.project_id, kind=kind, payload=dict(data), created_at_ms=at_ms, due_at_ms=at_ms
    )


def project_people(project_id: str, actor: str) -> frozenset[str]:
    """Who did something in a project, if it is a person who still may see it."""
    if not actor.startswith("user:"):
        return frozenset()
    return frozenset(
        User.objects.filter(username=actor.removeprefix("user:"), is_active=True)
        .filter(Q(memberships__project_id=project_id) | Q(is_staff=True))
        .values_list("pk", flat=True)
    )


__all__ = [
    "Fact",
    "administrators",
    "email_due_ms",
    "facts_tell",
    "project_people",
    "webhook_send",
    "who_may",
]
