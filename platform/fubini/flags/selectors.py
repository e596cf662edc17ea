"""The one place flags are read: a project's word, else the installation's, else the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from fubini.common.errors import NotFound
from fubini.common.saying import say
from fubini.flags.models import FlagSetting
from fubini.flags.registry import FLAGS, Flag
from fubini.rest.nearest import nearest, shown


@dataclass(frozen=True, slots=True)
class FlagState:
    """How a flag stands somewhere. `own`: what was said right there; None: nothing. `source`: project, installation, default."""

    flag: Flag
    on: bool
    own: bool | None
    source: str
    set_by: str
    set_at_ms: int | None


def flag_named(name: str) -> Flag:
    """The flag of this name.

    Raises:
        NotFound: there is none; it names the nearest.
    """
    if (flag := FLAGS.get(name)) is not None:
        return flag
    close = nearest(name, FLAGS)
    raise NotFound(
        say("There is no feature flag {name!r}. Did you mean {close!r}?", name=shown(name), close=close)
        if close
        else say("There is no feature flag {name!r}.", name=shown(name)),
        next_step=say("The flags are {names}.", names=", ".join(FLAGS)),
        errors=[{"path": "name", "code": "unknown", "found": shown(name), "allowed": list(FLAGS), "nearest": close}],
    )


def flag_is_on(flag: Flag, project_id: str | None = None) -> bool:
    """Does the flag hold, for a project or (without one) for the installation? One query."""
    return _state(flag, project_id, list(_settings([flag.name], project_id))).on


def flags_of(project_id: str | None = None) -> list[FlagState]:
    """How every flag stands, in the registry's order; of a project only those it may have a word in. One query."""
    found = [flag for flag in FLAGS.values() if project_id is None or flag.per_project]
    rows = list(_settings([flag.name for flag in found], project_id))
    return [_state(flag, project_id, rows) for flag in found]


def _settings(names: Sequence[str], project_id: str | None) -> list[FlagSetting]:
    whose = Q(project=None) | Q(project_id=project_id) if project_id is not None else Q(project=None)
    return list(FlagSetting.objects.filter(whose, name__in=names))


def _state(flag: Flag, project_id: str | None, rows: Sequence[FlagSetting]) -> FlagState:
    said = {row.project_id: row for row in rows if row.name == flag.name}
    project = said.get(project_id) if project_id is not None and flag.per_project else None
    row = project or said.get(None)
    here = project if project_id is not None else row
    source = "default" if row is None else "project" if row is project else "installation"
    return FlagState(
        flag,
        on=row.on if row is not None else flag.default,
        own=here.on if here is not None else None,
        source=source,
        set_by=row.set_by if row is not None else "",
        set_at_ms=row.set_at_ms if row is not None else None,
    )
