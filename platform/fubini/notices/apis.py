"""REST: a person's notices and rules, a project's webhooks and their messages."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.accounts.models import User
from fubini.common.errors import NotFound
from fubini.notices import serializers as s
from fubini.notices import services, webhooks
from fubini.notices.models import Delivery, Notice, Webhook
from fubini.projects.authorize import authorize_person, permits, project_get
from fubini.rest.views import ApiViews, operation

BELL_LATEST = 8


class Notices(ApiViews):
    """A person sees their own notices and no others."""

    @property
    def _user(self) -> User:
        authorize_person(self.principal)
        assert self.principal.user is not None
        return self.principal.user

    @operation("My notices, the latest first.", query=s.NoticeQuery, reply=s.NoticeOut, many=True)
    def list(self, request: Request) -> Response:
        rows = self._mine()
        if self.params.get("unread"):
            rows = rows.filter(read_at_ms=None)
        return self.page(rows, ("-updated_at_ms", "-id"))

    @operation("What the bell shows: how many are unread, and the latest.", reply=s.BellOut)
    def bell(self, request: Request) -> Response:
        rows = Notice.objects.filter(user=self._user)
        latest = self._mine().order_by("-updated_at_ms", "-id")[:BELL_LATEST]
        return self.reply({"unread": rows.filter(read_at_ms=None).count(), "latest": latest})

    @operation("A page of notices: mine, what I am told of, and a project's webhooks.", reply=s.NoticesPageOut)
    def overview(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref)
        hooks = None
        if permits(self.principal, "webhook.read", project):
            path = f"projects/{project.slug}/webhooks"
            hooks = self.first(Webhook.objects.filter(project=project), ("name", "id"), path=path, size=50)
        return self.reply(
            {
                "notices": self.first(self._mine(), ("-updated_at_ms", "-id"), path="notices", size=50),
                "rules": services.rules_of(self._user),
                "webhooks": hooks,
            }
        )

    def _mine(self) -> QuerySet[Notice]:
        return Notice.objects.filter(user=self._user).select_related("project", "user")

    @operation("Mark notices as read.", body=s.ReadBody, reply=s.ReadOut)
    def read(self, request: Request) -> Response:
        return self.reply({"read": services.notices_read(user=self._user, ids=self.body.get("ids"))})

    @operation("What I am told of, and where.", reply=s.RulesOut)
    def rules(self, request: Request) -> Response:
        row = services.rules_of(self._user)
        return self.reply(row, etag=row)

    @operation("Change what I am told of.", body=s.RulesChange, reply=s.RulesOut, if_match=True)
    def rules_update(self, request: Request) -> Response:
        """`If-Match` is optional here."""
        user = self._user
        expected = self.match(services.rules_of(user), required=False)
        row = services.rules_set(user=user, expected_version=expected, **self.body)
        return self.reply(row, etag=row)

    @operation("Send me a test, by page and e-mail.", status=202)
    def test(self, request: Request) -> Response:
        services.notice_test(user=self._user)
        return self.reply(status=202)


class Webhooks(ApiViews):
    @operation("A project's webhooks.", reply=s.WebhookOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "webhook.read")
        return self.page(Webhook.objects.filter(project=project), ("name", "id"))

    @operation(
        "Make a webhook; its secret is shown only now.",
        body=s.WebhookCreate,
        reply=s.WebhookMade,
        status=201,
        secret=True,
    )
    def create(self, request: Request, ref: str) -> Response:
        """Messages are signed by the scheme of Standard Webhooks."""
        project = project_get(self.principal, ref, "webhook.write")
        hook, secret = webhooks.webhook_create(project=project, actor=self.principal.actor, **self.body)
        hook.secret = secret  # type: ignore[attr-defined]
        return self.reply(hook, etag=hook)

    @operation("One webhook.", reply=s.WebhookOut)
    def retrieve(self, request: Request, ref: str, id: str) -> Response:
        hook = self._hook(ref, id, "webhook.read")
        return self.reply(hook, etag=hook)

    @operation("Change a webhook, or switch it on or off.", body=s.WebhookChange, reply=s.WebhookOut, if_match=True)
    def update(self, request: Request, ref: str, id: str) -> Response:
        hook = self._hook(ref, id, "webhook.write")
        expected = self.match(hook)
        row = webhooks.webhook_update(hook=hook, actor=self.principal.actor, expected_version=expected, **self.body)
        return self.reply(row, etag=row)

    @operation("Remove a webhook.", status=204)
    def destroy(self, request: Request, ref: str, id: str) -> Response:
        webhooks.webhook_delete(hook=self._hook(ref, id, "webhook.write"), actor=self.principal.actor)
        return self.reply()

    @operation(
        "Give it a new secret, shown only now; the old one signs beside it for a day.", reply=s.WebhookMade, secret=True
    )
    def rotate(self, request: Request, ref: str, id: str) -> Response:
        hook, secret = webhooks.webhook_rotate(hook=self._hook(ref, id, "webhook.write"), actor=self.principal.actor)
        hook.secret = secret  # type: ignore[attr-defined]
        return self.reply(hook, etag=hook)

    @operation("Send it a test.", reply=s.DeliveryOut, status=202)
    def test(self, request: Request, ref: str, id: str) -> Response:
        row = webhooks.webhook_test(hook=self._hook(ref, id, "webhook.write"), actor=self.principal.actor)
        return self.reply(row)

    @operation("Messages to a webhook, the latest first, with what came of them.", reply=s.DeliveryOut, many=True)
    def deliveries(self, request: Request, ref: str, id: str) -> Response:
        hook = self._hook(ref, id, "webhook.read")
        return self.page(Delivery.objects.filter(webhook=hook), ("-id",))

    @operation("Send a message again, under its own id.", reply=s.DeliveryOut, status=202)
    def resend(self, request: Request, ref: str, id: str, message: str) -> Response:
        hook = self._hook(ref, id, "webhook.write")
        row = Delivery.objects.select_related("webhook").filter(webhook=hook, pk=message).first()
        if row is None:
            raise NotFound("The webhook was sent no such message.")
        return self.reply(webhooks.delivery_again(row=row, actor=self.principal.actor))

    def _hook(self, ref: str, id: str, action: str) -> Webhook:
        project = project_get(self.principal, ref, action)
        found = Webhook.objects.select_related("project").filter(project=project, pk=id).first()
        if found is None:
            raise NotFound("The project has no such webhook.")
        return found
