"""One token bucket a principal: bursts are fine, a standing flood gets 429 with the seconds to wait.

Buckets live in the process; several web processes give each principal as many buckets, which is meant: the limit
protects a process. Rates are in `settings.FUBINI`.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

MAX_BUCKETS = 20_000


class Buckets:
    """Token buckets by key, bounded; the longest unused is forgotten first. Thread-safe."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self.rate_per_s, self.burst = rate_per_s, burst
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> tokens, monotonic time
        self._lock = threading.Lock()

    def take(self, key: str, now: float | None = None) -> float:
        """Take one token: 0.0, or the seconds until there will be one."""
        at = time.monotonic() if now is None else now
        with self._lock:
            tokens, since = self._held.pop(key, (float(self.burst), at))
            tokens = min(self.burst, tokens + max(0.0, at - since) * self.rate_per_s)
            wait = 0.0 if tokens >= 1 else (1 - tokens) / self.rate_per_s
            self._held[key] = (tokens - 1 if not wait else tokens, at)
            while len(self._held) > MAX_BUCKETS:
                self._held.popitem(last=False)
        return wait


_requests: Buckets | None = None


def request_buckets() -> Buckets:
    """The process's buckets, made from the settings at first use."""
    global _requests
    if _requests is None:
        rates: dict[str, Any] = settings.FUBINI
        _requests = Buckets(rates["REQUESTS_PER_S"], rates["REQUESTS_BURST"])
    return _requests


def client_address(request: Any) -> str:
    """The peer's address; proxies' headers are not trusted for limits."""
    return str(request.META.get("REMOTE_ADDR") or "-")


class PrincipalThrottle(BaseThrottle):
    """Per principal, and per address where nobody is signed in."""

    waited = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        actor = getattr(request.auth, "actor", None)
        self.waited = request_buckets().take(f"actor:{actor}" if actor else f"address:{client_address(request)}")
        return self.waited == 0

    def wait(self) -> float:
        return max(1.0, self.waited)
