"""Quotes before a submit and explanations after it, over REST."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.ids import new_id
from fubini.common.saying import ours, say, together
from fubini.dispatch import retries
from fubini.dispatch import serializers as shape
from fubini.dispatch.applying import Wanted, changes_apply, changes_ask
from fubini.dispatch.explain import task_start
from fubini.dispatch.quotes import Submission
from fubini.dispatch.selectors import platform_status, quote, task_why
from fubini.dispatch.why import NEXT_STEPS, Around, Why
from fubini.pipelines.selectors import library_of
from fubini.projects.authorize import project_get
from fubini.projects.models import Project
from fubini.rest.views import ApiViews, etag_of, operation
from fubini.runs.apis import run_source, run_visible, task_visible
from fubini.runs.documents import WHY
from fubini.runs.lockviews import Wait, waits_of
from fubini.runs.models import Run, Task
from fubini.runs.serializers.asks import RetryAsk
from fubini.runs.serializers.runs import RunDetail

ENDED = {
    "succeeded": "The run succeeded.",
    "failed": "The run failed",
    "error": "The run ended with an error",
}


def submission_of(project: Project, text: str, body: Mapping[str, Any], actor: str) -> Submission:
    """What a body of a quote, or of the launch form, would submit."""
    named = {name: body[name] for name in ("parameters", "objective", "priority", "name", "reuse")}
    return Submission(project, text, library=library_of(project.pk), actor=actor, **named)


class QuoteViews(ApiViews):
    """``/quotes``."""

    @operation("What a submit would cost and take.", body=shape.QuoteAsk, reply=shape.QuoteOut, reads=True)
    def create(self, request: Request) -> Response:
        """Ranges per step and pool; nothing is set aside. A manifest with errors answers 422 as a submit would."""
        body = self.body
        project = project_get(self.principal, body["project"], "quote.read")
        _, text = run_source(project, body)
        found = quote(submission_of(project, text, body, self.principal.actor))
        return self.reply(found)


class RetryViews(ApiViews):
    """``/runs/{id}/retry``."""

    @operation("Run again what failed.", body=RetryAsk, reply=RunDetail, status=202)
    def create(self, request: Request, id: str) -> Response:
        """The run goes on in the next generation; what succeeded is kept. Memory, walltime and image hold for the steps
        the selector picks, or for those of the templates that failed, until the next retry."""
        run = run_visible(self.principal, id, "run.signal")
        retries.run_retry(run=run, actor=self.principal.actor, payload=given(self.body))
        row = run_visible(self.principal, run.pk, detailed=True)
        return self.reply(row, headers={"ETag": etag_of(row)})

    @operation("What a retry would run and cost.", body=RetryAsk, reply=shape.RetryProposalOut, reads=True)
    def proposal(self, request: Request, id: str) -> Response:
        """With what the failed attempts' measurements advise to change; nothing happens."""
        run = run_visible(self.principal, id)
        return self.reply(retries.retry_proposal(run=run, payload=given(self.body)))


def given(body: dict[str, Any]) -> dict[str, Any]:
    """What a body really says."""
    return {name: value for name, value in body.items() if value not in (None, "", False, {})}


class StatusViews(ApiViews):
    """``/status``."""

    @operation("Does the platform work, and how far behind is it?", reply=shape.StatusOut)
    def retrieve(self, request: Request) -> Response:
        return self.reply(platform_status())


WAITING = ("blocked", "queued")


class WhyViews(ApiViews):
    """``/runs/{id}/why`` and ``/tasks/{id}/why``."""

    @operation("Why a task is where it is.", reply=shape.WhyOut)
    def task(self, request: Request, id: str) -> Response:
        return self.reply(task_why(task_visible(self.principal, id)))

    @operation("Why a run does not go on, or goes on as it does.", query=shape.RunWhyFilter, reply=shape.RunWhyOut)
    def run(self, request: Request, id: str) -> Response:
        run = run_visible(self.principal, id)
        waiting = Task.objects.filter(run=run, state__in=WAITING)
        codes: Counter[str] = Counter()
        running = 0
        live = Task.objects.filter(run=run, state__in=[*WAITING, "placed", "running"])
        for state, reasons in live.values_list("state", "why_document__content").iterator(chunk_size=2000):
            if state in WAITING:
                codes[reasons[0].get("code", "") if reasons else ""] += 1
            else:
                running += 1
        count = sum(codes.values())
        first = list(
            waiting.select_related(WHY).order_by("queued_at_ms", "id")[: self.params["limit"]] if count else ()
        )
        around = Around(first)
        shown = [task_why(t, around) for t in first]
        groups = [_group(code, n, shown) for code, n in codes.most_common()]
        waits = waits_of(run)
        groups += [_lock_group(wait) for wait in waits]
        return self.reply(
            {
                "state": run.state,
                "sentence": _sentence(run, count + sum(len(w.waiting) for w in waits), running, groups),
                "waiting": count,
                "running": running,
                "groups": groups,
                "tasks": shown,
            }
        )


class StartViews(ApiViews):
    """``/tasks/{id}/start``."""

    @operation("When a waiting step starts, and what would start it now.", reply=shape.TaskStartOut)
    def retrieve(self, request: Request, id: str) -> Response:
        """Simulated on the queue as it is now. Of a failed step: why it failed, and what its measurements advise."""
        return self.reply(task_start(task_visible(self.principal, id), self.principal))

    @operation("Make changes that start a step.", body=shape.ChangesAsk, reply=shape.ChangesOut)
    def create(self, request: Request, id: str) -> Response:
        """All of them or none; each needs the right it needs elsewhere."""
        task = task_visible(self.principal, id)
        key = request.headers.get("Idempotency-Key")
        done, count = changes_apply(
            task=task,
            changes=[Wanted(**change) for change in self.body["changes"]],
            like=self.body["like"],
            principal=self.principal,
            key=hashlib.sha256(f"{self.principal.actor}\0{key}".encode()).hexdigest() if key else new_id(),
        )
        return self.reply({"done": done, "tasks": count})

    @operation("Ask those who may to make changes that start a step.", body=shape.AppealAsk, reply=shape.AppealOut)
    def ask(self, request: Request, id: str) -> Response:
        """They get a notice. Once an hour for a run, and ten times an hour in all."""
        task = task_visible(self.principal, id)
        wanted = [Wanted(**change) for change in self.body["changes"]]
        return self.reply(changes_ask(task=task, changes=wanted, principal=self.principal))


def _group(code: str, tasks: int, shown: list[Why]) -> dict[str, Any]:
    first = next((w for w in shown if w.code == code), None)
    return {
        "code": code,
        "sentence": first.sentence if first else "",
        "next_step": first.next_step if first else NEXT_STEPS.get(code, ""),
        "tasks": tasks,
        "since_ms": first.since_ms if first else None,
    }


def _lock_group(wait: Wait) -> dict[str, Any]:
    return {
        "code": "lock",
        "sentence": wait.sentence,
        "next_step": NEXT_STEPS["lock"],
        "tasks": len(wait.waiting),
        "since_ms": wait.since_ms,
    }


def _sentence(run: Run, waiting: int, running: int, groups: list[dict[str, Any]]) -> str:
    """The whole in one line."""
    if run.state in ENDED:
        said = ENDED[run.state]
        return (
            said
            if said.endswith(".")
            else say("{said}: {message}.", said=ours(said), message=run.message or ours("see its nodes"))
        )
    if run.suspended:
        return ours("The run is suspended by a person: `fubini run resume` lets it go on.")
    if waiting == running == 0:
        if run.state == "pending":
            return ours("The run is accepted and its first steps are being worked out.")
        return ours(
            "No step is ready or running now: a suspend node, a timer or an approval is awaited, or steps are ending."
        )
    head = groups[0]["sentence"] if groups and groups[0]["sentence"] else ""
    counts = say(
        "{running} running, {waiting} waiting."
        if running and waiting
        else "{running} running."
        if running
        else "{waiting} waiting.",
        running=running,
        waiting=waiting,
    )
    return together(counts, head)
