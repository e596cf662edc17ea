"""A project's money page: where it went, what comes, and that it asks the database the same few questions at any size."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.crons.models import Cron, CronTick
from fubini.crons.services import cron_save
from fubini.dispatch.schedule_quotes import crons_quote
from fubini.ledger.models import Spend
from fubini.ledger.services import Settlement, holds_settle
from fubini.manifests.crons import CRON_LABEL
from fubini.runs.models import Attempt, RunLabel
from tests.support.rest import House, api_of, make_admin, make_house, problem_of
from tests.support.rows import Place, make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db
CRON = """
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 * * * *"]
  workflowSpec:
    entrypoint: main
    templates:
    - name: main
      container: {image: busybox, command: ["true"]}
"""


def spend(
    house: House, place: Place, micros: int, *, outcome: str = "succeeded", cause: str = "", **run: object
) -> str:
    labels = run.pop("labels", {})
    row = make_run(house.project, **run)
    assert isinstance(labels, dict)
    RunLabel.objects.bulk_create(RunLabel(run=row, key=k, value=v) for k, v in labels.items())
    attempt = make_attempt(make_task(row), place)
    holds_settle([Settlement(attempt.pk, micros, cause, outcome, "work", place.pool.pk)], at_ms=clock.now_ms())
    Attempt.objects.filter(pk=attempt.pk).update(state=outcome)
    return row.pk


def page(house: House, query: str = "") -> dict[str, object]:
    answer = house.api["viewer"].get(f"projects/{house.project.slug}/money{query}")
    assert answer.status_code == 200, answer.content[:300]
    found: dict[str, object] = answer.json()
    return found


def names(found: dict[str, object]) -> list[tuple[str, int, int]]:
    rows = found["rows"]
    assert isinstance(rows, list)
    return [(row["name"], row["spent_micros"], row["lost_micros"]) for row in rows]


def test_spending_is_told_by_step_member_pool_and_label_and_what_was_lost_apart() -> None:
    house, place = make_house(budget_micros=10_000_000), make_place()
    spend(house, place, 5000, submitted_by="user:ada", labels={"campaign": "alloys"})
    spend(house, place, 700, outcome="failed", cause="user", submitted_by="user:bob", labels={"campaign": "glass"})
    spend(house, place, 60, outcome="cancelled", submitted_by="user:ada")
    spend(house, place, 900, outcome="failed", cause="node")  # the site bears it
    found = page(house)
    assert names(found) == [("work", 5760, 760)]
    assert found["rows"][0]["absorbed_micros"] == 900  # type: ignore[index]
    assert names(page(house, "?by=member"))[:2] == [("user:ada", 5060, 60), ("user:bob", 700, 700)]
    assert names(page(house, "?by=pool")) == [("lab/lab", 5760, 760)]
    by_label = page(house, "?by=label&label=campaign")
    assert names(by_label) == [("alloys", 5000, 0), ("glass", 700, 700)]
    assert by_label["labels"] == ["campaign"]
    today = found["days"][-1]  # type: ignore[index]
    assert (today["spent_micros"], today["lost_micros"], today["absorbed_micros"]) == (5760, 760, 900)
    assert len(found["days"]) == 30  # type: ignore[arg-type]
    assert found["prices"] == [
        {
            "site": "lab", "pool": "lab", "core_hour_micros": 3_600_000, "memory_gib_hour_micros": 0, "device_hour_micros": {},
            "start_micros": 0, "egress_gib_micros": 0, "version": 1, "next": None,
            "valid_from": place.price.valid_from.isoformat().replace("+00:00", "Z"),
        }
    ]  # fmt: skip


def test_one_members_spending_is_told_by_day_and_step_and_at_first_the_askers_own() -> None:
    house, place = make_house(budget_micros=10_000_000), make_place()
    spend(house, place, 5000, submitted_by="user:ada")
    spend(house, place, 700, outcome="failed", cause="user", submitted_by="user:ada")
    spend(house, place, 90, submitted_by=f"user:{house.users['viewer'].username}")
    hers = page(house, "/spend?member=user:ada&by=pool")
    assert names(hers) == [("lab/lab", 5700, 700)]
    assert (hers["days"][-1]["spent_micros"], len(hers["days"])) == (5700, 30)  # type: ignore[index,arg-type]
    own = page(house, "/spend")
    assert (own["member"], names(own)) == (f"user:{house.users['viewer'].username}", [("work", 90, 0)])
    assert page(house, "/spend?member=user:nobody")["rows"] == []


def test_the_price_book_of_a_project_is_an_answer_of_its_own() -> None:
    house, _ = make_house(), make_place()
    answer = house.api["viewer"].get(f"projects/{house.project.slug}/prices").json()
    assert answer["prices"] == page(house)["prices"] and answer["prices"][0]["core_hour_micros"] == 3_600_000


def test_the_forecast_counts_holds_and_coming_ticks() -> None:
    house, place = make_house(budget_micros=10_000_000), make_place()
    make_attempt(make_task(make_run(house.project)), place, hold_micros=100_000)
    cron = cron_save(project=house.project, text=CRON, actor="user:ada")
    found = house.api["viewer"].get(f"projects/{house.project.slug}/money/forecast").json()
    assert found["week"]["committed"]["high"] == 100_000
    assert (found["week"]["ticks"], found["week"]["unpriced_ticks"]) == (168, 168)
    run = make_run(house.project, state="succeeded", settled_micros=2000)
    CronTick.objects.create(cron=cron, at_ms=1, decided_at_ms=1, state="succeeded", run=run)
    found = house.api["viewer"].get(f"projects/{house.project.slug}/money/forecast").json()
    assert found["week"]["scheduled"] == {"low": 336_000, "expected": 336_000, "high": 336_000}
    assert found["basis"] == {
        "history_days": 0, "settled_permille": 1000, "steps_held": 1, "schedules": 1, "schedules_unpriced": 0,
    }  # fmt: skip
    assert found["runs_out"]["expected"] is not None  # 48,000 a day out of 10,000,000


def test_a_schedule_that_never_ran_is_counted_at_its_quote() -> None:
    house = make_house(budget_micros=10_000_000)
    make_place()
    cron_save(project=house.project, text=CRON, actor="user:ada")
    assert crons_quote() == 1
    assert crons_quote() == 0  # until it changes
    kept = Cron.objects.get().quote
    week = house.api["viewer"].get(f"projects/{house.project.slug}/money/forecast").json()["week"]
    assert week["scheduled"]["high"] == 168 * kept["high"] > 0


def test_what_schedules_spent_is_no_part_of_the_trend() -> None:
    house, place = make_house(budget_micros=10_000_000), make_place()
    spend(house, place, 1000, labels={CRON_LABEL: "nightly"})
    spend(house, place, 30)
    Spend.objects.update(day=F("day") - 1)
    found = house.api["viewer"].get(f"projects/{house.project.slug}/money/forecast").json()
    assert found["week"]["trend"]["expected"] == 210
    assert found["basis"]["history_days"] == 1


def test_months_are_closed_and_corrected_by_administrators_only() -> None:
    house, admin = make_house(budget_micros=10_000_000), api_of(make_admin())
    path = f"projects/{house.project.slug}/money"
    spend(house, make_place(), 500)
    problem_of(house.api["owner"].post(f"{path}/months", {"month": "2026-01"}), 403)
    problem_of(house.api["owner"].post(f"{path}/corrections", {"amount_micros": 5, "note": "x"}), 403)
    problem_of(admin.post(f"{path}/months", {"month": "2999-01"}), 409, "month_open")
    problem_of(admin.post(f"{path}/corrections", {"amount_micros": 5, "note": "x", "run": "0" * 32}), 404)
    for _ in range(2):
        answer = admin.post(f"{path}/corrections", {"amount_micros": 200, "note": "slow node"}, Idempotency_Key="k")
    assert answer.json()["spent_micros"] == 300
    month = page(house)["months"][0]["month"]  # type: ignore[index]
    statement = house.api["viewer"].get(f"{path}/{month}.csv")
    assert statement["X-Statement"] == "open" and statement.is_async
    assert b"slow node" in b"".join(statement)  # type: ignore[arg-type]
    problem_of(house.api["viewer"].get(f"{path}/november.csv"), 422)
    problem_of(api_of(make_house().users["owner"]).get(path), 404)


def test_the_page_asks_less_than_ten_questions_at_any_size() -> None:
    house, place = make_house(budget_micros=100_000_000), make_place()
    house.api["viewer"].get("me")

    def queries(by: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            page(house, f"?by={by}")
        own = [q["sql"] for q in seen if "accounts_token" not in q["sql"] and "SAVEPOINT" not in q["sql"]]
        return len(own)

    few = {by: queries(by) for by in ("step", "pipeline", "pool", "member", "run", "label")}
    cron_save(project=house.project, text=CRON, actor="user:ada")
    for n in range(12):
        spend(house, place, 10, submitted_by=f"user:u{n}", labels={f"k{n}": "v"})
        make_attempt(make_task(make_run(house.project)), place)
        make_place(f"s{n}")
    assert {by: queries(by) for by in few} == few
    assert max(few.values()) < 10, few
