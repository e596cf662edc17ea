"""Quotas: how much of each resource a project, or one member of it, may use at once, or spend in a month.

Pure arithmetic over `model.Quota`, whose figures of use are as of the snapshot; what is placed afterwards is counted here.
What is over a quota waits, it never fails: the reason names the figure and who can raise it. A quota that was cut below its
use stops new work and takes nothing away. Of several quotas that bind, the first in order is told: the project's own before
its members'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from fubini_scheduler.model.ids import ProjectId, RunId
from fubini_scheduler.model.project import Quota
from fubini_scheduler.reasons import THE_PROJECT, Reason, ReasonCode

# What a quota limits -> the field with its limit.
LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "cores": "max_cpu_millis",
        "accelerators": "max_devices",
        "runs": "max_runs",
        "storage": "max_storage_bytes",
        "money": "max_micros",
    }
)


def with_limit(quota: Quota, resource: str, limit: int) -> Quota:
    """The quota with another limit of one resource (a key of `LIMITS`)."""
    field: dict[str, Any] = {LIMITS[resource]: limit}
    return replace(quota, **field)


class _Line:
    """One quota with its use as the cycle goes on."""

    __slots__ = ("cpu", "devices", "micros", "quota")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.cpu, self.devices, self.micros = quota.used_cpu_millis, quota.used_devices, quota.used_micros


class QuotaTable:
    """The quotas of a cycle. Mutable."""

    __slots__ = ("_lines",)

    def __init__(self, quotas: Iterable[Quota]) -> None:
        self._lines: dict[ProjectId, list[_Line]] = {}
        for quota in sorted(quotas, key=lambda q: (q.project_id, q.member)):
            self._lines.setdefault(quota.project_id, []).append(_Line(quota))

    def _of(self, project_id: ProjectId, member: str) -> Iterable[_Line]:
        return (line for line in self._lines.get(project_id, ()) if line.quota.member in ("", member))

    def bars(self, project_id: ProjectId, member: str, run_id: RunId, cpu_millis: int, devices: int) -> Reason | None:
        """Why a task of this size may not start now, whatever it costs."""
        for line in self._of(project_id, member):
            quota = line.quota
            if quota.max_cpu_millis is not None and line.cpu + cpu_millis > quota.max_cpu_millis:
                return _reason(quota, "cores", line.cpu, quota.max_cpu_millis, cpu_millis)
            if quota.max_devices is not None and devices and line.devices + devices > quota.max_devices:
                return _reason(quota, "accelerators", line.devices, quota.max_devices, devices)
            place = quota.runs_beyond.get(run_id, 0)
            if quota.max_runs is not None and place > quota.max_runs:
                return _reason(quota, "runs", quota.max_runs, quota.max_runs, place - quota.max_runs)
            if quota.max_storage_bytes is not None and quota.used_storage_bytes >= quota.max_storage_bytes:
                return _reason(quota, "storage", quota.used_storage_bytes, quota.max_storage_bytes, 0)
        return None

    def left_micros(self, project_id: ProjectId, member: str) -> int | None:
        """The most that may still be set aside this month; None when no quota limits it."""
        left = [
            line.quota.max_micros - line.micros
            for line in self._of(project_id, member)
            if line.quota.max_micros is not None
        ]
        return min(left, default=None)

    def short_of(self, project_id: ProjectId, member: str, hold_micros: int) -> Reason | None:
        """The reason when a hold passes what may be spent this month."""
        for line in self._of(project_id, member):
            most = line.quota.max_micros
            if most is not None and line.micros + hold_micros > most:
                return _reason(line.quota, "money", line.micros, most, hold_micros)
        return None

    def take(self, project_id: ProjectId, member: str, cpu_millis: int, devices: int, hold_micros: int) -> None:
        """Count one placement."""
        for line in self._of(project_id, member):
            line.cpu += cpu_millis
            line.devices += devices
            line.micros += hold_micros


def _reason(quota: Quota, resource: str, used: int, limit: int, needed: int) -> Reason:
    figures = (
        ("resource", resource),
        ("whose", quota.member.removeprefix("user:") or THE_PROJECT),
        ("member", quota.member),
        ("used", used),
        ("limit", limit),
        ("needed", needed),
        ("missing_micros", max(0, used + needed - limit) if resource == "money" else 0),
        ("raised_by", "an owner of the project" if quota.member else "an administrator"),
    )
    return Reason(ReasonCode.QUOTA, None, figures)
