"""Making, opening and ending share links.

A link names a view by its address, whose state (tab, step, filters, log line) is all in it. It gives no right: opening
one needs membership of its project, and the page it leads to asks for itself. Who is not a member learns as little of
a link as of one that never was.
"""

from __future__ import annotations

import re
import secrets
import string
from typing import ClassVar, Final
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import QuerySet

from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.errors import Conflict, FubiniError, Invalid, NotFound
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.links.models import ShareLink
from fubini.projects.authorize import authorize, project_ids_visible
from fubini.projects.models import Project
from fubini.runs.models import Run
from fubini.runs.selectors import run_get

LIVE_MAX: Final = 1_000
DAYS_MAX: Final = 365
DAY_MS: Final = 86_400_000
CODE_CHARS: Final = 12
PAGES: Final = ("runs", "pipelines", "data", "pools", "money")
_ALPHABET: Final = string.ascii_letters + string.digits
_SHOWN: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]+")  # printable ASCII without spaces and backslashes


class LinkEnded(FubiniError):
    code: ClassVar[str] = "link_ended"
    http_status: ClassVar[int] = 410
    title: ClassVar[str] = "The link has ended"


def links_of(project: Project) -> QuerySet[ShareLink]:
    """A project's links that were not revoked; ended ones too."""
    return ShareLink.objects.filter(project=project, revoked_at_ms=None)


def _address_checked(project: Project, address: str) -> None:
    parts = urlsplit(address)
    words = parts.path.split("/")
    plain = _SHOWN.fullmatch(address) and not (parts.scheme or parts.netloc) and len(words) > 1 and not words[0]
    if not plain or words[1] not in PAGES or ".." in words:
        raise Invalid(
            "That is no address of a page of a project.",
            next_step="Share a view of runs, pipelines, data, pools or money, by its path, query and fragment.",
            errors=[
                {"pointer": "/address", "code": "page", "found": address[:80], "allowed": [f"/{p}" for p in PAGES]}
            ],
        )
    if words[1] == "runs" and len(words) > 2 and words[2] not in ("table", "compare"):
        rows = Project.objects.filter(pk=project.pk).values("pk")
        run: Run | None = run_get(rows, words[2]) if len(words[2]) <= 32 else None
        if run is None:
            raise Invalid(
                "The address is of a run that this project does not have.",
                next_step="Choose the project of the run first.",
                errors=[{"pointer": "/address", "code": "run", "found": words[2][:40]}],
            )


@transaction.atomic
def link_create(*, project: Project, address: str, days: int, actor: str, note: str = "") -> ShareLink:
    """A short address of a view, for `days` from now.

    Raises:
        Invalid: no page of the project's.
        Conflict: the project has `LIVE_MAX` links already.
    """
    _address_checked(project, address)
    Project.objects.select_for_update().get(pk=project.pk)
    at_ms = clock.now_ms()
    if links_of(project).filter(expires_at_ms__gt=at_ms).count() >= LIVE_MAX:
        raise Conflict(
            say(
                "The project has {live_max} share links, the most there may be.",
                live_max=LIVE_MAX,
            ),
            next_step="Revoke some first.",
        )
    link = ShareLink.objects.create(
        project=project,
        code="".join(secrets.choice(_ALPHABET) for _ in range(CODE_CHARS)),
        address=address,
        note=note,
        created_by=actor,
        created_at_ms=at_ms,
        expires_at_ms=at_ms + days * DAY_MS,
    )
    data = {"address": address[:300], "days": days}
    audit_append(actor=actor, action="link.create", target=f"link:{link.pk}", project_id=project.pk, data=data)
    return link


def link_open(*, principal: Principal, code: str) -> ShareLink:
    """The live link of this code, for a member of its project.

    Raises:
        NotFound: there is none, or the asker is no member.
        LinkEnded: it was revoked or its time is over.
    """
    rows = ShareLink.objects.filter(project_id__in=project_ids_visible(principal)).select_related("project")
    link = rows.filter(code=code).first() if code.isascii() and code.isalnum() else None
    if link is None:
        raise NotFound(
            "There is no such link, or you are not a member of its project.",
            next_step="Ask who sent it to you; an owner of the project can make you a member.",
        )
    authorize(principal, "project.read", link.project)
    if link.revoked_at_ms is not None or link.expires_at_ms <= clock.now_ms():
        raise LinkEnded(
            "The link was revoked." if link.revoked_at_ms is not None else "The time of the link is over.",
            next_step=say("Ask {partition}, who made it, for another.", partition=link.created_by.partition(":")[2]),
        )
    return link


@transaction.atomic
def link_revoke(*, project: Project, id: str, by: Principal) -> None:
    """End a link: its maker may, and maintainers.

    Raises:
        NotFound: the project has no such link, or it was revoked before.
        Forbidden: it is somebody else's.
    """
    link = links_of(project).select_for_update().filter(pk=id).first()
    if link is None:
        raise NotFound("The project has no such link.")
    if link.created_by != by.actor:
        authorize(by, "project.update", project)
    link.revoked_at_ms = clock.now_ms()
    link.save(update_fields=["revoked_at_ms"])
    audit_append(actor=by.actor, action="link.revoke", target=f"link:{link.pk}", project_id=project.pk)
