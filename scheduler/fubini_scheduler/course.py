"""The course of a run: what `plan()` would do with all its steps, one level after the other, and what that costs and takes.

A level is what starts together once the level before it has ended. Each is planned as it would be at its time, on the places
as they stand now, with what waits there already; decisions, waits and overflow into other pools are those of the plan itself,
so they differ by the steps' objective. It is walked twice: for the low end everything takes the time it is expected to, for
the high end every step of the run its whole reserved time, and money is what is held for it. Money and pauses stop nobody
here: a quote says what it would cost. Bounded by plans; what is beyond them is estimated from the last plan (`whole`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fubini_scheduler.cycle import plan
from fubini_scheduler.forecast import comes_back, ended, expected_ms, needs_a_hand, next_end_ms
from fubini_scheduler.model import (
    STORE,
    NodeGroupId,
    Placement,
    Policy,
    PoolId,
    Project,
    ProjectId,
    Snapshot,
    TaskId,
    TaskRequest,
    Unplaced,
)
from fubini_scheduler.trial import with_placements

MAX_PLANS: Final = 40  # a walk, besides one a level
WORK: Final = 2_000  # queued tasks times plans of a walk, besides one plan a level
MAX_LEVELS: Final = 30  # planned; the rest is taken to go on like them
MAX_TASKS: Final = 2_000  # planned of a level; the rest is taken to go on like them
MAX_KINDS: Final = 40  # planned; where there are more, some that differ in times alone, or nearly so, stand for each other
QUEUED: Final = 500  # of what waits already


@dataclass(frozen=True, slots=True)
class Steps:
    """Equal steps of a run: what each asks for, and how many of them there are on which level (0 is the first)."""

    request: TaskRequest
    at: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Course:
    """Money in micros and time in seconds for all steps. `taken`: of each `Steps`, pool -> how many of them, as expected.

    `left`: steps that found no place by themselves; the figures are those of the others. `whole` is false where the bounds
    were met and part of it is estimated.
    """

    money_low_micros: int
    money_high_micros: int
    time_low_s: int
    time_high_s: int
    taken: tuple[dict[PoolId, int], ...]
    left: int
    whole: bool


def course(steps: Sequence[Steps], snapshot: Snapshot, policy: Policy, now_ms: int) -> Course:
    """Plan a run that is not there yet, from its first level to its last.

    Args:
        steps: its steps; their ids are not looked at.
        snapshot: the state of the world with what waits in it; not changed. Use `for_quotes` of it.
        policy: the operator's choices.
        now_ms: when the run begins.
    """
    kinds = _kinds(steps)
    merged = [kind for kind, _ in kinds]
    low = _Walk(merged, snapshot, policy, now_ms, to_the_limit=False)
    high = _Walk(merged, snapshot, policy, now_ms, to_the_limit=True)
    low.run()
    high.run()
    time_low_s = -(-low.took_ms // 1000)
    taken: list[dict[PoolId, int]] = [{} for _ in steps]
    for (kind, members), pools in zip(kinds, low.taken, strict=True):
        count = sum(kind.at.values())
        for index in members:
            mine = sum(steps[index].at.values())
            taken[index] = pools if len(members) == 1 else {p: -(-n * mine // count) for p, n in pools.items()}
    return Course(
        low.micros,
        max(low.micros, high.micros),
        time_low_s,
        max(time_low_s, -(-high.took_ms // 1000)),
        tuple(taken),
        low.left,
        low.whole and high.whole and len(merged) == len(steps),
    )


def _kinds(steps: Sequence[Steps]) -> list[tuple[Steps, list[int]]]:
    """The steps, so merged that there are not too many kinds of them; and which of `steps` each stands for."""
    if len(steps) <= MAX_KINDS:
        return [(one, [index]) for index, one in enumerate(steps)]
    alike: dict[TaskRequest, list[int]] = {}
    for index, one in enumerate(steps):
        bare = replace(
            one.request, id=TaskId(""), template="", walltime_s=None, inputs=(), expected_ms=None, expected_by_group_ms=()
        )
        alike.setdefault(bare, []).append(index)
    found = []
    for indexes in alike.values():
        size = -(-len(steps) // MAX_KINDS) if len(alike) < MAX_KINDS else len(indexes)
        indexes.sort(key=lambda i: (min(steps[i].at, default=0), steps[i].request.expected_ms or 0, i))
        found += [indexes[n : n + size] for n in range(0, len(indexes), size)]
    return [(_merged([steps[i] for i in some]), some) for some in found]


def _merged(some: Sequence[Steps]) -> Steps:
    """One kind for several: of the times that all of them have the mean."""
    at: dict[int, int] = {}
    for one in some:
        for level, count in one.at.items():
            at[level] = at.get(level, 0) + count
    requests = [one.request for one in some]
    walltimes = [r.walltime_s for r in requests if r.walltime_s is not None]
    expected = [r.expected_ms for r in requests if r.expected_ms is not None]
    middle = requests[len(requests) // 2]
    if len(walltimes) == len(requests):
        middle = replace(middle, walltime_s=-(-sum(walltimes) // len(walltimes)))
    if len(expected) == len(requests):
        by_group: dict[NodeGroupId, list[int]] = {}
        for request in requests:
            for group_id, ms in request.expected_by_group_ms:
                by_group.setdefault(group_id, []).append(ms)
        means = tuple((g, sum(ms) // len(ms)) for g, ms in sorted(by_group.items()) if len(ms) == len(requests))
        middle = replace(middle, expected_ms=sum(expected) // len(expected), expected_by_group_ms=means)
    return Steps(middle, at)


def in_pool(steps: Sequence[Steps], pool_id: PoolId) -> tuple[Steps, ...]:
    """The same steps, all bound to one pool."""
    return tuple(replace(s, request=replace(s.request, only_pools=(pool_id,))) for s in steps)


def for_quotes(snapshot: Snapshot, project_id: ProjectId, *, queued: int = QUEUED) -> Snapshot:
    """The world as a quote looks at it: no pause, no lack of money or storage; the `queued` tasks that wait longest."""
    projects = {p.id: p for p in snapshot.projects} | {
        project_id: next((p for p in snapshot.projects if p.id == project_id), Project(id=project_id))
    }
    projects[project_id] = replace(projects[project_id], available_micros=None, paused=None)
    return replace(
        snapshot,
        paused=None,
        tasks=tuple(sorted(snapshot.tasks, key=lambda t: (t.queued_since_ms, t.id))[:queued]),
        projects=tuple(projects.values()),
        quotas=tuple(
            replace(q, max_micros=None, max_storage_bytes=None) if q.project_id == project_id else q
            for q in snapshot.quotas
        ),
    )


class _Walk:
    """One way through the levels. Single use."""

    def __init__(
        self, steps: Sequence[Steps], snapshot: Snapshot, policy: Policy, now_ms: int, *, to_the_limit: bool
    ) -> None:
        self._steps = steps
        self._policy = policy
        self._from_ms = self._at_ms = now_ms
        self._to_the_limit = to_the_limit
        known = tuple(replace(a, expected_finish_ms=expected_ms(a, now_ms)) for a in snapshot.allocations)
        self._snapshot = replace(snapshot, allocations=known)
        self._back: dict[str, tuple[str, str, int]] = {}
        self._plans = self._work = 0
        self._mine: dict[TaskId, int] = {}
        self._known: dict[int, Placement] = {}  # by steps: the newest place one was given
        self._spent = [0] * len(steps)
        self._counted = [0] * len(steps)
        self.taken: list[dict[PoolId, int]] = [{} for _ in steps]
        self.micros = self.took_ms = self.left = 0
        self.whole = True

    def run(self) -> None:
        levels = 1 + max((level for s in self._steps for level in s.at), default=-1)
        for level in range(min(levels, MAX_LEVELS)):
            self._level([s.at.get(level, 0) for s in self._steps])
        self.took_ms = self._at_ms - self._from_ms
        if levels > MAX_LEVELS:
            self.whole = False
            self.took_ms = self.took_ms * levels // MAX_LEVELS
        for index, steps in enumerate(self._steps):
            self._rest(index, sum(steps.at.values()))
        self.micros = sum(self._spent)

    def _rest(self, index: int, count: int) -> None:
        """Steps beyond the bounds cost what those within did."""
        done = self._counted[index]
        if done and done < count:
            self._spent[index] = self._spent[index] * count // done
            self.taken[index] = {pool: n * count // done for pool, n in self.taken[index].items()}
        elif not done and count:
            found = self._alone(index)
            if found is not None:
                self._take(index, found, count)

    # --- one level ----------------------------------------------------------------------------------------------

    def _level(self, counts: Sequence[int]) -> None:
        total, begun_ms = sum(counts), self._at_ms
        if not total:
            return
        shown = [-(-n * MAX_TASKS // total) if total > MAX_TASKS else n for n in counts]
        tasks = []
        for index, count in enumerate(shown):
            for n in range(count):
                task_id = TaskId(f"quoted-{index}-{begun_ms}-{n:06}")
                self._mine[task_id] = index
                tasks.append(replace(self._steps[index].request, id=task_id, queued_since_ms=begun_ms))
        waiting = {t.id for t in tasks}
        self._snapshot = replace(self._snapshot, tasks=self._snapshot.tasks + tuple(tasks))
        end_ms = max(begun_ms, self._place(waiting))
        self._snapshot = replace(self._snapshot, tasks=tuple(t for t in self._snapshot.tasks if t.id not in waiting))
        if total > MAX_TASKS:
            self.whole = False
            end_ms = begun_ms + (end_ms - begun_ms) * total // sum(shown)
        self._at_ms = end_ms
        self._snapshot = ended(self._snapshot, end_ms, self._back)

    def _place(self, waiting: set[TaskId]) -> int:
        """Plan until all of `waiting` have their place or none will get one; when the last of them ends."""
        end_ms = self._at_ms
        while True:
            result = plan(self._snapshot, self._policy, self._at_ms)
            self._plans += 1
            self._work += len(self._snapshot.tasks)
            placed = [self._as_it_goes(p) for p in result.placements]
            self._note(placed)
            for placement in placed:
                if placement.task_id in waiting:
                    waiting.discard(placement.task_id)
                    self._take(self._mine[placement.task_id], placement, 1)
                    end_ms = max(end_ms, placement.expected_finish_ms)
            hopeful = [u for u in result.unplaced if u.task_id in waiting and not needs_a_hand(u.reasons)]
            if not hopeful or not self._snapshot.allocations:
                self.left += len(waiting)
                return end_ms
            if self._plans >= MAX_PLANS or self._work >= WORK:
                self.whole = False
                self.left += len(waiting) - len(hopeful)
                return max([end_ms, *(self._estimated(u) for u in hopeful)])
            self._at_ms = next_end_ms(self._snapshot, self._at_ms)
            self._snapshot = ended(self._snapshot, self._at_ms, self._back)

    def _estimated(self, unplaced: Unplaced) -> int:
        """Count a step where the plan expects it to start; when it would end."""
        index = self._mine[unplaced.task_id]
        placement = self._known.get(index) or self._alone(index)
        if placement is None:
            self.left += 1
            return self._at_ms
        self._take(index, placement, 1)
        start_ms = self._at_ms if unplaced.expected_start_ms is None else unplaced.expected_start_ms
        return start_ms + placement.expected_finish_ms - placement.expected_start_ms

    def _alone(self, index: int) -> Placement | None:
        """The place a step would get if nothing else ran or waited."""
        task = replace(self._steps[index].request, id=TaskId("quoted-alone"), queued_since_ms=self._at_ms)
        found = plan(replace(self._snapshot, tasks=(task,), allocations=()), self._policy, self._at_ms).placements
        if not found:
            return None
        self._mine[task.id] = index
        placement = self._known[index] = self._as_it_goes(found[0])
        return placement

    def _as_it_goes(self, placement: Placement) -> Placement:
        """The placement with the time it takes in this walk: of this run's steps, at the high end all that is reserved."""
        if placement.task_id not in self._mine or not self._to_the_limit:
            return placement
        return replace(placement, expected_finish_ms=placement.expected_start_ms + placement.walltime_s * 1000)

    def _note(self, placed: Sequence[Placement]) -> None:
        """Make the placements: what they hold, and what they bring to their site."""
        inputs = {t.id: t.inputs for t in self._snapshot.tasks}
        replicas = dict(self._snapshot.replicas)
        for placement in placed:
            for key, _ in inputs[placement.task_id]:
                replicas[key] = replicas.get(key, frozenset({STORE})) | {placement.site_id}
        self._back |= {f"placed-{p.task_id}": comes_back(p) for p in placed}
        self._snapshot = replace(with_placements(self._snapshot, placed, self._at_ms), replicas=replicas)

    def _take(self, index: int, placement: Placement, count: int) -> None:
        self._known[index] = placement
        self._counted[index] += count
        self._spent[index] += count * (placement.hold_micros if self._to_the_limit else placement.price_micros)
        pool_id = placement.pool_id
        self.taken[index][pool_id] = self.taken[index].get(pool_id, 0) + count
