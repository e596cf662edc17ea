"""The pools page in one request."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.dispatch.place_serializers import PlacesOut
from fubini.dispatch.places import places_of
from fubini.projects.authorize import project_get
from fubini.rest.views import ApiViews, operation


class PlacesViews(ApiViews):
    """``/projects/{ref}/places``."""

    @operation("The places a project can use: sites, links, nodes, agents, use and queue.", reply=PlacesOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        return self.reply(places_of(project_get(self.principal, ref), self.principal))
