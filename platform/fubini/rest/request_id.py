"""One id a request, given back in `X-Request-ID`, in every error and in log lines."""

from __future__ import annotations

import logging
import re
import secrets
from contextvars import ContextVar

CURRENT: ContextVar[str] = ContextVar("request_id", default="-")
_GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def request_id_of(given: str | None) -> str:
    """The caller's own id where it is harmless in logs and headers, else a new one."""
    if given and _GIVEN.fullmatch(given):
        return given
    return secrets.token_hex(8)


class RequestIdFilter(logging.Filter):
    """Gives log records `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = CURRENT.get()
        return True
