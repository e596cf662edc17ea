"""The data pages: what is kept, where copies lie, what moves, what still needs a dataset."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from fubini.datasets.models import Blob, Dataset, Replica
from fubini.datasets.services import TransferDraft, dataset_import, transfers_plan
from fubini.pipelines.models import Pipeline, PipelineVersion
from fubini.sites.models import Site
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import make_run


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def keep(house: House, name: str, **files: bytes) -> Dataset:
    entries = []
    for path, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        Blob.objects.get_or_create(project_id=house.project.pk, digest=digest, defaults={"size_bytes": len(data)})
        entries.append({"path": path, "size": len(data), "sha256": digest})
    return dataset_import(project=house.project, name=name, entries=entries, actor="t")[0].dataset


def replica(site: Site, data: bytes) -> None:
    Replica.objects.create(site_id=site.pk, digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def test_a_projects_data_is_one_answer_with_few_queries(house: House, django_assert_max_num_queries: Any) -> None:
    site = Site.objects.create(name="lab")
    for i in range(12):
        keep(house, f"set-{i}", a=b"a" * (i + 1), b=b"bb")
    replica(site, b"bb")
    replica(site, b"of another project")
    run = make_run(house.project, name="relax")
    draft = TransferDraft(
        project_id=house.project.pk, run_id=run.pk, attempt_id="a" * 32, site_id=site.pk, direction="in", files=3, size_bytes=99
    )  # fmt: skip
    transfers_plan([draft], at_ms=5, state="moving")
    begun = {"project": house.project.slug, "sha256": "1" * 64, "size_bytes": 10_000, "name": "big.h5"}
    assert house.api["member"].post("uploads", begun).status_code == 201
    with django_assert_max_num_queries(10):
        found = house.api["viewer"].get(f"projects/{house.project.slug}/data").json()
    assert (len(found["datasets"]["results"]), found["size_bytes"]) == (12, sum(range(1, 13)) + 2)
    assert found["copies"] == [{"site": "lab", "files": 1, "size_bytes": 2}]
    (moving,) = found["moving"]
    assert (moving["run_name"], moving["site"], moving["direction"], moving["size_bytes"]) == ("relax", "lab", "in", 99)
    assert [u["name"] for u in found["uploads"]] == ["big.h5"]
    problem_of(make_house().api["owner"].get(f"projects/{house.project.slug}/data"), 404)


def test_a_dataset_says_what_still_needs_it_and_is_kept_while_a_live_run_or_a_pin_does(
    house: House, django_assert_max_num_queries: Any
) -> None:
    dataset = keep(house, "methanol", a=b"one")
    keep(house, "methanol", a=b"one", b=b"two")
    replica(Site.objects.create(name="lab"), b"two")
    keep(house, "methanol-gas", a=b"one")
    live = make_run(house.project, name="live", state="running", datasets={"methanol": "methanol-v2"})
    make_run(house.project, name="past", state="succeeded", datasets={"methanol-v1": "methanol-v1"})
    make_run(house.project, name="other", state="running", datasets={"methanol-gas": "methanol-gas-v1"})
    for name, text in (("relax", "claimName: methanol-v1\n"), ("gas", "claimName: methanol-gas\n")):
        pipeline = Pipeline.objects.create(project=house.project, name=name)
        PipelineVersion.objects.create(pipeline=pipeline, number=1, kind="Workflow", text=text, digest="0" * 64)
    base = f"datasets/{dataset.pk}"
    with django_assert_max_num_queries(13):
        found = house.api["viewer"].get(f"{base}/overview").json()
    assert (found["version"]["number"], [v["number"] for v in found["versions"]]) == (2, [2, 1])
    assert found["copies"] == [{"site": "lab", "files": 1, "size_bytes": 3}]
    said = [(u["kind"], u["name"], u["version"], u["blocks"]) for u in found["uses"]]
    assert said == [("run", "live", 2, True), ("pipeline", "relax", 1, False), ("run", "past", 1, False)]
    assert house.api["viewer"].get(f"{base}/overview?version=1").json()["copies"] == []

    pinned = house.api["member"].patch(f"{base}/versions/1", {"pinned": True})
    assert pinned.json()["pinned_by"] == f"user:{house.users['member'].username}"
    refused = problem_of(house.api["owner"].delete(base), 409, "dataset_in_use")
    assert [(e["code"], e["found"]) for e in refused["errors"]] == [
        ("pinned", pinned.json()["pinned_by"]),
        ("run", "live"),
    ]
    problem_of(house.api["member"].patch(f"{base}/versions/1", {"pinned": False}), 403)
    assert house.api["maintainer"].patch(f"{base}/versions/1", {"pinned": False}).json()["pinned_by"] == ""
    live.state = "succeeded"
    live.save()
    assert house.api["owner"].delete(base).status_code == 204


def test_a_version_of_ten_thousand_files_is_searched_and_paged(house: House) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    Blob.objects.create(project_id=house.project.pk, digest=digest, size_bytes=1)
    entries = [{"path": f"frames/{i:05d}.xyz", "size": 1, "sha256": digest} for i in range(10_000)]
    version, _ = dataset_import(project=house.project, name="many", entries=entries, actor="t")
    base = f"datasets/{version.dataset_id}/versions/1/files"
    first = house.api["viewer"].get(f"{base}?search=0009&limit=5").json()
    assert (first["files"], first["found"], len(first["entries"])) == (10_000, 11, 5)
    rest = house.api["viewer"].get(f"{base}?search=0009&limit=100&after={first['next_after']}").json()
    assert (len(rest["entries"]), rest["next_after"]) == (6, None)
