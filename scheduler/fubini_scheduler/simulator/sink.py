"""What a simulation leaves behind: a record for each task, and figures over them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fubini_scheduler.model import PoolId, ProjectId, Reason, SiteId, TaskId, WhyCode


@dataclass(frozen=True, slots=True)
class Record:
    """One task that ran to its end. Times are simulated milliseconds."""

    task_id: TaskId
    project_id: ProjectId
    pool_id: PoolId
    site_id: SiteId
    queued_ms: int
    placed_ms: int
    started_ms: int
    finished_ms: int
    cost_micros: int
    bytes_moved: int
    why: WhyCode

    @property
    def wait_ms(self) -> int:
        """From queued to running."""
        return self.started_ms - self.queued_ms


@dataclass(slots=True)
class Report:
    """The sink. `left` are the tasks that never ran, with the last plan's reasons; `violations` what no plan may do."""

    records: list[Record] = field(default_factory=list)
    left: dict[TaskId, tuple[Reason, ...]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    cycles: int = 0
    ended_ms: int = 0

    @property
    def makespan_ms(self) -> int:
        """From the first queued to the last finished."""
        if not self.records:
            return 0
        return max(r.finished_ms for r in self.records) - min(r.queued_ms for r in self.records)

    @property
    def cost_micros(self) -> int:
        """What all projects paid."""
        return sum(r.cost_micros for r in self.records)

    @property
    def by_pool(self) -> Counter[PoolId]:
        """How many tasks each pool ran."""
        return Counter(r.pool_id for r in self.records)

    @property
    def spent_by_project(self) -> Counter[ProjectId]:
        """What each project paid."""
        spent: Counter[ProjectId] = Counter()
        for record in self.records:
            spent[record.project_id] += record.cost_micros
        return spent
