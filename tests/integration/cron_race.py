"""Several processes look at the same schedules at the same time, and one of them is killed; run on a database of its own.

Prints one JSON line: how many ticks were due, how many were decided, and how many runs each decided tick has.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

CRONS, MINUTES, BASE_MS = 12, 3, 1_800_000_000_000  # the base is a whole minute
TEXT = """\
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: cron-%d}
spec:
  schedules: ["* * * * *"]
  workflowSpec:
    entrypoint: main
    templates:
    - name: main
      suspend: {}
"""


def look() -> None:
    """One process's life: every schedule at every minute."""
    from fubini.crons.services import crons_pass

    for minute in range(MINUTES):
        crons_pass(at_ms=BASE_MS + minute * 60_000 + 1000)


def main() -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    django.setup()
    if sys.argv[1:] == ["look"]:
        look()
        return 0
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from fubini.crons.models import Cron, CronTick
    from fubini.crons.services import cron_save, crons_pass
    from fubini.runs.models import Run
    from tests.support.rows import make_project, make_user

    project = make_project(owner=make_user("race"))
    for number in range(CRONS):
        cron_save(project=project, text=TEXT % number, actor="user:race")
    Cron.objects.update(considered_ms=BASE_MS - 1000, anchor_ms=BASE_MS - 1000, next_at_ms=BASE_MS)
    children = [subprocess.Popen([sys.executable, "-m", "tests.integration.cron_race", "look"]) for _ in range(3)]
    until = time.monotonic() + 240
    while CronTick.objects.count() < CRONS // 2 and time.monotonic() < until:
        time.sleep(0.005)
    children[0].send_signal(signal.SIGKILL)
    codes = [child.wait(timeout=300) for child in children]
    crons_pass(at_ms=BASE_MS + (MINUTES - 1) * 60_000 + 1000)
    ticks = list(CronTick.objects.values_list("cron__name", "at_ms", "state", "run__name"))
    runs = Counter(Run.objects.values_list("name", flat=True))
    print(
        json.dumps(
            {
                "codes": codes,
                "latest_ticks": sum(1 for _, at, _, _ in ticks if at == BASE_MS + (MINUTES - 1) * 60_000),
                "active": sum(1 for tick in ticks if tick[2] == "active"),
                "runs": sum(runs.values()),
                "named_twice": [name for name, count in runs.items() if count > 1],
                "ticks_without_their_run": [t for t in ticks if t[3] != f"{t[0]}-{t[1] // 1000}"],
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
