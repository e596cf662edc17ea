"""Manifests of files: names kept byte for byte, whatever could leave its folder refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fubini.datasets.entries import Manifest, manifest_check, manifest_of, path_problem
from fubini.datasets.errors import EntriesInvalid

SHA = "ab" * 32


def entry(path: str, size: Any = 3, sha256: Any = SHA, **more: Any) -> dict[str, Any]:
    return {"path": path, "size": size, "sha256": sha256, **more}


def check(*rows: Any) -> Manifest:
    return manifest_check(list(rows), max_entries=100, max_bytes=10_000)


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "./a", "a/.", ".", "..", "x\x00y", "n" * 256, "d/" * 2100 + "x",
        "\udc80broken", "/",
    ],
)  # fmt: skip
def test_a_path_that_could_leave_its_folder_or_not_exist_is_refused(path: str) -> None:
    with pytest.raises(EntriesInvalid) as caught:
        check(entry(path))
    problem = caught.value.errors[0]
    assert problem["detail"]
    json.dumps(problem).encode("ascii")  # shown escaped, so the answer can always be written


@pytest.mark.parametrize(
    "paths",
    [
        ["A.txt", "a.txt"], ["\u00e9", "e\u0301"], ["CON", "con.", "nul "], ["a\\b", "a/b"], ["\u202etxt.exe", "txt"],
        ["-rf", "--", "$(x)", "`y`", ";"], ["n" * 255], ["line\nbreak", "tab\t"], ["...", "..a", "a.."],
    ],
)  # fmt: skip
def test_a_listing_gives_back_the_names_that_were_put_in(paths: list[str]) -> None:
    manifest = check(*[entry(p) for p in paths])
    assert sorted(e.path for e in manifest.entries) == sorted(paths)
    assert manifest_of(json.loads(json.dumps(manifest.to_json()))) == manifest


@pytest.mark.parametrize(
    ("rows", "want_word"),
    [
        ([entry("a"), entry("a")], "twice"),
        ([entry("a"), entry("a/b")], "which is a file"),
        ([entry(""), entry("a")], "no path"),
        ([entry("a"), entry("b", size=4)], "another size"),
        ([entry("a", size=-1)], "count of bytes"),
        ([entry("a", size=True)], "count of bytes"),
        ([entry("a", size=2**60)], "count of bytes"),
        ([entry("a", size="3")], "count of bytes"),
        ([entry("a", sha256="AB" * 32)], "64 lower-case hex"),
        ([entry("a", sha256=None)], "64 lower-case hex"),
        ([entry("a", mode=-1)], "file mode"),
        (["a"], "not an object"),
        ([None], "not an object"),
        ([{"path": 3, "size": 1, "sha256": SHA}], "not text"),
        ([entry(f"f{n}", size=101) for n in range(100)], "more than 10000 bytes"),
    ],
)
def test_what_cannot_stand_is_named(rows: list[Any], want_word: str) -> None:
    with pytest.raises(EntriesInvalid) as caught:
        check(*rows)
    assert want_word in caught.value.errors[0]["detail"]


def test_all_wrong_entries_are_named_at_once_up_to_fifty() -> None:
    with pytest.raises(EntriesInvalid) as caught:
        check(*[entry(f"../{n}") for n in range(80)])
    assert len(caught.value.errors) == 50
    assert "80 of 80" in caught.value.detail


def test_too_many_files_are_refused_before_each_is_looked_at() -> None:
    with pytest.raises(EntriesInvalid, match="101 files came; 100 are allowed"):
        check(*([None] * 101))


def test_the_order_files_come_in_does_not_change_the_digest_and_a_mode_does() -> None:
    one, two = entry("a"), entry("b")
    assert check(one, two).digest() == check(two, one).digest()
    assert check(one).digest() != check({**one, "mode": 0o755}).digest()


def test_set_user_bits_are_dropped() -> None:
    assert check(entry("a", mode=0o104755)).entries[0].mode == 0o755


def test_a_path_inside_picks_a_file_or_a_folder() -> None:
    manifest = check(entry("d/a"), entry("d/e/b"), entry("dd"))
    assert [e.path for e in manifest.below("d").entries] == ["a", "e/b"]
    assert [e.path for e in manifest.below("d/a").entries] == [""]
    assert manifest.below("d/a").is_directory is False
    assert manifest.below("nope").entries == ()
    assert manifest.below("").entries == manifest.entries


@given(st.text(max_size=300))
def test_a_path_without_a_problem_never_leaves_its_folder(path: str) -> None:
    if path_problem(path) == "":
        import posixpath

        assert posixpath.normpath(posixpath.join("/root/step", path)) == f"/root/step/{path}"
        assert posixpath.normpath(posixpath.join("/root/step", path)).startswith("/root/step/")
