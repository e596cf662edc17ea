"""JSON columns of tables with very many rows: written without spaces, read like any other."""

from __future__ import annotations

import json
from typing import Any

from django.db import models


class CompactEncoder(json.JSONEncoder):
    """JSON text without the blanks after commas and colons."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "separators": (",", ":")})


class CompactJSONField(models.JSONField):
    """A JSONField whose text is compact. To migrations it is a JSONField: the column and its old texts stay as they are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "encoder": CompactEncoder})

    def deconstruct(self) -> Any:
        name, _, positional, options = super().deconstruct()
        options.pop("encoder", None)
        return name, "django.db.models.JSONField", positional, options
