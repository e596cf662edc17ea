"""Who may do what: one table, a lattice nobody climbs, and an owner who stays."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from fubini.common.errors import Forbidden, FubiniError, NotFound
from fubini.common.principal import Principal
from fubini.projects import services
from fubini.projects.authorize import ACTIONS, RANK, allows, authorize, project_get
from fubini.projects.models import Membership
from tests.support.rest import ROLES, House, api_of, machine_of, make_admin, make_house, principal_of, problem_of
from tests.support.rows import make_user


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_is_open_to_its_role_and_those_above_only(action: str) -> None:
    needed = RANK[ACTIONS[action].role]
    assert [allows(role, action) for role in ROLES] == [RANK[role] >= needed for role in ROLES]
    assert not allows(None, action)


def test_reading_never_needs_more_than_viewing_except_for_tokens_and_webhooks() -> None:
    above = {action for action, rule in ACTIONS.items() if rule.scope == "read" and rule.role != "viewer"}
    assert above == set()
    assert {a for a in ACTIONS if a.endswith(".read")} - {a for a, r in ACTIONS.items() if r.scope == "read"} == {
        "token.read",
        "webhook.read",
    }


@pytest.mark.django_db
def test_a_stranger_gets_not_found_a_low_role_forbidden_an_administrator_all() -> None:
    house = make_house()
    stranger = principal_of(make_user())
    for action in ACTIONS:
        with pytest.raises(NotFound):
            authorize(stranger, action, house.project)
        authorize(principal_of(make_admin()), action, house.project)
    with pytest.raises(Forbidden):
        authorize(principal_of(house.users["viewer"]), "run.submit", house.project)
    authorize(principal_of(house.users["member"]), "run.submit", house.project)


@pytest.mark.django_db
def test_a_token_does_no_more_than_its_scopes_whatever_the_role() -> None:
    house = make_house()
    reading = Principal(actor="x", user=house.users["owner"], scopes=frozenset({"read"}))
    authorize(reading, "run.read", house.project)
    with pytest.raises(Forbidden):
        authorize(reading, "run.submit", house.project)


@pytest.mark.django_db
def test_an_id_or_slug_finds_a_project_and_another_ones_does_not() -> None:
    house, other = make_house(), make_house()
    me = principal_of(house.users["viewer"])
    assert project_get(me, house.project.slug).pk == project_get(me, house.project.pk).pk
    for ref in (other.project.slug, other.project.pk, "", "x" * 100, "a\x00b"):
        with pytest.raises(NotFound):
            project_get(me, ref)


@pytest.mark.django_db
def test_members_are_added_changed_and_removed_within_ones_role() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}/members"
    new = make_user()
    maintainer, owner = house.api["maintainer"], house.api["owner"]
    problem_of(house.api["member"].post(path, {"username": new.username, "role": "viewer"}), 403)
    problem_of(maintainer.post(path, {"username": new.username, "role": "owner"}), 403, "role_too_high")
    added = maintainer.post(path, {"username": new.username, "role": "maintainer"})
    assert added.status_code == 201
    problem_of(maintainer.post(path, {"username": new.username, "role": "viewer"}), 409)
    problem_of(maintainer.post(path, {"username": "nobody", "role": "viewer"}), 422)
    problem_of(maintainer.patch(f"{path}/{new.username}", {"role": "owner"}), 403, "role_too_high")
    problem_of(maintainer.patch(f"{path}/{house.users['owner'].username}", {"role": "viewer"}), 403, "role_too_high")
    problem_of(maintainer.delete(f"{path}/{house.users['owner'].username}"), 403, "role_too_high")
    changed = owner.patch(f"{path}/{new.username}", {"role": "owner"}, If_Match=added["ETag"])
    assert changed.json()["role"] == "owner"
    problem_of(owner.patch(f"{path}/{new.username}", {"role": "viewer"}, If_Match=added["ETag"]), 412)


@pytest.mark.django_db
def test_anybody_may_leave_but_not_the_last_owner() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}/members"
    for role in ("viewer", "member", "maintainer"):
        assert house.api[role].delete(f"{path}/{house.users[role].username}").status_code == 204
        problem_of(house.api[role].get(path), 404)
    owner = house.users["owner"].username
    problem_of(house.api["owner"].delete(f"{path}/{owner}"), 409, "last_owner")
    problem_of(house.api["owner"].patch(f"{path}/{owner}", {"role": "viewer"}), 409, "last_owner")
    assert Membership.objects.get(project=house.project).role == "owner"


@pytest.mark.django_db
def test_a_machine_token_has_its_role_in_its_project_and_nothing_else() -> None:
    house, other = make_house(), make_house()
    api = machine_of(house.project, "member")
    me = api.get("me").json()
    assert me["user"] is None and me["project_id"] == house.project.pk and me["role"] == "member"
    assert [row["slug"] for row in api.get("projects").json()["results"]] == [house.project.slug]
    problem_of(api.get(f"projects/{other.project.slug}"), 404)
    problem_of(api.post("projects", {"slug": "mine"}), 403)
    problem_of(api.post("tokens", {"name": "x", "scopes": ["read"]}), 403)
    problem_of(api.patch(f"projects/{house.project.slug}", {"title": "x"}), 403)
    problem_of(api.get("users"), 403)


@pytest.mark.django_db
def test_machine_tokens_are_made_listed_and_revoked_by_maintainers() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}/tokens"
    problem_of(house.api["member"].get(path), 403)
    problem_of(house.api["maintainer"].post(path, {"name": "ci", "role": "owner"}), 422)
    made = house.api["maintainer"].post(path, {"name": "ci", "role": "member"})
    assert made.status_code == 201 and made.json()["actor"] == f"token:{house.project.slug}/ci"
    problem_of(house.api["maintainer"].post(path, {"name": "ci", "role": "member"}), 409)
    listed = house.api["owner"].get(path).json()["results"]
    assert len(listed) == 1 and "token" not in listed[0]
    other = make_house()
    problem_of(other.api["owner"].delete(f"projects/{other.project.slug}/tokens/{listed[0]['id']}"), 404)
    assert house.api["owner"].delete(f"{path}/{listed[0]['id']}").status_code == 204


@pytest.mark.django_db
def test_settings_are_for_maintainers_and_limits_for_administrators() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}"
    problem_of(house.api["member"].patch(path, {"title": "x"}), 403)
    changed = house.api["maintainer"].patch(path, {"title": "x", "default_max_cost_micros": 5})
    assert changed.json()["default_max_cost_micros"] == 5
    problem_of(house.api["owner"].patch(path, {"share": 500}), 403)
    assert api_of(make_admin()).patch(path, {"share": 500}).json()["share"] == 500
    problem_of(api_of(make_admin()).patch(path, {"max_nodes": 200_001}), 422)


@pytest.mark.django_db
def test_a_pause_keeps_its_reason_until_it_ends() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}/pause"
    problem_of(house.api["member"].post(path, {"reason": "x"}), 403)
    problem_of(house.api["maintainer"].post(path, {"reason": "  "}), 422)
    assert house.api["maintainer"].post(path, {"reason": "beam time"}).json()["paused_reason"] == "beam time"
    assert house.api["maintainer"].delete(path).json()["paused_reason"] == ""


@pytest.mark.django_db
def test_archived_projects_leave_the_list_and_come_back() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}"
    problem_of(house.api["maintainer"].post(f"{path}/archive"), 403)
    assert house.api["owner"].post(f"{path}/archive").status_code == 200
    assert house.api["viewer"].get("projects").json()["results"] == []
    assert len(house.api["viewer"].get("projects?archived=true").json()["results"]) == 1
    assert house.api["owner"].delete(f"{path}/archive").json()["archived_at"] is None


@pytest.mark.django_db
def test_a_slug_is_unique_and_cannot_pass_for_an_id() -> None:
    api = api_of(make_user())
    assert api.post("projects", {"slug": "lab"}).status_code == 201
    problem_of(api_of(make_user()).post("projects", {"slug": "lab"}), 409, "name_taken")
    for slug in ("Lab", "-a", "a_b", "", "0123456789abcdef" * 2):
        problem_of(api.post("projects", {"slug": slug}), 422)


class RoleLattice(TestCase):
    """Random grants, changes and removals by everybody, 70 programs of 100 to 200 steps: nobody rises above the giver."""

    house: House

    def setUp(self) -> None:
        self.house = make_house()
        self.people = [*self.house.users.values(), *(make_user() for _ in range(3))]

    @settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(["add", "change", "remove"]),
                st.integers(0, 6),
                st.integers(0, 6),
                st.sampled_from(ROLES),
            ),
            min_size=100,
            max_size=200,
        )
    )
    def test_no_grant_rises_above_its_giver_and_an_owner_is_left(self, steps: list[Any]) -> None:
        project = self.house.project
        held = dict(Membership.objects.filter(project=project).values_list("user_id", "role"))
        for what, by_index, on_index, role in steps:
            by, on = self.people[by_index], self.people[on_index]
            giver = RANK.get(held.get(by.pk, ""), 0)
            before = held.get(on.pk)
            try:
                with transaction.atomic():
                    member = Membership.objects.filter(project=project, user=on).first()
                    if what == "add":
                        services.member_add(project=project, user=on, role=role, by=principal_of(by))
                    elif member is None:
                        continue
                    elif what == "change":
                        services.member_change(member=member, role=role, by=principal_of(by))
                    else:
                        services.member_remove(member=member, by=principal_of(by))
            except FubiniError:
                pass
            else:
                if what != "remove":
                    assert RANK[role] <= giver
                if before is not None and by.pk != on.pk:
                    assert RANK[before] <= giver
                if what == "remove":
                    held.pop(on.pk, None)
                else:
                    held[on.pk] = role
            assert "owner" in held.values()
        assert dict(Membership.objects.filter(project=project).values_list("user_id", "role")) == held
