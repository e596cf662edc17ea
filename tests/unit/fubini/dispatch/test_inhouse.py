"""Requests and listings the platform performs itself, over rows: once recorded, guarded, bounded, without a secret left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fubini.common import clock
from fubini.datasets.selectors import memory_clear
from fubini.datasets.services import blob_record, dataset_import
from fubini.datasets.store import default_store
from fubini.dispatch.performer import Performer
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.dispatch.why import task_why
from fubini.runs.apply import step_apply
from fubini.runs.engine import (
    CancelTask,
    HttpCall,
    HttpHeader,
    LeafOutcome,
    Listing,
    NodeId,
    OpenTask,
    OutcomeKind,
    SecretRef,
    Step,
    TaskSpec,
)
from fubini.runs.inhouse import A_PROJECT_MAX, TAKES_MAX, inhouse_end, inhouse_hold, inhouse_take
from fubini.runs.models import Run, Task, TaskHold
from fubini.secrets.services import secret_set
from tests.support.canaries import tables_with
from tests.support.rows import make_project, make_run
from tests.support.web import Reply, Web, web

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, settings: Any) -> None:
    memory_clear()
    settings.FUBINI_HOME = tmp_path
    settings.FUBINI = {**settings.FUBINI, "OBJECTS_URL": str(tmp_path / "objects")}


def allow(settings: Any, *served: Web) -> None:
    settings.FUBINI = {**settings.FUBINI, "REMOTE": {"allow": [s.allow for s in served]}}


def open_task(run: Run, node: str = "n", **fields: Any) -> Task:
    spec = TaskSpec("work", "", (), **fields)
    step_apply(run, Step(commands=(OpenTask(NodeId(node), 0, spec),)), phases={}, at_ms=clock.now_ms())
    return Task.objects.get(run=run, node_id=node)


def perform(task: Task) -> dict[str, Any]:
    assert Performer().turn() == 1
    task.refresh_from_db()
    assert not TaskHold.objects.exists()
    outcome: dict[str, Any] = task.outcome
    return outcome


def test_a_request_is_made_once_and_its_body_is_the_result(settings: Any) -> None:
    run = make_run(make_project())
    with web(lambda asked: Reply(b"got " + asked.body, status=201)) as served:
        allow(settings, served)
        call = HttpCall(f"{served.url}/x", "POST", (HttpHeader("X-A", "b"),), body="hello")
        task = open_task(run, http=call)
        assert (task.kind, task.state) == ("http", "queued")
        assert "does this step itself" in task_why(task).sentence
        assert world_of(RequestCache()).snapshot.tasks == ()
        outcome = perform(task)
        [asked] = served.asked
    assert (asked.method, asked.body, asked.headers["x-a"]) == ("POST", b"hello", "b")
    assert len(asked.headers["idempotency-key"]) == 32
    assert (task.state, task.engine_seen, outcome["result"], outcome.get("error")) == (
        "succeeded",
        False,
        "got hello",
        None,
    )
    run.refresh_from_db()
    assert (run.steps_total, run.steps_done, run.steps_failed) == (1, 1, 0)
    assert Performer().turn() == 0


@pytest.mark.parametrize(
    ("status", "condition", "error"),
    [
        (404, "", "received non-2xx response code: 404"),
        (404, "response.statusCode == 404", None),
        (
            200,
            "response.body contains 'nothing'",
            "successCondition 'response.body contains 'nothing'' evaluated false",
        ),
        (200, "response.headers['X-Kind'][0] == 'k' && request.method == 'GET' && response.body == 'body'", None),
        (200, "response.", "unable"),
    ],
)
def test_success_is_what_the_condition_says(settings: Any, status: int, condition: str, error: str | None) -> None:
    with web(lambda asked: Reply(b"body", status=status, headers={"x-kind": "k"})) as served:
        allow(settings, served)
        task = open_task(make_run(make_project()), http=HttpCall(served.url, success_condition=condition))
        outcome = perform(task)
    assert task.state == ("failed" if error else "succeeded")
    assert outcome["result"] == "body"
    if error == "unable":
        assert outcome["error"]
    else:
        assert outcome.get("error") == error


def test_a_secret_header_is_sent_and_hidden_in_what_comes_back(settings: Any) -> None:
    project = make_project()
    secret_set(project=project, name="api", values={"token": b"Bearer canary-token-1\n"}, actor="test")
    with web(lambda asked: Reply(f"you sent {asked.headers['authorization']}".encode())) as served:
        allow(settings, served)
        headers = (HttpHeader("Authorization", "", SecretRef("api", "token")),)
        task = open_task(make_run(project), http=HttpCall(served.url, headers=headers))
        outcome = perform(task)
        assert served.asked[0].headers["authorization"] == "Bearer canary-token-1"
    assert outcome["result"] == "you sent ***"
    assert list(tables_with(["canary-token-1"])) == []


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("http://169.254.169.254/", "link-local"),
        ("http://localhost:1/", "itself"),
        ("http://u:canary@e.org/", "credentials"),
    ],
)
def test_the_guard_stands_before_requests_too(url: str, want: str) -> None:
    outcome = perform(open_task(make_run(make_project()), http=HttpCall(url)))
    assert want in outcome["error"]
    assert "canary" not in outcome["error"]


def test_an_answer_that_is_too_long_or_a_body_that_is_no_base64_is_an_error(settings: Any) -> None:
    run = make_run(make_project())
    with web(lambda asked: Reply(b"x" * 300_000)) as served:
        allow(settings, served)
        assert "262144 are allowed" in perform(open_task(run, "a", http=HttpCall(served.url)))["error"]
        assert "not base64" in perform(open_task(run, "b", http=HttpCall(served.url, body_base64="*")))["error"]
        assert len(served.asked) == 1


def test_a_dead_workers_request_is_made_again_under_the_same_key_and_counts_once(settings: Any) -> None:
    run = make_run(make_project())
    with web(lambda asked: Reply(b"ok")) as served:
        allow(settings, served)
        task = open_task(run, http=HttpCall(served.url, "POST"))
        now = clock.now_ms()
        taken = inhouse_take(holder="dead", at_ms=now)
        assert taken is not None
        assert inhouse_take(holder="other", at_ms=now + 1) is None
        inhouse_hold(holder="dead", ids=[task.pk], at_ms=now + 15_000)
        assert inhouse_take(holder="other", at_ms=now + 21_000) is None
        again = inhouse_take(holder="other", at_ms=now + 200_000)
        assert again is not None
        from fubini.dispatch.inhouse import inhouse_perform

        first, second = inhouse_perform(taken), inhouse_perform(again)
        assert served.asked[0].headers["idempotency-key"] == served.asked[1].headers["idempotency-key"]
    assert not inhouse_end(task=taken, holder="dead", outcome=first, at_ms=now + 200_001)
    assert inhouse_end(task=again, holder="other", outcome=second, at_ms=now + 200_002)
    assert not inhouse_end(task=again, holder="other", outcome=second, at_ms=now + 200_003)
    run.refresh_from_db()
    assert run.steps_done == 1


def test_a_cancelled_request_stays_cancelled(settings: Any) -> None:
    run = make_run(make_project())
    task = open_task(run, http=HttpCall("http://e.org/"))
    taken = inhouse_take(holder="me", at_ms=clock.now_ms())
    assert taken is not None
    step_apply(run, Step(commands=(CancelTask(NodeId("n"), 0, "stopped"),)), phases={}, at_ms=clock.now_ms())
    good = LeafOutcome(OutcomeKind.EXITED, result="late")
    assert not inhouse_end(task=taken, holder="me", outcome=good, at_ms=clock.now_ms())
    task.refresh_from_db()
    assert (task.state, task.outcome) == ("cancelled", None)
    assert not TaskHold.objects.exists()


def dataset(project: Any) -> None:
    entries = []
    for path in ("raw/a.log", "raw/b.txt", "raw/<c>.log"):
        digest = default_store().put_bytes(path.encode())
        blob_record(project_id=project.pk, digest=digest, size_bytes=len(path))
        entries.append({"path": path, "size": len(path), "sha256": digest, "mode": 0o644})
    dataset_import(project=project, name="m", entries=entries, actor="test")


@pytest.mark.parametrize(
    ("listing", "want"),
    [
        (Listing("dataset/m@1"), ["dataset/m@1/raw/<c>.log", "dataset/m@1/raw/a.log", "dataset/m@1/raw/b.txt"]),
        (Listing("dataset/m", "raw", ("filter(data, {# endsWith '.log'})", "map(data, {upper(#)})")),
         ["DATASET/M@1/RAW/<C>.LOG", "DATASET/M@1/RAW/A.LOG"]),
    ],
)  # fmt: skip
def test_a_listing_gives_paths_of_what_is_stored(listing: Listing, want: list[str]) -> None:
    project = make_project()
    dataset(project)
    task = open_task(make_run(project), listing=listing)
    assert task.kind == "data"
    outcome = perform(task)
    assert (task.state, outcome["exit_code"], json.loads(outcome["result"])) == ("succeeded", 0, want)


@pytest.mark.parametrize(
    ("listing", "want"),
    [
        (Listing("dataset/none@1"), "There is no data"),
        (Listing("dataset/m@1", "nowhere"), "There is no 'nowhere'"),
        (Listing("dataset/m@1", "", ("nope(data)",)), "transformation 'nope(data)'"),
        (Listing("dataset/m@1", "", ("len(data)",)), "does not give a list"),
    ],
)
def test_a_listing_that_cannot_be_fails_with_a_sentence(listing: Listing, want: str) -> None:
    project = make_project()
    dataset(project)
    outcome = perform(open_task(make_run(project), listing=listing))
    assert want in outcome["error"]
    assert outcome["exit_code"] == 1


def test_another_projects_data_is_not_listed() -> None:
    dataset(make_project())
    outcome = perform(open_task(make_run(make_project()), listing=Listing("dataset/m@1")))
    assert "There is no data" in outcome["error"]


def test_one_projects_slow_requests_leave_room_for_the_others() -> None:
    slow, other = make_run(make_project()), make_run(make_project())
    for n in range(A_PROJECT_MAX + 25):
        open_task(slow, f"n{n}", http=HttpCall("http://127.0.0.1:9/"))
    late = open_task(other, "late", http=HttpCall("http://127.0.0.1:9/"))
    now = clock.now_ms()
    taken = [inhouse_take(holder="h", at_ms=now) for _ in range(A_PROJECT_MAX + 2)]
    assert [t.run_id if t else None for t in taken] == [slow.pk] * A_PROJECT_MAX + [other.pk, None]
    assert taken[A_PROJECT_MAX] == late


def test_a_step_that_ends_whoever_performs_it_is_ended_itself() -> None:
    task = open_task(make_run(make_project()), http=HttpCall("http://127.0.0.1:9/"))
    for n in range(TAKES_MAX):
        assert inhouse_take(holder=f"killed{n}", at_ms=clock.now_ms()) == task
        TaskHold.objects.update(held_until_ms=1)
    outcome = perform(task)
    assert task.state == "failed" and f"{TAKES_MAX} workers" in outcome["error"]
