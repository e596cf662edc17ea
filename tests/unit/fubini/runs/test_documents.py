"""What attempts have in common is stored once, and nothing is lost when it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from fubini.common import clock
from fubini.common.ids import new_id
from fubini.runs import documents
from fubini.runs.documents import documents_forget
from fubini.runs.models import Attempt, SharedDocument
from fubini.runs.transitions import attempts_move
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task


@pytest.fixture
def attempts(db: None) -> list[Attempt]:
    place, project = make_place(), make_project()
    run = make_run(project)
    return [make_attempt(make_task(run, node_id=f"n{i}"), place) for i in range(3)]


def fresh(attempt: Attempt) -> Attempt:
    return Attempt.objects.get(pk=attempt.pk)


def test_attempts_with_the_same_prices_share_one_document(attempts: list[Attempt]) -> None:
    assert len({a.rates_document_id for a in attempts}) == 1
    assert SharedDocument.objects.count() == 1
    assert all(fresh(a).rates["core_hour_micros"] > 0 for a in attempts)


def test_what_is_empty_is_not_stored_and_reads_as_empty(attempts: list[Attempt]) -> None:
    row = fresh(attempts[0])
    assert (row.placement_document_id, row.placement, row.environment) == (None, {}, {})


def test_a_move_stores_what_an_attempt_ran_in_and_touches_no_other(attempts: list[Attempt]) -> None:
    one, two, other = attempts
    for row in (one, two):
        row.environment = {"environment_fingerprint": "sha256:1", "hostname": "vm"}
    with transaction.atomic():
        attempts_move([one, two], "running", at_ms=clock.now_ms(), fields=["environment"])
    assert fresh(one).environment == fresh(two).environment == {"environment_fingerprint": "sha256:1", "hostname": "vm"}
    assert fresh(one).environment_document_id == fresh(two).environment_document_id
    assert fresh(other).environment == {}
    one.environment = {"environment_fingerprint": "sha256:2"}
    with transaction.atomic():
        attempts_move([one], "finishing", at_ms=clock.now_ms(), fields=["environment"])
    assert fresh(one).environment == {"environment_fingerprint": "sha256:2"}
    assert fresh(two).environment["environment_fingerprint"] == "sha256:1"


def test_documents_no_attempt_refers_to_any_more_are_forgotten(
    attempts: list[Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    def environment_is(name: str) -> None:
        attempts[0].environment = {"environment_fingerprint": name}
        with transaction.atomic():
            attempts_move([attempts[0]], name, at_ms=clock.now_ms(), fields=["environment"])

    environment_is("staging")
    environment_is("running")
    assert documents_forget() == 0  # the newest stay
    monkeypatch.setattr(documents, "KEPT_NEWEST", 0)
    assert documents_forget() == 1
    assert fresh(attempts[0]).environment == {"environment_fingerprint": "running"}
    assert SharedDocument.objects.count() == 2  # with the prices
    environment_is("finishing")
    assert fresh(attempts[0]).environment == {"environment_fingerprint": "finishing"}


def old_attempt(apps: Apps, like: Attempt, **shared: Any) -> str:
    """An attempt as it was stored before documents were shared."""
    row = apps.get_model("fubini_runs", "Attempt")(
        id=new_id(),
        task_id=like.task_id,
        run_id=like.run_id,
        project_id=like.project_id,
        number=2,
        fence=2,
        site_id=like.site_id,
        agent_id=like.agent_id,
        pool_id=like.pool_id,
        node_group_id=like.node_group_id,
        cpu_millis=1000,
        memory_bytes=0,
        walltime_s=10,
        leased_at_ms=1,
        **shared,
    )
    row.save()
    return str(row.pk)


@pytest.mark.django_db(transaction=True)
def test_attempts_stored_before_keep_their_contents_through_the_migration_and_back() -> None:
    place, project = make_place(), make_project()
    run = make_run(project)
    now = [make_attempt(make_task(run, node_id=f"n{i}"), place) for i in range(2)]
    rates = now[0].rates
    shared = {
        "rates": {"version": 1, "core_hour_micros": 7},
        "placement": {"why": "burst", "considered": [{"pool_id": "p"}], "nodes": 1},
        "environment": {"hostname": "vm"},
    }
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        executor = MigrationExecutor(connection)
        before = executor.migrate([("fubini_runs", "0011_pages_by_id")]).apps
        assert before.get_model("fubini_runs", "Attempt").objects.get(pk=now[0].pk).rates == rates
        full = [old_attempt(before, a, **shared) for a in now]
    finally:
        MigrationExecutor(connection).migrate(latest)
    for pk in full:
        row = Attempt.objects.get(pk=pk)
        assert {name: getattr(row, name) for name in shared} == shared
    assert len({Attempt.objects.get(pk=pk).placement_document_id for pk in full}) == 1
    assert Attempt.objects.get(pk=now[0].pk).rates == rates
