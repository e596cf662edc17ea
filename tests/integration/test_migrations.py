"""Rows made before ids were packed outlive every migration since, on the database the tests run on.

`test_postgres` runs this file on PostgreSQL. What is compared is what people read and the keys of all rows that were there
then, so a migration may store things as it likes.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps as now
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from fubini.common import clock
from fubini.crons.models import CronTick
from fubini.crons.services import cron_save
from fubini.datasets.models import Fetch
from fubini.dispatch.pump import engines_pump
from fubini.engines.embedded.remote import remote_key, remote_source
from fubini.events.selectors import EventFilter, event_document, events_after
from fubini.ledger.models import Hold
from fubini.ledger.selectors import bookings_of, costs_by_run, held_by_run, statement_lines
from fubini.ledger.services import Settlement, holds_settle, ledger_check
from fubini.runs.apply import step_apply
from fubini.runs.engine import ArtifactInput, NodeId, OpenTask, Step, TaskSpec
from fubini.runs.models import Attempt, LockClaim, MemoEntry, Run, Task
from fubini.runs.services import run_submit
from tests.support.driven import End, drive
from tests.support.rows import make_attempt, make_place, make_project, make_run

#: Each app as it was before its first migration that had rows to carry over.
BEFORE = [
    ("fubini_events", "0001_initial"),
    ("fubini_ledger", "0001_initial"),
    ("fubini_runs", "0011_pages_by_id"),
    ("fubini_crons", "0001_initial"),
    ("fubini_datasets", "0003_fetches"),
]
OURS = tuple(app for app, _ in BEFORE)
#: Their keys were ids and are numbers; bookings have the id beside it, which the statement shows.
NUMBERED = ("fubini_ledger.Account", "fubini_ledger.LedgerTransaction")
CRON = """\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 3 * * *"]
  workflowSpec:
    entrypoint: main
    templates: [{name: main, container: {image: busybox, command: ["true"]}}]
"""
BEAM = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: beam-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: use, template: use, withItems: [1, 2]}
    - name: use
      synchronization: {mutexes: [{name: beam}]}
      container: {image: busybox, command: [measure]}
"""
KEEP = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: keep-}
spec:
  entrypoint: keep
  templates:
    - name: keep
      memoize: {key: seed, maxAge: 1h, cache: {configMap: {name: model}}}
      container: {image: busybox, command: [train]}
      outputs:
        parameters: [{name: loss, valueFrom: {path: /loss}}]
        artifacts: [{name: model, path: /model}]
"""


def fill() -> tuple[Any, Run, Attempt]:
    """A project of which every one of these apps has rows; -> it, a run that goes on and its running attempt."""
    project, place = make_project("lab", budget_micros=1_000_000_000), make_place()
    cron = cron_save(project=project, text=CRON, actor="user:ann")
    CronTick.objects.create(cron=cron, at_ms=1, decided_at_ms=1, state="skipped")
    kept = run_submit(project=project, text=KEEP, actor="user:ann")
    drive(kept, place, lambda *_: End(parameters={"loss": "0.5"}, files={"model": b"weights"}, fingerprint="sha256:1"))
    going = run_submit(project=project, text=BEAM, actor="user:ann")
    while engines_pump():
        pass
    [task] = Task.objects.filter(run=going, state="queued")
    attempt = make_attempt(task, place)
    fetching = make_run(project)
    source = remote_source({"name": "data", "http": {"url": "https://example.org/x"}})
    assert source is not None
    waiting = ArtifactInput("data", "/in", remote_key(fetching.pk, source), remote=source)
    spec = TaskSpec(template="work", image="busybox", argv=("true",), artifacts_in=(waiting,))
    step_apply(fetching, Step(commands=(OpenTask(NodeId("n1"), 0, spec),)), phases={}, at_ms=clock.now_ms())
    return project, going, attempt


def told(project: Any) -> dict[str, Any]:
    """What people and other parts read of it."""
    events = [event_document(event) for event in events_after(EventFilter((project.pk,)), 0).events]
    return {
        "events": [(e["kind"], e["entity_id"], e["run_id"], e["data"]) for e in events],
        "statement": statement_lines(project.pk, bookings_of(project.pk).order_by("pk")),
        "costs": list(costs_by_run(project.pk)),
        "attempts": [
            (a.pk, a.rates, a.placement, a.environment)
            for a in Attempt.objects.select_related("rates_document", "placement_document", "environment_document").order_by("pk")
        ],
        "locks": list(LockClaim.objects.order_by("pk").values_list("lock__resource", "run_id", "node_id", "held_at_ms")),
        "caches": list(MemoEntry.objects.values_list("cache", "key", "outputs", "artifacts__key")),
        "fetches": list(Fetch.objects.values_list("run_id", "key", "state")),
        "schedules": list(CronTick.objects.values_list("cron__name", "at_ms", "state")),
        "imbalance": ledger_check()["imbalance_micros"],
    }  # fmt: skip


def keys(registry: Any, labels: list[str]) -> dict[str, list[Any]]:
    """The primary keys of all rows, by table."""
    return {label: sorted(registry.get_model(label).objects.values_list("pk", flat=True)) for label in labels}


def labels_of(registry: Any) -> list[str]:
    return sorted(
        m._meta.label for m in registry.get_models() if m._meta.app_label in OURS and not m._meta.auto_created
    )


@pytest.mark.django_db(transaction=True)
def test_rows_made_before_ids_were_packed_outlive_every_migration_since(tmp_path: Any, settings: Any) -> None:
    settings.FUBINI_HOME = tmp_path
    with transaction.atomic():
        project, going, attempt = fill()
    before = told(project)
    assert all(before[name] for name in before if name != "imbalance"), "the fixture has rows of every kind"
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        old = MigrationExecutor(connection).migrate(BEFORE).apps
        then = labels_of(old)
        assert keys(old, ["fubini_runs.Attempt"]) == keys(now, ["fubini_runs.Attempt"])
        rows = keys(old, then)
    finally:
        MigrationExecutor(connection).migrate(latest)
    still = [label for label in then if label in labels_of(now) and label not in NUMBERED]
    assert keys(now, still) == {label: rows[label] for label in still}
    assert told(project) == before
    assert held_by_run([going.pk]) == {going.pk: 100_000}
    with transaction.atomic():
        holds_settle([Settlement(attempt.pk, 66)], at_ms=2)
    assert Hold.objects.get(pk=attempt.pk).settled_micros == 66 and ledger_check()["imbalance_micros"] == 0
