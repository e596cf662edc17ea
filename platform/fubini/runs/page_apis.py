"""The run page and its artifacts, in one request each. A step's panel is in ``dispatch``, which knows why steps wait."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.datasets.selectors import artifacts_of_run
from fubini.rest.views import ApiViews, etag_of, operation
from fubini.runs.apis import run_visible
from fubini.runs.graph import graph_of
from fubini.runs.messages import with_names
from fubini.runs.page_serializers import RunOverviewOut, RunResultsOut
from fubini.runs.selectors import outputs_of

FINAL_MAX: Final = 200
ARTIFACTS: Final = 50  # a page of them
BY_AGE: Final = ("created_at_ms", "key")  # the ordering of `/runs/{id}/artifacts`


class RunPageViews(ApiViews):
    """``/runs/{id}/overview`` and ``/runs/{id}/results``."""

    @operation("A run's page: the run, and its tree to draw.", reply=RunOverviewOut)
    def overview(self, request: Request, id: str) -> Response:
        """`/runs/{id}` and `/runs/{id}/graph` in one answer; the `ETag` is the run's."""
        run = run_visible(self.principal, id, detailed=True)
        graph = graph_of(run)
        run.message = with_names(run.message, {node.id: node.name for node in graph.nodes})  # the row is not saved
        return self.reply({"run": run, "graph": graph}, headers={"ETag": etag_of(run)})

    @operation("What a run left: its final outputs, and the first of all its artifacts.", reply=RunResultsOut)
    def results(self, request: Request, id: str) -> Response:
        run = run_visible(self.principal, id)
        listed = artifacts_of_run(run.pk).defer("entries")
        first = self.first(listed, BY_AGE, path=f"runs/{run.pk}/artifacts", size=ARTIFACTS)
        return self.reply({"final": outputs_of(run, limit=FINAL_MAX), "artifacts": first})
