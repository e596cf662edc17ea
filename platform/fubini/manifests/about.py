"""What a manifest says of itself to people: its title, one line of what it does, tags, and a picture beside it. Pure.

Texts may stand in several languages, written as a form's are: plain, or `{en: text, zh: text}`. What cannot be read is
nothing here; that it is wrong is said where annotations are checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from fubini.manifests.context import mapping

LANGUAGES: Final = frozenset({"en", "zh"})
TITLE_MAX: Final = 120
SUMMARY_MAX: Final = 400
TAGS_MAX: Final = 12
PICTURES: Final = (".png", ".svg", ".webp")
_TAG: Final = re.compile(r"[\w+.-]+( [\w+.-]+){0,3}")


@dataclass(frozen=True, slots=True)
class About:
    """`title` and `summary` by language, `{"": text}` where no language is said; `picture` is a file beside the manifest."""

    title: dict[str, str] = field(default_factory=dict)
    summary: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    picture: str = ""


def about_of(document: Any) -> About:
    """What the manifest's annotations say."""
    notes = mapping(mapping(mapping(document).get("metadata")).get("annotations"))

    def text(name: str) -> str:
        value = notes.get(f"fubini.dev/{name}", "")
        return value if isinstance(value, str) else ""

    picture = text("picture").strip()
    return About(
        title=words_of(text("title"), most=TITLE_MAX) or {},
        summary=words_of(text("summary"), most=SUMMARY_MAX) or {},
        tags=tags_of(text("tags")) or (),
        picture=picture if is_picture_name(picture) else "",
    )


def words_of(value: str, *, most: int) -> dict[str, str] | None:
    """A text by language; None where it is empty, too long, or not such a text."""
    if len(value) > 4 * most:
        return None
    found: Any = None
    if re.match(r"\s*(\{|[a-z]{2}:)", value):
        try:
            found = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            return None
    if not (isinstance(found, dict) and set(found) <= LANGUAGES):
        found = {"": value}
    texts = {str(key): " ".join(text.split()) for key, text in found.items() if isinstance(text, str)}
    good = len(texts) == len(found) and texts and all(0 < len(text) <= most for text in texts.values())
    return texts if good else None


def tags_of(value: str) -> tuple[str, ...] | None:
    """Tags between commas, in lower case; None where one is no tag or there are too many."""
    tags = tuple(dict.fromkeys(tag.strip().casefold() for tag in value.split(",") if tag.strip()))
    good = len(tags) <= TAGS_MAX and all(len(tag) <= 32 and _TAG.fullmatch(tag) for tag in tags)
    return tags if good else None


def is_picture_name(value: str) -> bool:
    """A relative path to a picture that stays beside the manifest."""
    path = PurePosixPath(value)
    return bool(value) and not path.is_absolute() and ".." not in path.parts and path.suffix.lower() in PICTURES
