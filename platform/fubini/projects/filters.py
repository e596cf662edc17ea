"""Saved filters of a project's lists: who sees which, and how they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from fubini.common import clock
from fubini.common.errors import Conflict, NotFound
from fubini.common.saying import say
from fubini.projects.models import Project, SavedFilter

PAGES: Final = ("runs",)
MINE_MAX: Final = 100


def filters_of(project: Project, actor: str) -> QuerySet[SavedFilter]:
    """An actor's own, and those others share."""
    return SavedFilter.objects.filter(Q(owner=actor) | Q(shared=True), project=project)


@transaction.atomic
def filter_save(
    *, project: Project, actor: str, page: str, name: str, query: Mapping[str, Sequence[str]], shared: bool
) -> SavedFilter:
    """Make or replace one of the actor's own.

    Raises:
        Conflict: the actor has `MINE_MAX` already.
    """
    mine = SavedFilter.objects.filter(project=project, owner=actor)
    if not mine.filter(page=page, name=name).exists() and mine.count() >= MINE_MAX:
        raise Conflict(
            say(
                "You have {mine_max} saved filters here, the most there may be.",
                mine_max=MINE_MAX,
            ),
            next_step="Delete one first.",
        )
    row, _ = SavedFilter.objects.update_or_create(
        project=project,
        owner=actor,
        page=page,
        name=name,
        defaults={"query": dict(query), "shared": shared, "updated_at_ms": clock.now_ms()},
    )
    return row


def filter_drop(*, project: Project, actor: str, id: int) -> None:
    """Delete one of the actor's own.

    Raises:
        NotFound: it is not theirs, or not there.
    """
    gone, _ = SavedFilter.objects.filter(project=project, owner=actor, pk=id).delete()
    if not gone:
        raise NotFound("You have no such saved filter here.", next_step="A filter somebody shared is theirs to delete.")
