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
import string
from collections.abc import Callable, Mapping, Sequence
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


def kept(text: str) -> Any:
    """A sentence as JSON that `heard` reads, so that it can be told in another language later; a plain text as it is."""
    if not isinstance(text, Said) or text.facts is None:
        return str(text)  # its template is its text
    return {"said": text.template, "facts": {n: _kept_fact(v) for n, v in text.facts.items()}}


def _kept_fact(value: Any) -> Any:
    """A word of our own is marked, for as a plain text it would be somebody's name."""
    if not isinstance(value, Said):
        return value
    return kept(value) if value.facts is not None else {"said": value.template}


def heard(value: Any) -> str:
    """What `kept` wrote; a text of earlier times, which remembers no template, as it is."""
    if not isinstance(value, Mapping):
        return str(value)
    facts = value.get("facts")
    known = None if facts is None else {n: heard(v) if isinstance(v, Mapping) else v for n, v in facts.items()}
    return Said(str(value["said"]), known)


class Known:
    """Sentences that are kept as English text, by others or of old, and told in the asker's language when read again.

    A text is taken for a template whose words it has in their order, each fact as short as can be; a fact that is one
    of the sentences itself (a lock, a state) is told, too. What is none of them stays as it is. Linear in the text.
    """

    def __init__(self, *templates: str) -> None:
        self.templates = templates
        self._parts = [(t, list(string.Formatter().parse(t))) for t in templates]

    def said(self, text: str) -> str:
        """The text as a sentence; English stays what it is to the letter."""
        for template, parts in self._parts:
            facts = _matched(text, parts)
            if facts is not None:
                return Said(template, {name: self.said(fact) for name, fact in facts.items()} if facts else None)
        return text


def _matched(text: str, parts: Sequence[tuple[str, str | None, str | None, str | None]]) -> dict[str, str] | None:
    """The facts of a text that follows a template; None: it does not."""
    facts: dict[str, str] = {}
    name, at = "", 0
    for number, (words, following, _, _) in enumerate(parts):
        last = number == len(parts) - 1 and following is None
        found = len(text) - len(words) if last and text.endswith(words) else text.find(words, at)
        if found < at or (not name and found != at) or (last and found + len(words) != len(text)):
            return None
        if name:
            if found == at:
                return None
            facts[name] = text[at:found]
        name, at = following or "", found + len(words)
    if not name:
        return facts if at == len(text) else None
    return {**facts, name: text[at:]} if at < len(text) else None


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
