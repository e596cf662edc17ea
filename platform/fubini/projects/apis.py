"""REST: projects, their members, machine tokens and pause."""

from __future__ import annotations

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.accounts import tokens
from fubini.accounts.models import User
from fubini.accounts.selectors import tokens_of_project
from fubini.common.errors import Invalid, NotFound
from fubini.common.saying import say
from fubini.manifests.cluster_fields import CLUSTER_FIELDS
from fubini.manifests.import_rules import rules_from
from fubini.projects import filters, services
from fubini.projects import serializers as s
from fubini.projects.authorize import authorize, authorize_admin, authorize_person, project_get
from fubini.projects.models import Membership, Project, Role
from fubini.projects.selectors import members_of, projects_visible
from fubini.rest.serializers import PauseBody
from fubini.rest.views import ApiViews, operation


class Projects(ApiViews):
    @operation("List the projects I can see.", query=s.ProjectQuery, reply=s.ProjectOut, many=True)
    def list(self, request: Request) -> Response:
        found = projects_visible(self.principal).filter(archived_at__isnull=not self.params.get("archived", False))
        if search := self.params.get("search"):
            found = found.filter(Q(slug__icontains=search) | Q(title__icontains=search))
        return self.page(found, ("slug",))

    @operation("Make a project of mine, with no budget.", body=s.ProjectCreate, reply=s.ProjectOut, status=201)
    def create(self, request: Request) -> Response:
        authorize_person(self.principal)
        project = services.project_create(actor=self.principal.actor, owner=self.principal.user, **self.body)
        return self.reply(s.with_role(project, Role.OWNER), etag=project)

    @operation("One project, by slug or id.", reply=s.ProjectOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref)
        return self.reply(project, etag=project)

    @operation("Change its settings.", body=s.ProjectChange, reply=s.ProjectOut, if_match=True)
    def update(self, request: Request, ref: str) -> Response:
        """Title and default cost limit: maintainers. Fair share and size limits: administrators."""
        project = project_get(self.principal, ref, "project.update")
        if services.LIMITS & self.body.keys():
            authorize_admin(self.principal)
        expected = self.match(project)
        role = project.my_role  # type: ignore[attr-defined]
        services.project_update(project=project, actor=self.principal.actor, expected_version=expected, **self.body)
        return self.reply(s.with_role(project, role), etag=project)

    @operation("Stop new steps of the project; running ones finish.", body=PauseBody, reply=s.ProjectOut)
    def pause(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "project.pause")
        role = project.my_role  # type: ignore[attr-defined]
        services.project_pause(project=project, reason=self.body["reason"], actor=self.principal.actor)
        return self.reply(s.with_role(project, role), etag=project)

    @operation("Go on.", reply=s.ProjectOut)
    def resume(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "project.pause")
        role = project.my_role  # type: ignore[attr-defined]
        services.project_pause(project=project, reason="", actor=self.principal.actor)
        return self.reply(s.with_role(project, role), etag=project)

    @operation("Put the project aside: no new runs, nothing lost.", reply=s.ProjectOut)
    def archive(self, request: Request, ref: str) -> Response:
        return self._archive(ref, True)

    @operation("Take an archived project back.", reply=s.ProjectOut)
    def restore(self, request: Request, ref: str) -> Response:
        return self._archive(ref, False)

    def _archive(self, ref: str, archived: bool) -> Response:
        project = project_get(self.principal, ref, "project.archive")
        role = project.my_role  # type: ignore[attr-defined]
        services.project_archive(project=project, archived=archived, actor=self.principal.actor)
        return self.reply(s.with_role(project, role), etag=project)


class ImportRulesViews(ApiViews):
    @operation("How manifests made for a cluster are read here.", reply=s.ImportRulesOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref)
        return self._reply(project)

    @operation("Replace the import rules.", body=s.ImportRulesSet, reply=s.ImportRulesOut, if_match=True)
    def update(self, request: Request, ref: str) -> Response:
        """Maintainers. Runs keep the rules they were submitted with. `If-Match` is optional here."""
        project = project_get(self.principal, ref, "project.update")
        expected = self.match(project, required=False)
        services.project_import_rules_set(
            project=project, rules=self.body, actor=self.principal.actor, expected_version=expected
        )
        return self._reply(project)

    def _reply(self, project: Project) -> Response:
        rules = rules_from(project.import_rules).as_json()
        means = {field.name: field.means for field in CLUSTER_FIELDS.values()}
        return self.reply({**rules, "may_ignore": means}, etag=project)


class Members(ApiViews):
    @operation("List a project's members.", reply=s.MemberOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "member.read")
        return self.page(members_of(project), ("user__username", "id"))

    @operation("Make a user a member.", body=s.MemberAdd, reply=s.MemberOut, status=201)
    def create(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "member.write")
        username = self.body["username"]
        user = User.objects.filter(username__iexact=username, is_active=True).first()
        if user is None:
            raise Invalid(
                say("There is no active user named {username!r}.", username=username),
                next_step="Check the spelling, or ask an administrator to make the user.",
                errors=[{"pointer": "/username", "code": "unknown_user", "found": username}],
            )
        member = services.member_add(project=project, user=user, role=self.body["role"], by=self.principal)
        return self.reply(member, etag=member)

    @operation("One member.", reply=s.MemberOut)
    def retrieve(self, request: Request, ref: str, username: str) -> Response:
        member = self._member(project_get(self.principal, ref, "member.read"), username)
        return self.reply(member, etag=member)

    @operation("Give a member another role.", body=s.MemberChange, reply=s.MemberOut, if_match=True)
    def update(self, request: Request, ref: str, username: str) -> Response:
        project = project_get(self.principal, ref, "member.write")
        member = self._member(project, username)
        expected = self.match(member)
        role = self.body.get("role", member.role)
        services.member_change(member=member, role=role, by=self.principal, expected_version=expected)
        return self.reply(member, etag=member)

    @operation("End a membership; anybody may leave.", status=204)
    def destroy(self, request: Request, ref: str, username: str) -> Response:
        project = project_get(self.principal, ref, "member.read")
        member = self._member(project, username)
        if member.user_id != self.principal.user_id:
            authorize(self.principal, "member.write", project)
        services.member_remove(member=member, by=self.principal)
        return self.reply()

    def _member(self, project: Project, username: str) -> Membership:
        found = (
            Membership.objects.select_related("user", "project")
            .filter(project=project, user__username__iexact=username)
            .first()
        )
        if found is None:
            raise NotFound(say("{username!r} is not a member here.", username=username[:80]))
        return found


class ProjectTokens(ApiViews):
    @operation("List a project's machine tokens.", reply=s.ProjectTokenOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "token.read")
        return self.page(tokens_of_project(project.pk), ("-id",))

    @operation(
        "Make a machine token; its text is shown only now.",
        body=s.ProjectTokenCreate,
        reply=s.ProjectTokenMade,
        status=201,
        secret=True,
    )
    def create(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "token.write")
        fields = {"scopes": ["read", "write"], **self.body}
        token, text = services.project_token_create(project=project, by=self.principal, **fields)
        token.token = text  # type: ignore[attr-defined]
        return self.reply(token)

    @operation("Revoke a machine token.", status=204)
    def destroy(self, request: Request, ref: str, id: str) -> Response:
        project = project_get(self.principal, ref, "token.write")
        token = tokens_of_project(project.pk).filter(pk=id).first()
        if token is None:
            raise NotFound("The project has no such token.")
        tokens.token_revoke(token=token, actor=self.principal.actor)
        return self.reply()


class Filters(ApiViews):
    """``/projects/{ref}/filters``."""

    @operation("My saved filters, and those shared in the project.", query=s.FilterQuery, reply=s.FilterOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        rows = filters.filters_of(project_get(self.principal, ref), self.principal.actor)
        if page := self.params.get("page"):
            rows = rows.filter(page=page)
        return self.page(rows, ("name", "id"))

    @operation("Save a filter under a name, or replace mine of that name.", body=s.FilterSave, reply=s.FilterOut)
    def create(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref)
        return self.reply(filters.filter_save(project=project, actor=self.principal.actor, **self.body))

    @operation("Delete one of my saved filters.", status=204)
    def destroy(self, request: Request, ref: str, id: int) -> Response:
        filters.filter_drop(project=project_get(self.principal, ref), actor=self.principal.actor, id=id)
        return self.reply()
