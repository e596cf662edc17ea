"""Signatures equal AWS's published example; objects and prefixes are read as S3 serves them."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from fubini.remote.guard import RemoteError, policy_from
from fubini.remote.s3 import Bucket, Credentials, Reader, signed
from tests.support.web import Asked, Reply, Web, web

AT = datetime(2013, 5, 24, tzinfo=UTC)
# The example of the S3 documentation; its keys are published there and open nothing.
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def test_the_published_examples_have_the_published_signatures() -> None:
    host = "examplebucket.s3.amazonaws.com"
    got = signed("GET", host, "/test.txt", EXAMPLE, "us-east-1", AT, {"Range": "bytes=0-9"})
    assert got["authorization"].endswith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    listing = signed("GET", host, "/?max-keys=2&prefix=J", EXAMPLE, "us-east-1", AT)
    assert listing["authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def reader(served: Web, credentials: Credentials | None = EXAMPLE) -> Reader:
    bucket = Bucket(f"127.0.0.1:{served.port}", "data", insecure=True, credentials=credentials)
    return Reader(bucket, policy_from({"allow": [served.allow]}), timeout_s=5, clock=lambda: AT)


def test_what_is_signed_is_what_is_sent() -> None:
    with web(lambda asked: Reply(b"content")) as served:
        with reader(served).get("a b/ü+x.txt") as answer:
            assert answer.read(100) == b"content"
        [asked] = served.asked
        assert asked.path == "/data/a%20b/%C3%BC%2Bx.txt"
        again = signed("GET", asked.headers["host"], asked.path, EXAMPLE, "us-east-1", AT)
        assert asked.headers["authorization"] == again["authorization"]
        with reader(served, None).get("public") as answer:
            answer.read(100)
        assert "authorization" not in served.asked[1].headers


def page(asked: Asked) -> Reply:
    query = parse_qs(urlsplit(asked.path).query)
    assert query["prefix"] == ["run/"]
    second = "continuation-token" in query
    keys = ["run/c"] if second else ["run/a", "run/b/<&>"]
    items = "".join(f"<Contents><Key>{k.replace('&', '&amp;').replace('<', '&lt;')}</Key></Contents>" for k in keys)
    more = "" if second else "<NextContinuationToken>to+ken/=</NextContinuationToken>"
    return Reply(f'<r xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{items}{more}</r>'.encode())


def test_a_prefix_is_listed_over_all_its_pages() -> None:
    with web(page) as served:
        assert list(reader(served).keys("run/", 10)) == ["run/a", "run/b/<&>", "run/c"]
        with pytest.raises(RemoteError, match="more than 2 objects"):
            list(reader(served).keys("run/", 2))


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE r [<!ENTITY a 'b'>]><r/>", b"not xml", b"<r>" + b"<a>" * 5],
)  # fmt: skip
def test_a_listing_that_is_none_is_an_error_and_expands_nothing(body: bytes) -> None:
    with web(lambda asked: Reply(body)) as served, pytest.raises(RemoteError):
        list(reader(served).keys("x", 10))


def test_a_redirect_of_a_signed_request_is_not_followed() -> None:
    with web(lambda asked: Reply(status=307, headers={"Location": "http://10.0.0.1/"})) as served:
        with reader(served).get("x") as answer:
            assert answer.status == 307
        assert len(served.asked) == 1
