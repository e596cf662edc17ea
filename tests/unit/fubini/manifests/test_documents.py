"""Several manifests in one text."""

from __future__ import annotations

import pytest

from fubini.manifests.documents import split_documents

CASES = {
    "one without a marker": ("a: 1\nb: 2\n", [("a: 1\nb: 2\n", 0)]),
    "two": ("a: 1\n---\nb: 2\n", [("a: 1\n", 0), ("---\nb: 2\n", 1)]),
    "a marker with words behind": ("---\na: 1\n--- # next\nb: 2\n", [("---\na: 1\n", 0), ("--- # next\nb: 2\n", 2)]),
    "a document on its marker's line": ("--- {a: 1}\n--- {b: 2}", [("--- {a: 1}\n", 0), ("--- {b: 2}", 1)]),
    "comments above the first": ("# hi\n\n---\na: 1\n", [("# hi\n\n---\na: 1\n", 0)]),
    "empty ones between": ("a: 1\n---\n---\n# no\n---\nb: 2\n", [("a: 1\n", 0), ("---\n---\n# no\n---\nb: 2\n", 1)]),
    "a closing marker": ("a: 1\n...\nb: 2\n", [("a: 1\n...\n", 0), ("b: 2\n", 2)]),
    "directives go below": ("a: 1\n...\n%YAML 1.1\n---\nb: 2\n", [("a: 1\n...\n", 0), ("%YAML 1.1\n---\nb: 2\n", 2)]),
    "dashes that are no marker": ("a: |\n  ---\nb: ---x\n---x: 1\n", [("a: |\n  ---\nb: ---x\n---x: 1\n", 0)]),
    "inside block text": ("a: |\n  x\n---\nb: 2\n", [("a: |\n  x\n", 0), ("---\nb: 2\n", 2)]),
    "line ends of another system": ("a: 1\r\n---\r\nb: 2\r\n", [("a: 1\r\n", 0), ("---\r\nb: 2\r\n", 1)]),
    "a byte order mark": ("\ufeffa: 1\n", [("a: 1\n", 0)]),
    "nothing": ("", [("", 0)]),
    "only comments": ("# a\n---\n# b\n", [("# a\n---\n# b\n", 0)]),
}


@pytest.mark.parametrize("name", CASES)
def test_documents_are_told_apart_by_their_markers(name: str) -> None:
    text, want = CASES[name]
    assert [(part.text, part.lines_above) for part in split_documents(text)] == want
