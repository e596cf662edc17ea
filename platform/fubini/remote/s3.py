"""Reading an S3 bucket under the guard: one object, or all below a prefix; signed requests (Signature Version 4).

A client library would resolve and connect by itself, past the guard; the two requests needed here are signed in a page.
Source: AWS, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", with its published
example as a test; ListObjectsV2.
"""

from __future__ import annotations

import hashlib
import hmac
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from fubini.remote.guard import Policy, RemoteError, Resolver, place_of, resolve
from fubini.remote.http import Answer, Header, exchange

EMPTY: Final = hashlib.sha256(b"").hexdigest()
LISTING_MAX_BYTES: Final = 8 * 1024 * 1024
PAGES_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket at an endpoint. `endpoint` is ``host[:port]``; without credentials requests are not signed."""

    endpoint: str
    name: str
    region: str = "us-east-1"
    insecure: bool = False
    credentials: Credentials | None = None

    def url(self, key: str = "", query: Mapping[str, str] | None = None) -> str:
        scheme = "http" if self.insecure else "https"
        path = quote(f"/{self.name}" + (f"/{key}" if key else ""), safe="/~-._")
        text = "&".join(f"{quote(k, safe='~-._')}={quote(v, safe='~-._')}" for k, v in sorted((query or {}).items()))
        return f"{scheme}://{self.endpoint}{path}" + (f"?{text}" if text else "")


def signed(
    method: str,
    host: str,
    target: str,
    credentials: Credentials,
    region: str,
    at: datetime,
    extra: Mapping[str, str] = {},
) -> dict[str, str]:
    """The headers that sign a request without a body. `target` is path and query, encoded and with the query sorted."""
    path, _, query = target.partition("?")
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "host": host,
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": stamp,
        **{k.lower(): v for k, v in extra.items()},
    }
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    names = sorted(headers)
    canonical = "\n".join(
        [method, path, query, *(f"{n}:{headers[n].strip()}" for n in names), "", ";".join(names), EMPTY]
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    made = {name: value for name, value in headers.items() if name != "host"}
    made["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope},SignedHeaders={';'.join(names)},Signature={key.hex()}"
    )
    return made


class Reader:
    """Requests to one bucket."""

    def __init__(
        self,
        bucket: Bucket,
        policy: Policy,
        *,
        timeout_s: float,
        clock: Callable[[], datetime],
        resolver: Resolver = resolve,
    ) -> None:
        self.bucket = bucket
        self.policy = policy
        self.timeout_s = timeout_s
        self.clock = clock
        self.resolver = resolver

    def get(self, key: str = "", query: Mapping[str, str] | None = None) -> AbstractContextManager[Answer]:
        """One request. Redirects are not followed: a signature is for one host."""
        url = self.bucket.url(key, query)
        place = place_of(url, self.policy)
        headers: list[Header] = []
        if self.bucket.credentials is not None:
            made = signed("GET", place.netloc, place.target, self.bucket.credentials, self.bucket.region, self.clock())
            headers = [Header(name, value, secret=True) for name, value in made.items()]
        return exchange(
            "GET",
            url,
            policy=self.policy,
            timeout_s=self.timeout_s,
            headers=headers,
            redirects_max=0,
            resolver=self.resolver,
        )

    def keys(self, prefix: str, max_keys: int) -> Iterator[str]:
        """Keys below a prefix, in the bucket's order.

        Raises:
            RemoteError: the bucket cannot be listed, or has more than `max_keys` there.
        """
        token, count = "", 0
        for _ in range(PAGES_MAX):
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
            with self.get("", query) as answer:
                status_check(answer, f"the bucket {self.bucket.name!r}")
                keys, token = _listing(answer.read(LISTING_MAX_BYTES))
            for key in keys:
                count += 1
                if count > max_keys:
                    raise RemoteError(f"more than {max_keys} objects lie below {prefix[:100]!r}")
                yield key
            if not token:
                return
        raise RemoteError(f"listing {prefix[:100]!r} does not end")


def status_check(answer: Answer, what: str) -> None:
    """Pass a 2xx.

    Raises:
        RemoteError: anything else; trying again may help with 429 and 5xx.
    """
    if 200 <= answer.status < 300:
        return
    again = answer.status in (408, 425, 429) or answer.status >= 500
    raise RemoteError(f"{what} at {answer.place.shown} was answered with {answer.status}", again=again)


def _listing(content: bytes) -> tuple[list[str], str]:
    """Keys and the token of the next page. No document type is read, so that nothing in it can grow or reach out."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise RemoteError("the bucket's listing is not one")
    try:
        root = ET.fromstring(content)  # noqa: S314 - bounded, and without a document type
    except ET.ParseError:
        raise RemoteError("the bucket's listing is not XML", again=True) from None
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    keys = [found.text or "" for found in root.iterfind(f"{space}Contents/{space}Key")]
    token = root.findtext(f"{space}NextContinuationToken") or ""
    return [key for key in keys if key], token
