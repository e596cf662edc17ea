"""The kinds of notices: whether they are on by default, and their words for an e-mail. Pure.

Words hold names and figures only: no parameter, log line or value of a run gets into a message, for what those hold nobody
knows. A page shows the same sentence, in its reader's language; an e-mail is in its receiver's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fubini.common.saying import ASKED, CHINESE, ENGLISH, Known, heard, ours, told
from fubini.sites.refusals import REFUSALS


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
    "run_failed": Kind(True, True, True, "The run {name} ended as {state}.", "运行 {name} 已结束，状态为{state}。"),
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


OFF_REASONS: Final = Known("it answered 410 (gone)", "{count} messages in a row were not accepted")
"""Why a webhook was switched off, as its row keeps it."""
WAITS: Final[Mapping[str, str]] = {
    "quota": ours("over a quota"),
    "budget": ours("budget"),
    "run_budget": ours("the run's cost limit"),
    "paused": ours("paused"),
    "project_paused": ours("project paused"),
    "pool_paused": ours("pool paused"),
    "pool_slots": ours("pool's slots taken"),
    "nodes_busy": ours("machines busy"),
    "machine_busy": ours("machine busy"),
    "waits_for_pool": ours("waits for a better pool"),
    "local_first": ours("local pools first"),
    "agent_away": ours("agent away"),
    "image_unknown": ours("image unknown"),
    "selector": ours("no place fits its selector"),
    "walltime": ours("walltime too long"),
    "cpu_too_large": ours("too many cores"),
    "memory_too_large": ours("too much memory"),
    "devices": ours("devices missing"),
    "private_root": ours("needs namespaces"),
    "suspended": ours("suspended by a person"),
    "quota_running": ours("quota of running steps"),
    "quota_cpu": ours("quota of cores"),
    "cycle_limit": ours("next cycle"),
    "daemons_busy": ours("daemons hold the cores"),
    "reserved": ours("room set aside for another step"),
    "burst_price": ours("too dear for overflow"),
    "scored_worse": ours("another pool serves it better"),
    "nodes_cordoned": ours("machines cordoned"),
    "avoided": ours("failed there before"),
    "pool_not_allowed": ours("pool not open to the project"),
    "no_room_beside": ours("daemon too large"),
    "disk_too_large": ours("too much disk"),
    "gang_too_large": ours("too many machines at once"),
    "machine_too_small": ours("machine too small"),
    "container_groups": ours("several containers"),
    "run_disks": ours("disk of its run"),
    "run_elsewhere": ours("bound to another place"),
    "no_nodes": ours("no machines up"),
    "no_pools": ours("no pool"),
    "fetch": ours("fetching an input"),
    "lock": ours("waits for a lock"),
}
"""What a step waits for, in a few words, by the code of its reason."""


class _Words(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def sentence(kind: str, data: Mapping[str, Any], language: str) -> str:
    """One notice as a sentence, on one line."""
    known = KINDS[kind]
    chinese = language.startswith("zh")
    asked = ASKED.set(CHINESE if chinese else ENGLISH)
    try:
        facts = _Words((name, _fact(kind, name, value)) for name, value in data.items())
    finally:
        ASKED.reset(asked)
    said = (known.zh if chinese else known.en).format_map(facts)
    return "".join(c if c.isprintable() else " " for c in said)[:500]


def _fact(kind: str, name: str, value: Any) -> Any:
    """A fact as its sentence shows it: what is a word or a sentence of ours, told; names as they are."""
    match kind, name:
        case "step_waiting", "code":
            return told(WAITS.get(str(value), ours(str(value))))
        case "run_failed", "state":
            return told(ours(str(value)))
        case "webhook_off", "reason":
            return told(OFF_REASONS.said(str(value)))
        case "disk_full", "reason":
            return told(REFUSALS.said(str(value)))
        case "change_asked", "what":
            return told(heard(value))
    return value


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
