"""The one place that says who may do what in a project.

A role's rights include those of the roles below it. Who is not a member gets `NotFound`, as if the project did not
exist; who is a member with too low a role gets `Forbidden`. A token can do no more than its scopes. Administrators act
as owners everywhere (with the scope ``admin``, for tokens).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fubini.accounts.authentication import principal_of_actor
from fubini.common.errors import Forbidden, NotFound
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.projects.models import Membership, Project, Role
from fubini.projects.selectors import project_find, project_ids_visible, projects_visible

ROLES = (Role.VIEWER, Role.MEMBER, Role.MAINTAINER, Role.OWNER)
RANK: Mapping[str, int] = MappingProxyType({role.value: rank for rank, role in enumerate(ROLES, start=1)})


@dataclass(frozen=True, slots=True)
class Rule:
    """The lowest role that may, and the scope a token needs."""

    role: Role
    scope: str


def _rules(role: Role, scope: str, *actions: str) -> dict[str, Rule]:
    return {action: Rule(role, scope) for action in actions}


ACTIONS: Mapping[str, Rule] = MappingProxyType(
    {
        **_rules(
            Role.VIEWER, "read",
            "project.read", "member.read", "budget.read", "ledger.read", "event.read", "dataset.read", "blob.read",
            "pipeline.read", "cron.read", "run.read", "task.read", "log.read", "artifact.read", "quote.read", "lint.read",
            "secret.read", "config.read",
        ),
        **_rules(
            Role.MEMBER, "write",
            "dataset.write", "blob.write", "pipeline.write", "cron.write", "run.submit", "run.update", "run.signal", "run.cancel",
            "run.resubmit",
        ),
        **_rules(
            Role.MAINTAINER, "write",
            "project.update", "project.pause", "webhook.read", "webhook.write", "member.write", "token.read", "token.write", "dataset.delete",
            "pipeline.delete", "cron.delete", "run.delete", "secret.write", "config.write", "lock.break",
        ),
        **_rules(Role.OWNER, "write", "project.limits", "project.archive"),
    }
)  # fmt: skip


def role_in(principal: Principal, project: Project) -> str | None:
    """The principal's role in a project; None: not a member."""
    if principal.administers:
        return Role.OWNER.value
    if principal.user is not None:
        return Membership.objects.filter(project=project, user=principal.user).values_list("role", flat=True).first()
    if principal.project_id is not None and principal.project_id == project.pk:
        return principal.role
    return None


def allows(role: str | None, action: str) -> bool:
    """Does a role's rank suffice for an action?"""
    return role is not None and RANK.get(role, 0) >= RANK[ACTIONS[action].role]


def authorize(principal: Principal, action: str, project: Project) -> None:
    """Let pass, or raise.

    Raises:
        NotFound: not a member.
        Forbidden: a member whose role, or a token whose scopes, do not suffice.
    """
    _check(principal, action, role_in(principal, project))


def permits(principal: Principal, action: str, project: Project) -> bool:
    """Would `authorize` let pass? For the parts of an answer that not all its readers may see; `project` is one that
    `project_get` found, so this asks nothing."""
    rule = ACTIONS[action]
    return allows(project.my_role, action) and rule.scope in principal.scopes  # type: ignore[attr-defined]


def actor_refusal(actor: str, action: str, project: Project) -> str:
    """Why who is recorded as `actor` may not do `action` there now; "" where they may. For deeds done later in a name."""
    principal = principal_of_actor(actor, project_id=project.pk)
    if principal is None:
        return f"{actor} is not active any more"
    try:
        authorize(principal, action, project)
    except NotFound:
        return f"{actor} is not a member of the project any more"
    except Forbidden as error:
        return f"{actor} may not: {error.detail}"
    return ""


def project_get(
    principal: Principal, ref: str, action: str = "project.read", also: Mapping[str, Any] | None = None
) -> Project:
    """The project with this slug or id, if the principal may do `action` there; one query.

    Args:
        also: annotations to read with it, for a page's answer that begins with the project.

    Raises:
        NotFound: none such, or not a member.
        Forbidden: role or scope do not suffice.
    """
    project = project_find(principal, ref, also)
    _check(principal, action, project.my_role)  # type: ignore[attr-defined]
    return project


def _check(principal: Principal, action: str, role: str | None) -> None:
    rule = ACTIONS[action]  # an unknown action is a programming error
    if role is None:
        raise NotFound("There is no such object, or you cannot see it.")
    if not allows(role, action):
        raise Forbidden(
            say("Your role here is {role}; {action} needs {value}.", role=role, action=action, value=rule.role.value),
            found=role,
            allowed=[r.value for r in ROLES if RANK[r] >= RANK[rule.role]],
        )
    if rule.scope not in principal.scopes:
        raise Forbidden(
            say("The token lacks the scope {scope!r}.", scope=rule.scope),
            next_step=say("Use a token with the scope {scope!r}.", scope=rule.scope),
            found=sorted(principal.scopes),
        )


def authorize_admin(principal: Principal) -> None:
    """Let administrators of the installation pass.

    Raises:
        Forbidden: anybody else, or an administrator's token without the scope ``admin``.
    """
    if not principal.administers:
        raise Forbidden(
            "Only administrators may do this."
            if not principal.is_admin
            else "An administrator's token needs the scope 'admin' for this.",
            next_step="Ask an administrator of this installation."
            if not principal.is_admin
            else "Use a token with the scope 'admin', or sign in.",
        )


def authorize_person(principal: Principal) -> None:
    """Let people pass, not machine tokens.

    Raises:
        Forbidden: a project's machine token.
    """
    if principal.user is None:
        raise Forbidden(
            "A project's machine token cannot do this.", next_step="Sign in, or use a token of your own account."
        )


__all__ = [
    "ACTIONS",
    "RANK",
    "ROLES",
    "Principal",
    "Rule",
    "actor_refusal",
    "allows",
    "authorize",
    "authorize_admin",
    "authorize_person",
    "permits",
    "project_find",
    "project_get",
    "project_ids_visible",
    "projects_visible",
    "role_in",
]
