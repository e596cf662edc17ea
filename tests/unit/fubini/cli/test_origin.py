"""Provenance as two indented lists."""

from __future__ import annotations

from typing import Any

from fubini.cli.origin import text_of


def place(identity: str, side: str, **more: Any) -> dict[str, Any]:
    kind = {"a": "artifact", "s": "step", "d": "dataset"}[identity[0]]
    content = {
        "gone": False, "file": {"sha256": "ab" * 32, "path": "", "size": 5}, "size_bytes": 5, "made_by": "", "digest": "",
        "files": 1,
    }  # fmt: skip
    found = {
        "id": identity, "kind": kind, "name": identity, "side": side, "run": "", "more": False, "step": None,
        "content": content if kind != "step" else None,
    }  # fmt: skip
    return found | more


def link(before: str, after: str, how: str, name: str = "") -> dict[str, str]:
    return {"before": before, "after": after, "how": how, "name": name}


ANSWER = {
    "start": "a1",
    "places": [
        place("a1", "start"), place("s1", "behind"), place("a0", "behind"), place("s0", "behind", more=True),
        place("a2", "behind"),
    ],
    "links": [
        link("s1", "a1", "left", "a1"), link("a0", "s1", "read", "x"), link("a2", "s1", "read", "y"),
        link("s0", "a0", "left", "a0"), link("s0", "a2", "left", "a2"),
    ],
    "runs": [],
    "incomplete": False,
}  # fmt: skip


def test_each_thing_is_told_once_and_named_where_it_is_met_again() -> None:
    lines = text_of(ANSWER).splitlines()
    digest = "5 B, sha256 abababababab"
    assert lines[:9] == [
        f"artifact a1, {digest}",
        "",
        "came from",
        "  left by: step s1",
        f"    read x: artifact a0, {digest}",
        "      left by: step s0 ...",
        f"    read y: artifact a2, {digest}",
        "      left by: s0 (above)",
        "",
    ]


def test_nothing_and_more_are_said() -> None:
    text = text_of(ANSWER)
    assert "made of it\n  nothing yet" in text and "... marks what has more behind it" in text
    assert "may be missing" in text_of({**ANSWER, "incomplete": True})


def test_what_was_cleared_is_told_as_that() -> None:
    gone = {**ANSWER, "places": [place("a1", "start", content={"gone": True, "made_by": ""})], "links": []}
    assert text_of(gone).splitlines()[0] == "artifact a1, its record was cleared"
