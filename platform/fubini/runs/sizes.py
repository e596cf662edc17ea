"""Sizes of semaphores that people set: those of the database form. The others' stand in ConfigMaps."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Invalid, NotFound
from fubini.common.saying import say
from fubini.events.services import EventDraft, events_append
from fubini.projects.models import Project
from fubini.runs.engine import LockKind
from fubini.runs.models import Lock

SIZE_MAX: Final = 1_000_000
KEY_MAX: Final = 400


@transaction.atomic
def semaphore_size_set(*, project: Project, key: str, size: int, actor: str) -> Lock:
    """Say how many may hold the database semaphore `key` at once; holders above a smaller size keep what they hold.

    Raises:
        Invalid: a key or size that cannot be.
    """
    if not 1 <= size <= SIZE_MAX:
        raise Invalid(
            say("The size {size} is out of range.", size=size),
            next_step=say("Give 1 to {size_max}.", size_max=SIZE_MAX),
        )
    if not key or len(key) > KEY_MAX or not key.isprintable():
        raise Invalid(
            say(
                "The key {key!r} is not usable.",
                key=key[:80],
            ),
            next_step=say(
                "Give 1 to {key_max} printable characters.",
                key_max=KEY_MAX,
            ),
        )
    lock, _ = Lock.objects.select_for_update().get_or_create(
        project=project, kind=LockKind.DATABASE.value, semaphore=True, resource=key, key=""
    )
    before, lock.size = lock.size, size
    lock.save(update_fields=["size"])
    _say(lock, "lock.resized", actor, {"key": key, "from": before, "to": size})
    return lock


@transaction.atomic
def semaphore_size_drop(*, project: Project, key: str, actor: str) -> None:
    """Forget a database semaphore's size: whoever asks for it from now on is refused; who waits or holds is not touched.

    Raises:
        NotFound: it has none.
    """
    lock = (
        Lock.objects.select_for_update()
        .filter(project=project, kind=LockKind.DATABASE.value, semaphore=True, resource=key, size__isnull=False)
        .first()
    )
    if lock is None:
        raise NotFound(say("The database semaphore {key!r} has no size here.", key=key[:80]))
    before = lock.size
    if lock.claims.exists():
        lock.size = None
        lock.save(update_fields=["size"])
    else:
        lock.delete()
    _say(lock, "lock.resized", actor, {"key": key, "from": before, "to": None})


def _say(lock: Lock, kind: str, actor: str, data: dict[str, object]) -> None:
    audit_append(actor=actor, action=kind, target=f"lock:{data['key']}", project_id=lock.project_id, data=data)
    events_append(
        [
            EventDraft(
                topic="lock",
                kind=kind,
                entity_id=str(data["key"])[:80],
                at_ms=clock.now_ms(),
                project_id=lock.project_id,
                actor=actor,
                data=data,
            )
        ]
    )
    transaction.on_commit(lambda: bell.ring("dispatch"))
