"""``/projects/{ref}/runs/...``: deeds on many runs, their table, two beside each other."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import NotFound
from fubini.common.saying import say
from fubini.projects.authorize import project_get
from fubini.projects.models import Project
from fubini.rest.views import ApiViews, operation
from fubini.runs import selectors
from fubini.runs.many import bulk, compare, table
from fubini.runs.many import serializers as shape
from fubini.runs.models import Run


class ManyRuns(ApiViews):
    @operation("Cancel, delete or label many runs.", body=shape.BulkAsk, reply=shape.DoneOut, many=True, paged=False)
    def bulk(self, request: Request, ref: str) -> Response:
        """Each run has its own answer; what cannot be done with one does not stop the others."""
        project = project_get(self.principal, ref, "run.read")
        body = self.body
        project = project_get(self.principal, ref, bulk.DEEDS[body["deed"]])
        return self.reply(
            bulk.runs_do(
                project=project,
                deed=body["deed"],
                ids=body["runs"],
                actor=self.principal.actor,
                labels=body["labels"],
                drop=body["drop"],
            )
        )

    @operation("Parameters against results of many runs.", query=shape.TableFilter, reply=shape.RunTableOut)
    def table(self, request: Request, ref: str) -> Response:
        """The newest 500 that fit the filters; a column is what any of them has, those that vary come first."""
        project = project_get(self.principal, ref, "run.read")
        wanted = self.params
        runs = selectors.runs_of(
            [project.pk],
            states=wanted.get("state", ()),
            phases=wanted.get("phase", ()),
            labels=wanted.get("label", ()),
            search=wanted.get("search", ""),
            created_after=wanted.get("created_after"),
            created_before=wanted.get("created_before"),
            submitted_by=wanted.get("submitted_by", ""),
            pipeline_id=wanted.get("pipeline", ""),
            parent=wanted.get("parent_run", ""),
        )
        if "run" in wanted:
            runs = runs.filter(pk__in=wanted["run"])
        return self.reply(table.table_of(runs.select_related("project", "pipeline_version__pipeline")))

    @operation("Two runs of a project beside each other.", query=shape.CompareAsk, reply=shape.ComparisonOut)
    def compare(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "run.read")
        return self.reply(compare.comparison_of(*_runs(project, self.params["a"], self.params["b"])))


def _runs(project: Project, *refs: str) -> list[Run]:
    """These runs of the project, in this order; one query.

    Raises:
        NotFound: it has no such run.
    """
    found = selectors.runs_named([project.pk], refs)
    for ref in refs:
        if ref not in found:
            raise NotFound(
                say(
                    "The project has no run {ref!r}.",
                    ref=ref,
                ),
                next_step="List them with GET /api/v1/runs?project=...",
            )
    return [found[ref] for ref in refs]
