"""Names people give things: what is allowed, and an error that says so."""

from __future__ import annotations

import re

from fubini.common.errors import Invalid
from fubini.common.saying import say

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_ID = re.compile(r"[0-9a-f]{32}")


def slug_checked(name: str, *, field: str = "name", max_length: int = 48) -> str:
    """A name of lower-case letters, digits and inner hyphens that cannot be mistaken for an id.

    Raises:
        Invalid: with what was found and what is allowed.
    """
    if not _SLUG.fullmatch(name) or len(name) > max_length or _ID.fullmatch(name):
        raise Invalid(
            say("{name!r} is not a usable {field}.", name=name[:80], field=field),
            errors=[
                {
                    "pointer": f"/{field}",
                    "code": "name",
                    "found": name[:80],
                    "allowed": say(
                        "1..{max_length} of a-z, 0-9 and inner hyphens; not 32 hex digits",
                        max_length=max_length,
                    ),
                    "detail": "lower-case letters, digits and hyphens, beginning and ending with a letter or digit",
                }
            ],
        )
    return name


def slug_of(text: str, *, fallback: str, max_length: int = 48) -> str:
    """A usable name near a free text (a host's name, say)."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:max_length].strip("-")
    return name if name and not _ID.fullmatch(name) else fallback
