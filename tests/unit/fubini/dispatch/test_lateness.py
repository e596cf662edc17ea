"""Late runs: by their own quote, with where their time went; on the home page before what merely waits."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from fubini.common import clock
from fubini.dispatch.lateness import Expected, Spent, Verdict, expected_end, spent_of, verdict
from fubini.dispatch.models import RunOutlook
from fubini.dispatch.outlooks import outlooks_keep
from fubini.runs.models import Run, RunManifest
from tests.support.rest import make_house
from tests.support.rows import make_attempt, make_place, make_run, make_task
from tests.unit.fubini.pages.test_gallery import MANIFEST


@pytest.mark.parametrize(
    ("now", "expected", "want"),
    [
        (1001, 0, Verdict(True, 1)),
        (900, 1101, Verdict(False, 101)),
        (900, 1100, None),  # a tenth of what was quoted is forgiven
        (1000, 1000, None),
    ],
)
def test_late_is_past_the_quote_and_about_to_be_is_what_does_not_fit_any_more(
    now: int, expected: int, want: Verdict | None
) -> None:
    assert verdict(quoted_ms=1000, quoted_end_ms=1000, expected_end_ms=expected, now_ms=now) == want


def test_an_end_is_expected_from_the_steps_that_are_left() -> None:
    quoted = {"fit": Expected(4, 400), "plot": Expected(1, 50)}
    assert expected_end(quoted, {}, 1000) == 1450
    assert expected_end(quoted, {"fit": (3, 4), "odd": (0, 9)}, 1000) == 1150
    assert expected_end(quoted, {"fit": (4, 8), "plot": (1, 1)}, 1000) == 1400  # a loop that turned out longer
    assert expected_end(quoted, {"fit": (9, 9), "plot": (1, 1)}, 1000) == 1000


@pytest.mark.parametrize(
    ("attempts", "want"),
    [
        ([], Spent(100, 0, 0)),
        ([(10, 30, 60)], Spent(50, 20, 30)),
        ([(10, 30, None), (20, 40, 50)], Spent(10, 20, 70)),
        ([(10, None, None)], Spent(10, 90, 0)),
        ([(10, None, 30), (50, 50, 60)], Spent(70, 20, 10)),
        ([(-50, -20, 40)], Spent(60, 0, 40)),
    ],
)
def test_every_moment_counts_for_what_the_furthest_step_did(attempts: list[Any], want: Spent) -> None:
    assert spent_of(attempts, 0, 100) == want


def test_a_run_past_its_quote_comes_first_with_where_its_time_went(db: None) -> None:
    house, place = make_house(budget_micros=10_000_000), make_place()
    long_ago = clock.now_ms() - 3_600_000
    runs = {name: make_run(house.project, name=name, created_at_ms=long_ago) for name in ("fine", "late", "soon")}
    for run in runs.values():
        RunManifest.objects.filter(run=run).update(text=MANIFEST, document=yaml.safe_load(MANIFEST))
    make_run(house.project, name="young")
    done = outlooks_keep()
    assert done == {"gone": 0, "quoted": 3, "looked": 3}
    assert outlooks_keep()["quoted"] == 0
    quoted = RunOutlook.objects.get(run=runs["late"])
    assert quoted.quote["work"]["count"] == 2 and quoted.begun_ms == long_ago
    assert quoted.quoted_end_ms == long_ago + (quoted.quoted_ms or 0)
    RunOutlook.objects.update(quoted_end_ms=clock.now_ms() + 3_600_000)
    RunOutlook.objects.filter(run=runs["late"]).update(quoted_end_ms=clock.now_ms() - 60_000)
    RunOutlook.objects.filter(run=runs["soon"]).update(
        quoted_ms=1000, quoted_end_ms=clock.now_ms() + 100_000, quote={"work": {"count": 1, "time_ms": 900_000}}
    )
    make_task(make_run(house.project, name="waiting"), why=[{"code": "budget"}], why_since_ms=long_ago)
    make_attempt(make_task(runs["late"]), place, age_ms=600_000)
    outlooks_keep()
    found = house.api["viewer"].get(f"projects/{house.project.slug}/overview").json()["attention"]
    assert [a["run"]["name"] for a in found] == ["late", "soon", "waiting"]
    late, soon = found[0]["late"], found[1]["late"]
    assert late["already"] and late["by_ms"] >= 60_000 and late["took_ms"] >= 3_600_000
    assert 2_900_000 < late["spent"]["waiting_ms"] < 3_100_000 and late["spent"]["staging_ms"] >= 600_000
    assert not soon["already"] and soon["by_ms"] > 100 and found[2]["late"] is None
    Run.objects.filter(name="late").update(state="succeeded")
    assert outlooks_keep()["gone"] == 1


def test_a_run_that_cannot_be_quoted_is_never_late(db: None) -> None:
    run = make_run(make_house().project, created_at_ms=0)  # its manifest is empty
    outlooks_keep()
    assert RunOutlook.objects.get(run=run).quoted_end_ms is None
