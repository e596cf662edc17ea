"""Schedules over REST."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common import clock
from fubini.common.errors import NotFound
from fubini.crons import selectors, services
from fubini.crons import serializers as shape
from fubini.crons.models import Cron
from fubini.crons.preview import preview
from fubini.pipelines.models import Pipeline
from fubini.projects.authorize import allows, authorize, project_get, project_ids_visible, role_in
from fubini.rest.views import ApiViews, operation
from fubini.runs.selectors import run_get


class CronViews(ApiViews):
    """``/crons``."""

    @operation("List schedules.", query=shape.CronFilter, reply=shape.CronOut, many=True)
    def list(self, request: Request) -> Response:
        projects: Any = project_ids_visible(self.principal)
        if "project" in self.params:
            projects = [project_get(self.principal, self.params["project"], "cron.read").pk]
        rows = selectors.crons_of(projects)
        if "name" in self.params:
            rows = rows.filter(name=self.params["name"])
        return self.page(rows, ("name", "id"))

    @operation(
        "Make a schedule of a CronWorkflow, a run or a pipeline.", body=shape.CronSave, reply=shape.CronText, status=201
    )
    def create(self, request: Request) -> Response:
        """A manifest with errors answers 422 with all of them; a name that is taken answers 409."""
        project = project_get(self.principal, self.body["project"], "cron.write")
        text = self.body.get("manifest") or self._text(project.pk)
        row = services.cron_save(project=project, text=text, actor=self.principal.actor, fresh=True)
        return self._one(row.pk, status=201, headers={"Location": f"/api/v1/crons/{row.pk}"})

    @operation("One schedule with its manifest.", reply=shape.CronText)
    def retrieve(self, request: Request, id: str) -> Response:
        return self._one(id)

    @operation("Change a schedule's manifest.", body=shape.CronChange, reply=shape.CronText)
    def update(self, request: Request, id: str) -> Response:
        """The manifest keeps its name. What is past by now is not made up for where the schedule itself changes."""
        row = _cron(self.principal, id, "cron.write")
        services.cron_save(project=row.project, text=self.body["manifest"], actor=self.principal.actor, cron=row)
        return self._one(id)

    @operation("Delete a schedule; its runs stay.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        services.cron_delete(cron=_cron(self.principal, id, "cron.delete"), actor=self.principal.actor)
        return self.reply()

    @operation("Suspend a schedule.", body=shape.Nothing, reply=shape.CronText)
    def suspend(self, request: Request, id: str) -> Response:
        return self._suspend(id, True)

    @operation("Resume a schedule.", body=shape.Nothing, reply=shape.CronText)
    def resume(self, request: Request, id: str) -> Response:
        """What was due meanwhile is made up for only within `startingDeadlineSeconds`."""
        return self._suspend(id, False)

    @operation("A schedule's ticks, newest first, with what became of them.", reply=shape.TickOut, many=True)
    def ticks(self, request: Request, id: str) -> Response:
        return self.page(selectors.ticks_of(_cron(self.principal, id)), ("-at_ms", "-id"))

    @operation("A schedule's page: the schedule, and what became of its newest ticks.", reply=shape.CronOverview)
    def overview(self, request: Request, id: str) -> Response:
        row = _cron(self.principal, id)
        ticks = selectors.ticks_of(row).order_by("-at_ms", "-id")[: shape.TICKS_SHOWN]
        role = role_in(self.principal, row.project)
        may = {f"may_{what}": allows(role, f"cron.{what}") for what in ("write", "delete")}
        return self.reply({"schedule": row, "ticks": ticks, **may})

    @operation("Start one run of a schedule now.", body=shape.Nothing, reply=shape.StartedOut, status=201)
    def run(self, request: Request, id: str) -> Response:
        """In the name of who asks, also while it is suspended; it stands in the history beside the ticks."""
        row = _cron(self.principal, id, "run.submit")
        _ = self.body
        run = services.cron_run(cron=row, actor=self.principal.actor)
        return self.reply({"run_id": run.pk, "run_name": run.name})

    @operation(
        "What schedules mean, in words, and when they would be due.",
        body=shape.PreviewBody,
        reply=shape.PreviewOut,
        reads=True,
    )
    def preview(self, request: Request) -> Response:
        """For a form that is being filled in; lines with faults are told, not refused."""
        return self.reply(preview(self.body["schedules"], self.body["timezone"], clock.now_ms()))

    def _text(self, project_id: str) -> str:
        """The manifest that a run or a pipeline of the project gives; others' are no such thing."""
        fields = {k: v for k, v in self.body.items() if k not in ("project", "run", "pipeline")}
        if "run" in self.body:
            run = run_get([project_id], self.body["run"]) if len(self.body["run"]) <= 32 else None
            if run is None:
                raise NotFound("The project has no such run.")
            return services.cron_text(run=run, **fields)
        pipeline = Pipeline.objects.filter(project_id=project_id, pk=self.body["pipeline"]).first()
        if pipeline is None:
            raise NotFound("The project has no such pipeline.")
        return services.cron_text(pipeline=pipeline, **fields)

    def _suspend(self, id: str, suspended: bool) -> Response:
        row = _cron(self.principal, id, "cron.write")
        _ = self.body
        services.cron_suspend(cron=row, actor=self.principal.actor, suspended=suspended)
        return self._one(id)

    def _one(self, id: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        return self.reply(_cron(self.principal, id), status=status, headers=headers)


class ScheduleViews(ApiViews):
    """``/projects/{ref}/schedules``."""

    @operation("The page of a project's schedules in one answer.", reply=shape.SchedulesOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project: Any = project_get(self.principal, ref, "cron.read")
        return self.reply(
            {
                "zone": settings.FUBINI["ACCOUNTING_ZONE"],
                "may_write": allows(project.my_role, "cron.write"),
                "may_delete": allows(project.my_role, "cron.delete"),
                "schedules": self.first(
                    selectors.crons_of([project.pk]), ("name", "id"), path="crons", project=project.slug
                ),
            }
        )


def _cron(principal: Any, id: str, action: str = "cron.read") -> Cron:
    """A schedule the principal may see; then, may it do this?"""
    row = selectors.cron_get(project_ids_visible(principal), id)
    if row is None:
        raise NotFound("There is no such schedule, or you cannot see it.")
    if action != "cron.read":
        authorize(principal, action, row.project)
    return row
