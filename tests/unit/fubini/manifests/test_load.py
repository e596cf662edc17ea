"""Reading manifests: words as Kubernetes reads them, limits before they can hurt, and where everything stands."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.manifests import load as loading
from fubini.manifests.load import load, path_text
from fubini.manifests.scalars import NotFinite, resolve

WORDS: list[tuple[str, Any]] = [
    ("yes", True), ("On", True), ("y", True), ("TRUE", True), ("no", False), ("off", False), ("N", False),
    ("yES", "yES"), ("", None), ("~", None), ("null", None), ("nULL", "nULL"),
    ("12", 12), ("+12", 12), ("-12", -12), ("010", 8), ("0o17", 15), ("0x1F", 31), ("0b11", 3), ("1_000", 1000),
    ("08", 8), ("0x", "0x"), ("1__0", 10), ("-0", 0),
    ("1.0", 1), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000), ("1e-3", 0.001), ("1.", 1), ("-1.50", -1.5),
    ("1e999", "1e999"), ("9223372036854775808", 9223372036854775808), ("18446744073709551616", 1.8446744073709552e19),
    ("1:30", "1:30"), ("2026-11-23", "2026-11-23"), ("1.2.3", "1.2.3"), ("1e", "1e"), ("--1", "--1"), ("=", "="),
]  # fmt: skip


@pytest.mark.parametrize(("word", "want"), WORDS, ids=[w or "empty" for w, _ in WORDS])
def test_a_plain_word_is_read_as_kubernetes_reads_it(word: str, want: Any) -> None:
    got = resolve(word)
    assert got == want
    assert type(got) is type(want)


@pytest.mark.parametrize("word", [".nan", ".NaN", ".inf", "-.Inf", "+.INF"])
def test_a_number_that_json_cannot_carry_is_refused(word: str) -> None:
    with pytest.raises(NotFinite):
        resolve(word)
    assert code(f"a: {word}") == "not-finite"
    assert load(f"a: '{word}'").document == {"a": word}


def code(text: str | bytes) -> str:
    loaded = load(text)
    return loaded.findings[0].code if loaded.findings else "fine"


def place(text: str | bytes) -> tuple[int, int, str]:
    finding = load(text).findings[0]
    return finding.line, finding.column, finding.path


def test_quoted_words_stay_text() -> None:
    assert load("a: 'yes'\nb: \"010\"\nc: |\n  12\n").document == {"a": "yes", "b": "010", "c": "12\n"}


def test_keys_that_are_no_text_become_text_as_in_json() -> None:
    assert load("1: a\nyes: b\n1.5: c\n").document == {"1": "a", "true": "b", "1.5": "c"}


def test_anchors_aliases_and_merges_are_expanded() -> None:
    loaded = load("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: {<<: [*x, {r: 4}]}\nd: [*x]\n")
    assert loaded.document == {
        "a": {"p": 1, "q": 2},
        "b": {"q": 3, "p": 1},
        "c": {"p": 1, "q": 2, "r": 4},
        "d": [{"p": 1, "q": 2}],
    }


def test_json_is_read_also_where_yaml_differs() -> None:
    assert load('{"a": "\\/ \\ud83d\\ude00", "b": [1, 2.0, 1e2]}').document == {"a": "/ 😀", "b": [1, 2, 100]}
    assert code('{"a": "\\ud83d\\ude00", "a": 1}') == "yaml-syntax"
    assert code('{"a": "\\ud83d\\ude00", "b": NaN}') == "yaml-syntax"
    assert code('{"a": "\\ud83d\\ude00", "b": ' + "[" * 100 + "]" * 100 + "}") == "yaml-syntax"


def test_a_byte_order_mark_and_utf_16_are_read() -> None:
    assert load(b"\xef\xbb\xbfa: \xc3\xbc").document == {"a": "ü"}
    assert load("a: ü".encode("utf-16")).document == {"a": "ü"}


REFUSED: list[tuple[str, str | bytes, str, tuple[int, int, str]]] = [
    ("empty", "", "empty", (1, 1, "manifest")),
    ("only comments", "# a\n# b\n", "empty", (1, 1, "manifest")),
    ("a list", "\n- a\n", "not-a-mapping", (2, 1, "manifest")),
    ("two documents", "a: 1\n---\nb: 2\n", "several-documents", (3, 1, "manifest")),
    ("a tab", "a:\n\tb: 1\n", "tab", (2, 1, "a")),
    ("a tag", "a: {b: !!str 1}\n", "tag", (1, 8, "a.b")),
    ("a local tag", "a: !x 1\n", "tag", (1, 4, "a")),
    ("a duplicate key", "a:\n  b: 1\n  b: 2\n", "duplicate-key", (3, 3, "a.b")),
    ("an unknown alias", "a: [1, *x]\n", "alias", (1, 8, "a[1]")),
    ("an alias in itself", "a: &x [*x]\n", "alias", (1, 8, "a[0]")),
    ("a key that is a list", "? [a]\n: 1\n", "key-not-text", (1, 3, "manifest")),
    ("a null key", "? \n: 1\n", "key-not-text", (1, 2, "manifest")),
    ("bad UTF-8", b"a: 1\nb: \xff\n", "encoding", (2, 4, "manifest")),
    ("a control character", "a: 1\nb: x\x07\n", "control-character", (2, 5, "manifest")),
    ("a surrogate", "a: \ud800", "control-character", (1, 4, "manifest")),
    ("text in the wrong place", "a: b: c\n", "yaml-syntax", (1, 5, "manifest")),
    ("an open bracket", "a: [1, 2\n", "yaml-syntax", (2, 1, "a[2]")),
    ("depth", "a: " + "[" * 70 + "]" * 70, "too-deep", (1, 67, "a" + "[0]" * 63)),
    ("merge of a word", "a: {<<: b}\n", "merge", (1, 5, "a[<<]")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "want", "where"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_cannot_be_read_is_refused_with_its_place(
    name: str, text: str | bytes, want: str, where: tuple[int, int, str]
) -> None:
    assert code(text) == want
    assert place(text)[:2] == where[:2]
    if want != "merge":
        assert place(text)[2] == where[2]
    finding = load(text).findings[0]
    assert all((finding.message, finding.found, finding.allowed, finding.help))


def test_depth_just_at_the_limit_is_read() -> None:
    inside = loading.MAX_DEPTH - 1  # the manifest itself is one level
    assert code("a: " + "[" * inside + "]" * inside) == "fine"
    assert code("a: " + "[" * (inside + 1) + "]" * (inside + 1)) == "too-deep"


def test_aliases_may_not_nest_deeper_than_the_limit_either() -> None:
    text = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40 + "\n"
    assert code(text) == "too-deep"


def test_the_size_is_judged_before_the_text_is_read() -> None:
    assert code("a" * (loading.MAX_TEXT_BYTES + 1)) == "too-large"
    assert code("ü" * (loading.MAX_TEXT_BYTES // 2 + 1)) == "too-large"
    assert code(b"a: '" + b"x" * (loading.MAX_TEXT_BYTES - 5) + b"'") == "fine"


def test_aliases_expand_to_at_most_four_times_the_text() -> None:
    lines = ["a: &a [" + ",".join(["x"] * 10) + "]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 10) + "]" for i in range(8)]
    assert code("\n".join(lines)) == "alias-bomb"
    word = "x" * 1000
    assert code(f"a: &a {word}\nb: [*a, *a, *a]\n") == "fine"
    assert code(f"a: &a {word}\nb: [*a, *a, *a, *a, *a]\n") == "alias-bomb"


def test_the_number_of_values_is_limited_also_through_aliases() -> None:
    assert code("a: [" + "1," * (loading.MAX_VALUES + 1) + "]") == "too-many-values"
    rows = "a: &a [" + "1," * 1000 + "]\n" + "b: ['" + "x" * 100_000 + "'," + "*a," * 200 + "]"
    assert code(rows) == "too-many-values"


def test_directives_cannot_make_the_reader_slow() -> None:
    assert code("".join(f"%TAG !a{i}! x\n" for i in range(50_000)) + "---\na: 1\n") == "too-many-directives"
    assert code("%YAML 1.1\n---\na: 1\n") == "fine"


def test_every_field_has_its_place() -> None:
    text = "a: 1\nspec:\n  list:\n    - x: 1\n      w: {z: 2}\n    - 'q'\n"
    positions = load(text).positions
    wanted = {
        ("a",): (1, 1),
        ("spec",): (2, 1),
        ("spec", "list"): (3, 3),
        ("spec", "list", 0): (4, 7),
        ("spec", "list", 0, "w"): (5, 7),
        ("spec", "list", 0, "w", "z"): (5, 11),
        ("spec", "list", 1): (6, 7),
    }
    assert {path: positions.of(path) for path in wanted} == wanted


def test_a_field_that_is_not_there_has_the_place_of_what_should_hold_it() -> None:
    positions = load("spec:\n  list:\n    - x: 1\n").positions
    assert positions.of(("spec", "list", 0, "absent", 3)) == (3, 7)
    assert positions.of(("spec", "other")) == (1, 1)


def test_the_word_as_written_is_known() -> None:
    positions = load("a: yes # sure\nb: [3.50, no]\nc: {d: on, e: 1}\n").positions
    assert positions.word(("a",)) == "yes"
    assert positions.word(("b", 0)) == "3.50"
    assert positions.word(("b", 1)) == "no"
    assert positions.word(("c", "d")) == "on"
    assert positions.word(("c",)) == "{d: on"


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ((), "manifest"),
        (("spec", "templates", 0, "name"), "spec.templates[0].name"),
        (("metadata", "annotations", "fubini.dev/walltime"), "metadata.annotations[fubini.dev/walltime]"),
        (("a", ""), "a['']"),
    ],
)
def test_paths_are_written_as_kubernetes_writes_them(path: tuple[str | int, ...], want: str) -> None:
    assert path_text(path) == want
