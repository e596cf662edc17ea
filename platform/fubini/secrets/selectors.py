"""Reading secrets: what there is, for everybody of the project; the values, for delivery alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import QuerySet

from fubini.secrets.keyring import open_sealed
from fubini.secrets.models import Secret, SecretValue


def secrets_of(project_id: str) -> QuerySet[Secret]:
    """A project's secrets with their keys; no value is read."""
    return Secret.objects.filter(project_id=project_id).prefetch_related("keys")


def secrets_known(project_id: str) -> dict[str, frozenset[str]]:
    """Name -> keys."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = SecretValue.objects.filter(secret__project_id=project_id).values_list("secret__name", "key")
    for name, key in rows:
        found[name].add(key)
    return {name: frozenset(keys) for name, keys in found.items()}


def secret_versions(project_id: str, names: Iterable[str]) -> dict[str, tuple[tuple[str, int, int], ...]]:
    """Name -> (key, row, version) of each key: another triple whenever a value was set, and never a value."""
    found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    rows = SecretValue.objects.filter(secret__project_id=project_id, secret__name__in=sorted(set(names)))
    for name, key, row, version in rows.order_by("key").values_list("secret__name", "key", "pk", "version"):
        found[name].append((key, row, version))
    return {name: tuple(keys) for name, keys in found.items()}


def secret_values(project_id: str, names: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """Name -> key -> value, opened. Only whoever delivers to a step or signs a fetch asks for it.

    Raises:
        KeyringError: a value cannot be opened.
    """
    wanted = sorted(set(names))
    found: dict[str, dict[str, bytes]] = {}
    rows = SecretValue.objects.filter(secret__project_id=project_id, secret__name__in=wanted)
    for name, key, token in rows.values_list("secret__name", "key", "token"):
        found.setdefault(name, {})[key] = open_sealed(project_id, name, key, token)
    return found
