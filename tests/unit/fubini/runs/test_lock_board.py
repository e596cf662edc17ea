"""The page of locks: who holds and who waits; and a lock taken from its holder by who may."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.common.ids import new_id
from fubini.runs.models import JobCounter, Lock, LockClaim, Run, RunNode
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    JobCounter.objects.update_or_create(pk=1, defaults={"last": 1_000_000})
    return make_house()


def claim(lock: Lock, run: Run, at_ms: int, node: str = "", **more: Any) -> LockClaim:
    return LockClaim.objects.create(
        claim=new_id(), lock=lock, run=run, node_id=node, created_at_ms=at_ms, asked_at_ms=at_ms, **more
    )


def held(house: House) -> tuple[Lock, Run, Run]:
    lock = Lock.objects.create(project=house.project, kind="Mutex", resource="beam")
    holder, waiter = make_run(house.project), make_run(house.project)
    RunNode.objects.create(run=holder, node_id="n1", name="n1", display_name="measure", type="Pod", phase="Running")
    claim(lock, holder, 10, "n1", held_at_ms=20)
    claim(lock, waiter, 30)
    return lock, holder, waiter


def test_the_board_says_who_holds_who_waits_and_what_the_reader_may(house: House) -> None:
    _, holder, waiter = held(house)
    Lock.objects.create(project=house.project, kind="Database", semaphore=True, resource="seats", size=3)
    Lock.objects.create(project=house.project, kind="Mutex", resource="nobody")
    page = house.api["viewer"].get(f"projects/{house.project.slug}/shared").json()
    assert [row["name"] for row in page["locks"]] == ["mutex beam", "semaphore seats"]
    beam = page["locks"][0]
    assert [(p["run_id"], p["node_name"], p["held_at_ms"]) for p in beam["holders"]] == [(holder.pk, "measure", 20)]
    assert [(p["run_id"], p["asked_at_ms"]) for p in beam["waiters"]] == [(waiter.pk, 30)]
    assert (page["may_break"], page["may_size"], page["more"]) == (False, False, False)
    assert house.api["maintainer"].get(f"projects/{house.project.slug}/shared").json()["may_break"]
    problem_of(make_house().api["owner"].get(f"projects/{house.project.slug}/shared"), 404)


def test_a_maintainer_takes_a_lock_and_the_next_gets_it(house: House) -> None:
    lock, holder, waiter = held(house)
    path, body = f"projects/{house.project.slug}/locks/{lock.pk}/break", {"run": holder.pk, "node": "n1"}
    problem_of(house.api["member"].post(path, body), 403)
    stranger = make_house()
    problem_of(stranger.api["owner"].post(path, body), 404)
    problem_of(stranger.api["owner"].post(path.replace(house.project.slug, stranger.project.slug), body), 404)
    problem_of(house.api["maintainer"].post(path, {"run": waiter.pk, "node": ""}), 409, "lock_not_held")
    after = house.api["maintainer"].post(path, body)
    assert after.status_code == 200, after.content
    assert [p["run_id"] for p in after.json()["holders"]] == [waiter.pk] and after.json()["waiters"] == []
    assert not LockClaim.objects.get(run=waiter).heard  # its engine hears of it next
    said = AuditEntry.objects.get(action="lock.break")
    assert said.data["run_id"] == holder.pk and said.actor == f"user:{house.users['maintainer'].username}"
    # What has been given and not been heard of yet cannot be taken: the run would wait for ever.
    problem_of(house.api["maintainer"].post(path, {"run": waiter.pk, "node": ""}), 409, "lock_not_held")
