"""Tolerance of the wire types, and that they are readable by the oldest supported Python's annotations."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fubini_protocol
from fubini_protocol.v1.base import WireEnum
from fubini_protocol.v1.messages import AttemptState, LogChunk, SyncRequest

SOURCES = sorted(Path(fubini_protocol.__file__).parent.rglob("*.py"))


def test_an_unknown_word_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="fubini_protocol"):
        assert AttemptState("never-seen-before-42") is AttemptState.UNKNOWN
        assert AttemptState("never-seen-before-42") is AttemptState.UNKNOWN
    assert len([record for record in caplog.records if "never-seen-before-42" in record.message]) == 1


@pytest.mark.parametrize("kind", WireEnum.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_enum_has_a_place_for_unknown_words(kind: type[WireEnum]) -> None:
    assert kind("x" * 200).name == "UNKNOWN"


def test_messages_are_frozen() -> None:
    message = SyncRequest(protocol_version=1, agent_id="a", boot_id="b", session_id="s", sync_seq=1)
    with pytest.raises(ValueError, match="frozen"):
        message.sync_seq = 2  # type: ignore[misc]


def test_the_protocol_version_is_always_written() -> None:
    message = SyncRequest(protocol_version=1, agent_id="a", boot_id="b", session_id="s", sync_seq=1)
    assert b'"protocol_version":1' in message.to_json()


@pytest.mark.parametrize("path", SOURCES, ids=[path.name for path in SOURCES])
def test_annotations_can_be_evaluated_by_python_3_9(path: Path) -> None:
    """Pydantic evaluates class annotations; ``X | Y`` between types does not work there before 3.10."""
    tree = ast.parse(path.read_text())
    for kind in [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]:
        for field in [node for node in kind.body if isinstance(node, ast.AnnAssign)]:
            unions = [node for node in ast.walk(field.annotation) if isinstance(node, ast.BinOp)]
            assert unions == [], f"{path.name}:{field.lineno}"


@given(st.binary(max_size=200), st.integers(0, 2**40))
def test_any_bytes_of_a_log_come_back(content: bytes, offset: int) -> None:
    chunk = LogChunk.of(content, attempt_id="a", task_id="t", fence=1, stream="stderr", offset=offset)  # type: ignore[arg-type]
    again = LogChunk.model_validate_json(chunk.to_json())
    assert (again.content(), again.offset) == (content, offset)
