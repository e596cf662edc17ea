"""Planning and granting on real rows: holds, fences, parked tasks, pauses, stale decisions."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.common import clock
from fubini.dispatch.expiry import holds_extend
from fubini.dispatch.grants import placements_apply
from fubini.dispatch.loop import Loop
from fubini.dispatch.selectors import platform_status, task_why
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.gateway.specs import exec_specs
from fubini.ledger.models import Hold
from fubini.ledger.services import account_topup, ledger_check
from fubini.runs.engine import (
    ArtifactOutput,
    ContainerKind,
    ContainerSpec,
    Requirement,
    Resources,
    TaskSpec,
    VolumeMount,
)
from fubini.runs.models import Attempt, Lease, Run, RunPlace, Task
from fubini.sites.models import Pause
from fubini_scheduler.cycle import plan
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


def spec(**more: Any) -> TaskSpec:
    values: dict[str, Any] = {"template": "work", "image": "busybox", "argv": ("true",), "walltime_s": 100}
    return TaskSpec(**(values | more))


def cycle() -> None:
    Loop().cycle()


def test_a_queued_task_gets_a_hold_a_fence_and_a_lease() -> None:
    place = make_place()
    task = make_task(make_run(make_project()), spec=spec())
    cycle()
    task.refresh_from_db()
    attempt = Attempt.objects.get(task=task)
    assert (task.state, task.fence, attempt.fence) == ("placed", 1, 1)
    assert attempt.agent_id == place.agent.pk
    assert Lease.objects.get(pk=attempt.pk).state == "granted"
    assert Hold.objects.get(pk=attempt.pk).amount_micros == 100_000  # 100 s at 1,000 micros a second
    assert Run.objects.get(pk=task.run_id).held_micros == 100_000
    assert ledger_check()["imbalance_micros"] == 0


def test_capacity_is_never_exceeded_and_the_rest_say_why() -> None:
    make_place(cpu_millis=2000)
    run = make_run(make_project())
    tasks = [make_task(run, spec=spec()) for _ in range(5)]
    cycle()
    assert Attempt.objects.count() == 2
    waiting = Task.objects.filter(pk__in=[t.pk for t in tasks], state="queued")
    assert waiting.count() == 3
    why = task_why(waiting[0])
    assert why.code in ("nodes_busy", "waits_for_pool", "reserved")
    assert why.sentence


def test_a_budget_with_room_for_two_gives_two_holds_and_the_missing_figure() -> None:
    make_place(cpu_millis=64_000)
    run = make_run(make_project(budget_micros=250_000))
    tasks = [make_task(run, spec=spec()) for _ in range(4)]
    cycle()
    assert Hold.objects.count() == 2
    parked = Task.objects.filter(pk__in=[t.pk for t in tasks], state="queued")
    assert {tuple(t.waiting_for) for t in parked} == {("budget",)}
    assert parked[0].why[0]["missing_micros"] == 50_000
    account_topup(project_id=run.project_id, amount_micros=150_000, actor="t", key="more")
    cycle()
    assert Hold.objects.count() == 4


def test_a_runs_cost_limit_holds_over_all_runs_its_steps_made() -> None:
    make_place(cpu_millis=64_000)
    top = make_run(project := make_project(), max_cost_micros=250_000)
    below = [make_run(project, parent=top.pk, root=top.pk, depth=1, max_cost_micros=250_000) for _ in range(2)]
    lowest = make_run(project, parent=below[0].pk, root=top.pk, depth=2)
    for run in (top, *below, lowest):
        make_task(run, spec=spec())
    cycle()
    assert Attempt.objects.count() == 2
    waiting = list(Task.objects.filter(state="queued"))
    assert [t.waiting_for for t in waiting] == [["run_budget"]] * 2
    assert sum(Run.objects.values_list("held_micros", flat=True)) == 200_000
    cycle()
    assert Attempt.objects.count() == 2
    Run.objects.filter(pk=top.pk).update(max_cost_micros=10_000_000)
    cycle()
    assert Attempt.objects.count() == 4


def test_a_runs_cost_limit_holds_its_steps_until_it_is_raised() -> None:
    make_place(cpu_millis=64_000)
    run = make_run(make_project(), max_cost_micros=150_000)
    for _ in range(3):
        make_task(run, spec=spec())
    cycle()
    assert Attempt.objects.count() == 1
    waiting = Task.objects.filter(state="queued").first()
    assert waiting is not None
    assert waiting.waiting_for == ["run_budget"]
    assert waiting.why[0]["missing_micros"] == 50_000
    Run.objects.filter(pk=run.pk).update(max_cost_micros=10_000_000)
    cycle()
    assert Attempt.objects.count() == 3


@pytest.mark.parametrize("what", ["all", "pool", "project"])
def test_a_pause_stops_new_leases_and_every_why_repeats_its_reason(what: str) -> None:
    place = make_place()
    task = make_task(make_run(make_project()), spec=spec())
    if what == "all":
        Pause.objects.create(pk=1, reason="chillers are down")
    elif what == "pool":
        place.pool.paused_reason = "chillers are down"
        place.pool.save()
    else:
        task.run.project.paused_reason = "chillers are down"
        task.run.project.save()
    cycle()
    assert not Attempt.objects.exists()
    task.refresh_from_db()
    assert "chillers are down" in task_why(task).sentence
    assert task.waiting_for == ["pause"]


def test_a_decision_about_a_task_that_moved_is_dropped_and_counted() -> None:
    make_place()
    task = make_task(make_run(make_project()), spec=spec())
    world = world_of(RequestCache())
    result = plan(world.snapshot, world.policy, world.now_ms)
    Task.objects.filter(pk=task.pk).update(version=7)
    granted = placements_apply(world, result.placements, at_ms=clock.now_ms())
    assert (granted.leased, granted.stale) == (0, 1)
    assert not Hold.objects.exists()


def test_a_step_with_absolute_paths_does_not_go_where_the_kernel_refuses_namespaces() -> None:
    place = make_place()
    place.agent.private_root = False
    place.agent.save()
    task = make_task(make_run(make_project()), spec=spec(artifacts_out=(ArtifactOutput("o", "/tmp/o"),)))
    cycle()
    task.refresh_from_db()
    assert task_why(task).code == "private_root"


def test_an_unknown_image_is_refused_with_the_list() -> None:
    place = make_place()
    place.agent.environments = [{"image": "busybox", "fingerprint": "f"}, {"image": "python:*", "fingerprint": "f"}]
    place.agent.save()
    run = make_run(make_project())
    good = make_task(run, spec=spec(image="python:3.11"))
    bad = make_task(run, spec=spec(image="fortran:77"))
    cycle()
    good.refresh_from_db()
    bad.refresh_from_db()
    assert good.state == "placed"
    why = task_why(bad)
    assert why.code == "image_unknown"
    assert "busybox" in why.sentence


def test_a_selector_nobody_meets_says_so() -> None:
    make_place()
    needed = ((Requirement("fubini.dev/accelerator", "In", ("sim-gpu",)),),)
    task = make_task(make_run(make_project()), spec=spec(required=needed))
    cycle()
    task.refresh_from_db()
    assert task_why(task).code == "selector"


def test_a_silent_agent_gets_nothing() -> None:
    place = make_place()
    place.agent.last_sync_at = None
    place.agent.save()
    task = make_task(make_run(make_project()), spec=spec())
    cycle()
    task.refresh_from_db()
    assert task_why(task).code == "agent_away"


def test_too_large_a_step_names_the_largest_node() -> None:
    make_place(cpu_millis=2000)
    task = make_task(make_run(make_project()), spec=spec(resources=Resources(cpu_millis=64_000)))
    cycle()
    task.refresh_from_db()
    assert task_why(task).code == "cpu_too_large"
    assert "has 2." in task_why(task).sentence


def test_a_long_step_without_a_walltime_has_its_hold_extended_before_it_runs_out() -> None:
    place = make_place()
    task = make_task(make_run(make_project()), spec=spec(walltime_s=None))
    attempt = make_attempt(task, place, age_ms=90_000)
    Attempt.objects.filter(pk=attempt.pk).update(state="running", started_at_ms=clock.now_ms() - 90_000)
    assert holds_extend(at_ms=clock.now_ms()) == 1
    assert Hold.objects.get(pk=attempt.pk).amount_micros == 200_000
    assert holds_extend(at_ms=clock.now_ms()) == 0
    assert ledger_check()["imbalance_micros"] == 0


def test_a_long_step_that_cannot_be_paid_for_is_stopped_when_its_hold_is_used_up() -> None:
    place = make_place()
    task = make_task(make_run(make_project(budget_micros=120_000)), spec=spec(walltime_s=None))
    attempt = make_attempt(task, place, age_ms=101_000)
    Attempt.objects.filter(pk=attempt.pk).update(state="running", started_at_ms=clock.now_ms() - 101_000)
    assert holds_extend(at_ms=clock.now_ms()) == 0
    attempt.refresh_from_db()
    assert "used up" in attempt.cancel_reason


def test_status_turns_red_when_cycles_stop() -> None:
    assert not platform_status().ready
    loop = Loop()
    loop.leadership.hold()
    loop.cycle()
    assert platform_status().ready


# --- steps that stay together -------------------------------------------------------------------------------------


def able(place: Any) -> Any:
    """Its agent says that it runs containers side by side and keeps disks of runs."""
    place.agent.hardware = {"container_groups": True, "run_disks": True}
    place.agent.save()
    return place


def test_steps_that_share_a_disk_of_their_run_go_to_one_agent_even_when_planned_at_once() -> None:
    places = [able(make_place("a", cpu_millis=1000)), able(make_place("b", cpu_millis=1000))]
    run = make_run(make_project())
    disk = VolumeMount("work", "", "/w", disk="work")
    tasks = [make_task(run, spec=spec(volumes=(disk,), beside_run=True)) for _ in range(2)]
    other = make_task(run, spec=spec())
    world = world_of(RequestCache())
    result = plan(world.snapshot, world.policy, clock.now_ms())
    assert len({p.pool_id for p in result.placements}) == 2  # there is room for one on each
    granted = placements_apply(world, result.placements, at_ms=clock.now_ms())
    assert granted.leased == 1 + Attempt.objects.filter(task=other).count()
    place = RunPlace.objects.get(run=run)
    assert Attempt.objects.get(task__in=tasks).agent_id == place.agent_id
    cycle()
    waiting = Task.objects.get(pk__in=[t.pk for t in tasks], state="queued")
    there = next(p for p in places if p.agent.pk == place.agent_id)
    by_pool = {r["pool"]: r for r in task_why(waiting).reasons}
    assert by_pool[next(p for p in places if p is not there).pool.name]["code"] == "run_elsewhere"
    assert there.site.name in by_pool[next(p for p in places if p is not there).pool.name]["sentence"]
    assert by_pool[there.pool.name]["code"] != "run_elsewhere"


def test_a_claim_that_is_no_dataset_means_a_shared_disk_of_the_sites_that_declare_it() -> None:
    make_place("other", preference=1)
    lab = make_place("lab", preference=90)
    lab.agent.hardware = {"run_disks": True, "shared_disks": ["book", "lab-data"]}
    lab.agent.save()
    run = make_run(make_project())
    volume = VolumeMount("work", "lab-data", "/w", sub_path="mine")
    task = make_task(run, spec=spec(volumes=(volume,)))
    cycle()
    attempt = Attempt.objects.get(task=task)
    assert attempt.pool_id == lab.pool.pk
    [told] = exec_specs(lab.agent, [attempt])[attempt.pk].volumes
    assert (told.shared, told.sub_path, told.disk, told.entries) == ("lab-data", "mine", "", None)
    lost = make_task(run, spec=spec(volumes=(VolumeMount("work", "none", "/w"),)))
    lab.agent.revoked_at = clock.now()
    lab.agent.save()
    gone = make_task(run, spec=spec(volumes=(VolumeMount("work", "book", "/w"),)))
    cycle()
    for refused in (lost, gone):
        refused.refresh_from_db()
        assert (refused.state, refused.outcome["kind"]) == ("failed", "input_error")
        assert "no site has a shared disk of that name" in refused.outcome["error"]


def test_steps_of_several_containers_wait_for_a_pool_whose_agents_can_run_them() -> None:
    place = make_place()
    main = ContainerSpec("main", ContainerKind.MAIN, "busybox", ("true",))
    side = ContainerSpec("side", ContainerKind.SIDECAR, "busybox", ("true",))
    task = make_task(make_run(make_project()), spec=spec(containers=(main, side)))
    cycle()
    task.refresh_from_db()
    assert task_why(task).code == "container_groups"
    able(place)
    cycle()
    assert Attempt.objects.filter(task=task).exists()


def test_daemons_of_several_runs_leave_a_core_for_the_steps_that_ask_them() -> None:
    make_place(cpu_millis=2000)
    project = make_project()
    daemons = [make_task(make_run(project), spec=spec(daemon=True, beside_run=True)) for _ in range(2)]
    cycle()
    cycle()
    [attempt] = Attempt.objects.filter(task__in=daemons)
    waiting = Task.objects.get(pk__in=[t.pk for t in daemons], state="queued")
    assert task_why(waiting).code == "daemons_busy"
    asks = make_task(attempt.task.run, spec=spec(beside_run=True))
    cycle()
    assert Attempt.objects.filter(task=asks).exists()
