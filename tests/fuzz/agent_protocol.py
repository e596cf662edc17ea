"""The agents' door under fuzz: leases made by the real services, syncs in any order with reports that lie, repeat and
come late. After every batch the invariants of the fault matrix must hold.

One input is one report or one malformed body. What an honest agent would say is mixed with old fences, other agents'
attempts, unknown ids, huge sequences, contradictory ends and replays.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from tests.fuzz.common import FuzzResult
from tests.fuzz.database import test_database

BATCH = 250


def run(count: int, seed: int) -> FuzzResult:
    """Send `count` inputs; a failure is an exception out of the door, or an invariant that does not hold."""
    result = FuzzResult("agent_protocol", seed)
    began = time.monotonic()
    with test_database():
        logging.disable(logging.WARNING)  # every lie is warned of
        _World(random.Random(seed), result).play(count)
    logging.disable(logging.NOTSET)
    result.seconds = time.monotonic() - began
    return result


class _World:
    def __init__(self, dice: random.Random, result: FuzzResult) -> None:
        from tests.support.rows import make_place, make_project, make_run

        self.dice, self.result = dice, result
        self.places = [make_place(f"site-{n}", cpu_millis=64_000) for n in range(3)]
        self.project = make_project(budget_micros=10**14)
        self.make_run: Callable[[], Any] = lambda: make_run(self.project)
        self.seq = 0

    def play(self, count: int) -> None:
        while self.result.inputs < count:
            self._batch(min(BATCH, count - self.result.inputs))

    def _batch(self, inputs: int) -> None:
        from fubini.common import clock
        from fubini.dispatch.expiry import leases_expire
        from fubini.runs.models import Task
        from tests.support.rows import make_attempt, make_task

        run = self.make_run()
        tasks = [make_task(run) for _ in range(12)]
        attempts = [make_attempt(task, self.dice.choice(self.places), age_ms=2000) for task in tasks]
        sent: list[dict[str, Any]] = []
        done = 0
        while done < inputs:
            place = self.dice.choice(self.places)
            mine = [a for a in attempts if a.agent_id == place.agent.pk]
            owned = attempts if not mine or self.dice.random() < 0.15 else mine
            reports = [self._report(owned, sent) for _ in range(self.dice.randint(1, 5))]
            done += len(reports)
            self._sync(place, reports, attempts)
            if self.dice.random() < 0.1:
                self._malformed()
                done += 1
            if self.dice.random() < 0.15:
                for task in Task.objects.filter(run=run, state="queued")[:3]:
                    attempts.append(make_attempt(task, self.dice.choice(self.places), age_ms=2000))
        self.result.inputs += done
        for place in self.places:  # everything still open is silent from here on
            place.agent.refresh_from_db()
        leases_expire(at_ms=clock.now_ms() + 60_000)
        leases_expire(at_ms=clock.now_ms() + 120_000)
        self._check(run, tasks)

    def _report(self, attempts: list[Any], sent: list[dict[str, Any]]) -> dict[str, Any]:
        if sent and self.dice.random() < 0.2:
            self.result.outcomes["replayed"] += 1
            return self.dice.choice(sent)
        attempt = self.dice.choice(attempts)
        state = self.dice.choice(
            ["staging", "running", "finishing", "succeeded", "failed", "cancelled", "preempted", "lost", "nonsense"]
        )
        report: dict[str, Any] = {
            "sequence": self.dice.choice([0, 1, 2, 3, 4, 5, -1, 2**31, 2**40]),
            "attempt_id": attempt.pk,
            "task_id": attempt.task_id,
            "fence": attempt.fence,
            "state": state,
            "at_ms": self.dice.choice([0, 1, 10**13, -5]),
            "cause": self.dice.choice([None, "user", "oom", "node", "data", "whatever"]),
        }
        if state in ("succeeded", "failed") and self.dice.random() < 0.8:
            report["outcome"] = {
                "kind": self.dice.choice(["exited", "timed_out", "oom", "output_error", "??"]),
                "exit_code": self.dice.choice([0, 0, 0, 1, 137, -9, None]),
                "result": self.dice.choice([None, "", "x" * 1000, "\x00"]),
                "parameters": self.dice.choice([{}, {"p": "1"}]),
                "artifacts": self.dice.choice(
                    [[], [], [{"name": "o", "entries": [{"path": "../x", "size": 1, "sha256": "0" * 64}]}]]
                ),
                "usage": {"wall_ms": self.dice.choice([0, 500, 10**12, -1]), "cpu_ms": self.dice.choice([0, 7, -3])},
            }
        lie = self.dice.random()
        if lie < 0.08:
            report["fence"] = attempt.fence + self.dice.choice([-1, 1, 1000])
        elif lie < 0.12:
            report["attempt_id"] = "f" * 32
        elif lie < 0.16:
            report["task_id"] = "e" * 32
        sent.append(report)
        return report

    def _sync(self, place: Any, reports: list[dict[str, Any]], attempts: list[Any]) -> None:
        from pydantic import ValidationError

        from fubini.gateway.services import sync_handle
        from fubini_protocol.v1 import messages as wire

        self.seq += 1
        mine = [a for a in attempts if a.agent_id == place.agent.pk]
        held = [
            {"attempt_id": a.pk, "task_id": a.task_id, "fence": a.fence, "state": "running"}
            for a in mine
            if self.dice.random() < 0.9
        ]
        body = {
            "protocol_version": 1,
            "agent_id": place.agent.pk,
            "boot_id": "b",
            "session_id": self.dice.choice(["s", "s", "t"]),
            "sync_seq": self.seq + self.dice.choice([0, 0, 0, -3]),
            "held": held,
            "reports": reports,
        }
        try:
            message, _ = wire.SyncRequest.read(_json(body))
        except ValidationError:
            self.result.outcomes["refused as malformed"] += 1
            return
        try:
            place.agent.refresh_from_db()
            reply = sync_handle(place.agent, message)
        except Exception as error:
            self.result.fail(f"sync raised {error!r} for {reports!r}"[:1500])
            return
        if len(reply.verdicts) != len(message.reports):
            self.result.fail(f"{len(message.reports)} reports got {len(reply.verdicts)} verdicts")
        for verdict in reply.verdicts:
            self.result.outcomes[verdict.verdict.value] += 1

    def _malformed(self) -> None:
        """Bodies that are not the protocol's answer 400 or 413, never 500."""
        from django.test import Client

        body = self.dice.choice(
            [
                b"",
                b"{",
                b"[]",
                b"null",
                b"\xff\xfe",
                b'{"held":' + b"[" * 5000,
                b'{"agent_id": 1e999}',
                b'{"reports": {}}',
            ]
        )
        path = self.dice.choice(["/agent/v1/sync", "/agent/v1/join", "/agent/v1/logs"])
        answer = Client().post(path, data=body, content_type="application/json", HTTP_AUTHORIZATION="Bearer nonsense")
        self.result.outcomes[f"malformed: {answer.status_code}"] += 1
        if answer.status_code not in (400, 401, 413, 422):
            self.result.fail(f"{path} answered {answer.status_code} to {body[:80]!r}")

    def _check(self, run: Any, tasks: list[Any]) -> None:
        from fubini.ledger.models import Hold
        from fubini.ledger.services import ledger_check
        from fubini.runs.models import Attempt, Task

        books = ledger_check()
        if books["imbalance_micros"]:
            self.result.fail(f"the ledger is out: {books}")
        left = Hold.objects.filter(run_id=run.pk, state="placed").count()
        if left:
            self.result.fail(f"{left} holds are still placed though every attempt is over")
        for task in Task.objects.filter(pk__in=[t.pk for t in tasks]):
            won = list(Attempt.objects.filter(task=task, state="succeeded"))
            if len(won) > 1:
                self.result.fail(f"task {task.pk} has {len(won)} accepted results")
            if task.state == "succeeded" and (not won or won[0].fence != task.fence):
                self.result.fail(f"task {task.pk} was won by an old fence")
        for attempt in Attempt.objects.filter(run_id=run.pk):
            hold = Hold.objects.get(pk=attempt.pk)
            # Two seconds of a core were possible before the batch began; the batch itself takes less than a minute.
            if hold.settled_micros > 62_000 + 1:
                self.result.fail(
                    f"attempt {attempt.pk} was charged {hold.settled_micros} for a time that cannot have passed"
                )


def _json(body: dict[str, Any]) -> bytes:
    import json

    return json.dumps(body).encode()


if __name__ == "__main__":
    import sys

    from tests.fuzz.common import main

    sys.exit(main(run, 1000))
