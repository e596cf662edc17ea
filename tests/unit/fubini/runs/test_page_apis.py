"""The run page and its artifacts in one answer each: the same as the routes they stand for, and nobody else's."""

from __future__ import annotations

import pytest

from fubini.datasets.models import Artifact
from fubini.runs.models import Run, RunLabel, RunNode
from tests.support.rest import make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


def make_artifacts(run: Run, count: int) -> None:
    entries = [{"path": f"{n}.txt", "size": n, "mode": 0o644, "sha256": "ab" * 32} for n in range(3)]
    Artifact.objects.bulk_create(
        Artifact(
            key=f"{run.pk}/n{n}/0/out", project_id=run.project_id, run_id=run.pk, node_id=f"n{n}", generation=0,
            name="out", attempt_id="a", entries=entries, size_bytes=3, created_at_ms=n,
        )
        for n in range(count)
    )  # fmt: skip


def test_the_page_is_the_run_and_its_tree() -> None:
    house = make_house(budget_micros=1_000_000)
    run = make_run(house.project)
    RunLabel.objects.create(run=run, key="batch", value="7")
    RunNode.objects.create(run=run, node_id="n1", name="n1", display_name="n1", type="Pod", phase="Running")
    make_attempt(make_task(run, "n1"), make_place("lab"))
    api = house.api["viewer"]
    found = api.get(f"runs/{run.pk}/overview")
    assert found.json() == {"run": api.get(f"runs/{run.pk}").json(), "graph": api.get(f"runs/{run.pk}/graph").json()}
    assert found.json()["run"]["labels"] == {"batch": "7"}
    assert found["ETag"] == api.get(f"runs/{run.pk}")["ETag"]
    assert api.get(f"runs/{run.job_number}/overview").json() == found.json()


def test_the_artifacts_are_the_final_ones_with_their_files_and_the_first_of_all() -> None:
    house = make_house()
    run = make_run(house.project)
    make_artifacts(run, 2)
    api = house.api["viewer"]
    found = api.get(f"runs/{run.pk}/results").json()
    finals = found["final"]["artifacts"]
    assert [{k: v for k, v in one.items() if k != "listing"} for one in finals] == api.get(
        f"runs/{run.pk}/outputs"
    ).json()["artifacts"]
    assert finals[0]["listing"] == [{"path": f"{n}.txt", "size": n} for n in range(3)]
    assert found["artifacts"]["results"] == api.get(f"runs/{run.pk}/artifacts").json()["results"]
    assert found["artifacts"]["next"] is None


def test_many_artifacts_come_without_their_files_and_with_the_way_to_the_rest() -> None:
    house = make_house()
    run = make_run(house.project)
    make_artifacts(run, 60)
    api = house.api["viewer"]
    found = api.get(f"runs/{run.pk}/results").json()
    assert all(one["listing"] == [] for one in found["final"]["artifacts"])
    first, rest = found["artifacts"]["results"], api.get(found["artifacts"]["next"].partition("/api/v1/")[2]).json()
    assert len({row["key"] for row in first + rest["results"]}) == 60
    assert (len(first), rest["next"]) == (50, None)


@pytest.mark.parametrize("part", ["overview", "results"])
def test_another_projects_run_is_not_there(part: str) -> None:
    house, other = make_house(), make_run(make_project())
    problem_of(house.api["owner"].get(f"runs/{other.pk}/{part}"), 404)
