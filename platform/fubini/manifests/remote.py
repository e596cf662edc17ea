"""What a manifest fetches from outside, as far as it can be judged by its text: what the platform's guard would refuse.

Whether an address is public is found out when it is fetched; here stand what needs no network (credentials written into a
URL, schemes that are never spoken) and what Argo would do and the platform does not (submodules). URLs with tags in them
are judged at run time.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fubini.common.saying import say
from fubini.language import tags
from fubini.manifests.context import Source, text
from fubini.manifests.load import Path

_URLS = {"http": "url", "git": "repo"}
# What an http or data template may say to Argo that means nothing to a leaf the platform performs itself.
_OF_PODS = ("timeout", "pendingTimeout", "activeDeadlineSeconds", "daemon")


def check_remote(source: Source, value: Any, path: Path) -> None:
    """Report every remote place below `path` that cannot be fetched."""
    stack: list[tuple[Path, Any]] = [(path, value)]
    while stack:
        at, here = stack.pop()
        if isinstance(here, dict):
            kind = at[-1] if at else ""
            if isinstance(kind, str) and kind in _URLS:
                _place(source, (*at, _URLS[kind]), text(here.get(_URLS[kind])))
            if kind == "git" and here.get("disableSubmodules") is False:
                source.error(
                    "submodules", (*at, "disableSubmodules"), "submodules are not fetched here.", found="false",
                    allowed="true, or no such field", kind="unsupported",
                    help_text="Give each submodule as an artifact of its own.",
                )  # fmt: skip
            if isinstance(here.get("data"), dict) or (isinstance(here.get("http"), dict) and "url" in here["http"]):
                _inhouse(source, at, here)
            stack.extend(((*at, name), inner) for name, inner in here.items())
        elif isinstance(here, list):
            stack.extend(((*at, index), inner) for index, inner in enumerate(here))


def _inhouse(source: Source, at: Path, template: dict[str, Any]) -> None:
    """An http or data template; an artifact or argument with `http` has none of these fields."""
    kind = "data" if isinstance(template.get("data"), dict) else "http"
    fields: list[tuple[str, ...]] = [(name,) for name in _OF_PODS if template.get(name) not in (None, "", False)]
    outputs = template.get("outputs")
    if kind == "data" and isinstance(outputs, dict):
        fields += [("outputs", name) for name in ("artifacts", "parameters") if outputs.get(name)]
    for field in fields:
        source.error(
            "unsupported", (*at, *field), say(
                "a {kind} template has no such thing here.",
                kind=kind,
            ), found=".".join(field),
            allowed="timeoutSeconds under http" if kind == "http" else "its result, a list of paths", kind="unsupported",
            help_text="Delete it.",
        )  # fmt: skip


def _place(source: Source, path: Path, url: str) -> None:
    if not url or tags.OPEN in url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in ("http", "https") and "@" in parts.netloc:
        source.error(
            "credentials-in-url", path, "The URL has credentials in it; everybody who sees the run would see them.",
            found="credentials before '@'", allowed="a URL without them", kind="unsupported",
            help_text="Keep them with `fubini secret set` and name the secret.",
        )  # fmt: skip
    elif parts.scheme not in ("http", "https", "file"):
        source.error(
            "remote-scheme", path, "the platform does not fetch over this scheme.",
            found=parts.scheme[:20] or "no scheme", allowed="https, http", kind="unsupported",
            help_text="Use the https address; for a private repository name a secret with a token.",
        )  # fmt: skip
