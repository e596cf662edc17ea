"""Placing: takes lanes in turn, gives their heads a place, and closes the lanes that find none.

The phase rests on one fact: within a cycle room, money and quotas only shrink and waits only grow. So the place found
for a task is right for the equal tasks after it until that very place is full, and a lane without room anywhere is
finished with, however long it is. Only three things cost time: lanes, placements, and tasks that prefer to wait for a
better place while another has room (these are counted off in batches as well).
"""

from __future__ import annotations

from fubini_scheduler.admit import Admission
from fubini_scheduler.backfill import opening_of, reserve
from fubini_scheduler.capacity import Capacity, GroupState, MachineState, PoolState, Release
from fubini_scheduler.explain import in_order, passed_over, why_here
from fubini_scheduler.fairness import Shares, amounts_of
from fubini_scheduler.locality import Inputs, Locality, Staging
from fubini_scheduler.model import Placement, Policy, PoolId, Reservation, SchedulingResult, TaskRequest, Unplaced, Why
from fubini_scheduler.order import Lane, Queue
from fubini_scheduler.reasons import Reason, ReasonCode
from fubini_scheduler.scoring import Judge, Option
from fubini_scheduler.shapes import Candidate

_MAX_WAITING_BATCHES = 256  # per lane and cycle; the rest of the lane then waits like the last of them
_NO_OPENING = -1
_MONEY = (ReasonCode.BUDGET, ReasonCode.RUN_BUDGET)


class _Found:
    """Where a lane's head goes, and whose tasks that answer is good for."""

    __slots__ = ("inputs", "option", "why")

    def __init__(self, inputs: Inputs, option: Option, why: Why) -> None:
        self.inputs = inputs
        self.option = option
        self.why = why


class Placing:
    """One cycle's placing phase. Single use."""

    def __init__(
        self, policy: Policy, now_ms: int, capacity: Capacity, locality: Locality, shares: Shares, admission: Admission
    ) -> None:
        self._policy = policy
        self._now_ms = now_ms
        self._capacity = capacity
        self._locality = locality
        self._shares = shares
        self._admission = admission
        self._placements: list[Placement] = []
        self._unplaced: list[Unplaced] = []
        self._reservations: list[Reservation] = []
        self._reserved_by: dict[GroupState | MachineState | PoolState, Reservation] = {}
        self._busy: dict[Candidate, Reason] = {}
        self._waiting_batches: dict[int, int] = {}

    def run(self, queue: Queue) -> SchedulingResult:
        """Decide every task of the queue."""
        for lane in queue.in_turn():
            if len(self._placements) >= self._policy.max_placements:
                limit = Reason(ReasonCode.CYCLE_LIMIT, None, (("limit", self._policy.max_placements),))
                self._close(lane, (limit,), None, 0)
            else:
                self._advance(lane)
        return SchedulingResult(
            placements=tuple(self._placements),
            unplaced=tuple(sorted(self._unplaced, key=lambda u: u.task_id)),
            reservations=tuple(self._reservations),
        )

    # --- one turn of a lane -------------------------------------------------------------------------------------

    def _advance(self, lane: Lane) -> None:
        """Place the lane's head, or count off those that wait, or close the lane."""
        shape = lane.shape
        sample = shape.sample
        devices = sum(count for _, count in sample.devices) * sample.gang_nodes
        bar = self._admission.bars(lane, sample.cpu_millis * sample.gang_nodes, devices)
        if bar is not None:
            self._close(lane, (bar,), None, 0)
            return
        if not shape.candidates:
            self._close(lane, in_order(shape.reasons), None, 0)
            return
        found: _Found | None = lane.evaluation
        if found is not None and self._still_good(lane, found):
            self._place(lane, found)
            return
        lane.evaluation = None
        if shape.full_reasons is not None and self._affords_all(lane):
            reasons, start_ms = shape.full_reasons
            self._close(lane, reasons, start_ms, 0)
            return
        self._decide(lane)

    def _decide(self, lane: Lane) -> None:
        task, shape = lane.head, lane.shape
        judge = Judge(task, self._policy, self._now_ms, shape.first_tier)
        options, busy, blocked = self._options(lane, task)
        best = judge.best(options)
        if best is None:  # nothing affordable, or only places that local first keeps shut at their price
            over = list(passed_over(judge, options, None).values())
            self._close(lane, in_order(shape.reasons + blocked + over + list(busy.values())), None, 0)
            return
        if best.room:
            why = why_here(judge, shape, options, busy, best, task.objective, self._policy, self._now_ms)
            found = lane.evaluation = _Found(task.inputs, best, why)
            self._place(lane, found)
            return
        start_ms = self._now_ms + best.start_ms()
        step_ms = max(1, best.candidate.run_ms // best.candidate.parallel)
        self._reserve(best.candidate, task)
        if not any(option.room for option in options):
            reasons = in_order(shape.reasons + blocked + list(busy.values()))
            if all(candidate.full for candidate in shape.candidates):
                shape.full_reasons = reasons, start_ms
            best.candidate.pool.backlog_ms += step_ms * (len(lane.tasks) - lane.position)
            self._close(lane, reasons, start_ms, step_ms)
            return
        # It could start elsewhere now and had better not: it waits, and so do the equal tasks after it, up to the one
        # for which the wait has become too long.
        waits = Reason(
            ReasonCode.WAITS_FOR_POOL, best.candidate.pool.pool.id, (("wait_s", -(-best.start_ms() // 1000)),)
        )
        over = [reason for position, reason in passed_over(judge, options, best).items() if options[position].room]
        mine = best.candidate.pool.pool.id
        rest = [reason for reason in busy.values() if reason.pool_id != mine]
        over = [reason for reason in over if reason.pool_id != mine]
        reasons = in_order([waits, *over, *rest, *blocked, *shape.reasons])
        batches = self._waiting_batches[lane.number] = self._waiting_batches.get(lane.number, 0) + 1
        if batches >= _MAX_WAITING_BATCHES:
            self._close(lane, reasons, start_ms, step_ms)
            return
        count = self._how_many_wait(lane, judge, options, best, step_ms)
        for offset in range(count):
            self._unplaced.append(Unplaced(lane.tasks[lane.position + offset].id, reasons, start_ms + offset * step_ms))
        best.candidate.pool.backlog_ms += count * step_ms
        lane.position += count

    def _how_many_wait(self, lane: Lane, judge: Judge, options: list[Option], best: Option, step_ms: int) -> int:
        """For how many equal tasks in a row waiting for `best` stays the choice, each adding `step_ms` to its wait."""
        inputs = lane.head.inputs
        equal = 1
        remaining = len(lane.tasks) - lane.position
        while equal < remaining and lane.tasks[lane.position + equal].inputs == inputs:
            equal += 1
        low, high = 1, equal  # the choice holds for `low` of them; find the largest such number
        while low < high:
            middle = (low + high + 1) // 2
            if judge.best(options, best.candidate, (middle - 1) * step_ms) is best:
                low = middle
            else:
                high = middle - 1
        return low

    # --- what is possible now -----------------------------------------------------------------------------------

    def _options(self, lane: Lane, task: TaskRequest) -> tuple[list[Option], dict[int, Reason], list[Reason]]:
        """The affordable places that have room or will have it, the reason of each without room, and other reasons."""
        options: list[Option] = []
        busy: dict[int, Reason] = {}
        blocked: list[Reason] = []
        least_missing: Reason | None = None
        stagings: dict[str, Staging] = {}
        for candidate in lane.shape.candidates:
            staging = stagings.get(candidate.site_id)
            if staging is None:
                staging = stagings[candidate.site_id] = self._locality.staging(candidate.site_id, task.inputs)
            short = self._admission.short_of(lane, candidate.hold_micros + staging.egress_micros)
            if short is not None:
                blocked.append(Reason(short.code, candidate.pool.pool.id, short.data))
                if least_missing is None or _missing(short) < _missing(least_missing):
                    least_missing = short
                continue
            option = Option(candidate, staging, room=True, wait_ms=0)
            reason = self._no_room(candidate, option.stage_ms)
            if reason is None:
                option.wait_ms = self._queue_wait_ms(candidate) if candidate.queued else 0
            else:
                wait_ms = self._wait_ms(candidate, reason)
                if wait_ms is None:
                    blocked.append(reason)
                    continue
                option.room = False
                option.wait_ms = wait_ms
                busy[len(options)] = reason
            options.append(option)
        if least_missing is not None and sum(r.code in _MONEY for r in blocked) == len(lane.shape.candidates):
            blocked.append(least_missing)
        return options, busy, blocked

    def _past(self, candidate: Candidate, stage_ms: int) -> tuple[bool, bool, bool]:
        """Does it still hold the node group, the pool, the machine when their reservations begin?"""
        end_ms = self._now_ms + stage_ms + candidate.reserve_s * 1000
        machine = candidate.machine
        return (
            end_ms > candidate.group.spare_from_ms,
            end_ms > candidate.pool.spare_from_ms,
            machine is not None and end_ms > machine.spare_from_ms,
        )

    def _no_room(self, candidate: Candidate, stage_ms: int) -> Reason | None:
        """Why a candidate cannot take one more task now, or None."""
        if candidate.full:
            return self._busy[candidate]
        pool, machine, pool_id = candidate.pool, candidate.machine, candidate.pool.pool.id
        past_group, past_pool, past_machine = self._past(candidate, stage_ms)
        reason: Reason | None = None
        if not pool.has_slot(past_reservation=False):
            limit = pool.pool.max_running or 0
            reason = Reason(ReasonCode.POOL_SLOTS, pool_id, (("limit", limit),))
        elif machine is not None and (
            short := machine.short_of(
                candidate.cpu_total, candidate.memory_total, candidate.nodes, past_reservation=False
            )
        ):
            reason = Reason(ReasonCode.MACHINE_BUSY, pool_id, (("busy", short),))
        elif not candidate.queued and candidate.pickers[0].peek() is None:
            name = candidate.group.row_name(candidate.pickers[0].short_row())
            reason = Reason(ReasonCode.NODES_BUSY, pool_id, (("busy", name),))
        if reason is not None:
            candidate.full = True
            self._busy[candidate] = reason
            return reason
        if not pool.has_slot(past_reservation=past_pool):
            return self._reserved(pool, pool_id)
        if machine is not None and machine.short_of(
            candidate.cpu_total, candidate.memory_total, candidate.nodes, past_reservation=past_machine
        ):
            return self._reserved(machine, pool_id)
        held_back = not candidate.queued and past_group and candidate.group.spare is not None
        if held_back and candidate.pickers[1].peek() is None:
            return self._reserved(candidate.group, pool_id)
        return None

    def _reserved(self, counter: GroupState | MachineState | PoolState, pool_id: PoolId) -> Reason:
        reservation = self._reserved_by[counter]
        start_s = -(-(reservation.start_ms - self._now_ms) // 1000)
        figures = (("for_task", str(reservation.task_id)), ("start_s", start_s))
        return Reason(ReasonCode.RESERVED, pool_id, figures)

    def _wait_ms(self, candidate: Candidate, reason: Reason) -> int | None:
        """How long until a candidate without room is expected to have it, behind those that wait already."""
        if reason.code is ReasonCode.RESERVED:
            wait_ms = int(reason.figures["start_s"]) * 1000 + candidate.run_ms
        else:
            if candidate.earliest_ms is None:
                opening = opening_of(candidate, self._capacity, self._now_ms)
                candidate.earliest_ms = _NO_OPENING if opening is None else opening.at_ms
            if candidate.earliest_ms == _NO_OPENING:
                return None
            wait_ms = candidate.earliest_ms - self._now_ms
        return max(1, wait_ms) + candidate.pool.backlog_ms

    def _queue_wait_ms(self, candidate: Candidate) -> int:
        """A queued pool: the site's own estimate, and our own entries beyond what the place runs at once."""
        pool = candidate.pool
        behind = max(0, pool.ours + 1 - candidate.parallel)
        return (pool.pool.wait_estimate_s or 0) * 1000 + behind * candidate.run_ms // candidate.parallel

    def _affords_all(self, lane: Lane) -> bool:
        left = self._admission.left_micros(lane)
        return left is None or lane.shape.max_hold_micros <= left

    # --- acting -------------------------------------------------------------------------------------------------

    def _still_good(self, lane: Lane, found: _Found) -> bool:
        """The place found for the task before is right for the head too: same bytes, room left, money left."""
        task, option = lane.head, found.option
        candidate = option.candidate
        if task.inputs is not found.inputs and task.inputs != found.inputs:
            return False
        if task.inputs and self._locality.staging(candidate.site_id, task.inputs) != option.staging:
            return False
        if candidate.queued and self._queue_wait_ms(candidate) != option.wait_ms:
            return False
        if self._no_room(candidate, option.stage_ms) is not None:
            return False
        left = self._admission.left_micros(lane)
        return left is None or option.hold_micros <= left

    def _place(self, lane: Lane, found: _Found) -> None:
        task, option = lane.head, found.option
        candidate = option.candidate
        pool, group, machine = candidate.pool, candidate.group, candidate.machine
        past_group, past_pool, past_machine = self._past(candidate, option.stage_ms)
        indexes: tuple[int, ...] = ()
        if candidate.queued:
            need = candidate.pickers[0].need * candidate.nodes
            group.floating = need if group.floating is None else group.floating + need
            group.version += 1
        else:
            picker = candidate.pickers[1 if past_group and group.spare is not None else 0]
            chosen = picker.peek()
            assert chosen is not None, "placed where there is no room"
            indexes = chosen
            picker.take(indexes, past_reservation=past_group)
        pool.take(past_reservation=past_pool)
        if machine is not None:
            machine.take(candidate.cpu_total, candidate.memory_total, candidate.nodes, past_reservation=past_machine)
        devices = sum(count for _, count in candidate.devices) * candidate.nodes
        self._admission.spend(lane, option.hold_micros, candidate.cpu_total, devices)
        self._locality.start(candidate.site_id, task.inputs)
        self._shares.add(
            lane.project_id,
            amounts_of(
                cpu_millis=candidate.cpu_millis,
                memory_bytes=candidate.memory_bytes,
                devices=candidate.devices,
                nodes=candidate.nodes,
                duration_ms=option.stage_ms + candidate.run_ms,
            ),
        )
        start_ms, finish_ms = self._now_ms + option.start_ms(), self._now_ms + option.finish_ms()
        self._capacity.add_release(
            Release(
                finish_ms,
                task.id,
                pool,
                group,
                machine,
                indexes,
                candidate.pickers[0].need,
                candidate.cpu_total,
                candidate.memory_total,
                candidate.nodes,
            )
        )
        self._placements.append(
            Placement(
                task_id=task.id,
                task_version=task.version,
                run_id=task.run_id,
                project_id=task.project_id,
                site_id=candidate.site_id,
                pool_id=pool.pool.id,
                node_group_id=group.group.id,
                node_indexes=indexes,
                nodes=candidate.nodes,
                cpu_millis=candidate.cpu_millis,
                memory_bytes=candidate.memory_bytes,
                disk_bytes=candidate.disk_bytes,
                devices=candidate.devices,
                expected_start_ms=start_ms,
                expected_finish_ms=finish_ms,
                run_ms=candidate.run_ms,
                walltime_s=candidate.reserve_s,
                walltime_given=task.walltime_s is not None,
                price_micros=option.price_micros,
                hold_micros=option.hold_micros,
                bytes_to_move=option.staging.bytes_to_move,
                why=found.why,
            )
        )
        lane.position += 1

    def _reserve(self, candidate: Candidate, task: TaskRequest) -> None:
        """Set room aside for the first task in order that waits for these counters."""
        if len(self._reservations) >= self._policy.max_reservations or candidate.group.spare is not None:
            return
        opening = opening_of(candidate, self._capacity, self._now_ms)
        reservation = None if opening is None else reserve(candidate, opening, task.id)
        if reservation is None:
            return
        self._reservations.append(reservation)
        self._reserved_by[candidate.group] = self._reserved_by[candidate.pool] = reservation
        if candidate.machine is not None:
            self._reserved_by[candidate.machine] = reservation

    def _close(self, lane: Lane, reasons: tuple[Reason, ...], start_ms: int | None, step_ms: int) -> None:
        """Leave all the lane's tasks where they are, for the same reasons."""
        add = self._unplaced.append
        for task in lane.tasks[lane.position :]:
            add(Unplaced(task.id, reasons, start_ms))
            if start_ms is not None:
                start_ms += step_ms
        lane.position = len(lane.tasks)


def _missing(reason: Reason) -> int:
    return int(reason.figures["missing_micros"])
