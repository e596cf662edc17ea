"""Many rows in one statement: what the hot paths use instead of one query a row.

`rows_insert` and `rows_update` take model instances and go through each field's own database preparation, so they
write what `save()` would; they skip signals and `auto_now`, which the hot models do not use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


class StaleRow(Exception):
    """A compare-and-set found a row whose state had changed: the whole batch must be rolled back and read again."""


def _quoted(name: str | None) -> str:
    assert name, "every concrete field has a column"
    return str(connection.ops.quote_name(name))


def _columns(model: type[models.Model], names: Sequence[str]) -> list[models.Field[Any, Any]]:
    return [model._meta.get_field(name) for name in names]  # type: ignore[misc]


def rows_insert(rows: Sequence[models.Model]) -> None:
    """Insert instances of one model in one `executemany`; generated keys are not read back."""
    if not rows:
        return
    model = type(rows[0])
    fields = [f for f in model._meta.concrete_fields if not isinstance(f, models.AutoField)]
    names = ", ".join(_quoted(f.column) for f in fields)
    marks = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {_quoted(model._meta.db_table)} ({names}) VALUES ({marks})"  # noqa: S608
    values = [[f.get_db_prep_save(f.pre_save(row, True), connection) for f in fields] for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


def rows_update(
    rows: Sequence[models.Model], names: Sequence[str], *, expect: str = "", expected: Sequence[Any] = ()
) -> None:
    """Write the named fields of each row; with `expect`, only where that column still has the row's `expected` value.

    Raises:
        StaleRow: some row no longer had its expected value (nothing is known about which; roll back and read again).
    """
    if not rows:
        return
    model = type(rows[0])
    fields = _columns(model, names)
    quote = _quoted
    assign = ", ".join(f"{quote(f.column)} = %s" for f in fields)
    sql = f"UPDATE {quote(model._meta.db_table)} SET {assign} WHERE {quote(model._meta.pk.column)} = %s"  # noqa: S608
    values: list[list[Any]] = []
    if expect:
        expect_field = _columns(model, [expect])[0]
        sql += f" AND {quote(expect_field.column)} = %s"
    for number, row in enumerate(rows):
        line = [f.get_db_prep_save(getattr(row, f.attname), connection) for f in fields]
        line.append(model._meta.pk.get_db_prep_save(row.pk, connection))
        if expect:
            line.append(expected[number])
        values.append(line)
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)
        if expect and cursor.rowcount != len(rows):
            raise StaleRow(f"{model.__name__}: {cursor.rowcount} of {len(rows)} rows still had the expected {expect}")
