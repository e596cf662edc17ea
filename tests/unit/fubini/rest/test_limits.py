"""Bodies are refused while they arrive, and depth is counted before anything is parsed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fubini.common.errors import FubiniError
from fubini.rest.limits import BodyLimit, json_depth, json_read, max_body_bytes
from tests.support.rest import Api, problem_of


def test_each_class_of_route_has_its_limit() -> None:
    assert max_body_bytes("/api/v1/projects") == 256 * 1024
    assert (max_body_bytes("/api/v1/runs") or 0) > 4 * 1024 * 1024
    assert max_body_bytes("/api/v1/blobs/abc") == 64 * 1024 * 1024
    assert max_body_bytes("/anything") == 256 * 1024


def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    response = Api().post("projects", {"slug": "x" * 300_000})
    document = problem_of(response, 413, "too_large")
    assert document["allowed"] == 256 * 1024


def test_depth_counts_brackets_but_not_those_in_texts() -> None:
    assert json_depth(b'{"a": [1, [2]]}') == 3
    assert json_depth(b'"[[[[" ') == 0
    assert json_depth(b'{"a": "\\"[[["}') == 1
    assert json_depth(b"[" * 1_000_000) == 65


def test_what_is_read_is_what_json_says() -> None:
    value = {"a": [1, 2.5, "ü", None, True], "b": {"c": {}}}
    assert json_read(json.dumps(value).encode()) == value


def test_an_error_of_json_has_line_and_column() -> None:
    with pytest.raises(FubiniError) as caught:
        json_read(b'{"a": 1,\n "b" 2}')
    assert caught.value.errors[0]["line"] == 2 and caught.value.errors[0]["column"] == 6


async def _serve(app: Any, chunks: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes, int]:
    """Status, body and how many chunks the server was asked for."""
    asked = 0
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": chunks[asked - 1], "more_body": asked < len(chunks)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": "/api/v1/projects", "headers": headers}, receive, send)
    return sent[0]["status"], sent[1]["body"], asked


async def _reads_all(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_a_body_without_a_length_is_cut_off_at_the_limit() -> None:
    chunks = [b"x" * 65_536] * 1000
    status, body, asked = await _serve(BodyLimit(_reads_all), chunks, [])
    assert status == 413 and json.loads(body)["code"] == "too_large"
    assert asked == 5  # four chunks fit, the fifth passes 256 KiB


async def test_a_declared_length_is_refused_before_the_first_chunk() -> None:
    status, _, asked = await _serve(BodyLimit(_reads_all), [b""], [(b"content-length", b"999999999")])
    assert status == 413 and asked == 0


async def test_a_body_within_the_limit_passes_untouched() -> None:
    status, body, _ = await _serve(BodyLimit(_reads_all), [b"x" * 1000, b"y"], [])
    assert (status, body) == (200, b"ok")
