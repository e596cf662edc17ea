"""Locks and caches over REST: who holds, who waits, what a run waits for, sizes, entries; and who may."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.runs.models import LockClaim, MemoEntry, Run
from tests.support.driven import drive
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import Place, make_place
from tests.unit.fubini.dispatch.test_locks import BEAM, KEEP, WHOLE, pump, submit, trained


@pytest.fixture
def house(db: None, tmp_path: Any, settings: Any) -> House:
    settings.FUBINI_HOME = tmp_path
    return make_house(budget_micros=1_000_000_000)


@pytest.fixture
def place(db: None) -> Place:
    return make_place()


def base(house: House, *more: str) -> str:
    return "/".join([f"projects/{house.project.slug}", *more])


def two_runs(house: House) -> tuple[Run, Run]:
    runs = submit(house.project, BEAM), submit(house.project, BEAM)
    pump()
    return runs


def test_a_lock_shows_who_holds_it_and_who_is_next(house: House) -> None:
    first, second = two_runs(house)
    viewer = house.api["viewer"]
    [row] = viewer.get(base(house, "locks")).json()["results"]
    assert (row["name"], row["size"], row["held"], row["waiting"]) == ("mutex beam", 1, 1, 3)
    found = viewer.get(base(house, "locks", row["id"])).json()
    assert [(p["run_id"], p["node_name"]) for p in found["holders"]] == [(first.pk, "use(0:1)")]
    assert [(p["run_id"], p["node_name"]) for p in found["waiters"]] == [
        (first.pk, "use(1:2)"), (second.pk, "use(0:1)"), (second.pk, "use(1:2)"),
    ]  # fmt: skip
    problem_of(viewer.get(base(house, "locks", "f" * 32)), 404, "not_found")
    problem_of(make_house().api["owner"].get(base(house, "locks", row["id"])), 404, "not_found")


def test_a_lock_nobody_uses_is_listed_only_when_asked_for(house: House, place: Place) -> None:
    drive(submit(house.project, BEAM), place)
    assert house.api["viewer"].get(base(house, "locks?used=true")).json()["results"] == []
    assert len(house.api["viewer"].get(base(house, "locks")).json()["results"]) == 1


def test_why_names_the_lock_its_holder_and_the_place_in_the_queue(house: House) -> None:
    first, second = two_runs(house)
    found = house.api["viewer"].get(f"runs/{second.pk}/why").json()
    [group] = found["groups"]
    assert (group["code"], group["tasks"]) == ("lock", 2)
    assert group["sentence"] == (
        f"Step use(0:1) and 1 more wait for mutex beam. It is held by step use(0:1) of run {first.name}. "
        "Before it in the queue: 1."
    )
    assert found["sentence"] == f"2 waiting. {group['sentence']}" and "fubini lock list" in group["next_step"]


def test_why_says_what_a_whole_run_waits_for(house: House) -> None:
    house.api["maintainer"].put(base(house, "configs", "limits"), {"values": {"runs": "1"}})
    first, second = (submit(house.project, WHOLE.replace("PRIORITY", "0")) for _ in range(2))
    pump()
    found = house.api["viewer"].get(f"runs/{second.pk}/why").json()
    assert found["sentence"] == f"1 waiting. The run waits for semaphore limits/runs. It is held by run {first.name}."


def test_nodes_show_the_lock_they_wait_for_and_whether_they_were_found(house: House, place: Place) -> None:
    _, second = two_runs(house)
    nodes = house.api["viewer"].get(f"runs/{second.pk}/nodes").json()["results"]
    assert {n["waiting_for"] for n in nodes if n["type"] == "Pod"} == {f"{house.project.slug}/Mutex/beam"}
    run = drive(submit(house.project, KEEP), place, trained)
    [node] = house.api["viewer"].get(f"runs/{run.pk}/nodes").json()["results"]
    assert node["memoization"] == {"hit": False, "key": "seed-1", "cacheName": "model"}


def test_maintainers_size_database_semaphores(house: House) -> None:
    address = base(house, "semaphores", "seats")
    problem_of(house.api["member"].put(address, {"size": 2}), 403, "forbidden")
    problem_of(house.api["maintainer"].put(address, {"size": 0}), 422, "invalid")
    made = house.api["maintainer"].put(address, {"size": 2}).json()
    assert (made["name"], made["size"], made["held"]) == ("semaphore seats", 2, 0)
    assert house.api["maintainer"].delete(address).status_code == 204
    problem_of(house.api["maintainer"].delete(address), 404, "not_found")


def test_a_size_that_is_forgotten_takes_nothing_from_who_waits(house: House) -> None:
    house.api["maintainer"].put(base(house, "semaphores", "seats"), {"size": 1})
    submit(house.project, BEAM.replace("mutexes: [{name: beam}]", "semaphores: [{database: {key: seats}}]"))
    pump()
    assert house.api["maintainer"].delete(base(house, "semaphores", "seats")).status_code == 204
    assert LockClaim.objects.count() == 2


def test_caches_are_listed_and_dropped_whole_or_by_key(house: House, place: Place) -> None:
    for seed in ("1", "2", "3"):
        drive(submit(house.project, KEEP, parameters={"seed": seed}), place, trained)
    viewer, maintainer = house.api["viewer"], house.api["maintainer"]
    assert [(c["name"], c["entries"], c["hits"]) for c in viewer.get(base(house, "caches")).json()] == [("model", 3, 0)]
    entries = viewer.get(base(house, "caches", "model")).json()["results"]
    assert [e["key"] for e in entries] == ["seed-3", "seed-2", "seed-1"]
    assert entries[0]["outputs"]["parameters"] == [{"name": "loss", "value": "0.1"}]
    problem_of(house.api["member"].delete(base(house, "caches", "model")), 403, "forbidden")
    problem_of(make_house().api["owner"].delete(base(house, "caches", "model")), 404, "not_found")
    assert maintainer.delete(base(house, "caches", "model?key=seed-2")).json()["entries"] == 1
    assert maintainer.delete(base(house, "caches", "model")).json() == {"name": "model", "entries": 2}
    assert maintainer.delete(base(house, "caches", "model")).json()["entries"] == 0
    assert not MemoEntry.objects.exists()


def test_the_trail_says_who_sized_a_semaphore_and_dropped_a_cache(house: House, place: Place) -> None:
    maintainer = house.api["maintainer"]
    MemoEntry.objects.create(
        project=house.project, cache="model", key="k", run_id="0" * 32, node_id="n", created_at_ms=0, hit_at_ms=0
    )
    maintainer.put(base(house, "semaphores", "seats"), {"size": 2})
    maintainer.delete(base(house, "semaphores", "seats"))
    maintainer.delete(base(house, "caches", "model"))
    found = AuditEntry.objects.filter(project_id=house.project.pk, actor=f"user:{house.users['maintainer'].username}")
    assert [(e.action, e.target) for e in found.order_by("id")] == [
        ("lock.resized", "lock:seats"), ("lock.resized", "lock:seats"), ("cache.dropped", "cache:model"),
    ]  # fmt: skip
