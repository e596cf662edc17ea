"""Recorded messages of protocol v1 stay readable, mean what they meant, and are written the same way again.

The recordings in ``messages/v1`` are what an agent and a gateway really said. They are never re-recorded to make a test
pass: a change that breaks one breaks agents in the field. A new version gets a folder of its own beside them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fubini_protocol.v1 import messages
from fubini_protocol.v1.base import Message
from fubini_protocol.v1.errors import ErrorBody, ErrorCode

FOLDER = Path(__file__).parent / "messages" / "v1"
RECORDINGS = sorted(FOLDER.glob("*.json"))
TYPES: dict[str, type[Message]] = {
    "join_request": messages.JoinRequest,
    "join_reply": messages.JoinReply,
    "sync_request": messages.SyncRequest,
    "sync_reply": messages.SyncReply,
    "logs_request": messages.LogsRequest,
    "logs_reply": messages.LogsReply,
}


def type_of(path: Path) -> type[Message]:
    return next(kind for name, kind in TYPES.items() if path.name.startswith(name))


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


@pytest.mark.parametrize("path", RECORDINGS, ids=[path.stem for path in RECORDINGS])
def test_a_recorded_message_is_read_and_written_again_unchanged(path: Path) -> None:
    message, problems = type_of(path).read(path.read_bytes())
    assert problems == []
    assert json.loads(message.to_json()) == json.loads(path.read_text())


@pytest.mark.parametrize("path", RECORDINGS, ids=[path.stem for path in RECORDINGS])
def test_fields_of_a_newer_peer_are_ignored_at_every_depth(path: Path) -> None:
    mappings = {"labels", "parameters", "container_codes"}  # their keys are data, not fields

    def grown(value: Any) -> Any:
        if isinstance(value, dict):
            known = {key: item if key in mappings else grown(item) for key, item in value.items()}
            return {**known, "field_of_the_future": {"x": [1]}}
        return [grown(item) for item in value] if isinstance(value, list) else value

    data = json.loads(path.read_text())
    assert type_of(path).model_validate(grown(data)) == type_of(path).model_validate(data)


def test_every_kind_of_message_is_recorded() -> None:
    assert {name for name in TYPES for path in RECORDINGS if path.name.startswith(name)} == set(TYPES)


def test_enum_values_of_a_newer_peer_become_unknown() -> None:
    data = load("sync_request_failed.json")
    [report] = data["reports"]
    report["state"], report["cause"] = "hibernating", "gremlins"
    read = messages.SyncRequest.model_validate(data).reports[0]
    assert (read.state, read.cause) == (messages.AttemptState.UNKNOWN, messages.Cause.UNKNOWN)
    assert not read.is_terminal


def test_a_word_of_the_wrong_type_is_malformed_and_not_unknown() -> None:
    data = load("sync_request_failed.json")
    data["reports"][0]["state"] = 7
    with pytest.raises(ValueError, match="state"):
        messages.SyncRequest.model_validate(data)


def test_one_malformed_lease_does_not_hide_the_others() -> None:
    data = load("sync_reply_start.json")
    good = data["start"][0]
    data["start"] = [{**good, "fence": "x"}, good, {"attempt_id": "no more"}]
    reply, problems = messages.SyncReply.read(json.dumps(data).encode())
    assert [offer.attempt_id for offer in reply.start] == [good["attempt_id"]]
    assert any(problem.startswith("start.0.fence") for problem in problems)


def test_a_malformed_body_is_refused_whole() -> None:
    with pytest.raises(ValueError, match="server_time_ms"):
        messages.SyncReply.read(b'{"server_time_ms": "noon"}')


@pytest.mark.parametrize("content", [b"plain", "ü€😀".encode(), b"", b"\xff\xfe\x00binary", "cut €".encode()[:-1]])
def test_log_chunks_keep_every_byte(content: bytes) -> None:
    chunk = messages.LogChunk.of(content, attempt_id="a", task_id="t", fence=1, stream=messages.Stream.STDOUT, offset=5)
    assert messages.LogChunk.model_validate_json(chunk.to_json()).content() == content


def test_secrets_do_not_show_in_a_repr() -> None:
    join = messages.JoinRequest.model_validate(load("join_request.json"))
    reply = messages.JoinReply.model_validate(load("join_reply.json"))
    access = messages.BlobAccess(url="/b", token="tok-canary")
    assert "<token>" not in repr(join)
    assert "<credential>" not in repr(reply)
    assert "tok-canary" not in repr(access)


def test_an_error_code_of_a_newer_platform_is_unknown() -> None:
    body = ErrorBody.model_validate({"code": "teapot", "detail": "short and stout", "extra": 1})
    assert (body.code, body.detail) == (ErrorCode.UNKNOWN, "short and stout")
