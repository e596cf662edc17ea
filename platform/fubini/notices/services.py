"""What a person does with notices: read them, set rules, try a channel; and letting go of old ones."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction

from fubini.accounts.models import User
from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.notices.kinds import KINDS
from fubini.notices.models import Delivery, Notice, NoticeRules
from fubini.notices.tell import Fact, facts_tell
from fubini.rest.problems import PreconditionFailed

CHANNELS: Final = ("page", "email")
SLICE: Final = 500


def notices_read(*, user: User, ids: list[str] | None = None) -> int:
    """Mark a person's notices as read (all without `ids`); how many were unread."""
    rows = Notice.objects.filter(user=user, read_at_ms=None)
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    return rows.update(read_at_ms=clock.now_ms())


def rules_of(user: User) -> NoticeRules:
    """A person's rules; the default ones, unsaved, where none were set."""
    return NoticeRules.objects.filter(user=user).first() or NoticeRules(user=user)


@transaction.atomic
def rules_set(*, user: User, expected_version: int | None = None, **changes: Any) -> NoticeRules:
    """Change a person's rules; `channels` holds the kinds to change, each with the channels to change.

    Raises:
        Invalid: an unknown kind or channel, or half a quiet time.
        PreconditionFailed: the row is another version by now.
    """
    User.objects.select_for_update().get(pk=user.pk)
    row = rules_of(user)
    if expected_version is not None and row.version != expected_version:
        raise PreconditionFailed("Somebody else changed it meanwhile.")
    channels: dict[str, dict[str, bool]] = {kind: dict(found) for kind, found in row.channels.items()}
    for kind, found in changes.get("channels", {}).items():
        unknown = kind if kind not in KINDS or kind == "test" else next((c for c in found if c not in CHANNELS), "")
        if unknown:
            raise Invalid(
                say("{unknown!r} is no kind of notice or no channel.", unknown=unknown[:40]),
                errors=[
                    {"pointer": "/channels", "code": "kind", "found": unknown[:40], "allowed": [*KINDS, *CHANNELS]}
                ],
            )
        channels.setdefault(kind, {}).update(found)
    row.channels = channels
    for field in ("quiet_from_minute", "quiet_until_minute", "group_minutes"):
        if field in changes:
            setattr(row, field, changes[field])
    if (row.quiet_from_minute is None) != (row.quiet_until_minute is None):
        raise Invalid("Quiet hours have a beginning and an end.", next_step="Give both, or neither.")
    row.version += 1
    row.save()
    return row


@transaction.atomic
def notice_test(*, user: User) -> None:
    """Tell a person of nothing, in every channel that is on for tests."""
    facts_tell([Fact("test", frozenset({user.pk}), {"by": user.username})], at_ms=clock.now_ms())


def notices_forget(*, before_ms: int) -> int:
    """Let go of old notices and of messages that are done."""
    total = 0
    for rows in (
        Notice.objects.filter(updated_at_ms__lt=before_ms),
        Delivery.objects.filter(created_at_ms__lt=before_ms).exclude(state="waiting"),
    ):
        while ids := list(rows.values_list("pk", flat=True)[:SLICE]):
            rows.model._default_manager.filter(pk__in=ids).delete()
            total += len(ids)
    return total
