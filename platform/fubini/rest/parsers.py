"""JSON bodies under limits; the only body format of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from fubini.rest.limits import json_read


class JSONParser(BaseParser):
    """Strict JSON (`limits.json_read`). An empty body is an empty object, so that actions need none."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        text = stream.read()
        return json_read(text) if text.strip() else {}
