"""HTTP under the guard: one exchange, with redirects checked hop by hop, bounded in size and in time as a whole.

The connection goes to the pinned address while the certificate is checked against the name. Nothing of the platform's
environment (proxies, netrc) is used. Secret headers do not follow a redirect to another origin.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

import httpx

from fubini.remote.guard import Place, Policy, Refused, RemoteError, Resolver, pin, place_of, resolve

REDIRECTS_MAX: Final = 5
CONNECT_S: Final = 10.0
READ_S: Final = 30.0
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HOPS: Final = frozenset({301, 302, 303, 307, 308})
#: Ours to set; a manifest that sets them could desynchronise what is sent.
_OURS: Final = frozenset(
    {"content-length", "transfer-encoding", "connection", "te", "upgrade", "expect", "proxy-authorization"}
)


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    value: str = field(repr=False)
    secret: bool = False  # stays with its origin


@dataclass(slots=True)
class Answer:
    """The last hop's answer: its status and headers at once, its body in pieces."""

    status: int
    headers: httpx.Headers
    place: Place
    _response: httpx.Response
    _deadline: float

    def pieces(self, max_bytes: int) -> Iterator[bytes]:
        """The body as sent.

        Raises:
            RemoteError: longer than `max_bytes`, broken off, or not done in time.
        """
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > max_bytes:
            raise RemoteError(f"{self.place.shown} has {declared} bytes; {max_bytes} are allowed")
        came = 0
        with _said(self.place):
            for piece in self._response.iter_raw(1 << 16):
                came += len(piece)
                if came > max_bytes:
                    raise RemoteError(f"{self.place.shown} has more than the {max_bytes} bytes that are allowed")
                if time.monotonic() > self._deadline:
                    raise RemoteError(f"{self.place.shown} was not done in time, after {came} bytes", again=True)
                yield piece
        if declared.isdigit() and came < int(declared):
            raise RemoteError(f"{self.place.shown} broke off after {came} of {declared} bytes", again=True)

    def read(self, max_bytes: int) -> bytes:
        return b"".join(self.pieces(max_bytes))


@contextlib.contextmanager
def exchange(
    method: str,
    url: str,
    *,
    policy: Policy,
    timeout_s: float,
    headers: Sequence[Header] = (),
    content: bytes = b"",
    verify: bool = True,
    redirects_max: int = REDIRECTS_MAX,
    resolver: Resolver = resolve,
) -> Iterator[Answer]:
    """Send a request and follow its redirects; the answer is open within the context.

    Raises:
        Refused: the guard says no, here or at a redirect.
        RemoteError: no answer, or one that does not end.
    """
    if method not in METHODS:
        raise RemoteError(f"the method {method[:20]!r} is not one of {', '.join(sorted(METHODS))}")
    deadline = time.monotonic() + timeout_s
    place = place_of(url, policy)
    sent = _checked(headers)
    first = place.origin
    for hop in range(redirects_max + 1):
        pinned = pin(place, policy, resolver)
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise RemoteError(f"{place.shown} was not reached in time", again=True)
        # A client a hop: kept connections are told apart by address, and two names may share one.
        with _client(verify) as client:
            request = client.build_request(
                method,
                pinned.url,
                headers=[
                    ("Host", place.netloc),
                    ("User-Agent", "fubini"),
                    ("Accept-Encoding", "identity"),
                    *((h.name, h.value) for h in sent if not (h.secret and place.origin != first)),
                ],
                content=content or None,
                timeout=httpx.Timeout(min(READ_S, left_s), connect=min(CONNECT_S, left_s)),
                extensions={"sni_hostname": place.host} if place.scheme == "https" else {},
            )
            with _said(place):
                response = client.send(request, stream=True)
            try:
                to = response.headers.get("location", "")
                if not (response.status_code in _HOPS and to and redirects_max):
                    yield Answer(response.status_code, response.headers, place, response, deadline)
                    return
                if hop == redirects_max:
                    raise RemoteError(f"{place.shown} redirects more than {redirects_max} times")
                following = place_of(urljoin(f"{place.scheme}://{place.netloc}{place.target}", to), policy)
                if place.scheme == "https" and following.scheme == "http":
                    raise Refused(f"{place.shown} redirects from https to http")
                if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
                    method, content = ("HEAD" if method == "HEAD" else "GET"), b""
                place = following
            finally:
                response.close()


def _client(verify: bool) -> httpx.Client:
    return httpx.Client(
        verify=ssl.create_default_context() if verify else False, trust_env=False, follow_redirects=False
    )


def _checked(headers: Sequence[Header]) -> list[Header]:
    for header in headers:
        if not header.name or not header.name.isascii() or any(c in header.name + header.value for c in "\r\n\0"):
            raise RemoteError("a header's name or value has a character that no header may have")
        if header.name.lower() in _OURS or header.name.lower() == "host":
            raise RemoteError(f"the header {header.name!r} is set by the platform")
    return list(headers)


@contextlib.contextmanager
def _said(place: Place) -> Iterator[None]:
    """The library's errors as ours: what happened, without the address or a query."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise RemoteError(f"{place.shown} did not answer in time ({type(error).__name__})", again=True) from None
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
        again = not isinstance(error, (httpx.InvalidURL, httpx.LocalProtocolError, ValueError))
        raise RemoteError(f"{place.shown} could not be read ({type(error).__name__})", again=again) from None
