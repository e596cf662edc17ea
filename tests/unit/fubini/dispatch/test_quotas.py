"""Quotas: who sets them, and that what is over one waits with the figure and goes on once it is raised."""

from __future__ import annotations

import pytest

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.datasets.errors import NoRoom
from fubini.datasets.uploads import room_check
from fubini.dispatch.grants import placements_apply
from fubini.dispatch.quotas import quota_set
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.runs.models import Task
from fubini_scheduler.cycle import plan
from tests.support.rest import House, api_of, make_admin, make_house, problem_of
from tests.support.rows import make_place, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    found = make_house(budget_micros=10_000_000_000)
    make_place(cpu_millis=64_000)
    return found


def cycle() -> dict[str, str]:
    """One planning cycle; the first reason of each task that stays."""
    world = world_of(RequestCache())
    result = plan(world.snapshot, world.policy, world.now_ms)
    placements_apply(world, result.placements, at_ms=clock.now_ms())
    return {item.task_id: item.reasons[0].code.value for item in result.unplaced}


def tasks(house: House, count: int, who: str = "user:ada", runs: int = 1) -> list[str]:
    made = [make_run(house.project, submitted_by=who) for _ in range(runs)]
    return [make_task(made[n % runs]).pk for n in range(count)]


def placed() -> int:
    return Task.objects.filter(state="placed").count()


def test_cores_over_the_quota_wait_and_start_when_it_is_raised(house: House) -> None:
    tasks(house, 5)
    quota_set(project=house.project, member="", limits={"cpu_millis": 2000}, actor="user:x")
    assert set(cycle().values()) == {"quota"}
    assert placed() == 2
    assert set(cycle().values()) == {"quota"}
    assert placed() == 2
    quota_set(project=house.project, member="", limits={"cpu_millis": None}, actor="user:x")
    assert cycle() == {}
    assert placed() == 5


def test_a_members_quota_binds_that_member_alone(house: House) -> None:
    user = house.users["member"]
    quota_set(project=house.project, member=user.username, limits={"cpu_millis": 1000}, actor="user:x")
    tasks(house, 3, f"user:{user.username}")
    tasks(house, 3, "user:somebody")
    cycle()
    assert Task.objects.filter(state="placed", submitted_by=f"user:{user.username}").count() == 1
    assert placed() == 4


def test_the_oldest_runs_have_the_places_and_their_steps_no_limit(house: House) -> None:
    quota_set(project=house.project, member="", limits={"runs": 1}, actor="user:x")
    first, second = make_run(house.project), make_run(house.project, created_at_ms=clock.now_ms() + 5)
    below = make_run(house.project, root=first.pk, parent=first.pk, created_at_ms=clock.now_ms() + 9)
    for run in (first, first, second, below):
        make_task(run)
    assert list(cycle().values()) == ["quota"]
    assert set(Task.objects.filter(state="placed").values_list("run_id", flat=True)) == {first.pk, below.pk}


def test_money_of_the_month_counts_what_is_spent_and_held(house: House) -> None:
    tasks(house, 4)
    world = world_of(RequestCache())
    hold = plan(world.snapshot, world.policy, world.now_ms).placements[0].hold_micros
    quota_set(project=house.project, member="", limits={"month_micros": 2 * hold + 1}, actor="user:x")
    assert set(cycle().values()) == {"quota"}
    assert placed() == 2


def test_a_quota_cut_between_plan_and_grant_is_kept(house: House) -> None:
    waiting = tasks(house, 3)
    world = world_of(RequestCache())
    result = plan(world.snapshot, world.policy, world.now_ms)
    assert len(result.placements) == 3
    quota_set(project=house.project, member="", limits={"cpu_millis": 1000}, actor="user:x")
    granted = placements_apply(world, result.placements, at_ms=clock.now_ms())
    assert (granted.leased, granted.parked) == (1, 2)
    row = next(t for t in Task.objects.filter(pk__in=waiting, state="queued"))
    assert row.waiting_for == ["quota"]
    assert "an administrator can raise it" in row.why[0]["sentence"]


def test_stored_bytes_over_the_quota_are_refused(house: House) -> None:
    room_check(project_id=house.project.pk, size_bytes=10)
    quota_set(project=house.project, member="", limits={"storage_bytes": 9}, actor="user:x")
    with pytest.raises(NoRoom):
        room_check(project_id=house.project.pk, size_bytes=10)


def test_the_projects_own_are_administrators_to_set_and_members_the_owners(house: House) -> None:
    path, member = f"projects/{house.project.slug}/quotas", house.users["member"].username
    problem_of(house.api["owner"].patch(path, {"cpu_millis": 5}), 403)
    problem_of(house.api["maintainer"].patch(path, {"member": member, "cpu_millis": 5}), 403)
    problem_of(house.api["owner"].patch(path, {"member": "nobody", "cpu_millis": 5}), 422)
    problem_of(house.api["owner"].patch(path, {"member": member, "storage_bytes": 5}), 422)
    house.api["owner"].patch(path, {"member": member, "runs": 2})
    tasks(house, 2)
    cycle()
    rows = api_of(make_admin()).patch(path, {"cpu_millis": 8000, "storage_bytes": 10**9}).json()
    assert [(r["member"], r["cpu_millis"], r["runs"], r["used_cpu_millis"], r["used_runs"]) for r in rows] == [
        (None, 8000, None, 2000, 1), (member, None, 2, 0, 0),
    ]  # fmt: skip
    assert rows == house.api["viewer"].get(path).json()
    house.api["owner"].patch(path, {"member": member, "runs": None})
    assert len(house.api["viewer"].get(path).json()) == 1
    assert AuditEntry.objects.filter(action="quota.set").count() == 3
    problem_of(make_house().api["owner"].get(path), 404)
