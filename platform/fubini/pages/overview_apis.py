"""A project's home page over REST."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.pages.overview import overview_of, standing
from fubini.pages.overview_serializers import OverviewOut
from fubini.projects.authorize import permits, project_get
from fubini.rest.views import ApiViews, operation


class OverviewViews(ApiViews):
    """``/projects/{ref}/overview``."""

    @operation("A project at a glance: what its home page shows.", reply=OverviewOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, also=standing())
        return self.reply(overview_of(project, may_answer=permits(self.principal, "run.signal", project)))
