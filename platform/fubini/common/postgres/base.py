"""The backend's module that Django looks for: ``ENGINE = "fubini.common.postgres"``."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.operations import DatabaseOperations as PlainOperations
from psycopg import adapters
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper, PyFormat
from psycopg.types.json import Jsonb

NUL, INSTEAD = "\0", "\ufffd"
_PlainText: Any = adapters.get_dumper(str, PyFormat.TEXT)


def storable(value: Any) -> Any:
    """A JSON value without a NUL in any text, keys included; new containers, the value itself stays as it is."""
    if isinstance(value, str):
        return value.replace(NUL, INSTEAD)
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(inner) for inner in value]
    return value


class TextDumper(Dumper):
    """Texts as psycopg sends them, in a parameter and inside a statement. (Its own dumper cannot be derived from.)"""

    oid = _PlainText.oid

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._plain = _PlainText(cls, context)

    def dump(self, obj: str) -> Any:
        return self._plain.dump(obj.replace(NUL, INSTEAD))

    def quote(self, obj: str) -> Any:
        return self._plain.quote(obj.replace(NUL, INSTEAD))


def _dumps(value: Any, encoder: type[json.JSONEncoder] | None) -> str:
    text = json.dumps(value, cls=encoder)
    # Looked for in what is written anyhow; a backslash before `u0000` that was written itself makes a needless second pass.
    return json.dumps(storable(value), cls=encoder) if "\\u0000" in text else text


class DatabaseOperations(PlainOperations):
    def adapt_json_value(self, value: Any, encoder: type[json.JSONEncoder] | None) -> Any:
        return Jsonb(value, dumps=partial(_dumps, encoder=encoder))


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_dumper(str, TextDumper)
        return connection
