"""Ranking: which of the places that could run a task serves its objective best, waiting included.

Every candidate is an *option* with a start (now, or when room is expected), a finish (start + run) and a price; the
score is time and money in one figure (`ObjectiveWeights`). An option without room now may win: then the task waits.
Local first is a gate before the score: see `LocalFirst`.
"""

from __future__ import annotations

from fubini_scheduler.locality import Staging
from fubini_scheduler.model import LocalFirst, ObjectiveWeights, Policy, TaskRequest
from fubini_scheduler.shapes import Candidate

_MS_PER_HOUR = 3_600_000


class Option:
    """A candidate for one task at this moment; `room` says that it could start there right now."""

    __slots__ = ("candidate", "hold_micros", "price_micros", "room", "stage_ms", "staging", "transfer_ms", "wait_ms")

    def __init__(self, candidate: Candidate, staging: Staging, *, room: bool, wait_ms: int) -> None:
        self.candidate = candidate
        self.staging = staging
        self.room = room
        self.wait_ms = wait_ms  # until the place takes it
        self.transfer_ms = staging.duration_ms(candidate.bandwidth)
        self.stage_ms = self.transfer_ms + candidate.pool.pool.start_overhead_ms
        self.price_micros = candidate.compute_micros + staging.egress_micros
        self.hold_micros = candidate.hold_micros + staging.egress_micros

    def start_ms(self, extra_ms: int = 0) -> int:
        """From now until it runs. Staging of a task that waits begins when it is placed, not before."""
        return self.wait_ms + extra_ms + self.stage_ms

    def finish_ms(self, extra_ms: int = 0) -> int:
        """From now until it ends."""
        return self.start_ms(extra_ms) + self.candidate.run_ms


class Judge:
    """Scores options for one task's objective under the policy."""

    __slots__ = ("_deadline_in_ms", "_weights", "first_tier", "local_first")

    def __init__(self, task: TaskRequest, policy: Policy, now_ms: int, first_tier: int) -> None:
        self._weights = policy.weights.get(task.objective) or ObjectiveWeights(time_micros_per_hour=0)
        self._deadline_in_ms = None if task.deadline_ms is None else task.deadline_ms - now_ms
        self.first_tier = first_tier
        rule = policy.local_first
        self.local_first: LocalFirst | None = rule if rule is not None and task.objective in rule.objectives else None

    def score(self, option: Option, extra_ms: int = 0) -> int:
        """Time and money in one figure, lower is better. Time counts in whole seconds: a millisecond buys nothing."""
        seconds_ms = -(-option.finish_ms(extra_ms) // 1000) * 1000
        return (
            self._weights.time_micros_per_hour * seconds_ms // _MS_PER_HOUR
            + option.price_micros * self._weights.price_permille // 1000
            - option.candidate.points_micros
        )

    def key(self, option: Option, extra_ms: int = 0) -> tuple[int, int, int, int, int, int, tuple[str, str]]:
        """The order of options: deadline, score, then price, whole seconds, devices left idle, tier, id."""
        finish_ms = option.finish_ms(extra_ms)
        late = self._deadline_in_ms is not None and finish_ms > self._deadline_in_ms
        candidate = option.candidate
        return (
            int(late),
            self.score(option, extra_ms),
            option.price_micros,
            finish_ms // 1000,
            candidate.wasted_devices,
            candidate.tier,
            candidate.key,
        )

    def open_to(self, options: list[Option], waiting: Candidate | None, extra_ms: int) -> tuple[list[Option], int]:
        """The options that local first leaves open, and the soonest start of those (ms from now; -1: no gate).

        `options` are sorted by tier. `waiting` and `extra_ms`: suppose that place waits that much longer.
        """
        rule = self.local_first
        if rule is None:
            return options, -1
        opened: list[Option] = []
        soonest: int | None = None
        position = 0
        while position < len(options):
            if soonest is not None and soonest <= rule.burst_wait_s * 1000:
                break
            tier = options[position].candidate.tier
            overflow = tier > self.first_tier
            while position < len(options) and options[position].candidate.tier == tier:
                option = options[position]
                position += 1
                if (
                    overflow
                    and rule.burst_max_price_micros is not None
                    and option.price_micros > rule.burst_max_price_micros
                ):
                    continue
                opened.append(option)
                start_ms = option.start_ms(extra_ms if self._waits(option, waiting) else 0)
                soonest = start_ms if soonest is None else min(soonest, start_ms)
        return opened, -1 if soonest is None else soonest

    def best(self, options: list[Option], waiting: Candidate | None = None, extra_ms: int = 0) -> Option | None:
        """The option to take, or to wait for."""
        opened, _ = self.open_to(options, waiting, extra_ms)
        if not opened:
            return None
        return min(opened, key=lambda o: self.key(o, extra_ms if self._waits(o, waiting) else 0))

    @staticmethod
    def _waits(option: Option, waiting: Candidate | None) -> bool:
        return waiting is not None and not option.room and option.candidate.pool is waiting.pool
