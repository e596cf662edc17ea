"""What people are told: English where it is made, the asker's language where it goes out.

A sentence is made once, in English: a plain text when it names no facts, else `say("There is no user {name!r}.", name=name)`,
a text that remembers its template and its facts. Logs, rows and other processes see the English. At the door `told()`
puts it into the asker's language, looking the template up in `words/LANGUAGE.json`; what has no words there stays
English. Which sentences must have theirs is decided by `tests/contract/test_every_sentence_has_its_chinese.py`.

Not gettext: its catalogues must be compiled, and it translates where a sentence is made, so that what is kept or told to
somebody else would be in the language of whoever caused it. Messages of Django and DRF come from their own catalogues.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from importlib import resources
from typing import Any, Final

ENGLISH: Final = "en"
CHINESE: Final = "zh"
ASKED: ContextVar[str] = ContextVar("language", default=ENGLISH)
"""The language of who asks, set at each door: by the middleware for a request, by the CLI for a command."""


class Said(str):
    """A sentence in English that can be told in other languages; as a `str` it is the English one.

    `facts` is None for one without facts, whose template is its text as it is. A fact that is itself `Said` is told, too;
    any other text among them is somebody's own (a name, a path) and stays as it is.
    """

    __slots__ = ("facts", "template")
    template: str
    facts: Mapping[str, Any] | None

    def __new__(cls, template: str, facts: Mapping[str, Any] | None = None) -> Said:
        made = super().__new__(cls, template if facts is None else template.format_map(facts))
        made.template = template
        made.facts = facts
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, Any] | None]:  # type: ignore[override]
        return self.template, self.facts

    def with_facts(self, change: Callable[[str], str]) -> Said:
        """The same sentence about other facts: `change` is called with each that is a text."""
        if self.facts is None:
            return self
        return Said(self.template, {k: change(v) if isinstance(v, str) else v for k, v in self.facts.items()})


def say(template: str, /, **facts: Any) -> Said:
    """A sentence with facts: `template` is a constant with the facts' names in braces, as `str.format` reads them."""
    return Said(template, facts)


def ours(text: str) -> Said:
    """A sentence without facts, or a word of our own (a state, a role), to stand as a fact in a sentence."""
    return text if isinstance(text, Said) else Said(text)


def together(*parts: str, between: str = " ") -> Said:
    """Several sentences as one."""
    names = {f"part{number}": ours(part) for number, part in enumerate(part for part in parts if part)}
    return Said(between.join(f"{{{name}}}" for name in names), names)


def told(text: str) -> str:
    """The sentence in the asker's language, or as it is where there are no words for it."""
    language = ASKED.get()
    if language == ENGLISH:
        return text
    words = catalogue(language)
    if not isinstance(text, Said):
        return words.get(text, text)
    template = words.get(text.template, text.template)
    if text.facts is None:
        return template
    return template.format_map({k: told(v) if isinstance(v, Said) else v for k, v in text.facts.items()})


def told_all(value: Any) -> Any:
    """JSON-like data with every sentence that `say` made told; plain texts in it are data and stay."""
    if isinstance(value, Said):
        return told(value)
    if isinstance(value, Mapping):
        return {key: told_all(item) for key, item in value.items()}
    return [told_all(item) for item in value] if isinstance(value, list | tuple) else value


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The words of a language: English template -> its template; empty for English."""
    if language == ENGLISH:
        return {}
    text = resources.files(__package__).joinpath("words", f"{language}.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def language_of(accepted: str) -> str:
    """The first language of an `Accept-Language` header or a `LANG` that there are words in; English when none is."""
    weighed: list[tuple[float, str]] = []
    for part in accepted[:200].split(",")[:20]:
        name, _, given = part.strip().lower().partition(";q=")
        try:
            weighed.append((float(given or 1), name))
        except ValueError:
            continue
    for weight, name in sorted(weighed, key=lambda one: -one[0]):
        if weight > 0 and (found := re.split(r"[-_.]", name)[0]) in (ENGLISH, CHINESE):
            return found
    return ENGLISH
