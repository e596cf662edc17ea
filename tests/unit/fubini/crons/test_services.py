"""Schedules in rows: saved, ticked once, settled, kept within their history."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from fubini.accounts.models import Token, User
from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.crons import services
from fubini.crons.models import Cron, CronTick
from fubini.pipelines.checking import ManifestInvalid
from fubini.projects.models import Membership, Project
from fubini.runs.models import Run, RunLabel, RunManifest, RunSignal
from fubini.runs.services import run_submit
from fubini.runs.transitions import run_move
from tests.support.rows import make_project, make_user

pytestmark = pytest.mark.django_db
TEXT = """\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["* * * * *"]
  timezone: Europe/Berlin
EXTRA
  workflowMetadata: {labels: {team: catalysis}}
  workflowSpec:
    entrypoint: main
    arguments: {parameters: [{name: at, value: "{{workflow.scheduledTime}}"}]}
    templates:
    - name: main
      container: {image: busybox, command: ["true"]}
"""


def manifest(extra: str = "") -> str:
    return TEXT.replace("EXTRA", extra)


@pytest.fixture
def project() -> Project:
    return make_project(owner=make_user("ada"))


def make_cron(project: Project, extra: str = "", *, overdue_s: int = 1) -> Cron:
    """A schedule whose latest minute nobody has decided."""
    row = services.cron_save(project=project, text=manifest(extra), actor="user:ada")
    Cron.objects.filter(pk=row.pk).update(considered_ms=row.considered_ms - 120_000, next_at_ms=0)
    row.refresh_from_db()
    return row


def due_ms() -> int:
    """A moment just after a whole minute, in the present one."""
    return clock.now_ms() // 60_000 * 60_000 + 1_000


def end(run: Run, state: str = "succeeded") -> None:
    with transaction.atomic():
        run = Run.objects.get(pk=run.pk)
        run.finished_at_ms = clock.now_ms()
        run_move(run, state, at_ms=clock.now_ms(), fields=["finished_at_ms"])


def test_a_due_tick_submits_one_run_named_and_labelled_as_argo_does(project: Project) -> None:
    row, now = make_cron(project), due_ms()
    assert services.crons_pass(at_ms=now) == 1
    assert services.crons_pass(at_ms=now) == 0
    run = Run.objects.get()
    at_ms = now // 60_000 * 60_000
    assert (run.name, run.submitted_by) == (f"nightly-{at_ms // 1000}", "user:ada")
    labels = dict(RunLabel.objects.filter(run=run).values_list("key", "value"))
    assert labels == {"workflows.argoproj.io/cron-workflow": "nightly", "team": "catalysis"}
    document = RunManifest.objects.get(run=run).document
    assert document["metadata"]["annotations"]["workflows.argoproj.io/scheduled-time"].endswith(":00Z")
    row.refresh_from_db()
    assert (row.last_at_ms, row.considered_ms, row.next_at_ms) == (at_ms, at_ms, at_ms + 60_000)


def test_a_process_killed_after_the_submit_leaves_nothing_and_the_next_starts_one_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cron(project)
    now = due_ms()

    def killed(**given: Any) -> Run:
        run_submit(**given)
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "run_submit", killed)
    with pytest.raises(KeyboardInterrupt):
        services.crons_pass(at_ms=now)
    assert (Run.objects.count(), CronTick.objects.count()) == (0, 0)
    monkeypatch.undo()
    assert services.crons_pass(at_ms=now) == 1
    assert Run.objects.count() == 1


def test_a_second_process_with_a_stale_row_cannot_start_the_tick_again(project: Project) -> None:
    row, now = make_cron(project), due_ms()
    services.crons_pass(at_ms=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        services._tick(row, now)
    assert Run.objects.count() == 1


def test_a_run_that_goes_on_forbids_or_is_replaced(project: Project) -> None:
    make_cron(project, "  concurrencyPolicy: Forbid")
    now = due_ms()
    services.crons_pass(at_ms=now)
    services.crons_pass(at_ms=now + 60_000)
    assert [(t.state, t.reason) for t in CronTick.objects.order_by("at_ms")] == [
        ("active", ""),
        ("skipped", "forbidden"),
    ]
    services.cron_save(project=project, text=manifest("  concurrencyPolicy: Replace"), actor="user:ada")
    services.crons_pass(at_ms=now + 120_000)
    first, second = Run.objects.order_by("created_at_ms", "job_number")
    assert list(RunSignal.objects.values_list("run_id", "kind")) == [(first.pk, "terminate")]
    assert second.name == f"nightly-{(now + 120_000) // 60_000 * 60}"


def test_ended_runs_are_counted_once_and_the_stop_strategy_ends_the_schedule(project: Project) -> None:
    row = make_cron(project, "  stopStrategy: {expression: cronworkflow.failed >= 1}")
    now = due_ms()
    services.crons_pass(at_ms=now)
    end(Run.objects.get(), "failed")
    for _ in range(2):
        services.crons_pass(at_ms=now)
    row.refresh_from_db()
    assert (row.failed, row.succeeded, row.stopped, row.next_at_ms) == (1, 0, True, None)
    assert services.crons_pass(at_ms=now + 60_000) == 0


def test_the_history_keeps_as_many_ended_runs_as_the_manifest_says(project: Project) -> None:
    make_cron(project, "  successfulJobsHistoryLimit: 1")
    now = due_ms()
    for turn in range(3):
        services.crons_pass(at_ms=now + turn * 60_000)
        end(Run.objects.order_by("-job_number")[0])
        services.crons_pass(at_ms=now + turn * 60_000)
    assert Run.objects.count() == 3
    assert Run.objects.filter(deleted_at_ms=None).get() == Run.objects.order_by("-job_number")[0]


def test_without_a_limit_in_the_manifest_no_run_is_removed(project: Project) -> None:
    make_cron(project)
    now = due_ms()
    for turn in range(5):
        services.crons_pass(at_ms=now + turn * 60_000)
        end(Run.objects.order_by("-job_number")[0])
    services.crons_pass(at_ms=now + 240_000)
    assert Run.objects.filter(deleted_at_ms=None).count() == 5


def test_a_submit_that_is_refused_is_the_tick_s_end_and_is_shown(project: Project) -> None:
    row, now = make_cron(project), due_ms()
    document = dict(row.document)
    document["spec"] = {**document["spec"], "workflowSpec": {**document["spec"]["workflowSpec"], "entrypoint": "gone"}}
    Cron.objects.filter(pk=row.pk).update(document=document)
    assert services.crons_pass(at_ms=now) == 1
    row.refresh_from_db()
    assert CronTick.objects.get().state == "refused"
    assert row.failed == 1 and "gone" in row.condition
    assert row.next_at_ms is not None and row.next_at_ms > now


def test_suspended_it_makes_no_run_and_resumed_only_what_the_deadline_allows(project: Project) -> None:
    row, now = make_cron(project), due_ms()
    services.cron_suspend(cron=row, actor="user:ada", suspended=True)
    assert services.crons_pass(at_ms=now) == 0
    resumed = services.cron_suspend(cron=row, actor="user:ada", suspended=False)
    assert resumed.next_at_ms is not None and resumed.next_at_ms > clock.now_ms()
    assert resumed.document["spec"]["suspend"] is False


def test_one_broken_schedule_does_not_keep_the_others_from_running(project: Project) -> None:
    broken, now = make_cron(project), due_ms()
    services.cron_save(project=make_project(owner=make_user("bob")), text=manifest(), actor="user:bob")
    Cron.objects.exclude(pk=broken.pk).update(considered_ms=broken.considered_ms, next_at_ms=1)
    Cron.objects.filter(pk=broken.pk).update(document={})
    assert services.crons_pass(at_ms=now) == 1
    broken.refresh_from_db()
    assert broken.next_at_ms == now + 60_000


def test_what_is_wrong_with_a_schedule_is_said_at_save_by_path(project: Project) -> None:
    text = manifest('  when: "x"').replace('"* * * * *"', '"61 * * * *"').replace("Europe/Berlin", "Mars/Base")
    with pytest.raises(ManifestInvalid) as refused:
        services.cron_save(project=project, text=text, actor="user:ada")
    assert {e["path"] for e in refused.value.errors} == {"spec.schedules[0]", "spec.timezone"}
    with pytest.raises(ManifestInvalid) as refused:
        services.cron_save(
            project=project, text=manifest().replace("entrypoint: main", "entrypoint: mian"), actor="user:ada"
        )
    assert refused.value.errors[0]["path"] == "spec.workflowSpec.entrypoint"
    assert refused.value.errors[0]["line"] > 5
    with pytest.raises(Invalid, match=r"spec\.stopStrategy\.expression"):
        services.cron_save(
            project=project, text=manifest("  stopStrategy: {expression: cronworkflow.fialed > 1}"), actor="user:ada"
        )


def test_a_cron_workflow_is_not_submitted_as_a_run_nor_a_workflow_kept_as_a_schedule(project: Project) -> None:
    with pytest.raises(ManifestInvalid, match="kept as a schedule"):
        run_submit(project=project, text=manifest(), actor="user:ada")
    workflow = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: x}\n"
        + manifest()[manifest().index("spec:") :]
    )
    workflow = (
        workflow[: workflow.index("spec:")]
        + "spec:\n  entrypoint: main\n  templates:\n  - name: main\n    suspend: {}\n"
    )
    with pytest.raises(ManifestInvalid, match="has a schedule"):
        services.cron_save(project=project, text=workflow, actor="user:ada")


def leave(project: Project) -> None:
    Membership.objects.filter(project=project).delete()


def become_viewer(project: Project) -> None:
    Membership.objects.filter(project=project).update(role="viewer")


def be_deactivated(project: Project) -> None:
    User.objects.filter(username="ada").update(is_active=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [(leave, "not a member"), (become_viewer, "viewer"), (be_deactivated, "not active")],
)
def test_a_schedule_whose_saver_may_not_submit_any_more_is_suspended_with_the_reason(
    project: Project, change: Any, said: str
) -> None:
    row, now = make_cron(project, "  concurrencyPolicy: Replace"), due_ms()
    services.crons_pass(at_ms=now)
    change(project)
    assert services.crons_pass(at_ms=now + 60_000) == 1
    row.refresh_from_db()
    assert (row.suspended, row.next_at_ms, row.document["spec"]["suspend"]) == (True, None, True)
    assert said in row.condition and "user:ada" in row.condition
    assert Run.objects.count() == 1 and not RunSignal.objects.exists()
    tick = CronTick.objects.order_by("-at_ms")[0]
    assert (tick.state, tick.message) == ("refused", row.condition)
    entry = AuditEntry.objects.filter(action="cron.suspended").get()
    assert (entry.actor, entry.target, entry.project_id) == ("system", f"cron:{row.pk}", project.pk)
    assert entry.data["saved_by"] == "user:ada" and said in entry.data["reason"]
    with pytest.raises(services.SaverMayNot, match=said):
        services.cron_suspend(cron=row, actor="user:bob", suspended=False)


def test_saved_anew_by_somebody_who_may_the_schedule_goes_on_in_their_name(project: Project) -> None:
    row, now = make_cron(project), due_ms()
    leave(project)
    services.crons_pass(at_ms=now)
    Membership.objects.create(project=project, user=make_user("eve"), role="member")
    services.cron_save(project=project, text=manifest(), actor="user:eve")
    services.crons_pass(at_ms=now + 60_000)
    row.refresh_from_db()
    assert (row.suspended, row.condition) == (False, "")
    assert Run.objects.get().submitted_by == "user:eve"


def test_a_machine_token_s_schedule_ends_with_the_token(project: Project) -> None:
    actor = f"token:{project.slug}/robot"
    token = Token.objects.create(
        name="robot", prefix="p", digest="0" * 64, project_id=project.pk, role="member", actor=actor, scopes=["write"]
    )
    row, now = make_cron(project), due_ms()
    Cron.objects.filter(pk=row.pk).update(saved_by=actor)
    services.crons_pass(at_ms=now)
    assert Run.objects.get().submitted_by == actor
    token.revoked_at = clock.now()
    token.save()
    services.crons_pass(at_ms=now + 60_000)
    row.refresh_from_db()
    assert row.suspended and "not active" in row.condition and Run.objects.count() == 1


def test_the_trail_says_who_saved_suspended_and_deleted_a_schedule(project: Project) -> None:
    row = services.cron_save(project=project, text=manifest(), actor="user:ada")
    services.cron_suspend(cron=row, actor="user:bob", suspended=True)
    services.cron_delete(cron=row, actor="user:eve")
    found = AuditEntry.objects.filter(action__startswith="cron.").order_by("id")
    assert [(e.action, e.actor) for e in found] == [
        ("cron.saved", "user:ada"), ("cron.suspended", "user:bob"), ("cron.deleted", "user:eve"),
    ]  # fmt: skip
