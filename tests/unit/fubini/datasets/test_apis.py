"""Datasets, blobs and artifacts over REST."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse

from fubini.datasets.services import ArtifactDraft, artifacts_record, dataset_import
from fubini.datasets.store import Store
from tests.support.rest import House, make_house, problem_of
from tests.unit.fubini.datasets.test_objects import call

Keep = Callable[..., dict[str, Any]]


@pytest.fixture
def house(db: None, store: Store) -> House:
    return make_house()


def put(house: House, data: bytes, role: str = "member", digest: str = "") -> HttpResponse:
    digest = digest or hashlib.sha256(data).hexdigest()
    path = f"blobs/{digest}?project={house.project.slug}"
    return house.api[role].call("PUT", path, raw=data, Content_Type="application/octet-stream")


def entry(data: bytes, path: str) -> dict[str, Any]:
    return {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_files_are_uploaded_imported_listed_and_downloaded(house: House, store: Store) -> None:
    api, slug = house.api["member"], house.project.slug
    assert put(house, b"C 0 0 0").status_code == 201
    asked = {"project": slug, "digests": [entry(b"C 0 0 0", "")["sha256"], "0" * 64]}
    assert api.post("blobs/missing", asked).json()["missing"] == ["0" * 64]
    body = {"project": slug, "name": "methanol", "entries": [entry(b"C 0 0 0", "xyz/c.xyz")]}
    made = api.post("datasets", body)
    assert made.status_code == 201, made.content
    assert (made.json()["version"], made.json()["created"]) == (1, True)
    again = api.post("datasets", body)
    assert (again.status_code, again.json()["version"], again.json()["created"]) == (200, 1, False)
    listed = api.get(f"datasets?project={slug}").json()["results"]
    assert [(d["name"], d["latest"]["size_bytes"]) for d in listed] == [("methanol", 7)]
    base = f"datasets/{listed[0]['id']}/versions/1"
    files = api.get(f"{base}/files?links=true").json()
    assert (files["key"], files["files"], files["next_after"]) == ("dataset/methanol@1", 1, None)
    assert call("GET", files["entries"][0]["url"]).body == b"C 0 0 0"
    moved = house.api["viewer"].get(f"{base}/content?path=xyz/c.xyz")
    assert moved.status_code == 302
    assert 'filename="c.xyz"' in call("GET", moved["Location"]).headers["content-disposition"]
    problem_of(api.get(f"{base}/content?path=nope"), 404)
    problem_of(api.get(f"datasets/{listed[0]['id']}/versions/2"), 404)


def test_an_upload_that_does_not_match_its_name_is_refused(house: House, store: Store) -> None:
    found = problem_of(put(house, b"wrong", digest=hashlib.sha256(b"right").hexdigest()), 422, "blob_mismatch")
    assert found["found"] == hashlib.sha256(b"wrong").hexdigest()
    problem_of(put(house, b"x", digest="..%2Fetc"), 404)
    assert list(store.listing()) == []


def test_a_blob_is_seen_only_by_its_own_project(house: House) -> None:
    put(house, b"ours")
    digest = hashlib.sha256(b"ours").hexdigest()
    other = make_house()
    assert house.api["viewer"].call("HEAD", f"blobs/{digest}?project={house.project.slug}").status_code == 200
    assert other.api["owner"].call("HEAD", f"blobs/{digest}?project={other.project.slug}").status_code == 404
    assert other.api["owner"].call("HEAD", f"blobs/{digest}?project={house.project.slug}").status_code == 404
    body = {"project": other.project.slug, "name": "theft", "entries": [entry(b"ours", "f")]}
    found = problem_of(other.api["owner"].post("datasets", body), 409, "blob_missing")
    assert found["errors"][0]["path"] == "f"


@pytest.mark.parametrize("path", ["../up", "/abs", "a/../b", "a//b", "nul\x00", "x/"])
def test_a_name_that_leaves_its_folder_is_refused_with_the_name(house: House, path: str) -> None:
    put(house, b"x")
    body = {"project": house.project.slug, "name": "d", "entries": [entry(b"x", path)]}
    found = problem_of(house.api["member"].post("datasets", body), 422, "entries_invalid")
    assert found["errors"][0]["detail"]


@pytest.mark.parametrize("entries", ["x", {}, [1], [[]], [None], [{"path": 1}], [{"path": "a", "size": 1e400}]])
def test_entries_of_another_shape_are_an_answer_not_a_failure(house: House, entries: Any) -> None:
    body = {"project": house.project.slug, "name": "d", "entries": entries}
    assert 400 <= house.api["member"].post("datasets", body).status_code < 500


def test_strange_names_round_trip_through_the_listing(house: House, keep: Keep) -> None:
    names = [
        "A",
        "a",
        "\u00e9",
        "e\u0301",
        "CON",
        "dot.",
        "back\\slash",
        "\u202egnp.exe",
        "new\nline",
        "sp ace",
        " lead",
    ]
    data = keep(b"x", owner=house.project)
    version, _ = dataset_import(
        project=house.project, name="odd", entries=[{**data, "path": n} for n in names], actor="t"
    )
    base = f"datasets/{version.dataset_id}/versions/1/files"
    seen: list[str] = []
    after = ""
    while True:
        from urllib.parse import quote

        page = house.api["viewer"].get(f"{base}?limit=4" + (f"&after={quote(after)}" if after else "")).json()
        seen += [e["path"] for e in page["entries"]]
        if page["next_after"] is None:
            break
        after = page["next_after"]
    assert seen == sorted(names)


def test_roles_decide_who_changes_data(house: House) -> None:
    body = {"project": house.project.slug, "name": "d"}
    problem_of(house.api["viewer"].post("datasets", body), 403)
    problem_of(put(house, b"x", role="viewer"), 403)
    made = house.api["member"].post("datasets", body).json()
    assert made["latest"] is None
    problem_of(house.api["viewer"].patch(f"datasets/{made['id']}", {"description": "x"}), 403)
    assert house.api["member"].patch(f"datasets/{made['id']}", {"description": "x"}).json()["description"] == "x"
    problem_of(house.api["member"].delete(f"datasets/{made['id']}"), 403)
    assert house.api["maintainer"].delete(f"datasets/{made['id']}").status_code == 204
    problem_of(house.api["member"].get(f"datasets/{made['id']}"), 404)


def test_other_projects_data_answers_not_found_on_every_route(house: House, keep: Keep) -> None:
    data = keep(b"x", "f", owner=house.project)
    version, _ = dataset_import(project=house.project, name="d", entries=[data], actor="t")
    key = f"{'b' * 32}/n-1/0/out"
    artifacts_record(
        [ArtifactDraft(house.project.pk, "b" * 32, "n-1", 0, "out", "a" * 32, [{**data, "path": ""}], key)], at_ms=1
    )
    stranger, home = make_house().api["owner"], house.api["viewer"]
    one = f"datasets/{version.dataset_id}"
    gets = [
        one, f"{one}/versions", f"{one}/versions/1", f"{one}/versions/1/files", f"{one}/versions/1/content?path=f",
        f"artifacts/{key}", f"artifacts/{key}/files", f"artifacts/{key}/content",
    ]  # fmt: skip
    for path in gets:
        assert home.get(path).status_code in (200, 302), path
        problem_of(stranger.get(path), 404)
    problem_of(stranger.get(f"artifacts/{key}/entries/f"), 404)
    problem_of(stranger.patch(one, {"description": "x"}), 404)
    problem_of(stranger.delete(one), 404)
    problem_of(stranger.post(f"{one}/versions", {"entries": [data]}), 404)
    problem_of(stranger.get(f"datasets?project={house.project.slug}"), 404)
    assert stranger.get("datasets").json()["results"] == []


def test_an_artifacts_file_downloads_by_its_path(house: House, keep: Keep) -> None:
    rows = [keep(b"1", "d/a.txt", owner=house.project), keep(b"2", "b.txt", owner=house.project)]
    key = f"{'b' * 32}/n-1/0/out"
    artifacts_record([ArtifactDraft(house.project.pk, "b" * 32, "n-1", 0, "out", "a" * 32, rows, key)], at_ms=1)
    api = house.api["viewer"]
    assert call("GET", api.get(f"artifacts/{key}/entries/d/a.txt")["Location"]).body == b"1"
    assert [e["path"] for e in api.get(f"artifacts/{key}/files?under=d").json()["entries"]] == ["d/a.txt"]
    problem_of(api.get(f"artifacts/{key}/entries/d"), 404)


def test_a_list_of_datasets_costs_few_queries_whatever_its_length(
    house: House, keep: Keep, django_assert_max_num_queries: Any
) -> None:
    data = keep(b"x", "f", owner=house.project)
    for n in range(30):
        dataset_import(project=house.project, name=f"d{n}", entries=[data], actor="t")
    house.api["viewer"].get("datasets")  # the first request notes the token's use
    with django_assert_max_num_queries(4):
        assert len(house.api["viewer"].get("datasets?page_size=30").json()["results"]) == 30


def test_a_grant_allows_streamed_uploads_to_its_project_only(house: House, store: Store) -> None:
    grant = house.api["member"].post("blobs/grants", {"project": house.project.slug}).json()
    digest = hashlib.sha256(b"big").hexdigest()
    assert call("PUT", f"{grant['url']}/{digest}", body=b"big", token=grant["token"]).status == 201
    assert house.api["viewer"].call("HEAD", f"blobs/{digest}?project={house.project.slug}").status_code == 200
    problem_of(house.api["viewer"].post("blobs/grants", {"project": house.project.slug}), 403)
