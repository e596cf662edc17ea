"""The project page over REST: who and what may act in a project, what it has left, and how it is set, in one answer."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.accounts.selectors import tokens_of_project
from fubini.common import clock
from fubini.flags.apis import FlagOut
from fubini.flags.selectors import flags_of
from fubini.ledger.selectors import budget_of, spent_by_day
from fubini.links.apis import LinkOut
from fubini.links.services import links_of
from fubini.pages.overview import first_day, runs_by_day
from fubini.pages.overview_serializers import BudgetGlanceOut, DayOut
from fubini.projects.authorize import permits, project_get
from fubini.projects.selectors import members_of
from fubini.projects.serializers import MembersPage, ProjectOut, ProjectTokenOut
from fubini.rest.serializers import FirstPageOut, ReplySerializer
from fubini.rest.views import ApiViews, operation


class ProjectTokensPage(FirstPageOut):
    results = ProjectTokenOut(many=True)


class LinksPage(FirstPageOut):
    results = LinkOut(many=True)


class SettingsOut(ReplySerializer):
    """What the project page shows."""

    project = ProjectOut()
    budget = BudgetGlanceOut()
    days = DayOut(many=True, help_text="Runs by the day they were submitted, and what was spent; oldest first.")
    members = MembersPage(help_text="By username.")
    tokens = ProjectTokensPage(allow_null=True, help_text="Machine tokens, the newest first; null below maintainer.")
    links = LinksPage(help_text="Share links, the newest first.")
    flags = FlagOut(many=True)


class SettingsViews(ApiViews):
    """``/projects/{ref}/settings``."""

    @operation("A project's page: budget, members, tokens, share links, flags.", reply=SettingsOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref)
        now_ms = clock.now_ms()
        _, days = runs_by_day(project, spent_by_day(project.pk, from_day=first_day(now_ms)), now_ms)
        path = f"projects/{project.slug}"
        tokens = None
        if permits(self.principal, "token.read", project):
            tokens = self.first(tokens_of_project(project.pk), ("-id",), path=f"{path}/tokens")
        return self.reply(
            {
                "project": project,
                "budget": budget_of(project.pk),
                "days": days,
                "members": self.first(members_of(project), ("user__username", "id"), path=f"{path}/members"),
                "tokens": tokens,
                "links": self.first(
                    links_of(project).select_related("project"), ("-id",), path=f"{path}/links"
                ),
                "flags": flags_of(project.pk),
            }
        )
