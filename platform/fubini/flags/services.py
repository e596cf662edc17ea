"""Setting flags. Who may is the caller's to check (`registry.Flag` says it); every change is in the trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import transaction

from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.errors import Conflict, Invalid
from fubini.common.saying import say
from fubini.flags.models import FlagSetting
from fubini.flags.registry import Flag
from fubini.flags.selectors import flag_is_on
from fubini.projects.models import Project


class FlagOff(Conflict):
    code: ClassVar[str] = "flag_off"
    title: ClassVar[str] = "This is turned off here"


@transaction.atomic
def flag_set(*, flag: Flag, on: bool | None, actor: str, project: Project | None = None) -> None:
    """Say whether a flag holds, for a project or for the installation; None takes the word back.

    Raises:
        Invalid: the flag is the whole installation's and a project was given.
    """
    if project is not None and not flag.per_project:
        raise Invalid(
            say("The feature flag {name!r} is of the whole installation.", name=flag.name),
            next_step="An administrator sets it on the administration page, or with `fubini admin flag set`.",
        )
    rows = FlagSetting.objects.select_for_update().filter(project=project, name=flag.name)
    before = rows.values_list("on", flat=True).first()
    if on is None:
        rows.delete()
    else:
        said = {"on": on, "set_by": actor, "set_at_ms": clock.now_ms()}
        FlagSetting.objects.update_or_create(project=project, name=flag.name, defaults=said)
    audit_append(
        actor=actor,
        action="flag.set",
        target=f"flag:{flag.name}",
        project_id=project.pk if project is not None else None,
        data={"on": on, "before": before},
    )


def flag_require(flag: Flag, project_id: str | None = None) -> None:
    """Let pass where the flag holds.

    Raises:
        FlagOff: it does not.
    """
    if flag_is_on(flag, project_id):
        return
    who = "A maintainer of the project or an administrator" if flag.maintainers else "An administrator"
    raise FlagOff(
        say(
            "The feature flag {name!r} is off {what}: {does}",
            name=flag.name,
            what="in this project" if project_id else "on this installation",
            does=flag.does,
        ),
        next_step=say("{who} can turn it on.", who=who),
        flag=flag.name,
    )
