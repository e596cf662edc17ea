"""Why a task stays: stable codes, an English sentence for each, and the figures it carries.

Codes are shown by API and UI and must not change meaning; sentences may. Figures are named in the template in braces;
times in them are seconds, money micros, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # the model imports this module
    from fubini_scheduler.model.ids import PoolId


class ReasonCode(StrEnum):
    """One binding reason. The order here is the order of interest: what a person can change soonest comes first."""

    # of the task, its run or its project
    PAUSED = "paused"
    PROJECT_PAUSED = "project_paused"
    PROJECT_UNKNOWN = "project_unknown"
    BUDGET = "budget"
    RUN_BUDGET = "run_budget"
    QUOTA = "quota"
    QUOTA_RUNNING = "quota_running"
    QUOTA_CPU = "quota_cpu"
    CYCLE_LIMIT = "cycle_limit"
    # of a pool that could run it, at another time or under another policy
    WAITS_FOR_POOL = "waits_for_pool"
    POOL_SLOTS = "pool_slots"
    NODES_BUSY = "nodes_busy"
    MACHINE_BUSY = "machine_busy"
    DAEMONS_BUSY = "daemons_busy"
    RESERVED = "reserved"
    LOCAL_FIRST = "local_first"
    BURST_PRICE = "burst_price"
    SCORED_WORSE = "scored_worse"
    POOL_PAUSED = "pool_paused"
    NODES_CORDONED = "nodes_cordoned"
    AGENT_AWAY = "agent_away"
    AVOIDED = "avoided"
    # of a pool that cannot run it as it is written
    POOL_NOT_ALLOWED = "pool_not_allowed"
    WALLTIME = "walltime"
    CPU_TOO_LARGE = "cpu_too_large"
    NO_ROOM_BESIDE = "no_room_beside"
    MEMORY_TOO_LARGE = "memory_too_large"
    DISK_TOO_LARGE = "disk_too_large"
    DEVICES = "devices"
    GANG_TOO_LARGE = "gang_too_large"
    MACHINE_TOO_SMALL = "machine_too_small"
    IMAGE_UNKNOWN = "image_unknown"
    PRIVATE_ROOT = "private_root"
    CONTAINER_GROUPS = "container_groups"
    RUN_DISKS = "run_disks"
    SHARED_DISK = "shared_disk"
    RUN_ELSEWHERE = "run_elsewhere"
    SELECTOR = "selector"
    NO_NODES = "no_nodes"
    NO_POOLS = "no_pools"


SENTENCES: dict[ReasonCode, str] = {
    ReasonCode.PAUSED: "New work is paused everywhere: {reason}",
    ReasonCode.PROJECT_PAUSED: "The project is paused: {reason}",
    ReasonCode.PROJECT_UNKNOWN: "The project {project} is not known to the scheduler.",
    ReasonCode.BUDGET: "The project's budget lacks {missing_micros:money}: {hold_micros:money} must be set aside, {available_micros:money} are left.",
    ReasonCode.RUN_BUDGET: (
        "The run's cost limit lacks {missing_micros:money}: {hold_micros:money} must be set aside, {available_micros:money} are"
        " left."
    ),
    ReasonCode.QUOTA: "The quota of {whose} is reached: {used} of {limit} {resource} are in use and this needs {needed}; {raised_by} can raise it.",
    ReasonCode.QUOTA_RUNNING: "The project runs {running} tasks and may run {limit} at once.",
    ReasonCode.QUOTA_CPU: "The project uses {used:cores} cores and may use {limit:cores}; this needs {needed:cores}.",
    ReasonCode.CYCLE_LIMIT: "The cycle placed as many tasks as it may ({limit}); the next one goes on.",
    ReasonCode.WAITS_FOR_POOL: "Waits about {wait_s} s for this pool, which is better than starting elsewhere now.",
    ReasonCode.POOL_SLOTS: "All slots of the pool are taken ({limit}).",
    ReasonCode.NODES_BUSY: "No node has enough room now; {busy} is what is short.",
    ReasonCode.MACHINE_BUSY: "The machine under the pool is full; {busy} is what is short.",
    ReasonCode.DAEMONS_BUSY: "Daemons hold {serving:cores} of {limit:cores} cores here, and one must stay free for who asks them.",
    ReasonCode.RESERVED: "The room is set aside for {for_task}, which starts in about {start_s} s.",
    ReasonCode.LOCAL_FIRST: "More local pools start it in about {wait_s} s; overflow opens above {burst_wait_s} s.",
    ReasonCode.BURST_PRICE: "Overflow here costs {price_micros:money}; at most {limit_micros:money} is allowed.",
    ReasonCode.SCORED_WORSE: "Could start it now for {price_micros:money}, but another pool serves the objective better.",
    ReasonCode.POOL_PAUSED: "The pool is paused: {reason}",
    ReasonCode.NODES_CORDONED: "Its nodes take no new steps ({cordoned} of {nodes} are cordoned): {reason}",
    ReasonCode.AGENT_AWAY: "No agent of the pool has been heard from lately.",
    ReasonCode.AVOIDED: "An earlier attempt failed here through no fault of the step; other places are tried first.",
    ReasonCode.POOL_NOT_ALLOWED: "The project may not use this pool.",
    ReasonCode.WALLTIME: "Asks for {needed} s; the pool allows {limit} s.",
    ReasonCode.CPU_TOO_LARGE: "Asks for {needed:cores} cores a node; the largest node has {limit:cores}.",
    ReasonCode.NO_ROOM_BESIDE: "The step is a daemon: with one core for who asks it, it needs {needed:cores}; the largest node has {limit:cores}.",
    ReasonCode.MEMORY_TOO_LARGE: "Asks for {needed:size} of memory a node; the largest node has {limit:size}.",
    ReasonCode.DISK_TOO_LARGE: "Asks for {needed:size} of disk a node; the largest node has {limit:size}.",
    ReasonCode.DEVICES: "Asks for {needed} x {device} a node; a node has {limit}.",
    ReasonCode.GANG_TOO_LARGE: "Asks for {needed} nodes at once; the node group has {limit}.",
    ReasonCode.MACHINE_TOO_SMALL: "Asks for more than the machine under the pool has at all; {busy} is what is short.",
    ReasonCode.IMAGE_UNKNOWN: "The image {image} is not known here; known: {known}",
    ReasonCode.PRIVATE_ROOT: "The step writes to absolute paths and the pool cannot give it a root of its own.",
    ReasonCode.CONTAINER_GROUPS: "The step has several containers, and an agent of the pool cannot run them side by side.",
    ReasonCode.RUN_DISKS: "The step mounts a disk of its run, and an agent of the pool cannot keep one.",
    ReasonCode.SHARED_DISK: "The step mounts the shared disk {disk}, which not every agent of the pool has.",
    ReasonCode.RUN_ELSEWHERE: "The step shares a disk or a daemon's address with steps of its run at {place}; only pools there can run it.",
    ReasonCode.SELECTOR: "Needs {needed}; the pool has {found}.",
    ReasonCode.NO_NODES: "The pool has no node group that is up.",
    ReasonCode.NO_POOLS: "There is no pool at all.",
}

THE_PROJECT: Final = "the project"
"""Whose a quota is that is no member's."""

QUOTA_SENTENCES: dict[str, str] = {
    "cores": (
        "The quota of {whose} is reached: {used:cores} of {limit:cores} cores are in use and this needs {needed:cores}; "
        "{raised_by} can raise it."
    ),
    "money": (
        "The quota of {whose} is reached: {used:money} of {limit:money} are spent or set aside this month and this sets "
        "{needed:money} aside; {raised_by} can raise it."
    ),
    "storage": "The quota of {whose} is reached: {used:size} of {limit:size} are stored; {raised_by} can raise it.",
    "runs": (
        "The quota of {whose} is reached: {limit} runs may go on at once and earlier ones do; {raised_by} can raise it."
    ),
}
"""What a quota of a resource says in place of the general sentence."""


def template_of(code: ReasonCode, figures: Mapping[str, object]) -> str:
    """The English sentence of a reason with its figures' names in braces."""
    return (
        QUOTA_SENTENCES.get(str(figures.get("resource")), SENTENCES[code])
        if code is ReasonCode.QUOTA
        else SENTENCES[code]
    )


RANK: dict[ReasonCode, int] = {code: rank for rank, code in enumerate(ReasonCode)}

WAITING_FOR: dict[ReasonCode, str] = {
    ReasonCode.PAUSED: "pause",
    ReasonCode.PROJECT_PAUSED: "pause",
    ReasonCode.POOL_PAUSED: "pause",
    ReasonCode.NODES_CORDONED: "pause",
    ReasonCode.BUDGET: "budget",
    ReasonCode.RUN_BUDGET: "run_budget",
    ReasonCode.QUOTA: "quota",
}
"""Reasons that a task's row repeats in `waiting_for`, when they are the binding one."""

PERMANENT: frozenset[ReasonCode] = frozenset(list(ReasonCode)[RANK[ReasonCode.POOL_NOT_ALLOWED] :])
"""Reasons that waiting does not cure: the task, the pool or the policy must change."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, the pool it speaks of (None: all of them), and its figures by name."""

    code: ReasonCode
    pool_id: PoolId | None = None
    data: tuple[tuple[str, int | str], ...] = ()

    @property
    def figures(self) -> dict[str, int | str]:
        """The figures by name, as JSON can carry them."""
        return dict(self.data)

    @property
    def permanent(self) -> bool:
        """Waiting does not cure it."""
        return self.code in PERMANENT

    @property
    def template(self) -> str:
        """The English sentence with its figures' names in braces."""
        return template_of(self.code, self.figures)

    def shown(self, currency: str = "") -> dict[str, int | str]:
        """The figures as the template shows them, money in `currency`."""
        return {name: Figure.of(value, currency) if isinstance(value, int) else value for name, value in self.data}

    @property
    def sentence(self) -> str:
        """The reason in English, with its figures; amounts have no currency, which the core does not know."""
        return self.template.format_map(self.shown())


class Figure(int):
    """An integer that a sentence may show as people say it: `money` (of micros), `cores` (of milli-cores), `size` (of bytes)."""

    currency: str = ""

    @classmethod
    def of(cls, value: int, currency: str) -> Figure:
        """A figure that says `currency` where it is shown as money."""
        made = cls(value)
        made.currency = currency
        return made

    def __format__(self, form: str) -> str:
        if form == "money":
            whole, part = divmod(abs(self), 1_000_000)
            shown = f"{'-' if self < 0 else ''}{whole:,}.{f'{part:06d}'.rstrip('0').ljust(2, '0')}"
            return f"{shown} {self.currency}".rstrip()
        if form == "cores":
            return f"{self / 1000:g}"
        if form == "size":
            amount, unit = float(self), "B"
            for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
                if amount < 1024 or unit == "PiB":
                    break
                amount /= 1024
            return f"{amount:.4g} {unit}" if amount < 1000 else f"{amount:.0f} {unit}"
        return super().__format__(form)
