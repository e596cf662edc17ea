"""200 submits at once against a budget with room for ten; run as a process of its own on a database of its own.

Prints one JSON line: what was accepted, who got money, what the others wait for, and what happened after a top-up.
"""

from __future__ import annotations

import json
import os
import sys
import threading

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: race-}
spec:
  entrypoint: main
  templates:
  - name: main
    metadata: {annotations: {fubini.dev/walltime: "100"}}
    container: {image: busybox, command: ["true"]}
"""
SUBMITS, ROOM, HOLD_MICROS = 200, 10, 100_000


def main() -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from fubini.dispatch.loop import Loop
    from fubini.dispatch.selectors import task_why
    from fubini.ledger.models import Hold
    from fubini.ledger.services import account_topup, available_by_project, ledger_check
    from fubini.runs.models import Run, Task
    from fubini.runs.services import run_submit
    from tests.support.rows import make_place, make_project

    make_place(cpu_millis=1_000_000)
    project = make_project(budget_micros=ROOM * HOLD_MICROS + HOLD_MICROS // 2)
    errors: list[str] = []

    def submit_some() -> None:
        try:
            for _ in range(SUBMITS // 20):
                run_submit(project=project, text=MANIFEST, actor="user:race")
        except Exception as error:
            errors.append(repr(error))
        finally:
            connection.close()

    loop = Loop()
    loop.leadership.hold()
    threads = [threading.Thread(target=submit_some) for _ in range(20)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        loop.cycle()  # planning races with the submits
    for thread in threads:
        thread.join()
    for _ in range(6):
        loop.cycle()
    waiting = list(Task.objects.filter(state="queued"))
    before = {
        "errors": errors,
        "accepted": Run.objects.count(),
        "holds": Hold.objects.filter(state="placed").count(),
        "waiting": len(waiting),
        "waiting_for": sorted({reason for task in waiting for reason in task.waiting_for}),
        "missing_micros": sorted({task_why(task).reasons[0]["missing_micros"] for task in waiting}),
        "available_micros": available_by_project([project.pk])[project.pk],
        "imbalance_micros": ledger_check()["imbalance_micros"],
    }
    account_topup(project_id=project.pk, amount_micros=SUBMITS * HOLD_MICROS, actor="race", key="rest")
    for _ in range(6):
        loop.cycle()
    after = {
        "holds": Hold.objects.filter(state="placed").count(),
        "waiting": Task.objects.filter(state="queued").count(),
        "imbalance_micros": ledger_check()["imbalance_micros"],
    }
    print(json.dumps({"before": before, "after": after}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
