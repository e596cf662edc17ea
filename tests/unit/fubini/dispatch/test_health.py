"""Healthy is what answers; ready is what works."""

from __future__ import annotations

import pytest
from django.db import DatabaseError

from fubini.common import clock
from fubini.dispatch.models import Leader
from tests.support.rest import Api
from tests.support.rows import make_place, make_project, make_run, make_task


def test_healthz_answers_without_the_database() -> None:
    response = Api().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"ok": True})


@pytest.mark.django_db
def test_readyz_is_red_until_dispatch_has_finished_a_cycle_and_when_it_hangs() -> None:
    assert Api().get("/readyz").status_code == 503
    leader = Leader.objects.create(pk=1, holder="x", cycle_at_ms=clock.now_ms())
    green = Api().get("/readyz")
    assert green.status_code == 200 and green.json()["ready"] and green.json()["cycle_age_ms"] < 5000
    leader.cycle_at_ms -= 60_000
    leader.save()
    red = Api().get("/readyz")
    assert red.status_code == 503 and "60 s" in red.json()["problems"][0]


@pytest.mark.django_db
def test_readyz_is_red_when_a_fact_has_not_been_heard_for_long() -> None:
    Leader.objects.create(pk=1, holder="x", cycle_at_ms=clock.now_ms())
    task = make_task(make_run(make_project()))
    type(task).objects.filter(pk=task.pk).update(engine_seen=False, finished_at_ms=clock.now_ms() - 60_000)
    red = Api().get("/readyz").json()
    assert not red["ready"] and red["oldest_event_age_ms"] >= 60_000


@pytest.mark.django_db
def test_readyz_tells_ages_but_no_names_to_the_unknown_caller() -> None:
    Leader.objects.create(pk=1, holder="secret-host", cycle_at_ms=clock.now_ms())
    place = make_place("secret-site")
    response = Api().get("/readyz")
    assert response.json()["agents"] == 1 and len(response.json()["agents_sync_age_ms"]) == 1
    assert b"secret" not in response.content and place.agent.pk.encode() not in response.content


def test_readyz_is_red_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise DatabaseError("secret-dsn")

    monkeypatch.setattr("fubini.dispatch.health.platform_status", broken)
    response = Api().get("/readyz")
    assert response.status_code == 503 and response.json()["database"] is False
    assert b"secret" not in response.content
