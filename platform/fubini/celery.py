"""Celery: the bell, never the queue.

Everything that must happen is a row in the database; a Celery message only carries "look now" or a row's id, may be
lost or come twice, and each task is safe to run twice. So the embedded default can use a broker that is a folder and
loses what a killed worker held: the next beat rings again.

    celery -A fubini.celery worker     production, with `celery -A fubini.celery beat` beside it
    python -m fubini.celery            embedded: one process, one thread of work, the beat in a second thread
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")

app = Celery("fubini")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.update(
    task_acks_late=True,
    task_time_limit=300,
    task_soft_time_limit=240,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    timezone="UTC",
    beat_schedule={
        "reconcile": {"task": "fubini.reconcile", "schedule": 5.0, "options": {"expires": 5.0}},
        "expire": {"task": "fubini.expire", "schedule": 10.0, "options": {"expires": 10.0}},
        "money": {"task": "fubini.money", "schedule": 60.0, "options": {"expires": 60.0}},
        "outlook": {"task": "fubini.outlook", "schedule": 15.0, "options": {"expires": 15.0}},
        "retention": {"task": "fubini.retention", "schedule": 600.0, "options": {"expires": 600.0}},
    },
)


@worker_ready.connect  # type: ignore[untyped-decorator]
def _performer_start(**_: Any) -> None:
    """A worker also does what the platform itself does on the network; see `dispatch.performer` and `notices.worker`."""
    from fubini.dispatch.performer import Performer
    from fubini.notices.worker import Teller

    performer, teller = Performer(), Teller()
    performer.start()
    teller.start()
    # Celery holds receivers weakly; these keep the threads for as long as the worker lives.
    worker_shutting_down.connect(lambda **_: performer.stop(), weak=False)
    worker_shutting_down.connect(lambda **_: teller.stop(), weak=False)


def main() -> int:
    """The embedded worker: solo pool (no second process to lose), beat in a thread."""
    from celery.beat import EmbeddedService
    from django.conf import settings

    options: dict[str, Any] = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    for key in ("data_folder_in", "data_folder_out", "control_folder"):
        if key in options:
            Path(options[key]).mkdir(mode=0o700, parents=True, exist_ok=True)
    beat = EmbeddedService(app, thread=True, max_interval=5, scheduler_cls="celery.beat:Scheduler")
    beat.start()
    worker = app.Worker(
        pool_cls="solo",
        concurrency=1,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        optimization="fair",
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    # Under `python -m` this module is `__main__`; tasks and workers must share the importable one's app.
    from fubini.celery import main as start

    sys.exit(start())
