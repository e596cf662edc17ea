"""Several small reads in one statement: one round trip, and all of them see the database at the same moment.

Each queryset becomes a named part of the statement whose rows come back as one JSON text; Django then makes of them what it
makes of a cursor's rows, so instances, joined rows and tuples are what the queryset alone would give. For tables that are
read whole or by a few keys; what is large or paged is read by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import QuerySet

from fubini.common.ids import PackedIdField, PackedKeyField

# What JSON, or the way to it, would change.
_REFUSED: Final = (models.FloatField, models.DecimalField, models.BinaryField, models.DurationField, PackedKeyField)


def together(parts: Mapping[str, QuerySet[Any, Any]]) -> dict[str, list[Any]]:
    """The rows of each queryset by its name, in its order; one statement, none where no part can have rows.

    Args:
        parts: querysets of one database, without prefetches (those would be statements of their own).

    Raises:
        TypeError: a column holds what does not come back from JSON as it was.
    """
    reads = {name: _Read(rows) for name, rows in parts.items()}
    asked = [read for read in reads.values() if read.sql]
    texts: tuple[str | None, ...] = ()
    if asked:
        connection = connections[asked[0].rows.db]
        pack = (
            "json_group_array(json_array(%s))"
            if connection.vendor == "sqlite"
            else "json_agg(json_build_array(%s))::text"
        )
        named, shown = [], []
        for n, read in enumerate(asked):
            names = ", ".join(f"c{i}" for i in range(len(read.fields)))
            cells = ", ".join(_cell(f"c{i}", field, connection.vendor) for i, field in enumerate(read.fields))
            named.append(f"r{n}({names}) AS ({read.sql})")
            shown.append(f"(SELECT {pack % cells} FROM r{n})")  # noqa: S608
        with connection.cursor() as cursor:
            params = tuple(value for read in asked for value in read.params)
            cursor.execute(f"WITH {', '.join(named)} SELECT {', '.join(shown)}", params)
            texts = cursor.fetchone()
    for read, text in zip(asked, texts, strict=True):
        read.found = json.loads(text) if text else []
    return {name: read.made() for name, read in reads.items()}


def _cell(name: str, field: models.Field[Any, Any], vendor: str) -> str:
    if vendor == "sqlite":
        packed = isinstance(field, PackedIdField)
        return f"CASE typeof({name}) WHEN 'blob' THEN lower(hex({name})) ELSE {name} END" if packed else name
    return f"{name}::text" if isinstance(field, models.JSONField) else name


class _Read:
    """One part: its SQL (empty where it can have no rows), and what Django makes of the rows found."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        self.rows = rows.all()
        self.found: list[list[Any]] = []
        self.fields: list[models.Field[Any, Any]] = []
        self.params: tuple[Any, ...] = ()
        self._compiler = self.rows.query.get_compiler(using=self.rows.db)
        try:
            self.sql, self.params = self._compiler.as_sql()
        except EmptyResultSet:
            self.sql = ""
            return
        self.fields = [column.output_field for column, _, _ in self._compiler.select]
        for field in self.fields:
            if isinstance(field, _REFUSED):
                raise TypeError(f"a {type(field).__name__} cannot be read together with others: read it by itself")

    def made(self) -> list[Any]:
        if not self.sql:
            return []
        # PostgreSQL's times come as text, which its converters do not expect; SQLite's always are text.
        if connections[self.rows.db].vendor != "sqlite":
            times = [i for i, field in enumerate(self.fields) if isinstance(field, models.DateTimeField)]
            for row in self.found:
                for i in times:
                    row[i] = datetime.fromisoformat(row[i]) if row[i] is not None else None
        compiler = self._compiler
        compiler.execute_sql = lambda *_, **__: [self.found]  # one chunk, as of a cursor
        self.rows.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        return list(self.rows)
