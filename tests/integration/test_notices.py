"""What goes out, to real receivers on loopback: webhooks signed, tried again and given up; e-mail over SMTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.notices.deliver import BACKOFF_S, OFF_AFTER, deliveries_send
from fubini.notices.follow import events_follow
from fubini.notices.models import Delivery, Notice, Webhook
from fubini.notices.services import notice_test
from fubini.notices.signing import signature
from fubini.notices.webhooks import webhook_create
from fubini.runs.transitions import run_move
from tests.support.receivers import Posts, http_receiver, smtp_receiver
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    found = make_house()
    events_follow()
    return found


@pytest.fixture
def posts(settings: Any) -> Iterator[Posts]:
    with http_receiver() as receiver:
        settings.FUBINI = {**settings.FUBINI, "REMOTE": {"allow": [f"127.0.0.1:{receiver.port}"], "schemes": ["http"]}}
        yield receiver


def end(house: House, state: str) -> None:
    run = make_run(house.project, submitted_by=f"user:{house.users['member'].username}")
    with transaction.atomic():
        run_move(run, state, at_ms=clock.now_ms())
    events_follow()


def later() -> None:
    Delivery.objects.filter(state="waiting").update(due_at_ms=0)


def test_a_runs_end_is_posted_signed_under_one_id_until_it_is_accepted(house: House, posts: Posts) -> None:
    api = house.api["maintainer"]
    path = f"projects/{house.project.slug}/webhooks"
    made = api.post(path, {"name": "chat", "url": posts.url, "kinds": ["run_failed"]})
    secret = made.json()["secret"]
    posts.statuses = [503, 503, 204]
    end(house, "succeeded")  # not subscribed to
    end(house, "failed")
    for _ in range(3):
        deliveries_send()
        later()
    assert len(posts.got) == 3
    assert len({(headers["webhook-id"], body) for headers, body in posts.got}) == 1
    for headers, body in posts.got:
        stamp = int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == signature(secret, headers["webhook-id"], stamp, body)
    document = json.loads(posts.got[0][1])
    assert (document["type"], document["project"], document["data"]["state"]) == (
        "run_failed",
        house.project.slug,
        "failed",
    )
    (message,) = api.get(f"{path}/{made.json()['id']}/messages").json()["results"]
    assert (message["state"], message["tries"], message["last_status"]) == ("delivered", 3, 204)
    api.post(f"{path}/{made.json()['id']}/messages/{message['id']}/resend")
    deliveries_send()
    assert posts.got[3][0]["webhook-id"] == message["id"]
    assert secret not in json.dumps(list(AuditEntry.objects.values_list("data", flat=True)))
    assert secret not in Webhook.objects.get().sealed


def test_a_new_secret_signs_beside_the_old_one_and_is_shown_once(house: House, posts: Posts) -> None:
    api, path = house.api["owner"], f"projects/{house.project.slug}/webhooks"
    made = api.post(path, {"name": "chat", "url": posts.url, "kinds": ["budget"]}).json()
    fresh = api.post(f"{path}/{made['id']}/secret").json()["secret"]
    assert "secret" not in api.get(f"{path}/{made['id']}").json()
    api.post(f"{path}/{made['id']}/test")
    deliveries_send()
    headers, body = posts.got[0]
    wanted = [
        signature(s, headers["webhook-id"], int(headers["webhook-timestamp"]), body) for s in (fresh, made["secret"])
    ]
    assert headers["webhook-signature"].split() == wanted


def test_who_never_accepts_is_given_up_and_at_last_switched_off(house: House, posts: Posts) -> None:
    posts.statuses = [500]
    hook, _ = webhook_create(project=house.project, name="dead", url=posts.url, kinds=["run_succeeded"], actor="user:x")
    end(house, "succeeded")
    for _ in range(len(BACKOFF_S) + 3):
        deliveries_send()
        later()
    message = Delivery.objects.get()
    assert (message.state, message.tries, message.last_answer) == ("failed", len(BACKOFF_S) + 1, "not now")
    Webhook.objects.filter(pk=hook.pk).update(failed_in_a_row=OFF_AFTER - 1)
    posts.statuses = [410]
    end(house, "succeeded")
    deliveries_send()
    hook.refresh_from_db()
    assert (hook.active, hook.why_inactive) == (False, "it answered 410 (gone)")
    assert Notice.objects.get(user=house.users["owner"]).kind == "webhook_off"


def test_no_message_goes_to_a_private_address_and_no_redirect_is_followed(house: House, settings: Any) -> None:
    api, path = house.api["owner"], f"projects/{house.project.slug}/webhooks"
    with http_receiver() as hidden:
        made = api.post(path, {"name": "inside", "url": hidden.url, "kinds": ["budget"]}).json()
        api.post(f"{path}/{made['id']}/test")
        deliveries_send()
        assert hidden.got == []
        assert "this machine itself" in Delivery.objects.get().last_answer
    problem_of(api.post(path, {"name": "b", "url": "file:///etc/passwd", "kinds": ["budget"]}), 422)
    problem_of(api.post(path, {"name": "b", "url": "https://u:p@example.org/", "kinds": ["budget"]}), 422)
    problem_of(api.post(path, {"name": "b", "url": "https://example.org/", "kinds": ["gossip"]}), 422)
    problem_of(house.api["member"].get(path), 403)
    problem_of(make_house().api["owner"].get(f"{path}/{made['id']}"), 404)


def test_e_mail_goes_over_smtp_as_one_message_of_many(house: House, settings: Any) -> None:
    user = house.users["member"]
    user.email, user.language = "m@example.org", "zh-hans"
    user.save()
    with smtp_receiver() as mails:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mails.port
        end(house, "failed")
        end(house, "error")
        assert deliveries_send() == 0  # the window goes on
        later()
        deliveries_send()
        notice_test(user=user)
        deliveries_send()
    (to, mail), (_, test) = mails.got
    assert to == ["m@example.org"]
    assert mail["Message-ID"] == f"<{Delivery.objects.order_by('id')[0].pk}@fubini>"
    assert "共 2 条" in mail["Subject"]
    assert mail.get_content().count("运行 run-") == 2
    assert "测试消息" in test["Subject"]


def test_a_mail_server_that_is_away_is_tried_again(house: House, settings: Any) -> None:
    user = house.users["member"]
    user.email = "m@example.org"
    user.save()
    with smtp_receiver() as mails:
        port = mails.port
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    notice_test(user=user)
    deliveries_send()
    row = Delivery.objects.get()
    assert (row.state, row.last_answer) == ("waiting", "ConnectionRefusedError")
