"""Identifiers: time-ordered, unguessable enough to be public, stored as 32 hex characters."""

from __future__ import annotations

import uuid_utils
from django.db import models


def new_id() -> str:
    """A UUIDv7 as 32 lower-case hex characters; sorts by time of making."""
    return uuid_utils.uuid7().hex


class IdField(models.CharField):  # type: ignore[type-arg]
    """A primary key made by `new_id`."""

    def __init__(self, **kwargs: object) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", new_id)
        kwargs.setdefault("editable", False)
        kwargs["max_length"] = 32
        super().__init__(**kwargs)  # type: ignore[arg-type]
