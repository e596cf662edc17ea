"""More of everything: each row of our tables copied a number of times, under names and keys of its own.

What a row belongs to stays the same, so whatever is listed under the same parent becomes that much longer. Values that
must be one of a kind are changed in the last field of the constraint that can be: a text gets a suffix, a number is raised.
"""

from __future__ import annotations

import copy
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import IntegrityError, models, transaction

from fubini.common.ids import new_id

# Rows that are one by nature, or whose number says nothing about any list.
SINGLE = frozenset({"JobCounter", "Sequence", "Leader"})


def multiply(times: int) -> dict[str, int]:
    """Add `times` copies of every row there is; the number of rows added by model's name, 0 where none could be."""
    added: dict[str, int] = {}
    found = [m for m in apps.get_models() if m.__module__.startswith("fubini.") and m.__name__ not in SINGLE]
    for model in [get_user_model(), *found]:
        rows = list(model._default_manager.all())
        for row in rows:
            for n in range(times):
                added[model.__name__] = added.get(model.__name__, 0) + _copied(row, n)
    return added


def _copied(row: models.Model, n: int) -> int:
    fresh = copy.copy(row)
    fresh._state = copy.copy(row._state)
    fresh._state.adding = True
    key = row._meta.pk
    one_of_a_kind = _unique_fields(type(row))
    if isinstance(key, models.AutoField):
        fresh.pk = None
    elif not isinstance(key, models.ForeignKey):
        fresh.pk = new_id() if key.max_length == 32 else _other(key, row.pk, n)
    for fields in one_of_a_kind:
        changeable = [f for f in reversed(fields) if not isinstance(f, models.ForeignKey) and f is not key]
        if changeable:
            value = _other(changeable[0], getattr(row, changeable[0].attname), n)
            setattr(fresh, changeable[0].attname, value)
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:
        return 0
    return 1


def _unique_fields(model: type[models.Model]) -> list[list[models.Field[Any, Any]]]:
    meta = model._meta
    found = [[f] for f in meta.local_fields if f.unique and not f.primary_key]
    names = [c.fields for c in meta.constraints if isinstance(c, models.UniqueConstraint) and c.fields]
    return found + [[meta.get_field(name) for name in group] for group in [*names, *meta.unique_together]]  # type: ignore[misc]


def _other(field: models.Field[Any, Any], value: Any, n: int) -> Any:
    if value is None:
        return None
    if isinstance(value, int):
        return value + 1_000_003 * (n + 1) + int(new_id()[-4:], 16)
    if isinstance(value, str):
        widest = field.max_length or 200  # PostgreSQL holds texts to it
        tail = f"-{new_id()[-min(10, widest // 2) :]}"
        return value[: widest - len(tail)] + tail
    return value
