"""Runs, tasks and attempts made before their keys were packed are the same rows afterwards, and so is all that refers to them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from fubini.common import clock
from fubini.datasets.models import Artifact
from fubini.ledger.models import Hold
from fubini.ledger.selectors import bookings_of, statement_lines
from fubini.ledger.services import Settlement, holds_settle, ledger_check
from fubini.runs.models import Attempt, Lease, RunLabel, RunNode, RunSignal, Task
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task

COLUMNS = (
    ("runs_run", "id"), ("runs_runlabel", "run_id"), ("runs_runnode", "run_id"), ("runs_runsignal", "run_id"),
    ("runs_task", "id"), ("runs_task", "run_id"), ("runs_attempt", "id"), ("runs_attempt", "task_id"),
    ("runs_attempt", "run_id"), ("runs_lease", "id"), ("runs_lease", "run_id"), ("ledger_hold", "id"),
    ("ledger_ledgertransaction", "key"), ("datasets_artifact", "run_id"),
)  # fmt: skip
BEFORE = [
    ("fubini_ledger", "0003_spending_and_months"),
    ("fubini_runs", "0012_shared_documents"),
    ("fubini_datasets", "0005_version_pins"),
]


def stored() -> set[tuple[str, int]]:
    """How the columns hold ids, whatever they are: type and length."""
    found: set[tuple[str, int]] = set()
    with connection.cursor() as cursor:
        for table, column in COLUMNS:
            cursor.execute(
                f"SELECT DISTINCT typeof({column}), length({column}) FROM fubini_{table}"
                f" WHERE CAST({column} AS TEXT) NOT LIKE 'topup:%'"
            )
            rows = set(cursor.fetchall())
            assert rows, f"{table} is empty: nothing is shown about it"
            found |= rows
    return found


@pytest.mark.django_db(transaction=True)
def test_rows_are_packed_by_the_migrations_and_come_back_by_their_reverse() -> None:
    place, project = make_place(), make_project()
    run = make_run(project)
    RunLabel.objects.create(run=run, key="a", value="b")
    RunNode.objects.create(run=run, node_id="n", name="n", display_name="n", type="Pod")
    RunSignal.objects.create(run=run, kind="stop", actor="user:a", at_ms=1)
    attempt = make_attempt(make_task(run, "n"), place)
    holds_settle([Settlement(attempt.pk, 1_234)], at_ms=clock.now_ms())
    Artifact.objects.create(
        key=f"{run.pk}/n/0/x", project_id=project.pk, run_id=run.pk, node_id="n", generation=0, name="x",
        attempt_id=attempt.pk, entries=[], size_bytes=0, created_at_ms=1,
    )  # fmt: skip
    lines = statement_lines(project.pk, bookings_of(project.pk))
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    packed = stored()
    assert packed == {("blob", 16), ("blob", 21), ("blob", 23)}  # with "hold:" and "settle:"
    try:
        MigrationExecutor(connection).migrate(BEFORE)
        assert stored() == {("text", 32), ("text", 37), ("text", 39)}
    finally:
        MigrationExecutor(connection).migrate(latest)
    assert stored() == packed
    again = Attempt.objects.select_related("task__run").get(pk=attempt.pk)
    assert (again.task_id, again.task.run.pk, again.run_id) == (attempt.task_id, run.pk, run.pk)
    assert Task.objects.get(run__labels__key="a").attempts.get() == attempt
    assert (run.nodes.count(), run.signals.count()) == (1, 1)
    assert Lease.objects.get(pk=attempt.pk).run_id == Artifact.objects.get().run_id == run.pk
    assert Hold.objects.get(pk=attempt.pk).settled_micros == 1_234
    assert statement_lines(project.pk, bookings_of(project.pk)) == lines
    assert ledger_check()["imbalance_micros"] == 0
