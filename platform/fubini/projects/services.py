"""Writing projects: making, settings, members, machine tokens, pause, archive.

Nobody grants a role above the own one, or touches a member who stands above; a project always keeps an owner. Both
rules are checked under the project's row lock, so that two requests at once cannot get round them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.db.models import F

from fubini.accounts import tokens
from fubini.accounts.models import Token, User
from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict, Forbidden, Invalid, NotFound
from fubini.common.names import slug_checked
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.events.services import EventDraft, events_append
from fubini.manifests.import_rules import problems, rules_from
from fubini.projects.authorize import RANK, ROLES, role_in
from fubini.projects.models import Membership, Project, Role
from fubini.rest.problems import PreconditionFailed

_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,23}")
SETTINGS = frozenset({"title", "default_max_cost_micros"})
LIMITS = frozenset({"share", "max_nodes", "max_items"})


class NameTaken(Conflict):
    code: ClassVar[str] = "name_taken"
    title: ClassVar[str] = "The name is taken"


class LastOwner(Conflict):
    code: ClassVar[str] = "last_owner"
    title: ClassVar[str] = "A project keeps at least one owner"


class RoleTooHigh(Forbidden):
    code: ClassVar[str] = "role_too_high"
    title: ClassVar[str] = "Nobody grants or changes a role above the own one"


def _note(
    project: Project,
    what: str,
    actor: str,
    data: Mapping[str, Any] | None = None,
    target: str = "",
    topic: str = "project",
) -> None:
    audit_append(
        actor=actor,
        action=f"{topic}.{what}",
        target=target or f"project:{project.slug}",
        project_id=project.pk,
        data=data,
    )
    events_append(
        [
            EventDraft(
                topic=topic,
                kind=f"{topic}.{what}",
                entity_id=project.pk,
                at_ms=clock.now_ms(),
                project_id=project.pk,
                actor=actor,
                data=dict(data or {}),
            )
        ]
    )


@transaction.atomic
def project_create(
    *,
    slug: str,
    actor: str,
    owner: User | None = None,
    title: str = "",
    default_max_cost_micros: int | None = None,
) -> Project:
    """Make a project with no budget and, where given, its first owner.

    Raises:
        Invalid: the slug is not usable.
        NameTaken: there is such a project (which the asker may not be able to see).
    """
    slug_checked(slug, field="slug")
    try:
        with transaction.atomic():
            project = Project.objects.create(
                slug=slug, title=title, created_by=actor, default_max_cost_micros=default_max_cost_micros
            )
    except IntegrityError:
        raise NameTaken(
            say(
                "The name {slug!r} is taken.",
                slug=slug,
            ),
            next_step="Choose another name.",
            found=slug,
        ) from None
    if owner is not None:
        Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    _note(project, "create", actor, {"slug": slug})
    return project


@transaction.atomic
def project_update(*, project: Project, actor: str, expected_version: int | None = None, **changes: Any) -> Project:
    """Change settings and limits (`SETTINGS`, `LIMITS`); who may change which is the caller's to check.

    Raises:
        PreconditionFailed: the row is another version by now.
    """
    allowed = {k: v for k, v in changes.items() if k in SETTINGS | LIMITS}
    rows = Project.objects.filter(pk=project.pk)
    if expected_version is not None:
        rows = rows.filter(version=expected_version)
    if not rows.update(**allowed, version=F("version") + 1):
        raise PreconditionFailed("Somebody else changed it meanwhile.")
    project.refresh_from_db()
    _note(project, "update", actor, allowed)
    transaction.on_commit(lambda: bell.ring("dispatch"))
    return project


@transaction.atomic
def project_import_rules_set(
    *, project: Project, rules: Mapping[str, Any], actor: str, expected_version: int | None = None
) -> Project:
    """Replace the import rules; runs that were submitted keep those they have.

    Raises:
        Invalid: with everything that is wrong with the rules.
        PreconditionFailed: the row is another version by now.
    """
    wrong = list(problems(rules))
    if wrong:
        raise Invalid(
            wrong[0][1],
            next_step="Write {ignored: [...], node_labels: {theirs: ours}, images: {theirs: ours}}.",
            errors=[
                {"pointer": f"/{where}", "code": "import_rule", "detail": what, "allowed": allowed}
                for where, what, allowed in wrong
            ],
        )
    kept = rules_from(rules).as_json()
    rows = Project.objects.filter(pk=project.pk)
    if expected_version is not None:
        rows = rows.filter(version=expected_version)
    if not rows.update(import_rules=kept, version=F("version") + 1):
        raise PreconditionFailed("Somebody else changed it meanwhile.")
    project.refresh_from_db()
    _note(project, "import_rules", actor, kept)
    return project


@transaction.atomic
def project_pause(*, project: Project, reason: str, actor: str) -> Project:
    """Stop new leases of a project while `reason` is not empty; running steps finish. An empty reason goes on."""
    reason = reason.strip()
    Project.objects.filter(pk=project.pk).update(paused_reason=reason, version=F("version") + 1)
    project.refresh_from_db()
    _note(project, "pause" if reason else "resume", actor, {"reason": reason})
    transaction.on_commit(lambda: bell.ring("dispatch"))
    return project


@transaction.atomic
def project_archive(*, project: Project, archived: bool, actor: str) -> Project:
    """Put a project aside, or take it back; an archived one takes no new runs and keeps everything it has."""
    moment = clock.now() if archived else None
    Project.objects.filter(pk=project.pk).update(archived_at=moment, version=F("version") + 1)
    project.refresh_from_db()
    _note(project, "archive" if archived else "restore", actor)
    return project


def _role_checked(role: str) -> str:
    if role not in RANK:
        raise Invalid(
            say("{role!r} is not a role.", role=role[:40]),
            errors=[{"pointer": "/role", "code": "role", "found": role[:40], "allowed": [r.value for r in ROLES]}],
        )
    return role


def _may_touch(by: Principal, project: Project, *roles: str) -> None:
    """Raises RoleTooHigh if one of the roles stands above the principal's."""
    own = role_in(by, project)
    for role in roles:
        if RANK.get(own or "", 0) < RANK[role]:
            raise RoleTooHigh(
                say(
                    "Your role here is {own}; you cannot grant, change or remove {role}.",
                    own=own or "none",
                    role=role,
                ),
                next_step="Ask an owner of the project.",
                found=own,
                allowed=[r.value for r in ROLES if RANK[r] <= RANK.get(own or "", 0)],
            )


def _lock(project: Project) -> None:
    if not Project.objects.select_for_update().filter(pk=project.pk).exists():
        raise NotFound()


def _owner_left(project: Project) -> None:
    """Raises LastOwner (and so rolls back) if the project has no owner any more."""
    if not Membership.objects.filter(project=project, role=Role.OWNER).exists():
        raise LastOwner("That would leave the project without an owner.", next_step="Make another member owner first.")


@transaction.atomic
def member_add(*, project: Project, user: User, role: str, by: Principal) -> Membership:
    """Make a user a member.

    Raises:
        RoleTooHigh: the role stands above the granting principal's.
        Conflict: the user is a member already.
    """
    _role_checked(role)
    _lock(project)
    _may_touch(by, project, role)
    if Membership.objects.filter(project=project, user=user).exists():
        raise Conflict(
            say(
                "{username} is a member already.",
                username=user.username,
            ),
            next_step="Change the member's role instead.",
        )
    member = Membership.objects.create(project=project, user=user, role=role)
    _note(project, "add", by.actor, {"user": user.username, "role": role}, f"user:{user.username}", "member")
    return member


@transaction.atomic
def member_change(*, member: Membership, role: str, by: Principal, expected_version: int | None = None) -> Membership:
    """Give a member another role.

    Raises:
        RoleTooHigh: the present or the new role stands above the granting principal's.
        LastOwner: the member is the last owner.
        PreconditionFailed: the row is another version by now.
    """
    _role_checked(role)
    _lock(member.project)
    member.refresh_from_db()
    _may_touch(by, member.project, role, member.role)
    if expected_version is not None and member.version != expected_version:
        raise PreconditionFailed("Somebody else changed it meanwhile.")
    before, member.role = member.role, role
    member.version += 1
    member.save(update_fields=["role", "version"])
    _owner_left(member.project)
    data = {"user": member.user.username, "role": role, "before": before}
    _note(member.project, "change", by.actor, data, f"user:{member.user.username}", "member")
    return member


@transaction.atomic
def member_remove(*, member: Membership, by: Principal) -> None:
    """End a membership; anybody may leave.

    Raises:
        RoleTooHigh: the member stands above the removing principal.
        LastOwner: the member is the last owner.
    """
    _lock(member.project)
    if by.user_id != member.user_id:
        _may_touch(by, member.project, member.role)
    project, user = member.project, member.user
    member.delete()
    _owner_left(project)
    _note(project, "remove", by.actor, {"user": user.username}, f"user:{user.username}", "member")


@transaction.atomic
def project_token_create(
    *,
    project: Project,
    name: str,
    role: str,
    scopes: list[str],
    by: Principal,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """A machine token of the project: no person behind it, a role of at most its maker's and never owner.

    Raises:
        RoleTooHigh: the role stands above the maker's, or is owner.
        Invalid: the name is not usable or taken by a live token.
        Forbidden: a scope the maker does not have.
    """
    _role_checked(role)
    if not _TOKEN_NAME.fullmatch(name):
        raise Invalid(
            say("{name!r} is not a usable name for a machine token.", name=name[:80]),
            errors=[
                {"pointer": "/name", "code": "name", "found": name[:80], "allowed": "1..24 of letters, digits and ._-"}
            ],
        )
    _lock(project)
    if role == Role.OWNER:
        raise RoleTooHigh("A machine token cannot be an owner.", next_step="Give it the role maintainer or lower.")
    _may_touch(by, project, role)
    if set(scopes) - by.scopes:
        raise Forbidden(
            "You cannot give a scope you do not have here.", found=scopes, allowed=sorted(by.scopes - {"admin"})
        )
    if Token.objects.filter(project_id=project.pk, name=name, revoked_at=None).exists():
        raise NameTaken(
            say(
                "The project has a live token named {name!r}.",
                name=name,
            ),
            next_step="Revoke it, or choose another name.",
        )
    return tokens.token_create(
        name=name,
        scopes=scopes,
        created_by=by.actor,
        project_id=project.pk,
        role=role,
        actor=f"token:{project.slug}/{name}",
        expires_at=expires_at,
    )
