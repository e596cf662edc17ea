"""Identifiers: time-ordered, unguessable enough to be public, stored as 32 hex characters; packed where there are many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import uuid_utils
from django.db import models

_HEX_ID = re.compile(r"[0-9a-f]{32}")


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


def packed_id(value: str | bytes | None) -> str | bytes | None:
    """An id as its 16 bytes; any other text as it is."""
    return bytes.fromhex(value) if isinstance(value, str) and _HEX_ID.fullmatch(value) else value


def unpacked_id(value: str | bytes | None) -> str | None:
    """The text of what `packed_id` made."""
    return value.hex() if isinstance(value, bytes) else value


class PackedIdField(models.CharField):  # type: ignore[type-arg]
    """Text that is an id nearly always, in tables of very many rows: on SQLite an id takes 16 bytes, not 32.

    In Python it is text. In SQL it does not equal the text of an `IdField`: never join on it, compare with values.
    """

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        text = super().get_db_prep_value(value, connection, prepared)
        return packed_id(text) if connection.vendor == "sqlite" and isinstance(text, str) else text

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return unpacked_id(value)


def ids_pack(schema_editor: Any, table: str, columns: Sequence[str], *, back: bool = False) -> None:
    """Rewrite a table's columns, in a migration, after they became packed (`back`: before they stop being so)."""
    connection = schema_editor.connection
    if connection.vendor != "sqlite":
        return
    connection.ensure_connection()
    change = unpacked_id if back else packed_id
    connection.connection.create_function("fubini_id", 1, change, deterministic=True)
    assign = ", ".join(f'"{name}" = fubini_id("{name}")' for name in columns)
    schema_editor.execute(f'UPDATE "{table}" SET {assign}')  # noqa: S608
