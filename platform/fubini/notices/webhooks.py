"""A project's webhooks: made, changed, given a new secret, removed; the messages they were sent. Audited; secrets are shown once.

Secrets are sealed like those of projects (`secrets.keyring`), each for its own webhook.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import IntegrityError, transaction

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict, Invalid
from fubini.common.options import option_group
from fubini.common.saying import say
from fubini.notices.kinds import WEBHOOK_KINDS
from fubini.notices.models import Delivery, Webhook
from fubini.notices.signing import secret_new
from fubini.notices.tell import webhook_send
from fubini.projects.models import Project
from fubini.remote.guard import Refused, place_of, policy_from
from fubini.rest.problems import PreconditionFailed
from fubini.secrets import keyring

WEBHOOKS_MAX: Final = 20
OLD_SECRET_MS: Final = 24 * 3_600_000
_PLACE: Final = "webhook"


class WebhookTaken(Conflict):
    code: ClassVar[str] = "webhook_taken"
    title: ClassVar[str] = "The name is taken, or there are as many webhooks as may be"


def secrets_of(hook: Webhook, *, at_ms: int) -> list[str]:
    """The secrets that sign now, the newest first."""
    tokens = [hook.sealed] + ([hook.old_sealed] if hook.old_sealed and at_ms < hook.old_until_ms else [])
    return [keyring.open_sealed(hook.project_id, _PLACE, hook.pk, token).decode("ascii") for token in tokens]


def _seal(hook: Webhook, secret: str) -> str:
    return keyring.seal(hook.project_id, _PLACE, hook.pk, secret.encode("ascii"))


def _checked(url: str, kinds: list[str]) -> None:
    try:
        place_of(url, policy_from(option_group("REMOTE")))
    except Refused as error:
        raise Invalid(
            say("The address cannot be used: {message}.", message=error.message),
            next_step="Give a public https address; an administrator can allow private ones (FUBINI_REMOTE_ALLOW).",
            errors=[{"pointer": "/url", "code": "address", "detail": error.message}],
        ) from None
    unknown = sorted(set(kinds) - set(WEBHOOK_KINDS))
    if unknown or not kinds:
        raise Invalid(
            say("{unknown!r} is no kind of message.", unknown=unknown[0])
            if unknown
            else "No kind of message is chosen.",
            errors=[{"pointer": "/kinds", "code": "kind", "found": unknown, "allowed": list(WEBHOOK_KINDS)}],
        )


def _note(hook: Webhook, what: str, actor: str, data: dict[str, Any] | None = None) -> None:
    audit_append(
        actor=actor, action=f"webhook.{what}", target=f"webhook:{hook.pk}", project_id=hook.project_id,
        data={"name": hook.name, **(data or {})},
    )  # fmt: skip


@transaction.atomic
def webhook_create(*, project: Project, name: str, url: str, kinds: list[str], actor: str) -> tuple[Webhook, str]:
    """Make a webhook; its secret, which is told only now.

    Raises:
        Invalid: an address the platform may not call, or an unknown kind.
        WebhookTaken: the name is taken, or the project has `WEBHOOKS_MAX`.
    """
    _checked(url, kinds)
    Project.objects.select_for_update().get(pk=project.pk)
    if Webhook.objects.filter(project=project).count() >= WEBHOOKS_MAX:
        raise WebhookTaken(
            say(
                "The project has {webhooks_max} webhooks.",
                webhooks_max=WEBHOOKS_MAX,
            ),
            next_step="Remove one first.",
        )
    secret = secret_new()
    hook = Webhook(
        project=project, name=name, url=url, kinds=sorted(set(kinds)), created_by=actor, created_at_ms=clock.now_ms()
    )
    hook.sealed = _seal(hook, secret)
    try:
        with transaction.atomic():
            hook.save(force_insert=True)
    except IntegrityError:
        raise WebhookTaken(
            say(
                "The project has a webhook {name!r}.",
                name=name,
            ),
            next_step="Take another name.",
        ) from None
    _note(hook, "create", actor, {"kinds": hook.kinds})
    return hook, secret


@transaction.atomic
def webhook_update(*, hook: Webhook, actor: str, expected_version: int | None = None, **changes: Any) -> Webhook:
    """Change name, address, kinds, or switch it on or off.

    Raises:
        Invalid: as at its making.
        PreconditionFailed: the row is another version by now.
    """
    row = Webhook.objects.select_for_update().get(pk=hook.pk)
    if expected_version is not None and row.version != expected_version:
        raise PreconditionFailed("Somebody else changed it meanwhile.")
    for field in ("name", "url", "kinds", "active"):
        if field in changes:
            setattr(row, field, sorted(set(changes[field])) if field == "kinds" else changes[field])
    _checked(row.url, row.kinds)
    if changes.get("active"):
        row.why_inactive, row.failed_in_a_row = "", 0
    row.version += 1
    row.save()
    _note(row, "update", actor, {"changed": sorted(changes)})
    return row


@transaction.atomic
def webhook_rotate(*, hook: Webhook, actor: str) -> tuple[Webhook, str]:
    """Give it a new secret, which is told only now; the one before signs beside it for a day."""
    row = Webhook.objects.select_for_update().get(pk=hook.pk)
    secret = secret_new()
    row.old_sealed, row.old_until_ms = row.sealed, clock.now_ms() + OLD_SECRET_MS
    row.sealed = _seal(row, secret)
    row.version += 1
    row.save()
    _note(row, "rotate", actor)
    return row, secret


@transaction.atomic
def webhook_delete(*, hook: Webhook, actor: str) -> None:
    """Remove it with the log of its messages."""
    _note(hook, "delete", actor)
    hook.delete()


@transaction.atomic
def webhook_test(*, hook: Webhook, actor: str) -> Delivery:
    """Send it a message of the kind `test`."""
    _note(hook, "test", actor)
    transaction.on_commit(lambda: bell.ring("notices"))
    return webhook_send(hook, "test", {"by": actor}, clock.now_ms())


@transaction.atomic
def delivery_again(*, row: Delivery, actor: str) -> Delivery:
    """Send a message once more, under its own id; tries begin anew."""
    now = clock.now_ms()
    Delivery.objects.filter(pk=row.pk).exclude(state="waiting", tries__gt=0, taken_until_ms__gt=now).update(
        state="waiting", tries=0, due_at_ms=now, taken_until_ms=0, ended_at_ms=None
    )
    if row.webhook is not None:
        _note(row.webhook, "resend", actor, {"message": row.pk})
    transaction.on_commit(lambda: bell.ring("notices"))
    row.refresh_from_db()
    return row
