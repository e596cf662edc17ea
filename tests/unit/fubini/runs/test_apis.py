"""Runs over REST: submit, list, look inside, change, signal, and nothing of another project."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.common import clock
from fubini.common.ids import new_id
from fubini.datasets.services import ArtifactDraft, artifacts_record, blob_record
from fubini.runs.engine import ArtifactInput, ContainerKind, ContainerSpec, LeafOutcome, OutcomeKind, TaskSpec
from fubini.runs.logs import LATE_MS, log_append
from fubini.runs.models import Attempt, Run, RunNode, RunSignal
from fubini.runs.results import AttemptEnd, attempts_end
from fubini.runs.transitions import TASK_ENDED
from tests.support.checking import HELLO
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import Place, make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.usefixtures("check_only_engine")


@pytest.fixture
def house(db: None, tmp_path: Any, settings: Any) -> House:
    settings.FUBINI_HOME = tmp_path
    return make_house(budget_micros=10_000_000)


def submit(house: House, role: str = "member", **more: Any) -> Any:
    return house.api[role].post("runs", {"project": house.project.slug, "manifest": HELLO, **more})


def node(run: Run, node_id: str, **more: Any) -> RunNode:
    values: dict[str, Any] = {
        "name": f"{run.name}.{node_id}",
        "display_name": node_id,
        "type": "Pod",
        "phase": "Running",
    }
    return RunNode.objects.create(run=run, node_id=node_id, **(values | more))


def end(attempt: Attempt, state: str = "succeeded", cause: str = "", wall_ms: int = 1000) -> None:
    attempt = Attempt.objects.select_related("task").get(pk=attempt.pk)
    attempt.exit_code = 0 if state == "succeeded" else 1
    attempt.started_at_ms, attempt.finished_at_ms = attempt.leased_at_ms, attempt.leased_at_ms + wall_ms
    outcome = LeafOutcome(kind=OutcomeKind.EXITED, exit_code=attempt.exit_code)
    attempts_end(
        [AttemptEnd(attempt, state, cause, "it broke" if cause else "", outcome, {}, wall_ms)], at_ms=clock.now_ms()
    )


# --- submit ---


def test_a_submitted_run_is_there_at_once(house: House) -> None:
    answer = submit(
        house,
        name="first",
        parameters={"who": "moon"},
        labels={"cell": "a/b=c"},
        max_cost_micros=5,
        objective="cheapest",
    )
    assert answer.status_code == 201, answer.content
    run = answer.json()
    assert answer["Location"] == f"/api/v1/runs/{run['id']}"
    assert (run["state"], run["phase"], run["name"]) == ("pending", "Pending", "first")
    assert run["labels"] == {"cell": "a/b=c", "team": "blue"}
    assert (run["max_cost_micros"], run["objective"], run["parameters"]) == (5, "cheapest", {"who": "moon"})
    assert house.api["viewer"].get(f"runs/{run['id']}").json() == run
    assert house.api["viewer"].get(f"runs/{run['job_number']}").json()["id"] == run["id"]
    manifest = house.api["viewer"].get(f"runs/{run['id']}/manifest").json()
    assert manifest["text"] == HELLO and manifest["parameters"][0]["value"] == "moon"


def test_the_same_idempotency_key_submits_once(house: House) -> None:
    body = {"project": house.project.slug, "manifest": HELLO}
    one = house.api["member"].post("runs", body, Idempotency_Key="k1")
    two = house.api["member"].post("runs", body, Idempotency_Key="k1")
    assert one.json()["id"] == two.json()["id"]
    assert Run.objects.count() == 1


def test_a_pipeline_is_submitted_by_name_and_version(house: House) -> None:
    slug = house.project.slug
    for who in ("world", "moon"):
        house.api["member"].post("pipelines", {"project": slug, "manifest": HELLO.replace("world", who)})
    newest = house.api["member"].post("runs", {"project": slug, "pipeline": "hello"}).json()
    first = house.api["member"].post("runs", {"project": slug, "pipeline": "hello", "version": 1}).json()
    assert (newest["pipeline"]["version"], first["pipeline"]["version"]) == (2, 1)
    assert house.api["viewer"].get(f"runs?pipeline={first['pipeline']['id']}").json()["results"][0]["id"] == first["id"]
    for bad in ({"pipeline": "helo"}, {"pipeline": "hello", "version": 9}):
        found = problem_of(house.api["member"].post("runs", {"project": slug, **bad}), 422)
        assert found["errors"][0]["code"] == "not_found"


def test_a_wrong_manifest_is_refused_with_path_and_line_before_anything_is_made(house: House) -> None:
    found = problem_of(
        submit(house, manifest=HELLO.replace("image: busybox", "imge: busybox")), 422, "manifest_invalid"
    )
    assert (14, "image") in [(e["line"], e["nearest"]) for e in found["errors"]]
    assert all("templates[0].container" in e["path"] for e in found["errors"])
    assert Run.objects.count() == 0


@pytest.mark.parametrize(
    "more",
    [
        {"name": "Not A Name"}, {"name": "a" * 121}, {"labels": {"": "x"}}, {"labels": {"a b": "x"}}, {"labels": {"a": 3}},
        {"labels": {"a": "x" * 121}}, {"labels": {f"k{n}": "v" for n in range(51)}}, {"labels": {"\ud800": "x"}},
        {"max_cost_micros": -1}, {"max_cost_micros": 2**60}, {"max_cost_micros": 1.5}, {"max_cost_micros": True},
        {"objective": "best"}, {"priority": "urgent"}, {"parameters": {"a": 1}}, {"parameters": {"\ud800": "x"}},
        {"parameters": {"a\x00": "x"}}, {"parameters": []}, {"manifest": 3}, {"manifest": None}, {"pipeline": "x"},
        {"version": 1}, {"unknown": 1}, {"project": "\x00"}, {"project": 3},
    ],
)  # fmt: skip
def test_a_wrong_field_of_a_submit_is_an_answer_not_a_failure(house: House, more: dict[str, Any]) -> None:
    answer = submit(house, **more)
    assert answer.status_code in (404, 422), answer.content
    assert answer.json()["next_step"]
    assert Run.objects.count() == 0


def test_a_viewer_cannot_submit(house: House) -> None:
    problem_of(submit(house, role="viewer"), 403)


# --- lists ---


def test_runs_are_found_by_state_label_name_number_and_time(house: House) -> None:
    done = make_run(house.project, name="md-300k", state="succeeded", phase="Succeeded", created_at_ms=1000)
    live = make_run(house.project, name="md-500k", created_at_ms=2000)
    done.labels.create(key="t", value="300")
    done.labels.create(key="cell", value="x")
    live.labels.create(key="t", value="500")
    gone = make_run(house.project, name="md-gone", deleted_at_ms=5)

    def names(query: str) -> list[str]:
        answer = house.api["viewer"].get(f"runs?{query}")
        assert answer.status_code == 200, answer.content
        return [r["name"] for r in answer.json()["results"]]

    assert names(f"project={house.project.slug}") == ["md-500k", "md-300k"]
    assert names("state=succeeded,failed") == ["md-300k"]
    assert names("phase=Running") == ["md-500k"]
    assert names("label=t") == ["md-500k", "md-300k"]
    assert names("label=t%3D300&label=cell") == ["md-300k"]
    assert names("label=t%3D300&label=cell%3Dy") == []
    assert names("search=500") == ["md-500k"]
    assert names(f"search={live.job_number}") == ["md-500k"]
    assert names("created_before=1970-01-01T00:00:01.500Z") == ["md-300k"]
    assert names("created_after=1970-01-01T00:00:01.500Z") == ["md-500k"]
    assert names("submitted_by=user:nobody") == []
    assert names("ordering=name") == ["md-300k", "md-500k"]
    problem_of(house.api["viewer"].get(f"runs/{gone.pk}"), 404)


@pytest.mark.parametrize(
    "query",
    [
        "state=done", "phase=running", "ordering=password", "page_size=0", "page_size=9999", "cursor=x", "stat=running",
        "created_after=yesterday", "label=" + "x" * 300, "search=%00", "label=a%00", "state=%00",
        "submitted_by=%00", "pipeline=%00", "project=%00",
    ],
)  # fmt: skip
def test_a_wrong_filter_names_the_filter(house: House, query: str) -> None:
    answer = house.api["viewer"].get(f"runs?{query}")
    assert answer.status_code in (404, 422), answer.content


def test_pages_follow_each_other_without_loss_or_repeat_under_every_ordering(house: House) -> None:
    for n in range(7):
        make_run(house.project, name=f"r{n % 3}", created_at_ms=1000 + n // 2)
    for ordering in ("-created_at_ms", "created_at_ms", "name", "-name", "job_number", "settled_micros"):
        seen: list[str] = []
        url = f"/api/v1/runs?page_size=2&ordering={ordering}"
        while url:
            page = house.api["viewer"].get(url).json()
            seen += [r["id"] for r in page["results"]]
            url = (page["next"] or "").replace("http://testserver", "")
        assert len(seen) == len(set(seen)) == 7, ordering


def test_lists_cost_few_queries_whatever_their_length(house: House, django_assert_max_num_queries: Any) -> None:
    place = make_place()
    run = make_run(house.project)
    for n in range(25):
        extra = make_run(house.project)
        extra.labels.create(key="n", value=str(n))
        node(run, f"n-{n}")
        make_attempt(make_task(run, f"n-{n}"), place, hold_micros=10)
    api = house.api["viewer"]
    api.get("runs")
    for path, most in (
        ("runs", 4),
        (f"runs/{run.pk}", 4),
        (f"runs/{run.pk}/nodes", 5),
        (f"runs/{run.pk}/summary", 5),
        (f"runs/{run.pk}/tasks", 7),
        (f"runs/{run.pk}/attempts", 6),
        (f"runs/{run.pk}/events", 5),
        (f"runs/{run.pk}/artifacts", 5),
        (f"runs/{run.pk}/outputs", 8),
        (f"runs/{run.pk}/costs", 6),
    ):
        with django_assert_max_num_queries(most):
            answer = api.get(
                f"{path}?page_size=20"
                if path != f"runs/{run.pk}" and "sum" not in path and "out" not in path and "cost" not in path
                else path
            )
        assert answer.status_code == 200, (path, answer.content)


# --- change ---


def test_a_change_needs_the_version_one_has_seen(house: House) -> None:
    made = submit(house)
    url, tag = f"runs/{made.json()['id']}", made["ETag"]
    changed = house.api["member"].patch(url, {"labels": {"a": "b"}, "max_cost_micros": 7}, If_Match=tag)
    assert changed.status_code == 200, changed.content
    assert (changed.json()["labels"], changed.json()["max_cost_micros"]) == ({"a": "b"}, 7)
    assert changed["ETag"] != tag
    problem_of(house.api["member"].patch(url, {"labels": {}}, If_Match=tag), 412, "changed")
    assert house.api["member"].patch(url, {"max_cost_micros": None}, If_Match="").json()["max_cost_micros"] is None
    problem_of(house.api["member"].patch(url, {"name": "other"}), 409)  # it is not over yet
    problem_of(house.api["member"].patch(url, {"state": "succeeded"}), 422)
    problem_of(house.api["viewer"].patch(url, {"labels": {}}), 403)


def test_only_an_ended_run_is_deleted_and_by_a_maintainer(house: House) -> None:
    run = make_run(house.project)
    problem_of(house.api["maintainer"].delete(f"runs/{run.pk}"), 409)
    Run.objects.filter(pk=run.pk).update(state="succeeded")
    problem_of(house.api["member"].delete(f"runs/{run.pk}"), 403)
    assert house.api["maintainer"].delete(f"runs/{run.pk}").status_code == 204
    problem_of(house.api["maintainer"].get(f"runs/{run.pk}"), 404)


@pytest.mark.parametrize(
    ("name", "body", "want"),
    [
        ("cancel", {}, "terminate"), ("terminate", {}, "terminate"), ("stop", {}, "stop"), ("suspend", {}, "suspend"),
        ("resume", {"selector": "displayName=ok", "outputs": {"x": "1"}, "message": "go"}, "resume"),
    ],
)  # fmt: skip
def test_a_signal_is_a_row_before_it_is_answered(house: House, name: str, body: dict[str, Any], want: str) -> None:
    run = make_run(house.project)
    problem_of(house.api["viewer"].post(f"runs/{run.pk}/{name}", body), 403)
    answer = house.api["member"].post(f"runs/{run.pk}/{name}", body)
    assert answer.status_code == 202, answer.content
    assert (RunSignal.objects.get().kind, RunSignal.objects.get().payload) == (want, body)
    problem_of(house.api["member"].post(f"runs/{run.pk}/{name}", {"nonsense": 1}), 422)
    Run.objects.filter(pk=run.pk).update(state="failed")
    problem_of(house.api["member"].post(f"runs/{run.pk}/{name}", body), 409)


def test_what_failed_is_retried_and_what_succeeded_only_on_demand(house: House) -> None:
    run = make_run(house.project)
    problem_of(house.api["member"].post(f"runs/{run.pk}/retry", {}), 409)
    Run.objects.filter(pk=run.pk).update(state="succeeded")
    problem_of(house.api["member"].post(f"runs/{run.pk}/retry", {}), 409)
    assert house.api["member"].post(f"runs/{run.pk}/retry", {"restart_successful": True}).status_code == 202


def test_a_resubmit_is_a_new_run_of_the_same_manifest(house: House) -> None:
    first = submit(house, parameters={"who": "moon"}).json()
    again = house.api["member"].post(f"runs/{first['id']}/resubmit", {"parameters": {"who": "mars"}})
    assert again.status_code == 201, again.content
    assert again.json()["resubmit_of"] == first["id"] != again.json()["id"]
    assert again.json()["parameters"] == {"who": "mars"}


# --- inside a run ---


@pytest.fixture
def place(db: None) -> Place:
    return make_place()


def test_nodes_are_listed_with_their_edges_filtered_and_counted(house: House) -> None:
    run = make_run(house.project)
    node(run, "root", type="Steps", template_name="main", name=run.name)
    for n in range(3):
        node(
            run,
            f"n{n}",
            parents=["root"],
            boundary_id="root",
            template_name="label",
            phase="Failed" if n else "Running",
        )
    api = house.api["viewer"]
    rows = api.get(f"runs/{run.pk}/nodes").json()["results"]
    assert [(r["node_id"], r["parents"]) for r in rows][:2] == [("root", []), ("n0", ["root"])]
    assert len(api.get(f"runs/{run.pk}/nodes?phase=Failed&template=label&boundary=root").json()["results"]) == 2
    assert api.get(f"runs/{run.pk}/nodes/n1").json()["phase"] == "Failed"
    problem_of(api.get(f"runs/{run.pk}/nodes/n9"), 404)
    counts = {(c["template"], c["phase"]): c["count"] for c in api.get(f"runs/{run.pk}/summary").json()}
    assert counts == {("main", "Running"): 1, ("label", "Running"): 1, ("label", "Failed"): 2}


def test_a_failed_task_shows_where_it_ran_what_it_cost_and_the_end_of_what_it_printed(
    house: House, place: Place
) -> None:
    run = make_run(house.project)
    node(run, "n-1", display_name="train(0)")
    task = make_task(run, "n-1")
    attempt = make_attempt(task, place, hold_micros=50_000, age_ms=5000)
    log_append(attempt, 0, b"".join(b"line %d\n" % n for n in range(100)), stream="stderr", eof=True)
    end(attempt, "failed", "user", wall_ms=2000)
    found = house.api["viewer"].get(f"tasks/{task.pk}").json()
    assert (found["state"], found["display_name"], found["site"]) == ("failed", "train(0)", "lab")
    assert found["log_tail"] == [f"line {n}" for n in range(80, 100)]
    tried = found["attempt_list"][0]
    assert (tried["exit_code"], tried["cause"], tried["payer"]) == (1, "user", "project")
    assert tried["charged_micros"] == 2000 and tried["held_micros"] == 0
    assert found["spec"]["image"] == "busybox"
    costs = house.api["viewer"].get(f"runs/{run.pk}/costs").json()
    assert [(r["template"], r["site"], r["charged_micros"], r["failed"]) for r in costs["rows"]] == [
        ("work", "lab", 2000, 1)
    ]


def test_an_attempt_lost_by_the_site_costs_the_project_nothing(house: House, place: Place) -> None:
    run = make_run(house.project)
    task = make_task(run, "n-1")
    end(make_attempt(task, place, age_ms=5000), "lost", "", wall_ms=2000)
    tried = house.api["viewer"].get(f"runs/{run.pk}/attempts?state=lost").json()["results"]
    assert [(t["payer"], t["charged_micros"]) for t in tried] == [("site", 0)]
    costs = house.api["viewer"].get(f"runs/{run.pk}/costs").json()["rows"][0]
    assert (costs["absorbed_attempts"], costs["charged_micros"]) == (1, 0)


def test_tasks_are_filtered_and_show_what_they_wait_for(house: House, place: Place) -> None:
    run = make_run(house.project)
    why = [{"code": "budget", "missing_micros": 7, "hold_micros": 9, "available_micros": 2}]
    waits = make_task(run, "n-1", waiting_for=["budget"], why=why)
    make_attempt(make_task(run, "n-2"), place)
    api = house.api["viewer"]
    rows = api.get(f"runs/{run.pk}/tasks?waiting_for=budget").json()["results"]
    assert [(t["node_id"], t["why"][0]["missing_micros"]) for t in rows] == [("n-1", 7)]
    assert [t["node_id"] for t in api.get(f"runs/{run.pk}/tasks?state=placed").json()["results"]] == ["n-2"]
    assert api.get(f"runs/{run.pk}/tasks?node=n-2").json()["results"][0]["attempt_state"] == "leased"
    why = api.get(f"tasks/{waits.pk}/why").json()
    assert why["code"] == "budget" and "lacks 0.000007" in why["sentence"] and why["next_step"]
    whole = api.get(f"runs/{run.pk}/why").json()
    assert (whole["waiting"], whole["running"]) == (1, 1)
    assert whole["groups"][0]["tasks"] == 1 and "lacks 0.000007" in whole["sentence"]


def test_a_log_is_read_on_by_offset_and_ends_with_its_attempt(house: House, place: Place) -> None:
    run = make_run(house.project)
    task = make_task(run, "n-1")
    api, url = house.api["viewer"], f"tasks/{task.pk}/logs"
    before = api.get(url).json()
    assert (before["attempt_id"], before["text"], before["eof"]) == ("", "", False)
    attempt = make_attempt(task, place, age_ms=100)
    log_append(attempt, 0, "hé".encode() + b"\xc3", stream="stdout")
    first = api.get(url).json()
    assert (first["text"], first["next_offset"], first["eof"], first["streams"]) == ("hé", 3, False, ["stdout"])
    log_append(attempt, 4, b"\xa9llo\x1b[31m</script>\xff\n", stream="stdout", eof=True)
    rest = api.get(f"{url}?offset=3").json()
    assert rest["text"] == "éllo\x1b[31m</script>\ufffd\n" and rest["eof"]
    assert api.get(f"{url}?tail=2&stream=stdout").json()["text"] == "\ufffd\n"
    end(attempt)
    Attempt.objects.filter(pk=attempt.pk).update(ended_at_ms=clock.now_ms())
    assert api.get(f"{url}?stream=stderr").json()["eof"] is False  # last lines may come after the end
    Attempt.objects.filter(pk=attempt.pk).update(ended_at_ms=clock.now_ms() - LATE_MS - 1)
    assert api.get(f"{url}?stream=stderr").json()["eof"] is True
    assert api.get(f"{url}?attempt=1").json()["attempt_id"] == attempt.pk
    problem_of(api.get(f"{url}?attempt=2"), 404)
    problem_of(api.get(f"{url}?stream=../../secret"), 422)
    assert api.get(f"{url}?offset=999999999").json()["text"] == ""


def test_each_container_of_a_step_has_its_log_and_the_main_one_is_the_default(house: House, place: Place) -> None:
    main = ContainerSpec("main", ContainerKind.MAIN, "busybox", ("true",))
    side = ContainerSpec("side", ContainerKind.SIDECAR, "busybox", ("true",))
    task = make_task(make_run(house.project), "n-1", spec=TaskSpec("t", "busybox", ("true",), containers=(side, main)))
    attempt = make_attempt(task, place)
    log_append(attempt, 0, b"of main", stream="stdout")
    log_append(attempt, 0, b"of side", stream="stderr", container="side")
    api, url = house.api["viewer"], f"tasks/{task.pk}/logs"
    found = api.get(url).json()
    assert (found["text"], found["container"], found["containers"]) == ("of main", "main", ["main", "side"])
    assert api.get(f"{url}?container=main").json()["text"] == "of main"
    found = api.get(f"{url}?container=side").json()
    assert (found["text"], found["stream"], found["streams"]) == ("of side", "stderr", ["stderr"])
    assert "it has main, side" in problem_of(api.get(f"{url}?container=none"), 404)["detail"]
    problem_of(api.get(f"{url}?container=../x"), 404)
    plain = make_task(make_run(house.project), "n-1")
    problem_of(api.get(f"tasks/{plain.pk}/logs?container=main"), 404)


@pytest.mark.parametrize("state", sorted(TASK_ENDED))
def test_a_step_that_ended_without_an_attempt_has_all_its_log(house: House, state: str) -> None:
    task = make_task(make_run(house.project), "asked", state=state)
    found = house.api["viewer"].get(f"tasks/{task.pk}/logs").json()
    assert (found["text"], found["eof"]) == ("", True)


def test_following_a_log_waits_for_more_but_not_longer_than_asked(house: House, place: Place) -> None:
    run = make_run(house.project)
    task = make_task(run, "n-1")
    attempt = make_attempt(task, place)
    log_append(attempt, 0, b"x", stream="main")
    began = clock.now_ms()
    quiet = house.api["viewer"].get(f"tasks/{task.pk}/logs?offset=1&follow=1").json()
    assert quiet["text"] == "" and clock.now_ms() - began >= 900
    assert house.api["viewer"].get(f"tasks/{task.pk}/logs?offset=0&follow=20").json()["text"] == "x"


def artifact(run: Run, node_id: str, name: str, data: str = "00", generation: int = 0) -> str:
    digest = (data * 32)[:64]
    blob_record(project_id=run.project_id, digest=digest, size_bytes=3)
    key = f"{run.pk}/{node_id}/{generation}/{name}"
    entries = [{"path": "", "size": 3, "sha256": digest, "mode": 0o644}]
    draft = ArtifactDraft(run.project_id, run.pk, node_id, generation, name, new_id(), entries, key)
    assert not artifacts_record([draft], at_ms=clock.now_ms())[0].error
    return key


def test_the_final_outputs_are_the_declared_ones(house: House) -> None:
    run = make_run(house.project)
    model, plot = artifact(run, "n-1", "model"), artifact(run, "n-2", "plot")
    artifact(run, "n-3", "scratch")
    node(
        run,
        "root",
        name=run.name,
        outputs={"artifacts": [{"name": "plot", "key": plot}], "parameters": [{"name": "rmse", "value": "0.05"}]},
    )
    Run.objects.filter(pk=run.pk).update(outputs={"artifacts": [{"name": "model", "key": model}], "parameters": []})
    found = house.api["viewer"].get(f"runs/{run.pk}/outputs").json()
    assert [(a["name"], a["source"]) for a in found["artifacts"]] == [("model", "global"), ("plot", "entrypoint")]
    assert found["parameters"] == [{"name": "rmse", "value": "0.05", "source": "entrypoint"}]


def test_without_declared_outputs_the_final_ones_are_what_no_step_has_read(house: House) -> None:
    run = make_run(house.project)
    read, left = artifact(run, "n-1", "frames"), artifact(run, "n-2", "report", generation=0)
    again = artifact(run, "n-2", "report", generation=1)
    make_task(run, "n-2", spec=TaskSpec("t", "i", ("x",), artifacts_in=(ArtifactInput("f", "/f", key=read),)))
    found = house.api["viewer"].get(f"runs/{run.pk}/outputs").json()["artifacts"]
    assert [a["key"] for a in found] == [again] and left != again


def test_another_projects_artifact_named_in_outputs_is_not_shown(house: House) -> None:
    run = make_run(house.project)
    foreign = artifact(make_run(make_house().project), "n-1", "secret")
    Run.objects.filter(pk=run.pk).update(outputs={"artifacts": [{"name": "x", "key": foreign}]})
    assert foreign not in [a["key"] for a in house.api["viewer"].get(f"runs/{run.pk}/outputs").json()["artifacts"]]


def test_the_events_of_a_run_come_in_order_and_by_topic(house: House, place: Place) -> None:
    run = make_run(house.project)
    make_attempt(make_task(run, "n-1"), place)
    events = house.api["viewer"].get(f"runs/{run.pk}/events").json()["results"]
    assert [e["id"] for e in events] == sorted(e["id"] for e in events)
    only = house.api["viewer"].get(f"runs/{run.pk}/events?topic=attempt").json()["results"]
    assert [(e["kind"], e["data"]["lease"], e["data"]["hold"]) for e in only] == [
        ("attempt.leased", "granted", "placed")
    ]


def test_another_projects_run_answers_not_found_on_every_route(house: House, place: Place) -> None:
    run = make_run(house.project)
    node(run, "n-1")
    task = make_task(run, "n-1")
    make_attempt(task, place)
    stranger, home = make_house().api["owner"], house.api["owner"]
    base = f"runs/{run.pk}"
    parts = (
        "", "/manifest", "/summary", "/events", "/artifacts", "/outputs", "/costs", "/transfers", "/nodes", "/nodes/n-1",
        "/tasks", "/attempts", "/why",
    )  # fmt: skip
    for part in parts:
        assert home.get(base + part).status_code == 200, part
        problem_of(stranger.get(base + part), 404)
    for path in (f"tasks/{task.pk}", f"tasks/{task.pk}/logs", f"tasks/{task.pk}/why"):
        assert home.get(path).status_code == 200, path
        problem_of(stranger.get(path), 404)
    problem_of(stranger.get(f"runs/{run.job_number}"), 404)
    for name in ("cancel", "stop", "terminate", "suspend", "resume", "retry", "resubmit"):
        problem_of(stranger.post(f"{base}/{name}", {}), 404)
    problem_of(stranger.patch(base, {"labels": {}}), 404)
    problem_of(stranger.delete(base), 404)
    problem_of(stranger.post("runs", {"project": house.project.slug, "manifest": "never read"}), 404)
    problem_of(stranger.post("quotes", {"project": house.project.slug, "manifest": "never read"}), 404)
    assert stranger.get("runs").json()["results"] == []
    assert RunSignal.objects.count() == 0


@pytest.mark.parametrize("ref", ["x", "%00", "0" * 40, "99999999999999999999999", "-1", "..", "\u0661"])
def test_an_id_that_is_none_answers_not_found(house: House, ref: str) -> None:
    for path in (f"runs/{ref}", f"tasks/{ref}", f"runs/{ref}/nodes", f"datasets/{ref}", f"pipelines/{ref}"):
        assert house.api["viewer"].get(path).status_code == 404, path


@pytest.mark.parametrize(
    ("query", "want"),
    [
        pytest.param("state=", 200, id="an empty filter asks for nothing, as forms send it"),
        pytest.param("state=failed,error", 200, id="several"),
        pytest.param("state=failed,", 422, id="nothing behind a comma"),
        pytest.param("state=faild", 422, id="a word that is none"),
    ],
)
def test_a_list_in_a_filter_is_empty_or_of_known_words(house: House, query: str, want: int) -> None:
    assert house.api["viewer"].get(f"runs?{query}").status_code == want
