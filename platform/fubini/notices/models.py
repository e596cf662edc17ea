"""What people and programs are told: notices in the page, rules of each person, webhooks, and messages on their way.

The stream of events is the outbox: every event is written in the transaction that made it true, and `Follower` is how far
it has been read for telling. Notices and messages are written together with the new place, so each event is told once;
a message may then be sent more than once, always under the same id.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fubini.common.ids import IdField
from fubini.notices.kinds import KINDS, wanted


class Notice(models.Model):
    """One line under a person's bell. Several of a kind within a while are one, with their `count` and the latest `data`."""

    id = IdField()
    user = models.ForeignKey("fubini_accounts.User", on_delete=models.CASCADE, related_name="notices")
    project = models.ForeignKey("fubini_projects.Project", null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    data = models.JSONField(default=dict)
    count = models.PositiveIntegerField(default=1)
    created_at_ms = models.BigIntegerField()
    updated_at_ms = models.BigIntegerField()
    read_at_ms = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-updated_at_ms"], name="notice_user"),
            models.Index(fields=["user"], condition=Q(read_at_ms=None), name="notice_unread"),
        ]


class NoticeRules(models.Model):
    """What a person wants to hear, where. `channels`: kind -> {"page": bool, "email": bool}, where it is not the default.

    `quiet_from_minute` to `quiet_until_minute`: of the day in the accounting zone; e-mail waits until it is over.
    """

    user = models.OneToOneField("fubini_accounts.User", primary_key=True, on_delete=models.CASCADE, related_name="+")
    channels = models.JSONField(default=dict)
    quiet_from_minute = models.PositiveSmallIntegerField(null=True)
    quiet_until_minute = models.PositiveSmallIntegerField(null=True)
    group_minutes = models.PositiveSmallIntegerField(default=5)
    version = models.PositiveIntegerField(default=1)

    @property
    def kinds(self) -> list[dict[str, str | bool]]:
        """What is on, by kind, the defaults included."""
        return [
            {"kind": kind, "page": wanted(self.channels, kind, "page"), "email": wanted(self.channels, kind, "email")}
            for kind in KINDS
            if kind != "test"
        ]


class Webhook(models.Model):
    """An address of a project that messages are posted to. After a rotation the old secret signs too until `old_until_ms`."""

    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="webhooks")
    name = models.CharField(max_length=60)
    url = models.CharField(max_length=500)
    kinds = models.JSONField(default=list)
    active = models.BooleanField(default=True)
    why_inactive = models.CharField(max_length=300, blank=True, default="")
    sealed = models.TextField()
    old_sealed = models.TextField(blank=True, default="")
    old_until_ms = models.BigIntegerField(default=0)
    failed_in_a_row = models.PositiveIntegerField(default=0)  # messages given up
    created_by = models.CharField(max_length=80)
    created_at_ms = models.BigIntegerField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="webhook_name_once")]


class Delivery(models.Model):
    """One message on its way: waiting -> delivered | failed. Its id is the message's, whatever the number of tries."""

    id = IdField()
    webhook = models.ForeignKey(Webhook, null=True, on_delete=models.CASCADE, related_name="deliveries")
    user = models.ForeignKey("fubini_accounts.User", null=True, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("fubini_projects.Project", null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    payload = models.JSONField()  # webhook: the body's `data`; e-mail: {"items": [...], "more": n}
    state = models.CharField(max_length=10, default="waiting")
    created_at_ms = models.BigIntegerField()
    due_at_ms = models.BigIntegerField()
    taken_until_ms = models.BigIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    last_status = models.PositiveIntegerField(null=True)
    last_answer = models.CharField(max_length=500, blank=True, default="")
    ended_at_ms = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at_ms"], condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=["webhook", "-id"], name="delivery_webhook"),
        ]


class Follower(models.Model):
    """How far the stream of events has been read for telling; one row (id 1), whose lock lets one teller work at a time."""

    position = models.BigIntegerField()
    looked_at_ms = models.BigIntegerField(default=0)  # at the conditions no event tells of


class Told(models.Model):
    """A condition that holds and was told; the row goes when it holds no more, so that the next time is told again."""

    key = models.CharField(max_length=120, unique=True)
    since_ms = models.BigIntegerField()
