"""The kinds of notices: whether they are on by default, and their words for an e-mail. Pure.

Words hold names and figures only: no parameter, log line or value of a run gets into a message, for what those hold nobody
knows. The page has words of its own for the same kinds and data (`frontend/src/i18n`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Kind:
    """`page` and `email`: on unless a person says otherwise. `webhook`: projects may subscribe to it."""

    page: bool
    email: bool
    webhook: bool
    en: str
    zh: str


KINDS: Final[Mapping[str, Kind]] = {
    "run_succeeded": Kind(True, False, True, "The run {name} succeeded.", "运行 {name} 成功结束。"),
    "run_failed": Kind(True, True, True, "The run {name} ended as {state}.", "运行 {name} 以 {state} 结束。"),
    "step_waiting": Kind(
        True, True, True,
        "The run {name} has {tasks} steps that wait for {minutes} minutes: {code}.",
        "运行 {name} 有 {tasks} 个步骤已等待 {minutes} 分钟：{code}。",
    ),
    "step_suspended": Kind(
        True, True, True, "The step {step} of the run {name} waits for a person.", "运行 {name} 的步骤 {step} 在等人处理。"
    ),
    "budget": Kind(
        True, True, True,
        "The project {project} has used {percent} % of its budget; {left} {currency} are left.",
        "项目 {project} 已用去预算的 {percent} %，剩余 {left} {currency}。",
    ),
    "agent_silent": Kind(
        True, True, False,
        "The agent {agent} of {site} has not been heard from for {minutes} minutes.",
        "站点 {site} 的代理 {agent} 已 {minutes} 分钟没有消息。",
    ),
    "disk_full": Kind(
        True, True, False,
        "The agent {agent} of {site} takes no steps: {reason}",
        "站点 {site} 的代理 {agent} 不再接收步骤：{reason}",
    ),
    "webhook_off": Kind(
        True, True, False,
        "The webhook {webhook} of {project} was switched off: {reason}",
        "项目 {project} 的 webhook {webhook} 已停用：{reason}",
    ),
    "change_asked": Kind(
        True, True, False,
        "{by} asks for a change so that the run {name} goes on: {what}",
        "{by} 请求更改，使运行 {name} 能够继续：{what}",
    ),
    "test": Kind(True, True, True, "This is a test; nothing has happened.", "这是一条测试消息，没有发生任何事情。"),
}  # fmt: skip
WEBHOOK_KINDS: Final = tuple(name for name, kind in KINDS.items() if kind.webhook and name != "test")


class _Words(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def sentence(kind: str, data: Mapping[str, Any], language: str) -> str:
    """One notice as a sentence, on one line."""
    known = KINDS[kind]
    said = (known.zh if language.startswith("zh") else known.en).format_map(_Words(data))
    return "".join(c if c.isprintable() else " " for c in said)[:500]


def wanted(channels: Mapping[str, Any], kind: str, channel: str) -> bool:
    """Does a person with these rules want this kind there?"""
    default = KINDS[kind].page if channel == "page" else KINDS[kind].email
    return bool((channels.get(kind) or {}).get(channel, default))


def quiet_for_minutes(minute: int, quiet_from: int | None, quiet_until: int | None) -> int:
    """How long it is still quiet at this minute of the day; 0: it is not. The quiet may pass midnight."""
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return 0
    day = 24 * 60
    length = (quiet_until - quiet_from) % day
    into = (minute - quiet_from) % day
    return length - into if into < length else 0
