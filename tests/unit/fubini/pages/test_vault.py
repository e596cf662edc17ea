"""The page of secrets: what there is, who names it and when it was used; of one project, and never a value."""

from __future__ import annotations

import pytest

from fubini.secrets.services import secret_set, secrets_used
from tests.support.rest import House, make_house, problem_of
from tests.unit.fubini.crons.test_services import manifest

pytestmark = pytest.mark.django_db
CANARY = "canary-of-the-vault"
NAMES = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: x-}
spec:
  entrypoint: a
  templates:
  - name: a
    container:
      image: busybox
      command: ["true"]
      env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]
"""


@pytest.fixture
def house() -> House:
    return make_house()


def test_who_names_a_secret_and_when_it_was_used_is_shown_and_no_value(house: House) -> None:
    member, slug = house.api["member"], house.project.slug
    secret_set(project=house.project, name="db", values={"password": CANARY.encode()}, actor="user:ann")
    secret_set(project=house.project, name="idle", values={"k": b"other"}, actor="user:ann")
    kept = member.post("pipelines", {"project": slug, "name": "loader", "manifest": NAMES})
    assert kept.status_code == 201, kept.content
    env = 'container: {image: busybox, command: ["true"], env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]}'
    cron = manifest().replace('container: {image: busybox, command: ["true"]}', env)
    assert member.post("crons", {"project": slug, "manifest": cron}).status_code == 201
    secrets_used(project_id=house.project.pk, names=["db"])
    answer = house.api["viewer"].get(f"projects/{slug}/vault")
    page = answer.json()
    used = {row["name"]: row["last_used_at"] is not None for row in page["secrets"]["results"]}
    assert used == {"db": True, "idle": False}
    assert [(n["kind"], n["name"], n["secrets"]) for n in page["named_by"]] == [
        ("pipeline", "loader", ["db"]),
        ("schedule", "nightly", ["db"]),
    ]
    assert CANARY not in answer.content.decode() and not page["may_write"]
    assert house.api["maintainer"].get(f"projects/{slug}/vault").json()["may_write"]


def test_another_project_s_vault_is_none(house: House) -> None:
    secret_set(project=house.project, name="db", values={"password": b"x"}, actor="user:ann")
    stranger = make_house()
    problem_of(stranger.api["owner"].get(f"projects/{house.project.slug}/vault"), 404)
    assert stranger.api["owner"].get(f"projects/{stranger.project.slug}/vault").json()["secrets"]["results"] == []
