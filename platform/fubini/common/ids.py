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

    In Python it is text. In SQL it does not equal the text of an `IdField`: never join on it, compare with values. As a
    primary key it can be joined with the foreign keys that refer to it.
    """

    pack, unpack = staticmethod(packed_id), staticmethod(unpacked_id)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        text = super().get_db_prep_value(value, connection, prepared)
        return self.pack(text) if connection.vendor == "sqlite" and isinstance(text, str) else text

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return self.unpack(value)


_BOOKING_KEY = re.compile(r"([a-z]+):([0-9a-f]{32})(:\d+)?")


def packed_key(value: str | bytes | None) -> str | bytes | None:
    """``word:<id>`` and ``word:<id>:<number>`` with the id as 16 bytes; any other text as it is."""
    found = _BOOKING_KEY.fullmatch(value) if isinstance(value, str) else None
    return value if found is None else b"%s:%s%s" % (
        found[1].encode(), bytes.fromhex(found[2]), (found[3] or "").encode()
    )  # fmt: skip


def unpacked_key(value: str | bytes | None) -> str | None:
    """The text of what `packed_key` made."""
    if not isinstance(value, bytes):
        return value
    word, _, rest = value.partition(b":")
    return f"{word.decode()}:{rest[:16].hex()}{rest[16:].decode()}"


class PackedKeyField(PackedIdField):
    """Text that is nearly always ``word:<id>``; packed as `PackedIdField` packs."""

    pack, unpack = staticmethod(packed_key), staticmethod(unpacked_key)


def packed_primary_key() -> PackedIdField:
    """A primary key made by `new_id`, packed."""
    return PackedIdField(max_length=32, primary_key=True, default=new_id, editable=False)


def ids_pack(
    schema_editor: Any,
    table: str,
    columns: Sequence[str],
    *,
    back: bool = False,
    field: type[PackedIdField] = PackedIdField,
) -> None:
    """Rewrite a table's columns, in a migration, after they became packed (`back`: before they stop being so)."""
    connection = schema_editor.connection
    if connection.vendor != "sqlite":
        return
    connection.ensure_connection()
    connection.connection.create_function("fubini_id", 1, field.unpack if back else field.pack, deterministic=True)
    assign = ", ".join(f'"{name}" = fubini_id("{name}")' for name in columns)
    schema_editor.execute(f'UPDATE "{table}" SET {assign}')  # noqa: S608


def keys_pack(apps: Any, schema_editor: Any, app: str, model: str, *, back: bool = False) -> None:
    """`ids_pack` for a model's primary key and every foreign key to it, whichever app has it."""
    target = apps.get_model(app, model)
    ids_pack(schema_editor, target._meta.db_table, [target._meta.pk.column], back=back)
    for other in apps.get_models(include_auto_created=True):
        columns = [
            f.column
            for f in other._meta.local_concrete_fields
            if isinstance(f, models.ForeignKey) and f.related_model is target
        ]
        if columns:
            ids_pack(schema_editor, other._meta.db_table, columns, back=back)
