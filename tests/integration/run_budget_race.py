"""One run of 100 steps against a cost limit with room for ten, planned by four at once; a process and database of its own.

First nothing ends: ten steps may get a hold, whoever plans. Then steps end and settle while two go on planning and the
limit is raised; at no moment may settled plus held pass the limit that stands. Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import sys
import threading

STEPS, ROOM, HOLD_MICROS, PLANNERS = 100, 10, 100_000, 4


def main() -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    from fubini.common import clock
    from fubini.common.bulk import StaleRow
    from fubini.dispatch.grants import WhyMemory, placements_apply, reasons_write
    from fubini.dispatch.selectors import task_why
    from fubini.dispatch.snapshot import RequestCache, world_of
    from fubini.ledger.models import Hold
    from fubini.ledger.services import ledger_check
    from fubini.runs.engine import LeafOutcome, OutcomeKind, TaskSpec
    from fubini.runs.models import Attempt, Run, Task
    from fubini.runs.results import AttemptEnd, attempts_end
    from fubini.runs.services import run_update
    from fubini.runs.transitions import ATTEMPT_LIVE
    from fubini_scheduler.cycle import plan
    from tests.support.rows import make_place, make_project, make_run, make_task

    make_place(cpu_millis=1_000_000)
    project = make_project(budget_micros=10**9)
    limit = ROOM * HOLD_MICROS + HOLD_MICROS // 2
    run = make_run(project, max_cost_micros=limit)
    spec = TaskSpec(template="work", image="busybox", argv=("true",), walltime_s=100)
    for _ in range(STEPS):
        make_task(run, spec=spec)
    errors: list[str] = []
    over: list[tuple[int, int]] = []
    stop = threading.Event()

    def guarded(work: object) -> threading.Thread:
        def body() -> None:
            try:
                work()  # type: ignore[operator]
            except Exception as error:
                errors.append(repr(error))
            finally:
                connection.close()

        return threading.Thread(target=body)

    def plan_once() -> None:
        at_ms = clock.now_ms()
        world = world_of(RequestCache())
        result = plan(world.snapshot, world.policy, world.now_ms)
        placements_apply(world, result.placements, at_ms=at_ms)
        reasons_write(WhyMemory({}), result.unplaced, at_ms=at_ms)

    def plan_often() -> None:
        for _ in range(5):
            plan_once()

    def plan_to_the_end() -> None:
        while not stop.is_set():
            plan_once()
            stop.wait(0.01)

    def end_steps() -> None:
        while not stop.wait(0.005):  # who takes the lock again at once keeps a database of one writer from the others
            try:
                with transaction.atomic():
                    live = list(
                        Attempt.objects.select_for_update(of=("self",)).select_related("task")
                        .filter(state__in=ATTEMPT_LIVE).order_by("pk")[:5]
                    )  # fmt: skip
                    done = LeafOutcome(kind=OutcomeKind.EXITED, exit_code=0)
                    attempts_end(
                        [AttemptEnd(a, "succeeded", outcome=done, wall_ms=50) for a in live], at_ms=clock.now_ms()
                    )
            except StaleRow:
                continue

    def watch() -> None:
        while not stop.is_set():
            seen = Run.objects.get(pk=run.pk)
            if seen.settled_micros + seen.held_micros > (seen.max_cost_micros or 0):
                over.append((seen.settled_micros, seen.held_micros))
            stop.wait(0.002)

    racers = [guarded(plan_often) for _ in range(PLANNERS)]
    for thread in racers:
        thread.start()
    for thread in racers:
        thread.join()
    waiting = list(Task.objects.filter(state="queued"))
    before = {
        "holds": Hold.objects.filter(state="placed").count(),
        "waiting": len(waiting),
        "waiting_for": sorted({reason for task in waiting for reason in task.waiting_for}),
        "missing_micros": sorted({task_why(task).reasons[0]["missing_micros"] for task in waiting}),
    }

    racers = [guarded(work) for work in (plan_to_the_end, plan_to_the_end, end_steps, end_steps, watch)]
    for thread in racers:
        thread.start()
    for turn in range(3_000):
        left = Task.objects.filter(state__in=["queued", "placed", "running"]).count()
        if not left:
            break
        if turn == 10:
            run_update(run=run, actor="user:race", max_cost_micros=limit + 5 * HOLD_MICROS)
        stop.wait(0.1)
    stop.set()
    for thread in racers:
        thread.join()
    run.refresh_from_db()
    after = {
        "succeeded": Task.objects.filter(state="succeeded").count(),
        "attempts": Attempt.objects.count(),
        "held_micros": run.held_micros,
        "spent_is_the_sum": run.settled_micros == sum(Hold.objects.values_list("settled_micros", flat=True)),
        "imbalance_micros": ledger_check()["imbalance_micros"],
    }
    print(json.dumps({"errors": errors, "over": over[:5], "before": before, "after": after}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
