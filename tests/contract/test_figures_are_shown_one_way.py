"""Sums and bytes are put into words in one place a language: `lib/format.ts`, `common/figures.py` and the core's `Figure`.

Read from the source, line by line: a page or a sentence that divides micros itself forgets the currency, and one that
counts in decimal units says 966 GB of what another calls 900 GiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "frontend" / "src"
BY_HAND = [
    re.compile(r"micros\)?\s*//?\s*(?:1e6|1_?000_?000|MICROS|10\s*\*\*)", re.IGNORECASE),
    re.compile(r"micros.*(?:toFixed|toLocaleString)\(|divmod\(.*micros", re.IGNORECASE),
]
DECIMAL = re.compile(r"""(?:["'`>]|\d\}?)[^"'`\n]*(?<![\w/])(?:kB|KB|MB|GB|TB)(?![\w/])""")
HELPERS = {"frontend/src/lib/format.ts", "platform/fubini/common/figures.py", "scheduler/fubini_scheduler/reasons.py"}


def sources() -> Iterator[Path]:
    for kind in ("*.ts", "*.tsx"):
        yield from (p for p in PAGES.rglob(kind) if "generated" not in p.parts and ".test." not in p.name)
    yield from (ROOT / "platform" / "fubini").rglob("*.py")


def wrong(line: str) -> bool:
    """Does this line put a sum or bytes into words by hand?"""
    code = re.sub(r"(?:^|\s)(?://|#|\*|/\*).*|^\s*\"\"\".*", "", line)
    return any(pattern.search(code) for pattern in [*BY_HAND, DECIMAL])


@pytest.mark.parametrize(
    "line",
    [
        "const shown = (run.settled_micros / 1e6).toFixed(2);",
        "return micros / 1_000_000;",
        "<Text>{row.spent_micros.toLocaleString()}</Text>",
        'return f"{change.amount_micros / 1e6:.2f}"',
        "whole, part = divmod(abs(micros), 1_000_000)",
        'text = f"{count / 1e9:.1f} GB"',
        "return `${size} MB`;",
        '"storage": "Stored (GB)",',
    ],
)
def test_what_is_written_by_hand_is_seen(line: str) -> None:
    assert wrong(line)


def test_no_page_and_no_sentence_puts_a_sum_or_bytes_into_words_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sources()
        if path.relative_to(ROOT).as_posix() not in HELPERS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ("icros" in line or "B" in line) and wrong(line)
    ]
    assert not found, "use money, amount, about or size of the helper:\n" + "\n".join(found)


def test_no_text_of_the_pages_counts_bytes_in_decimal_units() -> None:
    texts = [*PAGES.glob("i18n/*/*.json"), ROOT / "platform" / "fubini" / "common" / "words" / "zh.json"]
    found = [f"{p.name}: {line.strip()}" for p in texts for line in p.read_text(encoding="utf-8").splitlines() if DECIMAL.search(line)]
    assert len(texts) > 40 and not found, found
