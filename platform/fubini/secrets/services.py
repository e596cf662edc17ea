"""Writing secrets: set, delete, rotate. Each is an entry of the trail that says who did what, never the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q

from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.saying import say
from fubini.events.services import EventDraft, events_append
from fubini.projects.models import Project
from fubini.secrets import keyring
from fubini.secrets.errors import SecretInvalid, SecretNotFound
from fubini.secrets.factors import factors_reseal
from fubini.secrets.models import Secret, SecretValue

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
KEY: Final = re.compile(r"[-._A-Za-z0-9]{1,253}")
VALUE_MAX_BYTES: Final = 64 * 1024
KEYS_MAX: Final = 100
SECRETS_MAX: Final = 500


@transaction.atomic
def secret_set(*, project: Project, name: str, values: Mapping[str, bytes], actor: str) -> Secret:
    """Set keys of a secret, which is made if it is new; its other keys stay.

    Raises:
        SecretInvalid: a name, key or size that cannot be. Says nothing of the value but its size.
    """
    _checked(name, values)
    Project.objects.select_for_update().get(pk=project.pk)  # two setters of one new name wait for each other
    secret = Secret.objects.filter(project=project, name=name).first()
    if secret is None:
        if Secret.objects.filter(project=project).count() >= SECRETS_MAX:
            raise SecretInvalid(
                say(
                    "The project has {secrets_max} secrets already.",
                    secrets_max=SECRETS_MAX,
                ), next_step="Delete one it needs no more."
            )
        secret = Secret.objects.create(project=project, name=name, created_by=actor)
    there = set(secret.keys.values_list("key", flat=True))
    if len(there | values.keys()) > KEYS_MAX:
        raise SecretInvalid(say(
            "A secret has at most {keys_max} keys.",
            keys_max=KEYS_MAX,
        ), next_step="Spread them over several secrets.")
    for key, value in values.items():
        token = keyring.seal(project.pk, name, key, value)
        if key in there:
            SecretValue.objects.filter(secret=secret, key=key).update(
                token=token, version=F("version") + 1, updated_at=clock.now(), updated_by=actor
            )
        else:
            SecretValue.objects.create(secret=secret, key=key, token=token, updated_by=actor)
    _note(project, name, "set", actor, {"keys": sorted(values)})
    return secret


@transaction.atomic
def secret_delete(*, project: Project, name: str, actor: str, key: str = "") -> None:
    """Delete a secret, or one key of it; the secret goes with its last key. Steps that run keep what they were given.

    Raises:
        SecretNotFound: there is no such secret or key.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    secret = Secret.objects.filter(project=project, name=name).first()
    if secret is None:
        raise SecretNotFound("The project has no such secret.", next_step="List them: fubini secret list.")
    if key:
        if not secret.keys.filter(key=key).delete()[0]:
            raise SecretNotFound(say(
                "The secret {name!r} has no such key.",
                name=name,
            ), next_step="List them: fubini secret list.")
        if not secret.keys.exists():
            secret.delete()
        _note(project, name, "delete", actor, {"keys": [key]})
        return
    keys = sorted(secret.keys.values_list("key", flat=True))
    secret.delete()
    _note(project, name, "delete", actor, {"keys": keys})


def secrets_rotate(*, actor: str, new_key: bool = True) -> tuple[int, int]:
    """Encrypt every stored value with the newest key; (values, keys dropped).

    With `new_key` a fresh one is put in front of the state folder's file first. All or nothing: a value that no key
    opens leaves everything as it was, and every old key in place.

    Raises:
        KeyringError: see `keyring.key_add` and `keyring.reseal`.
    """
    if new_key:
        keyring.key_add()
    with transaction.atomic():
        rows = list(SecretValue.objects.select_for_update().only("id", "token"))
        for row in rows:
            row.token = keyring.reseal(row.token)
        SecretValue.objects.bulk_update(rows, ["token"], batch_size=200)
        count = len(rows) + factors_reseal()
        audit_append(actor=actor, action="secret.rotate", target="secrets", data={"values": count, "new_key": new_key})
    return count, keyring.keys_drop_old()


def secrets_used(*, project_id: str, names: Iterable[str]) -> None:
    """These were given to somebody just now; written at most once a minute."""
    now = clock.now()
    before = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(minutes=1))
    Secret.objects.filter(before, project_id=project_id, name__in=sorted(set(names))).update(last_used_at=now)


def _checked(name: str, values: Mapping[str, bytes]) -> None:
    if not NAME.fullmatch(name):
        raise SecretInvalid(
            say("The secret's name {name!r} is not usable.", name=name[:80]),
            next_step="Use lower-case letters, digits, '-' and '.', starting and ending with a letter or digit.",
        )
    if not values:
        raise SecretInvalid("No key was given.", next_step="Give at least one key with its value.")
    for key, value in values.items():
        if not KEY.fullmatch(key):
            raise SecretInvalid(
                say("A key of the secret {name!r} is not usable.", name=name),
                next_step="A key has 1 to 253 of A-Z a-z 0-9 - _ and '.'.",
            )
        if len(value) > VALUE_MAX_BYTES:
            raise SecretInvalid(
                say(
                    "The value of {name!r}, key {key!r}, has {value_count} bytes; {value_max_bytes} are allowed.",
                    name=name, key=key, value_count=len(value), value_max_bytes=VALUE_MAX_BYTES,
                ),
                next_step="Keep files that large as a dataset.",
            )


def _note(project: Project, name: str, what: str, actor: str, data: dict[str, Any]) -> None:
    audit_append(
        actor=actor, action=f"secret.{what}", target=f"secret:{project.slug}/{name}", project_id=project.pk, data=data
    )
    events_append(
        [
            EventDraft(
                topic="secret",
                kind=f"secret.{what}",
                entity_id=project.pk,
                at_ms=clock.now_ms(),
                project_id=project.pk,
                actor=actor,
                data={"name": name, **data},
            )
        ]
    )
