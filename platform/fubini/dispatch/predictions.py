"""Predicted starts against real ones: what an error bar stands on.

Now and then, while steps wait, the loop makes the very prediction a person would be shown for one of them, keeps it in
memory and scores it when the step's command really starts. A step that needed somebody's hand meanwhile (no start was in
sight) is not scored, and neither is one that never started. Kept are the newest ratios by length of the wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from fubini.dispatch.models import StartScore
from fubini.runs.models import Attempt, Task
from fubini_scheduler import model as core
from fubini_scheduler.forecast import Forecast, forecast

SPANS: Final = (("10s", 10_000), ("1m", 60_000), ("10m", 600_000), ("1h", 3_600_000), ("1d", 86_400_000))
KEPT: Final = 100  # ratios a span
ENOUGH: Final = 8  # fewer say nothing yet
EVERY_MS: Final = 10_000
OUTSTANDING: Final = 64
WORK: Final = 600  # plans times queued tasks of one prediction in the loop
FORGET_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class ErrorBar:
    """The wait within which eight of ten starts fell, as seen in `checked` predictions of that length; None: too few."""

    low_ms: int | None
    high_ms: int | None
    checked: int


@dataclass(slots=True)
class Predictions:
    """The loop's memory: task -> (made, predicted start). All of it can be lost."""

    made: dict[str, tuple[int, int]] = field(default_factory=dict)
    looked_ms: int = 0
    turn: int = 0

    def make(
        self, snapshot: core.Snapshot, policy: core.Policy, unplaced: tuple[core.Unplaced, ...], at_ms: int
    ) -> None:
        """Predict the start of one waiting task, another one each time."""
        if not unplaced or at_ms - self.looked_ms < EVERY_MS or len(self.made) >= OUTSTANDING:
            return
        self.looked_ms = at_ms
        self.turn += 1
        chosen = unplaced[self.turn * 7919 % len(unplaced)]
        if chosen.task_id in self.made or chosen.expected_start_ms is None:
            return
        found = start_forecast(snapshot, policy, at_ms, chosen.task_id, work=WORK)
        if found.start_ms is not None and found.start_ms > at_ms:
            self.made[chosen.task_id] = (at_ms, found.start_ms)

    def score(self, *, at_ms: int) -> int:
        """Compare with what started meanwhile; how many predictions are settled."""
        if not self.made:
            return 0
        rows = Task.objects.filter(pk__in=self.made).values_list("pk", "state", "fence", "waiting_for")
        states = {pk: (state, fence, waiting) for pk, state, fence, waiting in rows}
        begun = dict(
            Attempt.objects.filter(task_id__in=self.made, number=1, started_at_ms__isnull=False).values_list(
                "task_id", "started_at_ms"
            )
        )
        ratios: dict[str, list[int]] = {}
        for task_id, (made_ms, predicted_ms) in list(self.made.items()):
            state, fence, waiting = states.get(task_id, ("gone", 0, []))
            started = begun.get(task_id)
            if started is not None:
                wait_ms = predicted_ms - made_ms
                ratio = max(0, started - made_ms) * 1000 // max(1000, wait_ms)
                ratios.setdefault(span_of(wait_ms), []).append(min(ratio, 1_000_000))
            live = state in ("queued", "placed", "running") and fence <= 1 and not waiting
            if started is not None or not live or at_ms - made_ms > FORGET_MS:
                del self.made[task_id]
        with transaction.atomic():
            for span, found in ratios.items():
                row, _ = StartScore.objects.select_for_update().get_or_create(span=span)
                row.samples += len(found)
                row.ratios = [*row.ratios, *found][-KEPT:]
                row.save()
        return sum(len(found) for found in ratios.values())


def start_forecast(
    snapshot: core.Snapshot, policy: core.Policy, at_ms: int, task_id: core.TaskId, *, work: int
) -> Forecast:
    """The one prediction there is: bounded by plans times queued tasks."""
    plans = max(2, min(40, work // max(1, len(snapshot.tasks))))
    return forecast(snapshot, policy, at_ms, task_id, max_plans=plans)


def span_of(wait_ms: int) -> str:
    """Which predictions one of this length is compared with."""
    return next((name for name, most in SPANS if wait_ms <= most), SPANS[-1][0])


def error_bar(wait_ms: int, scores: Iterable[StartScore]) -> ErrorBar:
    """What earlier predictions of that length say of this one."""
    row = next((row for row in scores if row.span == span_of(wait_ms)), None)
    ratios = sorted(row.ratios) if row else []
    if len(ratios) < ENOUGH:
        return ErrorBar(None, None, len(ratios))
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    return ErrorBar(wait_ms * low // 1000, wait_ms * high // 1000, len(ratios))
