"""Rows of two columns as one JSON object, read with the row they belong to instead of in a query of their own.

``Subquery(Label.objects.filter(run=OuterRef("pk")).order_by().values("run").annotate(p=Pairs("key", "value")).values("p"))``
is null where there are none. Keys must be texts, each at most once.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Aggregate, JSONField, OuterRef, QuerySet, Subquery


class Pairs(Aggregate):
    """`Pairs("key", "value")`: the object of all rows of a group."""

    function = "JSON_GROUP_OBJECT"
    name = "Pairs"
    output_field = JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSONB_OBJECT_AGG", **context)


def pairs_of(rows: QuerySet[Any], parent: str, key: str, value: str) -> Subquery:
    """In a query over the model `parent` refers to: its rows here as {key: value}; null where it has none."""
    mine = rows.filter(**{parent: OuterRef("pk")}).order_by().values(parent)
    return Subquery(mine.annotate(pairs=Pairs(key, value)).values("pairs"), output_field=JSONField())


__all__ = ["Pairs", "pairs_of"]
