"""Schedules over REST and what strangers see of them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fubini.crons.models import Cron
from tests.support.rest import House, make_house, problem_of
from tests.unit.fubini.crons.test_services import manifest

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house()


def make(house: House, extra: str = "") -> dict[str, object]:
    reply = house.api["member"].post("crons", {"project": house.project.slug, "manifest": manifest(extra)})
    assert reply.status_code == 201, reply.content
    found: dict[str, object] = reply.json()
    return found


def test_a_schedule_shows_when_it_is_due_next_and_is_found_by_name(house: House) -> None:
    made = make(house)
    assert (made["name"], made["timezone"], made["policy"], made["suspended"]) == (
        "nightly",
        "Europe/Berlin",
        "Allow",
        False,
    )
    coming = made["next_ms"]
    assert isinstance(coming, list) and len(coming) == 5
    assert [b - a for a, b in pairwise(coming)] == [60_000] * 4
    found = house.api["viewer"].get(f"crons?project={house.project.slug}&name=nightly").json()["results"]
    assert [row["id"] for row in found] == [made["id"]]


def test_a_name_that_is_taken_and_a_manifest_with_faults_are_refused(house: House) -> None:
    make(house)
    again = house.api["member"].post("crons", {"project": house.project.slug, "manifest": manifest()})
    problem_of(again, 409, "cron_exists")
    bad = manifest().replace("* * * * *", "* * * * 8")
    reply = house.api["member"].post("crons", {"project": house.project.slug, "manifest": bad})
    assert problem_of(reply, 422, "manifest_invalid")["errors"][0]["path"] == "spec.schedules[0]"


def test_it_is_changed_suspended_resumed_and_deleted(house: House) -> None:
    made = make(house)
    member = house.api["member"]
    base = f"crons/{made['id']}"
    changed = member.put(base, {"manifest": manifest("  concurrencyPolicy: Forbid")})
    assert changed.json()["policy"] == "Forbid"
    problem_of(member.put(base, {"manifest": manifest().replace("name: nightly", "name: other")}), 422)
    held = member.post(f"{base}/suspend", {}).json()
    assert (held["suspended"], held["next_ms"]) == (True, [])
    assert len(member.post(f"{base}/resume", {}).json()["next_ms"]) == 5
    assert member.get(f"{base}/ticks").json()["results"] == []
    problem_of(member.delete(base), 403)
    assert house.api["maintainer"].delete(base).status_code == 204
    assert not Cron.objects.exists()


def test_another_project_s_schedule_is_no_schedule(house: House) -> None:
    made = make(house)
    stranger = make_house().api["owner"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/suspend"), ("GET", "/ticks")):
        problem_of(stranger.call(method, f"crons/{made['id']}{path}", {} if method == "POST" else None), 404)
    problem_of(house.api["viewer"].post(f"crons/{made['id']}/suspend", {}), 403)


def test_a_form_is_told_what_its_lines_mean_and_which_are_wrong(house: House) -> None:
    ask = {"schedules": ["0 9 * * 1-5", "0 25 * * *", ""], "timezone": "Asia/Shanghai"}
    told = house.api["viewer"].post("crons/preview", ask).json()
    assert told["lines"][0]["words"]["en"] == "At 09:00, Monday to Friday" and told["lines"][0]["error"] == ""
    assert "'25' is not a hour: allowed is 0-23" in told["lines"][1]["error"] and told["lines"][2]["error"]
    assert told["next_ms"] == [] and told["zone_error"] == ""
    good = house.api["viewer"].post("crons/preview", {**ask, "schedules": ["0 9 * * 1-5"]}).json()
    assert [at % 86_400_000 for at in good["next_ms"]] == [3_600_000] * 5  # nine in Shanghai is one in UTC
    lost = house.api["viewer"].post("crons/preview", {"schedules": ["@daily"], "timezone": "Nowhere/Here"}).json()
    assert "Nowhere/Here" in lost["zone_error"]


def test_a_run_s_manifest_with_its_parameters_is_run_by_the_clock(house: House) -> None:
    member = house.api["member"]
    text = "\n".join(line[4:] for line in manifest().split("workflowSpec:\n")[1].splitlines())
    flow = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: x-, labels: {team: a}}\nspec:\n"
    flow += "\n".join("  " + line for line in text.splitlines())
    given = {"project": house.project.slug, "manifest": flow, "parameters": {"at": "noon"}}
    run = member.post("runs", given).json()
    ask = {"project": house.project.slug, "run": run["id"], "name": "daily", "schedules": ["@daily"]}
    made = member.post("crons", {**ask, "timezone": "Asia/Shanghai", "policy": "Forbid"})
    assert made.status_code == 201, made.content
    row = Cron.objects.get(pk=made.json()["id"])
    spec = row.document["spec"]
    assert (row.name, spec["timezone"], spec["concurrencyPolicy"]) == ("daily", "Asia/Shanghai", "Forbid")
    assert spec["workflowSpec"]["arguments"]["parameters"] == [{"name": "at", "value": "noon"}]
    assert spec["workflowMetadata"] == {"labels": {"team": "a"}}
    assert made.json()["words"] == [{"en": "At 00:00 every day", "zh": "每天 00:00"}]
    problem_of(member.post("crons", {**ask, "name": "x", "run": "0" * 32}), 404)
    problem_of(member.post("crons", {**ask, "manifest": manifest()}), 422)
    stranger = make_house()
    problem_of(stranger.api["owner"].post("crons", {**ask, "project": stranger.project.slug}), 404)


def test_a_stored_template_is_run_by_the_clock_in_its_newest_version(house: House) -> None:
    template = manifest().replace("CronWorkflow", "WorkflowTemplate").replace("nightly", "steps")
    head, _, body = template.partition("spec:\n")
    spec = "\n".join(line[2:] for line in body.split("workflowSpec:\n")[1].splitlines())
    kept = house.api["member"].post(
        "pipelines", {"project": house.project.slug, "name": "steps", "manifest": f"{head}spec:\n{spec}\n"}
    )
    assert kept.status_code == 201, kept.content
    ask = {"project": house.project.slug, "pipeline": kept.json()["id"], "name": "hourly", "schedules": ["0 * * * *"]}
    made = house.api["member"].post("crons", {**ask, "parameters": {"at": "x"}})
    assert made.status_code == 201, made.content
    assert Cron.objects.get().document["spec"]["workflowSpec"] == {
        "workflowTemplateRef": {"name": "steps"},
        "arguments": {"parameters": [{"name": "at", "value": "x"}]},
    }


def test_a_run_is_started_by_hand_and_stands_in_the_history(house: House) -> None:
    made = make(house)
    problem_of(house.api["viewer"].post(f"crons/{made['id']}/run", {}), 403)
    problem_of(make_house().api["owner"].post(f"crons/{made['id']}/run", {}), 404)
    house.api["member"].post(f"crons/{made['id']}/suspend", {})
    started = [house.api["member"].post(f"crons/{made['id']}/run", {}) for _ in range(2)]
    assert [reply.status_code for reply in started] == [201, 201], started[0].content
    page = house.api["viewer"].get(f"crons/{made['id']}/overview").json()
    ids = [tick["run_id"] for tick in page["ticks"]]
    assert ids == [reply.json()["run_id"] for reply in reversed(started)]
    assert {(tick["state"], tick["reason"]) for tick in page["ticks"]} == {("active", "by_hand")}
    [row] = house.api["viewer"].get(f"projects/{house.project.slug}/schedules").json()["schedules"]["results"]
    assert row["last_tick"]["run_id"] == ids[0] and row["suspended"] and row["active"] == 2
