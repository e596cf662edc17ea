"""Values of secrets never leave in what a step prints, wherever the borders of reads and chunks fall."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from fubini_agent import logs
from fubini_agent.logs import LogShipper
from fubini_agent.masking import MIN_BYTES, Masker
from fubini_agent.staging.layout import Layout
from fubini_protocol.v1.messages import LeaseOffer

VALUE = b"canary-P4ss/w\xc3\xb6rd"


def offer(**spec: object) -> LeaseOffer:
    body = {"needs_secrets": True, **spec}
    return LeaseOffer.model_validate(
        {"lease_id": "l", "attempt_id": "a", "task_id": "t", "fence": 1, "expires_in_s": 9, "spec": body}
    )


def test_a_value_is_hidden_in_each_of_its_usual_forms_and_the_length_stays() -> None:
    masker = Masker([VALUE])
    for form in (VALUE, base64.b64encode(VALUE), quote(VALUE, safe="").encode(), b"canary-P4ss/w\\u00f6rd"):
        data = b"before " + form + b" after"
        assert masker.mask(data) == b"before " + b"*" * len(form) + b" after"
        assert masker.text(data.decode()) == "before *** after"


def test_base64_of_a_text_around_the_value_is_hidden_too() -> None:
    for before in ("", "u:", "user:", "user1:"):
        encoded = base64.b64encode(before.encode() + VALUE + b"\n").decode()
        shown = Masker([VALUE]).mask(encoded.encode())
        inside = base64.b64decode(shown.replace(b"*", b"A") + b"==")
        assert b"canary" not in inside
        assert b"P4ss" not in inside


def test_each_line_of_a_key_file_is_hidden_and_short_values_are_not() -> None:
    masker = Masker([b"-----BEGIN KEY-----\nabcdefgh\nxy\n", b"yes"])
    assert masker.mask(b"> abcdefgh xy yes") == b"> ******** xy yes"
    assert MIN_BYTES == 4


def test_overlapping_values_leave_nothing_of_either() -> None:
    assert Masker([b"abcd", b"cdef"]).mask(b"-abcdef-") == b"-******-"
    assert Masker([b"aaaa"]).mask(b"aaaaaa") == b"******"


def test_of_a_result_cut_at_its_beginning_the_rest_of_a_value_is_hidden() -> None:
    assert Masker([b"secret-value"]).text("t-value and more", cut=True) == "******* and more"


def test_an_attempt_whose_secrets_nobody_knows_any_more_shows_only_its_lines() -> None:
    masker = Masker(everything=True)
    assert masker.mask(b"ab\nc\n") == b"**\n*\n"
    assert masker.text("anything") == "***"


@given(
    pieces=st.lists(st.sampled_from([b"canary", b"can", b"ary", b"x", b"\n", b"canary-two", b"-two"]), max_size=30),
    writes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    chunk=st.integers(1, 7),
)
def test_no_value_goes_out_however_the_step_writes_and_the_reader_reads(
    tmp_path_factory: object, pieces: list[bytes], writes: list[int], chunk: int
) -> None:
    folder: Path = tmp_path_factory.mktemp("spool")  # type: ignore[attr-defined]
    path, printed = folder / "stdout", b"".join(pieces)
    path.touch()
    shipper = LogShipper(None, "agent", "session", {"a": Masker([b"canary", b"canary-two"])})  # type: ignore[arg-type]
    shipper.follow(offer(), Layout(folder, private=False))
    [spool] = [s for s in shipper._spools.values() if s.path == path]
    sent = b""
    normal, logs.CHUNK_BYTES = logs.CHUNK_BYTES, chunk
    try:
        at = turn = 0
        while at < len(printed) or len(sent) < len(printed):
            step = writes[turn % len(writes)]
            with path.open("ab") as file:
                file.write(printed[at : at + step])
            at += step
            turn += 1
            spool.ended = at >= len(printed)
            while (part := shipper._next(spool)) is not None and part.content():
                assert part.offset == len(sent)
                sent += part.content()
                spool.offset = len(sent)
    finally:
        logs.CHUNK_BYTES = normal
    assert sent == Masker([b"canary", b"canary-two"]).mask(printed)
    assert b"canary" not in sent


def test_nothing_is_shipped_before_the_masker_is_known(tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"canary")
    maskers: dict[str, Masker] = {}
    shipper = LogShipper(None, "agent", "session", maskers)  # type: ignore[arg-type]
    shipper.follow(offer(), Layout(tmp_path, private=False))
    [spool] = [s for s in shipper._spools.values() if s.path == tmp_path / "stdout"]
    spool.ended = True
    assert shipper._next(spool) is None
    maskers["a"] = Masker([b"canary"])
    part = shipper._next(spool)
    assert part is not None
    assert part.content() == b"******"


def test_a_value_across_the_limit_of_a_log_leaves_no_beginning(tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"0123canary and much more")
    shipper = LogShipper(None, "agent", "session", {"a": Masker([b"canary"])})  # type: ignore[arg-type]
    shipper.follow(offer(log_max_bytes=7), Layout(tmp_path, private=False))
    [spool] = [s for s in shipper._spools.values() if s.path == tmp_path / "stdout"]
    spool.ended = True
    part = shipper._next(spool)
    assert part is not None
    assert part.content() == b"0123***"
