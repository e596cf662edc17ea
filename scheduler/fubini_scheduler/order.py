"""Who goes first: priority class, then the project that has had least, then age, then id.

Tasks of one class, project, run and shape form a *lane*, oldest first. Lanes are all the cycle handles: a lane whose
head finds no room is closed as a whole, so a queue of thousands costs no more than its lanes and what is placed.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heapreplace
from typing import Any

from fubini_scheduler.fairness import Shares
from fubini_scheduler.model import Policy, Priority, ProjectId, Snapshot, TaskRequest
from fubini_scheduler.shapes import Shape, Shapes

CLASS_RANK = {Priority.INTERACTIVE: 0, Priority.NORMAL: 1, Priority.OPPORTUNISTIC: 2}


class Lane:
    """Equal tasks of one run, oldest first; `position` is the head. `evaluation` belongs to the placing phase."""

    __slots__ = ("evaluation", "number", "position", "project_id", "run_id", "run_left_micros", "shape", "tasks")

    def __init__(self, number: int, shape: Shape, first: TaskRequest) -> None:
        self.number = number
        self.shape = shape
        self.project_id = first.project_id
        self.run_id = first.run_id
        self.run_left_micros = first.run_budget_left_micros
        self.tasks: list[TaskRequest] = []
        self.position = 0
        self.evaluation: Any = None

    @property
    def head(self) -> TaskRequest:
        """The oldest task not yet decided."""
        return self.tasks[self.position]

    @property
    def done(self) -> bool:
        """Every task is decided."""
        return self.position >= len(self.tasks)


def class_rank(task: TaskRequest, policy: Policy, now_ms: int) -> int:
    """The task's class, lifted by one for each `aging_s` it has waited; 0 is first."""
    rank = CLASS_RANK[task.priority]
    if rank and policy.aging_s > 0:
        rank -= (now_ms - task.queued_since_ms) // (policy.aging_s * 1000)
    return min(2, max(0, rank))


class Queue:
    """The lanes in the order their heads are to be tried, which changes as projects are served. Mutable."""

    __slots__ = ("_classes", "_shares")

    def __init__(self, snapshot: Snapshot, policy: Policy, shapes: Shapes, shares: Shares, now_ms: int) -> None:
        self._shares = shares
        found: dict[tuple[int, str, str, int], Lane] = {}
        self._classes: list[dict[ProjectId, list[tuple[int, str, int, Lane]]]] = [{}, {}, {}]
        for task in sorted(snapshot.tasks, key=lambda t: (t.queued_since_ms, t.id)):
            shape = shapes.of(task)
            rank = class_rank(task, policy, now_ms)
            key = (rank, task.project_id, task.run_id, id(shape))
            lane = found.get(key)
            if lane is None:
                lane = found[key] = Lane(len(found), shape, task)
                lanes = self._classes[rank].setdefault(task.project_id, [])
                lanes.append((task.queued_since_ms, task.id, lane.number, lane))
            lane.tasks.append(task)

    def in_turn(self) -> Iterator[Lane]:
        """Each lane whose head is next. The caller moves `position` on; a lane left `done` does not come again."""
        for lanes_by_project in self._classes:
            turn = [(self._shares.of(p), p) for p in sorted(lanes_by_project)]
            heapify(turn)
            for lanes in lanes_by_project.values():
                heapify(lanes)
            while turn:
                project_id = turn[0][1]
                lanes = lanes_by_project[project_id]
                lane = lanes[0][3]
                yield lane
                if lane.done:
                    heappop(lanes)
                else:
                    heapreplace(lanes, (lane.head.queued_since_ms, lane.head.id, lane.number, lane))
                if lanes:
                    heapreplace(turn, (self._shares.of(project_id), project_id))
                else:
                    heappop(turn)
