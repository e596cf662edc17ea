"""Bookings and holds made before their ids were packed are the same afterwards, to the micro."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from fubini.ledger.models import Hold
from fubini.ledger.selectors import bookings_of, costs_by_run, held_by_run, statement_lines
from fubini.ledger.services import Settlement, holds_settle, ledger_check
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task


def types() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT typeof(run_id) FROM fubini_ledger_hold UNION"
            " SELECT typeof(site_id) FROM fubini_ledger_ledgertransaction WHERE site_id IS NOT NULL"
        )
        return {row[0] for row in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
def test_a_ledger_stored_before_reads_the_same_after_the_migration_and_goes_on() -> None:
    project, place = make_project(), make_place()
    run = make_run(project)
    done, going = (make_attempt(make_task(run), place) for _ in range(2))
    holds_settle([Settlement(done.pk, 1_234)], at_ms=1)
    lines = statement_lines(project.pk, bookings_of(project.pk).order_by("pk"))
    costs = list(costs_by_run(project.pk))
    assert costs[0]["spent_micros"] == 1_234
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        MigrationExecutor(connection).migrate([("fubini_ledger", "0001_initial")])
        assert types() == {"text"}
    finally:
        MigrationExecutor(connection).migrate(latest)
    assert types() == {"blob"}
    assert statement_lines(project.pk, bookings_of(project.pk).order_by("pk")) == lines
    assert list(costs_by_run(project.pk)) == costs
    assert held_by_run([run.pk]) == {run.pk: 100_000}
    holds_settle([Settlement(going.pk, 66)], at_ms=2)
    assert Hold.objects.get(pk=going.pk).settled_micros == 66
    assert ledger_check()["imbalance_micros"] == 0
