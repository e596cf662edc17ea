"""Writes on ConfigMaps: set, change, delete. Rights are the caller's to check; sizes of semaphores follow within a second.

Names and keys have Kubernetes' limits. A map made without labels is one for parameters, as Argo asks for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from django.db import transaction

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict, Invalid, NotFound
from fubini.common.saying import say
from fubini.events.services import EventDraft, events_append
from fubini.pipelines.models import ConfigMap
from fubini.projects.models import Project

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
LABEL: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]{0,251}[A-Za-z0-9])?")
LABEL_VALUE_MAX: Final = 63
LABELS_MAX: Final = 50
DATA_MAX_BYTES: Final = 1 << 18  # all keys and values of one map; each run that refers to it keeps a copy
MAPS_MAX: Final = 500  # of one project
PARAMETERS: Final = {"workflows.argoproj.io/configmap-type": "Parameter"}


@transaction.atomic
def config_map_set(
    *,
    project: Project,
    name: str,
    actor: str,
    data: Mapping[str, str] | None = None,
    remove: Collection[str] = (),
    labels: Mapping[str, str] | None = None,
    replace: bool = False,
    version: int | None = None,
) -> tuple[ConfigMap, bool]:
    """Make a ConfigMap, or change the keys named; (it, is it new).

    Args:
        replace: `data` is all there is afterwards.
        version: change only if this is the version that stands.

    Raises:
        Invalid: a name, key, label or size that cannot be.
        Conflict: another version stands.
    """
    row = ConfigMap.objects.select_for_update().filter(project=project, name=name).first()
    at_ms = clock.now_ms()
    if version is not None and (row.version if row is not None else 0) != version:
        raise Conflict(
            say(
                "The ConfigMap {name!r} has version {version}, not {version2}.",
                name=name[:80],
                version=row.version if row else 0,
                version2=version,
            ),
            next_step="Read it again, then change it.",
        )
    made = row is None
    if row is None:
        _check_name(name)
        if ConfigMap.objects.filter(project=project).count() >= MAPS_MAX:
            raise Invalid(
                say(
                    "A project has at most {maps_max} ConfigMaps.",
                    maps_max=MAPS_MAX,
                ),
                next_step="Delete one that is not used.",
            )
        row = ConfigMap(
            project=project,
            name=name,
            labels=dict(PARAMETERS),
            data={},
            version=0,
            created_at_ms=at_ms,
            changed_at_ms=at_ms,
        )
    after = {} if replace else dict(row.data)
    after.update(data or {})
    for key in remove:
        after.pop(key, None)
    marks = dict(labels) if labels is not None else row.labels
    if not made and after == row.data and marks == row.labels:
        return row, False
    _check_data(after)
    _check_labels(marks)
    changed = sorted(key for key in after.keys() | row.data.keys() if after.get(key) != row.data.get(key))
    row.data, row.labels, row.version = after, marks, row.version + 1
    row.changed_at_ms, row.changed_by = at_ms, actor
    row.save()
    _say(
        row, "config_map.made" if made else "config_map.changed", actor, {"version": row.version, "keys": changed[:100]}
    )
    return row, made


@transaction.atomic
def config_map_delete(*, project: Project, name: str, actor: str) -> None:
    """Remove a ConfigMap. Runs keep the values they were submitted with; semaphores keep the size they had.

    Raises:
        NotFound: there is none of that name.
    """
    row = ConfigMap.objects.select_for_update().filter(project=project, name=name).first()
    if row is None:
        raise NotFound(say("The project has no ConfigMap {name!r}.", name=name[:80]))
    _say(row, "config_map.deleted", actor, {"version": row.version})
    row.delete()


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Invalid(
            say("The ConfigMap name {name!r} is not usable.", name=name[:80]),
            next_step="Use lower-case letters, digits, '-' and '.', at most 253, starting and ending with a letter or digit.",
        )


def _check_data(data: Mapping[str, str]) -> None:
    size = 0
    for key, value in data.items():
        if not KEY.fullmatch(key):
            raise Invalid(
                say("The key {key!r} is not usable.", key=key[:80]),
                next_step="Use letters, digits, '-', '_' and '.', at most 253.",
            )
        if "\x00" in value:
            raise Invalid(say("The value of {key!r} has a NUL character.", key=key[:80]), next_step="Give text.")
        size += len(key) + len(value.encode("utf-8", "surrogatepass"))
    if size > DATA_MAX_BYTES:
        raise Invalid(
            say(
                "The ConfigMap would have {size} bytes.",
                size=size,
            ),
            next_step=say(
                "Keep it to {data_max_bytes} bytes, or use a dataset.",
                data_max_bytes=DATA_MAX_BYTES,
            ),
        )


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > LABELS_MAX:
        raise Invalid(
            say(
                "{labels_count} labels are too many.",
                labels_count=len(labels),
            ),
            next_step=say(
                "Give at most {labels_max}.",
                labels_max=LABELS_MAX,
            ),
        )
    for key, value in labels.items():
        if not LABEL.fullmatch(key) or len(value) > LABEL_VALUE_MAX or (value and not LABEL.fullmatch(value)):
            raise Invalid(
                say("The label {key!r} is not usable.", key=key[:80]),
                next_step=say(
                    "Use letters, digits, '-', '_', '.' and '/'; a value has at most {label_value_max}.",
                    label_value_max=LABEL_VALUE_MAX,
                ),
            )


def _say(row: ConfigMap, kind: str, actor: str, data: dict[str, Any]) -> None:
    audit_append(actor=actor, action=kind, target=f"config:{row.name}", project_id=row.project_id, data=data)
    events_append(
        [
            EventDraft(
                topic="config_map",
                kind=kind,
                entity_id=row.pk,
                at_ms=clock.now_ms(),
                project_id=row.project_id,
                actor=actor,
                data={"name": row.name, **data},
            )
        ]
    )
    transaction.on_commit(lambda: bell.ring("dispatch"))  # a semaphore's size may have changed
