"""What a browser calls itself, in the words a person knows it by: `Firefox` on `Linux`.

Pure and short on purpose: it names the handful of browsers and systems people have, for recognising one's own sessions.
Anything else is "" and shown as unknown; nothing is decided by it, for a browser may say what it likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# In order: what is built on another browser names that one too.
_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("MicroMessenger", "WeChat"),
    ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chromium/", "Chromium"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"), ("curl/", "curl"), ("python-", "Python"), ("fubini-cli", "fubini"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("iPhone", "iOS"), ("iPad", "iPadOS"), ("Android", "Android"), ("HarmonyOS", "HarmonyOS"), ("OpenHarmony", "HarmonyOS"),
    ("Windows", "Windows"), ("CrOS", "ChromeOS"), ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Device:
    """Names as their makers write them; "" where the text gives none."""

    browser: str
    system: str


def device_of(user_agent: str) -> Device:
    """The browser and system a `User-Agent` names."""

    def first(table: tuple[tuple[str, str], ...]) -> str:
        return next((name for mark, name in table if mark in user_agent), "")

    return Device(first(_BROWSERS), first(_SYSTEMS))
