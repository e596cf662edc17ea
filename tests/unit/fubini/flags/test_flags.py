"""Feature flags: whose word holds, who may say it, and that what is off is off."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.flags.registry import ARGO_DOOR, REUSE
from fubini.flags.selectors import flag_is_on
from fubini.flags.services import flag_set
from fubini.runs.models import Run
from tests.support.rest import Api, House, api_of, make_admin, make_house, problem_of
from tests.support.rows import make_project

MANIFEST = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: x-}\nspec:\n  entrypoint: a\n"
    "  templates:\n  - name: a\n    container: {image: 'busybox', command: ['true']}\n"
)


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def admin(db: None) -> Api:
    return api_of(make_admin())


def flag(api: Api, path: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in api.get(path).json() if f["name"] == name)
    return found


def test_a_projects_word_wins_over_the_installations_and_can_be_taken_back(house: House, admin: Api) -> None:
    path = f"projects/{house.project.slug}/flags"
    assert (flag(admin, path, "reuse")["on"], flag(admin, path, "reuse")["source"]) == (True, "default")
    assert admin.put("flags/reuse", {"on": False}).status_code == 200
    assert not flag_is_on(REUSE, house.project.pk)
    assert flag(house.api["viewer"], path, "reuse")["source"] == "installation"
    assert house.api["maintainer"].put(f"{path}/reuse", {"on": True}).json()["own"] is True
    assert flag_is_on(REUSE, house.project.pk) and not flag_is_on(REUSE, make_project().pk)
    assert house.api["maintainer"].put(f"{path}/reuse", {"on": None}).json()["source"] == "installation"
    trail = AuditEntry.objects.filter(action="flag.set").order_by("id").values_list("project_id", "data")
    assert list(trail) == [
        (None, {"on": False, "before": None}),
        (house.project.pk, {"on": True, "before": None}),
        (house.project.pk, {"on": None, "before": True}),
    ]


def test_an_unknown_flag_is_refused_with_the_nearest_name(house: House, admin: Api) -> None:
    for path in ("flags/remote-input", f"projects/{house.project.slug}/flags/remote-input"):
        found = problem_of(admin.put(path, {"on": True}), 404)
        assert "'remote-inputs'" in found["detail"] and found["errors"][0]["nearest"] == "remote-inputs"


def test_only_who_the_registry_names_turns_a_flag(house: House, admin: Api) -> None:
    path = f"projects/{house.project.slug}/flags"
    problem_of(house.api["owner"].put("flags/reuse", {"on": False}), 403)
    problem_of(house.api["member"].put(f"{path}/reuse", {"on": False}), 403)
    problem_of(house.api["owner"].put(f"{path}/remote-inputs", {"on": False}), 403)
    problem_of(make_house().api["owner"].put(f"{path}/reuse", {"on": False}), 404)
    problem_of(admin.put(f"{path}/argo-door", {"on": False}), 422)


def test_reuse_that_is_off_is_refused_and_a_plain_launch_goes_on(house: House) -> None:
    flag_set(flag=REUSE, on=False, actor="test", project=house.project)
    body = {"project": house.project.slug, "manifest": MANIFEST}
    found = problem_of(house.api["member"].post("runs", {**body, "reuse": "any"}), 409, "flag_off")
    assert "maintainer" in found["next_step"] and not Run.objects.exists()
    assert house.api["member"].post("runs", body).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_the_argo_door_that_is_off_says_so_and_opens_again() -> None:
    house = make_house()
    path = f"/api/v1/workflows/{house.project.slug}"
    stream = f"/api/v1/workflow-events/{house.project.slug}"
    assert house.api["viewer"].get(path).status_code == 200
    flag_set(flag=ARGO_DOOR, on=False, actor="test")
    for closed in (path, stream):
        answer = house.api["viewer"].get(closed)
        assert answer.status_code == 400 and "argo-door" in answer.json()["message"]
    flag_set(flag=ARGO_DOOR, on=True, actor="test")
    assert house.api["viewer"].get(path).status_code == 200
