"""One Chinese word for one thing, in the pages and in the server's sentences: the table in docs/developer.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fubini.common.saying import CHINESE, catalogue
from fubini.notices.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
OF_SCHEDULES = ("schedules.", "trail.deed.suspended")  # Argo suspends a CronWorkflow; to people a schedule is paused


def leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    else:
        yield path, value


def pages(language: str) -> dict[str, str]:
    folder = ROOT / "frontend" / "src" / "i18n" / language
    return {at: text for p in sorted(folder.glob("*.json")) for at, text in leaves(json.loads(p.read_text()), p.stem)}


def pairs() -> dict[str, tuple[str, str]]:
    """Where a text stands, its English and its Chinese."""
    english = pages("en")
    found = {at: (english.get(at, ""), text) for at, text in pages(CHINESE).items()}
    found |= {f"notice {name}": (kind.en, kind.zh) for name, kind in KINDS.items()}
    return found | {f"zh.json {template!r}": (template, text) for template, text in catalogue(CHINESE).items()}


def glossary() -> list[tuple[str, tuple[str, ...]]]:
    """The chosen words and what is not to be said for them."""
    text = (ROOT / "docs" / "developer.md").read_text().split("### Words of the Chinese pages")[1]
    rows = re.findall(r"^\| [a-z][^|]* \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    return [(chosen.strip(), tuple(word.strip() for word in others.split(","))) for chosen, others in rows]


def test_nothing_is_called_by_two_words() -> None:
    words = glossary()
    assert len(words) >= 5
    bad = [
        f"{at}: {text!r} has {other}; say {chosen}"
        for at, (_, text) in pairs().items()
        for chosen, others in words
        for other in others
        if other in text.replace(chosen, "")
    ]
    assert not bad, "\n".join(bad)


def test_runs_are_suspended_and_projects_pools_and_schedules_paused() -> None:
    bad = []
    for at, (english, text) in pairs().items():
        suspended, paused = (bool(re.search(word, english, re.IGNORECASE)) for word in (r"\bsuspend", r"\bpause"))
        if at.startswith(OF_SCHEDULES):
            suspended, paused = False, True
        if (suspended and not paused and "暂停" in text) or (paused and not suspended and "挂起" in text):
            bad.append(f"{at}: {english!r} is {text!r}")
    assert not bad, "\n".join(bad)
