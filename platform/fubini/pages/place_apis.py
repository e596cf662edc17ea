"""The pools page, and where a run's steps went, in one request each."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.dispatch.placements import run_placement
from fubini.pages.place_serializers import PlacesOut, RunPlacementOut
from fubini.pages.places import places_of
from fubini.projects.authorize import project_get
from fubini.rest.views import ApiViews, operation
from fubini.runs.apis import run_visible


class PlacesViews(ApiViews):
    """``/projects/{ref}/places``."""

    @operation("The places a project can use: sites, links, nodes, agents, use and queue.", reply=PlacesOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        return self.reply(places_of(project_get(self.principal, ref), self.principal))


class PlacementViews(ApiViews):
    """``/runs/{id}/placement``."""

    @operation("Where a run's steps went, why there, and what else was considered.", reply=RunPlacementOut)
    def retrieve(self, request: Request, id: str) -> Response:
        """By template and pool; which other pools could not run such a step is told as things are now."""
        return self.reply(run_placement(run_visible(self.principal, id)))
