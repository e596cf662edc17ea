"""What would start a waiting step, made over REST: it then starts, for those who may, once a key."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.accounts.models import User
from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.common.ids import new_id
from fubini.dispatch.appeals import MOST, PAUSE_MS
from fubini.dispatch.loop import Loop
from fubini.dispatch.models import Appeal, StartScore
from fubini.dispatch.predictions import EVERY_MS, Predictions, error_bar
from fubini.dispatch.quotas import quota_set
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.ledger.selectors import budget_of
from fubini.notices.kinds import sentence
from fubini.notices.models import Delivery
from fubini.projects.models import Quota
from fubini.runs.engine import Requirement, Resources, TaskSpec
from fubini.runs.models import Attempt, Run, Task
from fubini.sites.models import NodeGroup, Pause
from fubini_scheduler import model as core
from fubini_scheduler.cycle import plan
from tests.support.rest import House, api_of, make_admin, make_house, problem_of
from tests.support.rows import Place, make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house(budget_micros=1_000_000)


@pytest.fixture
def place() -> Place:
    return make_place()


def spec(**more: Any) -> TaskSpec:
    return TaskSpec(**({"template": "work", "image": "busybox", "argv": ("true",), "walltime_s": 100} | more))


def asked(house: House, task: Task, who: str = "member") -> Any:
    found = house.api[who].get(f"tasks/{task.pk}/start")
    assert found.status_code == 200, found.content
    return found.json()


def as_body(option: Any) -> dict[str, Any]:
    keys = ("kind", "amount", "word", "pool_id", "member")
    return {"changes": [{k: c[k] for k in keys if c[k]} for c in option["changes"]]}


def starts_after(house: House, task: Task, who: Any, option: Any) -> None:
    done = who.post(f"tasks/{task.pk}/start", as_body(option))
    assert done.status_code == 200, done.content
    Loop().cycle()
    task.refresh_from_db()
    assert task.state == "placed", task.why


@pytest.mark.parametrize(
    ("asks", "want"),
    [
        pytest.param({"resources": Resources(memory_bytes=1 << 40)}, ("memory", 1 << 34), id="less memory"),
        pytest.param({"resources": Resources(cpu_millis=64_000)}, ("cpu", 4000), id="fewer cores"),
        pytest.param(
            {"required": ((Requirement("fubini.dev/site", "In", ("moon",)),),)}, ("place", None), id="another place"
        ),
    ],
)
def test_a_step_that_fits_nowhere_starts_when_it_asks_for_less(
    house: House, place: Place, asks: dict[str, Any], want: tuple[str, int | None]
) -> None:
    run = make_run(house.project)
    task, like, other = (make_task(run, spec=s) for s in (spec(**asks), spec(**asks), spec(template="b", **asks)))
    found = asked(house, task)
    (option,) = found["options"]
    (change,) = option["changes"]
    assert (change["kind"], change["amount"]) == want
    assert (found["like"], found["starts_now"], option["allowed"], option["pool"]) == (2, False, True, "lab")
    assert found["expected"]["at_ms"] is None
    assert problem_of(house.api["viewer"].post(f"tasks/{task.pk}/start", as_body(option)), 403)
    starts_after(house, task, house.api["member"], option)
    like.refresh_from_db()
    other.refresh_from_db()
    assert like.spec == task.spec != other.spec


def test_a_step_that_no_change_starts_is_not_said_to_start_now(house: House, place: Place) -> None:
    task = make_task(make_run(house.project), spec=spec(resources=Resources(devices=(("nvidia.com/gpu", 8),))))
    found = asked(house, task)
    assert (found["options"], found["starts_now"], found["expected"]["at_ms"]) == ([], False, None)


def test_a_step_that_asks_for_more_devices_than_a_node_has_starts_with_fewer(house: House, place: Place) -> None:
    NodeGroup.objects.update(devices={"nvidia.com/gpu": 4})
    task = make_task(make_run(house.project), spec=spec(resources=Resources(devices=(("nvidia.com/gpu", 8),))))
    (option,) = asked(house, task)["options"]
    (change,) = option["changes"]
    assert [change[k] for k in ("kind", "word", "amount", "before")] == ["devices", "nvidia.com/gpu", 4, 8]
    assert change["sentence"] == "Ask for 4 x nvidia.com/gpu a node (now 8)."
    of_another = {**as_body(option), "changes": [{"kind": "devices", "word": "amd.com/gpu", "amount": 1}]}
    problem_of(house.api["member"].post(f"tasks/{task.pk}/start", of_another), 422)
    starts_after(house, task, house.api["member"], option)


def test_a_missing_budget_is_given_once_a_key_and_by_administrators_alone(house: House, place: Place) -> None:
    task = make_task(make_run(house.project), spec=spec(walltime_s=1250))
    (option,) = asked(house, task)["options"]
    assert [(c["kind"], c["amount"]) for c in option["changes"]] == [("budget", 250_000)]
    assert (option["allowed"], option["changes"][0]["who"]) == (False, "an administrator")
    problem_of(house.api["owner"].post(f"tasks/{task.pk}/start", as_body(option)), 403)
    admin = api_of(make_admin())
    for _ in range(2):
        assert admin.post(f"tasks/{task.pk}/start", as_body(option), Idempotency_Key="once").status_code == 200
    assert budget_of(house.project.pk).budget_micros == 1_250_000
    Loop().cycle()
    task.refresh_from_db()
    assert task.state == "placed"


def test_a_runs_limit_is_raised_together_with_the_one_above_it(house: House, place: Place) -> None:
    top = make_run(house.project, max_cost_micros=60_000)
    below = make_run(house.project, parent=top.pk, root=top.pk, depth=1, max_cost_micros=90_000)
    task = make_task(below, spec=spec())
    (option,) = asked(house, task)["options"]
    assert [(c["kind"], c["amount"]) for c in option["changes"]] == [("run_limit", 40_000)]
    starts_after(house, task, house.api["member"], option)
    assert list(Run.objects.filter(pk__in=[top.pk, below.pk]).order_by("depth").values_list("max_cost_micros", flat=True)) == [
        100_000, 100_000,
    ]  # fmt: skip


def test_two_pauses_are_ended_together_or_not_at_all(house: House, place: Place) -> None:
    place.pool.paused_reason = "filters"
    place.pool.save()
    house.project.paused_reason = "audit"
    house.project.save()
    task = make_task(make_run(house.project), spec=spec())
    (option,) = asked(house, task, "maintainer")["options"]
    assert [c["kind"] for c in option["changes"]] == ["resume_pool", "resume_project"]
    assert [c["allowed"] for c in option["changes"]] == [False, True]
    problem_of(house.api["maintainer"].post(f"tasks/{task.pk}/start", as_body(option)), 403)
    house.project.refresh_from_db()
    assert house.project.paused_reason == "audit"
    place.site.owners.add(house.users["maintainer"])  # who runs the site may end what stops it
    starts_after(house, task, house.api["maintainer"], asked(house, task, "maintainer")["options"][0])


def test_a_pause_everywhere_is_an_administrators_to_end(house: House, place: Place) -> None:
    Pause.objects.create(pk=1, reason="chillers")
    task = make_task(make_run(house.project), spec=spec())
    (option,) = asked(house, task)["options"]
    starts_after(house, task, api_of(make_admin()), option)


def test_a_members_quota_is_raised_by_an_owner_and_the_step_starts(house: House, place: Place) -> None:
    member = house.users["member"].username
    quota_set(project=house.project, member=member, limits={"cpu_millis": 500, "runs": 7}, actor="user:x")
    task = make_task(make_run(house.project, submitted_by=f"user:{member}"), spec=spec())
    (option,) = asked(house, task)["options"]
    (change,) = option["changes"]
    assert {k: change[k] for k in ("kind", "word", "amount", "before", "member", "allowed", "who", "people")} == {
        "kind": "quota", "word": "cores", "amount": 1000, "before": 500, "member": member, "allowed": False,
        "who": "an owner of the project", "people": [house.users["owner"].username],
    }  # fmt: skip
    for who in ("member", "maintainer"):
        problem_of(house.api[who].post(f"tasks/{task.pk}/start", as_body(option)), 403)
    starts_after(house, task, house.api["owner"], option)
    assert Quota.objects.values_list("cpu_millis", "runs").get() == (1000, 7)


def test_the_projects_own_quota_is_administrators_to_raise_and_a_raise_never_lowers(
    house: House, place: Place
) -> None:
    quota_set(project=house.project, member="", limits={"runs": 1}, actor="user:x")
    first = make_run(house.project, created_at_ms=1)
    waiting = make_task(make_run(house.project))
    (option,) = asked(house, waiting, "owner")["options"]
    assert [(c["kind"], c["word"], c["amount"], c["allowed"]) for c in option["changes"]] == [("quota", "runs", 2, False)]
    problem_of(house.api["owner"].post(f"tasks/{waiting.pk}/start", as_body(option)), 403)
    quota_set(project=house.project, member="", limits={"runs": 9}, actor="user:x")
    starts_after(house, waiting, api_of(make_admin()), option)
    assert Quota.objects.get().runs == 9
    assert first.state == "running"


def test_who_may_not_asks_those_who_may_once_an_hour(house: House, place: Place) -> None:
    member = house.users["member"].username
    quota_set(project=house.project, member=member, limits={"cpu_millis": 500}, actor="user:x")
    task = make_task(make_run(house.project, submitted_by=f"user:{member}"), spec=spec())
    (option,) = asked(house, task)["options"]
    path, api = f"tasks/{task.pk}/start/ask", house.api["member"]
    User.objects.filter(pk=house.users["owner"].pk).update(email="owner@example.org")
    assert api.post(path, as_body(option)).json()["people"] == 1
    (told,) = house.api["owner"].get("notices").json()["results"]
    assert (told["kind"], told["data"]["by"], told["data"]["change"], told["data"]["amount"]) == (
        "change_asked", member, "quota_cores", "1",
    )  # fmt: skip
    assert told["data"]["what"] == f"Raise the quota of {member} to 1 cores at once."
    (chinese,) = house.api["owner"].get("notices", Accept_Language="zh-CN").json()["results"]
    assert chinese["text"].endswith(f"把{member}的配额提高到并发 1 核。")
    mail = Delivery.objects.get().payload["items"][0]["data"]
    assert sentence("change_asked", mail, "zh") == chinese["text"]
    assert house.api["maintainer"].get("notices").json()["results"] == []
    again = api.post(path, as_body(option))
    problem_of(again, 429)
    assert int(again["Retry-After"]) > 3000
    assert asked(house, task)["asked_ms"] is not None
    assert AuditEntry.objects.filter(action="start.ask").count() == 1
    problem_of(house.api["owner"].post(path, as_body(option)), 422)  # may do it themselves
    problem_of(make_house().api["owner"].post(path, as_body(option)), 404)
    Appeal.objects.update(at_ms=clock.now_ms() - PAUSE_MS)
    for _ in range(MOST):
        other = make_task(make_run(house.project))
        assert api.post(f"tasks/{other.pk}/start/ask", as_body(option)).status_code == 200
    problem_of(api.post(path, as_body(option)), 429)


def test_a_step_behind_others_has_a_start_in_sight_and_says_what_it_stands_on(house: House, place: Place) -> None:
    running = [make_task(make_run(house.project)) for _ in range(4)]
    for task in running:
        make_attempt(task, place)
    task = make_task(make_run(house.project), spec=spec())
    found = asked(house, task)["expected"]
    assert found["at_ms"] > clock.now_ms()
    assert (found["pool"], found["low_ms"], found["checked"], found["running"]) == ("lab", None, 0, 4)
    assert "too few for a range" in found["basis"]
    wait_ms = found["at_ms"] - clock.now_ms()
    for span in ("10s", "1m", "10m"):
        StartScore.objects.create(span=span, samples=10, ratios=[500, 500, *[1000] * 6, 2000, 2000])
    again = asked(house, task)["expected"]
    assert again["low_ms"] <= again["at_ms"] <= again["high_ms"]
    assert abs(error_bar(wait_ms, StartScore.objects.all()).high_ms - 2 * wait_ms) <= 2  # type: ignore[operator]
    assert again["checked"] == 10


def test_predictions_are_scored_when_the_command_starts_and_not_where_a_hand_was_needed(
    house: House, place: Place
) -> None:
    held = [make_attempt(make_task(make_run(house.project)), place) for _ in range(4)]
    waiting = [make_task(make_run(house.project), spec=spec()) for _ in range(2)]
    world = world_of(RequestCache())
    result = plan(world.snapshot, core.Policy(), world.now_ms)
    memory = Predictions()
    for turn in range(8):
        memory.make(world.snapshot, core.Policy(), result.unplaced, world.now_ms + turn * EVERY_MS)
    assert set(memory.made) == {t.pk for t in waiting}
    Task.objects.filter(pk=waiting[1].pk).update(waiting_for=["budget"])
    started = make_attempt(waiting[0], place)
    made, predicted = memory.made[waiting[0].pk]
    Attempt.objects.filter(pk=started.pk).update(started_at_ms=made + 2 * (predicted - made))
    assert memory.score(at_ms=clock.now_ms()) == 1
    assert memory.made == {}
    row = StartScore.objects.get()
    assert (row.samples, row.ratios) == (1, [2000])
    assert len(held) == 4


def test_a_failed_step_tells_its_cause_and_its_evidence(house: House, place: Place) -> None:
    run = make_run(house.project)
    task = make_task(run, spec=spec())
    attempt = make_attempt(task, place)
    Attempt.objects.filter(pk=attempt.pk).update(
        state="failed", cause="oom", exit_code=137, memory_bytes=1 << 30, peak_memory_bytes=1 << 30
    )
    Task.objects.filter(pk=task.pk).update(state="failed")
    found = asked(house, task)
    failure = found["failure"]
    assert (failure["cause"], failure["exit_code"], failure["whose"], failure["attempts"]) == ("oom", 137, "step", 1)
    assert "1 GiB of 1 GiB" in failure["sentence"]
    assert found["options"] == []  # the run goes on
    Run.objects.filter(pk=run.pk).update(state="failed", finished_at_ms=clock.now_ms())
    (option,) = asked(house, task)["options"]
    (change,) = option["changes"]
    assert (change["kind"], change["word"], change["before"], change["amount"]) == (
        "retry", "memory_bytes", 1 << 30, 3 << 29,
    )  # fmt: skip


def test_another_projects_step_is_not_there(house: House) -> None:
    task = make_task(make_run(make_project()))
    for call in (
        house.api["owner"].get,
        lambda path: house.api["owner"].post(path, {"changes": [{"kind": "resume_all"}]}),
    ):
        problem_of(call(f"tasks/{task.pk}/start"), 404)


def test_a_step_that_was_placed_meanwhile_is_not_changed(house: House, place: Place) -> None:
    task = make_task(make_run(house.project))
    make_attempt(task, place)
    body = {"changes": [{"kind": "memory", "amount": 5}]}
    problem_of(house.api["member"].post(f"tasks/{task.pk}/start", body, Idempotency_Key=new_id()), 409)
