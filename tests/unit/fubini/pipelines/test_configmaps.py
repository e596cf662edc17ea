"""ConfigMaps over REST: who may, what is refused, versions, and what runs see of them."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.events.models import Event
from fubini.pipelines.configmaps import DATA_MAX_BYTES, MAPS_MAX
from fubini.pipelines.models import ConfigMap
from fubini.pipelines.selectors import library_of
from tests.support.rest import House, make_house, problem_of

pytestmark = pytest.mark.django_db
LABEL = "workflows.argoproj.io/configmap-type"


@pytest.fixture
def house(tmp_path: Any, settings: Any) -> House:
    settings.FUBINI_HOME = tmp_path
    return make_house()


def path(house: House, name: str = "") -> str:
    return f"projects/{house.project.slug}/configs" + (f"/{name}" if name else "")


def put(house: House, name: str = "limits", role: str = "maintainer", **body: Any) -> Any:
    return house.api[role].put(path(house, name), body)


def test_a_map_is_made_changed_key_by_key_read_and_deleted(house: House) -> None:
    made = put(house, values={"a": "1", "b": "2"})
    assert (made.status_code, made.json()["version"], made.json()["labels"]) == (201, 1, {LABEL: "Parameter"})
    changed = put(house, values={"a": "3"}, remove=["b"]).json()
    assert (changed["version"], changed["values"]) == (2, {"a": "3"})
    assert put(house, values={"a": "3"}).json()["version"] == 2, "what changes nothing is no version"
    assert put(house, values={"c": ""}, replace=True, labels={LABEL: "Cache"}).json()["values"] == {"c": ""}
    viewer = house.api["viewer"]
    assert [(c["name"], c["keys"]) for c in viewer.get(path(house)).json()["results"]] == [("limits", ["c"])]
    assert viewer.get(path(house, "limits")).json()["values"] == {"c": ""}
    assert library_of(house.project.pk) == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limits", "labels": {LABEL: "Cache"}}, "data": {"c": ""}}
    ]  # fmt: skip
    assert house.api["maintainer"].delete(path(house, "limits")).status_code == 204
    problem_of(viewer.get(path(house, "limits")), 404, "not_found")
    assert [e.kind for e in Event.objects.of_topics(["config_map"]).order_by("id")] == [
        "config_map.made", "config_map.changed", "config_map.changed", "config_map.deleted",
    ]  # fmt: skip
    trail = AuditEntry.objects.filter(action__startswith="config_map.", project_id=house.project.pk)
    assert {e.actor for e in trail} == {f"user:{house.users['maintainer'].username}"}
    assert [(e.action, e.target) for e in trail.order_by("id")][0::3] == [
        ("config_map.made", "config:limits"), ("config_map.deleted", "config:limits"),
    ]  # fmt: skip


def test_values_are_in_no_event(house: House) -> None:
    put(house, values={"a": "canary-7"})
    assert not any("canary-7" in str(event.data) for event in Event.objects.all())


def test_maintainers_write_and_everybody_else_of_the_project_reads(house: House) -> None:
    for role in ("viewer", "member"):
        problem_of(put(house, role=role, values={"a": "1"}), 403, "forbidden")
        problem_of(house.api[role].delete(path(house, "limits")), 403, "forbidden")
        assert house.api[role].get(path(house)).status_code == 200
    assert put(house, role="owner", values={"a": "1"}).status_code == 201
    stranger = make_house()
    problem_of(stranger.api["owner"].get(path(house)), 404, "not_found")
    problem_of(stranger.api["owner"].put(path(house, "limits"), {"values": {}}), 404, "not_found")
    assert not ConfigMap.objects.filter(project=stranger.project).exists()


def test_a_change_may_be_bound_to_the_version_that_was_read(house: House) -> None:
    etag = put(house, values={"a": "1"})["ETag"]
    assert house.api["owner"].put(path(house, "limits"), {"values": {"a": "2"}}, If_Match=etag).status_code == 200
    late = house.api["owner"].put(path(house, "limits"), {"values": {"a": "9"}}, If_Match=etag)
    problem_of(late, 412, "changed")
    assert ConfigMap.objects.get().data == {"a": "2"}


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("Limits", {"values": {}}, "name 'Limits' is not usable"),
        ("limits", {"values": {"a b": "1"}}, "key 'a b' is not usable"),
        ("limits", {"labels": {"": "x"}}, "label '' is not usable"),
        ("limits", {"labels": {"a": "x y"}}, "label 'a' is not usable"),
    ],
    ids=["name", "key", "empty label", "label value"],
)
def test_what_kubernetes_would_refuse_is_refused_with_the_reason(
    house: House, name: str, body: dict[str, Any], said: str
) -> None:
    assert said in problem_of(put(house, name, **body), 422, "invalid")["detail"]
    assert not ConfigMap.objects.exists()


def test_a_map_has_a_bounded_size(house: House) -> None:
    half = "x" * (DATA_MAX_BYTES // 2)
    assert put(house, values={"a": half}).status_code == 201
    problem = problem_of(put(house, values={"b": half}), 422, "invalid")
    assert f"would have {DATA_MAX_BYTES + 2} bytes" in problem["detail"]
    assert put(house, values={"b": half}, replace=True).status_code == 200


def test_a_project_has_a_bounded_number_of_maps(house: House) -> None:
    ConfigMap.objects.bulk_create(
        ConfigMap(project=house.project, name=f"m{n}", created_at_ms=0, changed_at_ms=0) for n in range(MAPS_MAX)
    )
    assert f"at most {MAPS_MAX}" in problem_of(put(house, values={}), 422, "invalid")["detail"]
    assert put(house, "m7", values={"a": "1"}).status_code == 200
