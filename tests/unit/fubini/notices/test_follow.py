"""Who is told of what, once, and grouped."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.events.services import EventDraft, events_append
from fubini.notices.follow import conditions_look, events_follow
from fubini.notices.models import Delivery, Follower, Notice, Told
from fubini.notices.services import notices_read, rules_set
from fubini.runs.models import Run, RunTimer, Task
from fubini.runs.transitions import run_move
from fubini.sites.models import Agent
from tests.support.rest import House, make_admin, make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    found = make_house(budget_micros=1000)
    events_follow()  # begins at the newest event
    return found


def end(house: House, state: str = "succeeded", who: str = "member") -> Run:
    run = make_run(house.project, submitted_by=f"user:{house.users[who].username}")
    with transaction.atomic():
        run_move(run, state, at_ms=clock.now_ms())
    return run


def kinds(house: House, role: str) -> list[tuple[str, int]]:
    return list(Notice.objects.filter(user=house.users[role]).order_by("id").values_list("kind", "count"))


def look_again() -> int:
    Follower.objects.update(looked_at_ms=0)
    return conditions_look()


def test_who_submitted_a_run_is_told_of_its_end_once_and_nobody_else(house: House) -> None:
    run = end(house, "failed")
    events_follow()
    events_follow()
    assert kinds(house, "member") == [("run_failed", 1)]
    assert all(kinds(house, role) == [] for role in ("viewer", "maintainer", "owner"))
    found = house.api["member"].get("notices/bell").json()
    assert (found["unread"], found["latest"][0]["data"]["run_id"]) == (1, run.pk)
    assert found["latest"][0]["text"] == f"The run {run.name} ended as failed."
    assert house.api["owner"].get("notices/bell").json() == {"unread": 0, "latest": []}


def test_a_place_in_the_stream_and_its_notices_are_kept_or_lost_together(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(house)
    with monkeypatch.context() as broken:
        broken.setattr("fubini.notices.follow.facts_tell", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            events_follow()
    events_follow()
    assert kinds(house, "member") == [("run_succeeded", 1)]


def test_many_of_a_kind_are_one_notice_until_it_is_read(house: House) -> None:
    for _ in range(3):
        end(house)
    events_follow()
    assert kinds(house, "member") == [("run_succeeded", 3)]
    assert notices_read(user=house.users["member"]) == 1
    end(house)
    events_follow()
    assert kinds(house, "member") == [("run_succeeded", 3), ("run_succeeded", 1)]


def test_e_mail_of_a_kind_waits_for_the_window_and_tells_of_all(house: House) -> None:
    user = house.users["member"]
    user.email = "m@example.org"
    user.save()
    rules_set(user=user, group_minutes=10)
    for _ in range(25):
        end(house, "failed")
    end(house)  # e-mail of successes is off by default
    events_follow()
    (mail,) = Delivery.objects.all()
    assert (len(mail.payload["items"]), mail.payload["more"]) == (20, 5)
    assert mail.due_at_ms - mail.created_at_ms == 600_000


def test_rules_switch_kinds_and_channels_off(house: House) -> None:
    api = house.api["member"]
    answer = api.patch(
        "notices/rules", {"channels": {"run_failed": {"page": False}}, "quiet_from_minute": 60, "quiet_until_minute": 0}
    )
    assert {"kind": "run_failed", "page": False, "email": True} in answer.json()["kinds"]
    problem_of(api.patch("notices/rules", {"channels": {"gossip": {"page": True}}}), 422)
    problem_of(api.patch("notices/rules", {"quiet_from_minute": None}), 422)
    end(house, "failed")
    events_follow()
    assert kinds(house, "member") == []


def test_a_step_that_waits_for_a_person_is_told_to_who_can_answer_but_not_when_a_timer_goes_on(house: House) -> None:
    def suspend(run: Run) -> None:
        draft = EventDraft(
            topic="node", kind="node.running", entity_id="n", at_ms=1, project_id=run.project_id, run_id=run.pk,
            to_state="Running", data={"type": "Suspend", "name": "approve"},
        )  # fmt: skip
        with transaction.atomic():
            events_append([draft])

    by = f"user:{house.users['member'].username}"
    suspend(make_run(house.project, submitted_by=by))
    timed = make_run(house.project, submitted_by=by)
    RunTimer.objects.create(run=timed, key="n", at_ms=clock.now_ms())
    suspend(timed)
    events_follow()
    for role in ("member", "maintainer", "owner"):
        assert kinds(house, role) == [("step_suspended", 1)], role
    assert kinds(house, "viewer") == []


def test_a_step_that_waits_too_long_is_told_once_and_again_after_it_went_on(house: House) -> None:
    long_ago = clock.now_ms() - 3_600_000
    run = make_run(house.project, submitted_by=f"user:{house.users['member'].username}")
    task = make_task(run, why=[{"code": "budget"}], why_since_ms=long_ago)
    look_again()
    look_again()
    assert kinds(house, "member") == [("step_waiting", 1)]
    assert ("step_waiting", 1) in kinds(house, "owner")  # money is theirs to ask for
    Task.objects.filter(pk=task.pk).update(why_since_ms=None)
    look_again()
    assert not Told.objects.filter(key__startswith="waiting:").exists()
    Task.objects.filter(pk=task.pk).update(why_since_ms=long_ago)
    look_again()
    assert kinds(house, "member") == [("step_waiting", 2)]


def test_a_budgets_marks_are_told_to_who_can_raise_it_and_do_not_flap(house: House) -> None:
    admin, place = make_admin(), make_place()
    make_attempt(make_task(make_run(house.project)), place, hold_micros=820)
    look_again()
    assert kinds(house, "owner") == [("budget", 1)]
    assert Notice.objects.get(user=admin).data["percent"] == 82
    assert kinds(house, "member") == []
    make_attempt(make_task(make_run(house.project)), place, hold_micros=180)
    look_again()
    look_again()
    assert Notice.objects.get(user=house.users["owner"]).count == 2  # 95 and 100 % passed at once
    assert Notice.objects.get(user=admin).data["percent"] == 100


def test_a_silent_agent_and_a_full_disk_are_told_to_administrators(house: House) -> None:
    admin, silent, full = make_admin(), make_place("a").agent, make_place("b").agent
    Agent.objects.filter(pk=silent.pk).update(last_sync_at=clock.from_ms(clock.now_ms() - 3_600_000))
    Agent.objects.filter(pk=full.pk).update(last_report={"accepting": False, "reason": "the disk is full"})
    look_again()
    assert set(Notice.objects.filter(user=admin).values_list("kind", flat=True)) == {"agent_silent", "disk_full"}
    assert not Notice.objects.exclude(user=admin).exists()


def test_notices_are_each_persons_own_and_cost_few_queries(house: House) -> None:
    for _ in range(5):
        end(house)
        events_follow()
        notices_read(user=house.users["member"])
    end(house)
    events_follow()
    api = house.api["member"]
    assert len(api.get("notices").json()["results"]) == 6
    assert len(api.get("notices?unread=true").json()["results"]) == 1
    mine = Notice.objects.filter(user=house.users["member"], read_at_ms=None).get()
    assert house.api["owner"].post("notices/read", {"ids": [mine.pk]}).json() == {"read": 0}
    with CaptureQueriesContext(connection) as seen:
        api.get("notices/bell")
    assert len(seen) < 10
    assert api.post("notices/read", {}).json() == {"read": 1}
