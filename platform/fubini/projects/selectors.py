"""Reading projects: every queryset is born scoped to who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, CharField, OuterRef, Q, QuerySet, Subquery, Value, When

from fubini.common.errors import NotFound
from fubini.common.principal import Principal
from fubini.projects.models import Membership, Project, Role


def projects_visible(principal: Principal) -> QuerySet[Project]:
    """The projects a principal may know of: its memberships, its own one for a machine token, all for administrators.

    Each row has `my_role`: the asking principal's role there (administrators: owner).
    """
    if principal.administers:
        return Project.objects.annotate(my_role=Value(Role.OWNER.value, output_field=CharField()))
    if principal.user is not None:
        mine = Membership.objects.filter(project=OuterRef("pk"), user=principal.user).values("role")[:1]
        return Project.objects.filter(memberships__user=principal.user).annotate(my_role=Subquery(mine))
    if principal.project_id is not None:
        return Project.objects.filter(pk=principal.project_id).annotate(
            my_role=Value(principal.role, output_field=CharField())
        )
    return Project.objects.none()


def project_ids_visible(principal: Principal) -> QuerySet[Project]:
    """The ids of `projects_visible`, as a subquery for ``project_id__in``."""
    return projects_visible(principal).values("pk")  # type: ignore[return-value]


def role_rows(principal: Principal, project_id: str) -> QuerySet[Project, str | None]:
    """`authorize.role_in` as rows, to be read with others: the principal's role there; no row where it is not a member."""
    return projects_visible(principal).filter(pk=project_id).values_list("my_role", flat=True)  # type: ignore[misc]


def project_find(principal: Principal, ref: str, also: Mapping[str, Any] | None = None) -> Project:
    """The visible project with this slug or id; `also` are annotations to read with it.

    Raises:
        NotFound: there is none, or the principal may not know of it; both read alike.
    """
    # A slug that looks like an id cannot hide another project: ids win, and slugs of 32 hex characters are refused.
    found = (
        projects_visible(principal)
        .annotate(**(also or {}))
        .filter(Q(slug=ref) | Q(pk=ref))
        .order_by(Case(When(pk=ref, then=0), default=1))
        .first()
        if ref and "\x00" not in ref and len(ref) <= 64
        else None
    )
    if found is None:
        raise NotFound("There is no such project, or you cannot see it.")
    return found


def members_of(project: Project) -> QuerySet[Membership]:
    """A project's memberships with their people."""
    return Membership.objects.filter(project=project).select_related("user")
