"""Every route of the platform as the resolver knows it, so that generated tests forget none."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from fubini.compat.argo.urls import WORDS


@dataclass(frozen=True, slots=True)
class Route:
    """One address: ``/api/v1/projects/{ref}`` and the methods it answers."""

    path: str
    methods: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The parts below the API's root: ``["projects", "{ref}"]``."""
        return self.path.removeprefix("/api/v1/").strip("/").split("/")


def routes() -> list[Route]:
    """All of them but the Argo door's, in order of path."""
    found = _walk(get_resolver().url_patterns, "/")
    return sorted((r for r in found if not is_argos(r.path)), key=lambda r: r.path)


def is_argos(path: str) -> bool:
    """Is an address one of the Argo door's? Its answers have Argo's shape; its own tests walk them."""
    words = path.removeprefix("/api/v1/").removeprefix("^").strip("/").split("/")
    roots = ("/artifacts/", "/artifacts-by-uid/", "/input-artifacts", "/artifact-files/")
    return path.startswith(roots) or "^api/v1" in path or (path.startswith("/api/v1/") and words[0] in WORDS)


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> list[Route]:
    found: list[Route] = []
    for entry in patterns:
        path = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(entry.pattern))
        if isinstance(entry, URLResolver):
            found += _walk(entry.url_patterns, path)
        elif isinstance(entry.pattern, RoutePattern):  # a regular expression serves the pages, at any other address
            actions = getattr(entry.callback, "actions", None)
            methods = tuple(sorted(m.upper() for m in actions if m != "head")) if actions else ("GET",)
            if actions and set(actions) == {"head", "put"}:
                methods = ("HEAD", "PUT")
            found.append(Route(path, methods))
    return found
