"""Admission: pauses, money and quotas, as the cycle spends them.

Holds placed in the cycle count at once against project and run, so a plan never holds more than there is. What is left
only shrinks within a cycle.
"""

from __future__ import annotations

from fubini_scheduler.model import ProjectId, RunId, Snapshot
from fubini_scheduler.order import Lane
from fubini_scheduler.quota import QuotaTable
from fubini_scheduler.reasons import Reason, ReasonCode


class Admission:
    """What projects and runs may still spend and start. Mutable within a cycle."""

    __slots__ = ("_left", "_paused", "_projects", "_quotas", "_run_left", "_running", "_used_cpu")

    def __init__(self, snapshot: Snapshot) -> None:
        self._paused = snapshot.paused
        self._projects = {project.id: project for project in snapshot.projects}
        self._left = {project.id: project.available_micros for project in snapshot.projects}
        self._run_left: dict[RunId, int | None] = {}
        for task in snapshot.tasks:
            # Rows of one run may have been read at different moments: the smallest figure is the safe one.
            known, left = self._run_left.get(task.run_id), task.run_budget_left_micros
            if task.run_id not in self._run_left or known is None or (left is not None and left < known):
                self._run_left[task.run_id] = left if left is not None else known
        self._quotas = QuotaTable(snapshot.quotas)
        self._running: dict[ProjectId, int] = {}
        self._used_cpu: dict[ProjectId, int] = {}
        for held in snapshot.allocations:
            self._count(held.project_id, held.cpu_millis * held.nodes)

    def bars(self, lane: Lane, needed_cpu_millis: int, needed_devices: int = 0) -> Reason | None:
        """Why nothing of a lane may start at all now, wherever."""
        if self._paused is not None:
            return Reason(ReasonCode.PAUSED, None, (("reason", self._paused),))
        project = self._projects.get(lane.project_id)
        if project is None:
            return Reason(ReasonCode.PROJECT_UNKNOWN, None, (("project", lane.project_id),))
        if project.paused is not None:
            return Reason(ReasonCode.PROJECT_PAUSED, None, (("reason", project.paused),))
        running = self._running.get(project.id, 0)
        if project.max_running is not None and running >= project.max_running:
            return Reason(ReasonCode.QUOTA_RUNNING, None, (("running", running), ("limit", project.max_running)))
        used = self._used_cpu.get(project.id, 0)
        if project.max_cpu_millis is not None and used + needed_cpu_millis > project.max_cpu_millis:
            figures = (("used", used), ("limit", project.max_cpu_millis), ("needed", needed_cpu_millis))
            return Reason(ReasonCode.QUOTA_CPU, None, figures)
        member = lane.head.submitted_by
        return self._quotas.bars(lane.project_id, member, lane.run_id, needed_cpu_millis, needed_devices)

    def left_micros(self, lane: Lane) -> int | None:
        """The most one hold of this lane may be; None when nothing limits it."""
        pots = (
            self._left.get(lane.project_id),
            self._run_left.get(lane.run_id),
            self._quotas.left_micros(lane.project_id, lane.head.submitted_by),
        )
        return min((pot for pot in pots if pot is not None), default=None)

    def short_of(self, lane: Lane, hold_micros: int) -> Reason | None:
        """The reason, with the missing figure, when a hold does not fit; without a pool."""
        for code, left in (
            (ReasonCode.BUDGET, self._left.get(lane.project_id)),
            (ReasonCode.RUN_BUDGET, self._run_left.get(lane.run_id)),
        ):
            if left is not None and hold_micros > max(0, left):
                figures = (
                    ("missing_micros", hold_micros - left),
                    ("hold_micros", hold_micros),
                    ("available_micros", left),
                )
                return Reason(code, None, figures)
        return self._quotas.short_of(lane.project_id, lane.head.submitted_by, hold_micros)

    def spend(self, lane: Lane, hold_micros: int, cpu_millis: int, devices: int = 0) -> None:
        """Count one placement."""
        for left in (self._left.get(lane.project_id), self._run_left.get(lane.run_id)):
            assert left is None or hold_micros <= max(0, left), "a hold was placed that does not fit"
        project, run = self._left.get(lane.project_id), self._run_left.get(lane.run_id)
        if project is not None:
            self._left[lane.project_id] = project - hold_micros
        if run is not None:
            self._run_left[lane.run_id] = run - hold_micros
        self._quotas.take(lane.project_id, lane.head.submitted_by, cpu_millis, devices, hold_micros)
        self._count(lane.project_id, cpu_millis)

    def _count(self, project_id: ProjectId, cpu_millis: int) -> None:
        self._running[project_id] = self._running.get(project_id, 0) + 1
        self._used_cpu[project_id] = self._used_cpu.get(project_id, 0) + cpu_millis
