"""Runs, their nodes, tasks, attempts, logs and results over REST."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import Invalid, NotFound
from fubini.common.saying import say
from fubini.datasets.selectors import artifacts_of_run, transfers_of_run
from fubini.datasets.serializers import ArtifactOut
from fubini.ledger.selectors import holds_of
from fubini.pipelines.checking import manifest_report, parameter_json
from fubini.pipelines.models import Pipeline, PipelineVersion
from fubini.pipelines.selectors import library_of, version_get
from fubini.projects.authorize import authorize, project_get, project_ids_visible
from fubini.projects.models import Project
from fubini.rest.pagination import CursorPages
from fubini.rest.views import ApiViews, etag_of, operation
from fubini.runs import selectors, services, signals
from fubini.runs.graph import graph_of
from fubini.runs.logs import LogPart, log_is_late, log_lines_from, log_read, log_streams, text_cut
from fubini.runs.models import Attempt, Run, RunManifest, Task
from fubini.runs.quoted import quote_named
from fubini.runs.reuse.plan import reuse_listing, reuse_plan
from fubini.runs.serializers.asks import (
    ResubmitAsk,
    ResumeAsk,
    RunChange,
    RunSubmit,
    SetAsk,
    SignalAsk,
    SignalOut,
    StopAsk,
)
from fubini.runs.serializers.logs import LogFilter, LogOut
from fubini.runs.serializers.nodes import GraphOut, NodeCountOut, NodeFilter, NodeOut
from fubini.runs.serializers.results import (
    ArtifactFilter,
    CostsOut,
    EventFilter,
    EventOut,
    OutputsFilter,
    OutputsOut,
    TransferOut,
)
from fubini.runs.serializers.reuse import RunReuseOut
from fubini.runs.serializers.runs import ManifestOut, RunDetail, RunFilter, RunOut
from fubini.runs.serializers.tasks import AttemptFilter, AttemptOut, TaskDetail, TaskFilter, TaskOut
from fubini.runs.transitions import TASK_ENDED

POLL_S: Final = 0.25


class RunViews(ApiViews):
    """``/runs``."""

    @operation("List runs.", query=RunFilter, reply=RunOut, many=True)
    def list(self, request: Request) -> Response:
        wanted = self.params
        projects: Any = project_ids_visible(self.principal)
        if "project" in wanted:
            projects = [project_get(self.principal, wanted["project"], "run.read").pk]
        rows = selectors.runs_of(
            projects,
            states=wanted.get("state", ()),
            phases=wanted.get("phase", ()),
            labels=wanted.get("label", ()),
            search=wanted.get("search", ""),
            created_after=wanted.get("created_after"),
            created_before=wanted.get("created_before"),
            submitted_by=wanted.get("submitted_by", ""),
            pipeline_id=wanted.get("pipeline", ""),
            parent=wanted.get("parent_run", ""),
        )
        return self.page(selectors.runs_listed(rows), (wanted["ordering"], "-id"))

    @operation("Submit a run.", body=RunSubmit, reply=RunDetail, status=201)
    def create(self, request: Request) -> Response:
        """Accepted once this answers 201: nothing that happens later loses it. A manifest with errors answers 422 with
        all of them, each with its path, line and column."""
        body = self.body
        project = project_get(self.principal, body["project"], "run.submit")
        version, text = run_source(project, body)
        library = library_of(project.pk)
        plan = None
        if body["reuse"]:
            plan, _, _ = reuse_plan(
                project=project,
                text=text,
                reuse=body["reuse"],
                name=body["name"],
                parameters=body["parameters"],
                library=library,
            )
        run = services.run_submit(
            project=project,
            text=text,
            actor=self.principal.actor,
            name=body["name"],
            parameters=body["parameters"],
            labels=body["labels"],
            max_cost_micros=body.get("max_cost_micros"),
            objective=body["objective"],
            priority=body["priority"],
            pipeline_version=version,
            library=library,
            reuse=plan,
            quote=quote_named(
                body["quote"],
                project_id=project.pk,
                text=text,
                parameters=body["parameters"],
                objective=body["objective"],
                priority=body["priority"],
                reuse=body["reuse"],
            ),
        )
        return self._detail(run.pk, headers={"Location": f"/api/v1/runs/{run.pk}"})

    @operation("One run.", reply=RunDetail)
    def retrieve(self, request: Request, id: str) -> Response:
        """The id may also be the run's job number."""
        return self._detail(id)

    @operation("Change a run's name, labels or cost limit.", body=RunChange, reply=RunDetail, if_match=True)
    def update(self, request: Request, id: str) -> Response:
        """Raising the limit lets a run that waits for it go on. `If-Match` is optional here."""
        run = run_visible(self.principal, id, "run.update")
        self.match(run, required=False)
        body = self.body
        services.run_update(
            run=run,
            actor=self.principal.actor,
            name=body.get("name"),
            labels=body.get("labels"),
            max_cost_micros=body.get("max_cost_micros"),
            clear_max_cost="max_cost_micros" in body and body["max_cost_micros"] is None,
        )
        return self._detail(run.pk)

    @operation("Delete an ended run.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        """Its bookings stay; its logs and bytes go with the next clearing."""
        services.run_delete(run=run_visible(self.principal, id, "run.delete"), actor=self.principal.actor)
        return self.reply()

    @operation("The manifest a run was submitted with.", reply=ManifestOut)
    def manifest(self, request: Request, id: str) -> Response:
        run = run_visible(self.principal, id)
        kept = RunManifest.objects.get(run=run)
        report = manifest_report(
            kept.text, library=kept.library, parameters=run.parameters, engine=run.engine,
            import_rules=kept.import_rules, max_items=run.project.max_items,
        )  # fmt: skip
        return self.reply(
            {
                "text": kept.text,
                "warnings": kept.warnings,
                "parameters": [parameter_json(p) for p in report.parameters],
            }
        )

    @operation("What a run reuses of earlier ones.", reply=RunReuseOut)
    def reuse(self, request: Request, id: str) -> Response:
        """What it was told at its submit, and what it took over and ran so far, each with why."""
        run = run_visible(self.principal, id)
        return self.reply({"planned": (run.reuse or {}).get("plan"), "now": reuse_listing(run)})

    @operation("How many nodes of each template are in which phase.", reply=NodeCountOut, many=True, paged=False)
    def summary(self, request: Request, id: str) -> Response:
        return self.reply(selectors.nodes_summary(run_visible(self.principal, id)))

    @operation("A run's tree, lean enough to draw it whole.", reply=GraphOut)
    def graph(self, request: Request, id: str) -> Response:
        """Where each leaf ran, when, and what it cost; at most 5,000 nodes, `counts` are of all."""
        return self.reply(graph_of(run_visible(self.principal, id)))

    @operation("A run's events, oldest first.", query=EventFilter, reply=EventOut, many=True)
    def events(self, request: Request, id: str) -> Response:
        """For following live, use `/events?run=`."""
        rows = selectors.events_of(run_visible(self.principal, id), topics=self.params.get("topic", ()))
        return self.page(rows, ("id",))

    @operation("What the steps of a run left.", query=ArtifactFilter, reply=ArtifactOut, many=True)
    def artifacts(self, request: Request, id: str) -> Response:
        rows = artifacts_of_run(run_visible(self.principal, id).pk).defer("entries")
        if node := self.params.get("node"):
            rows = rows.filter(node_id=node)
        if name := self.params.get("name"):
            rows = rows.filter(name=name)
        return self.page(rows, ("created_at_ms", "key"))

    @operation("A run's final outputs.", query=OutputsFilter, reply=OutputsOut)
    def outputs(self, request: Request, id: str) -> Response:
        """The global outputs, then the entry point's; a run that declares none has the artifacts no step of it read.

        `truncated`: there are more than `limit` artifacts; `/runs/{id}/artifacts` has all of them in pages.
        """
        return self.reply(selectors.outputs_of(run_visible(self.principal, id), limit=self.params["limit"]))

    @operation("What a run cost, by step and place.", reply=CostsOut)
    def costs(self, request: Request, id: str) -> Response:
        run = run_visible(self.principal, id)
        return self.reply(
            {
                "settled_micros": run.settled_micros,
                "held_micros": run.held_micros,
                "max_cost_micros": run.max_cost_micros,
                "rows": selectors.costs_of(run),
            }
        )

    @operation("Bytes that moved for a run.", reply=TransferOut, many=True)
    def transfers(self, request: Request, id: str) -> Response:
        return self.page(transfers_of_run(run_visible(self.principal, id).pk), ("id",))

    def _detail(self, ref: str, headers: dict[str, str] | None = None) -> Response:
        """A run with its ETag. It moves without a person's doing, so `If-None-Match` is not looked at."""
        run = run_visible(self.principal, ref, detailed=True)
        return self.reply(run, headers={"ETag": etag_of(run), **(headers or {})})


class SignalViews(ApiViews):
    """``/runs/{id}/<signal>``: accepted at once, done when the engine has taken it up."""

    @operation("Cancel a run now.", body=SignalAsk, reply=RunDetail, status=202)
    def cancel(self, request: Request, id: str) -> Response:
        """Running steps are killed and exit handlers do not run; the same as terminate."""
        run = run_visible(self.principal, id, "run.cancel")
        _ = self.body  # validated: a field here would be an error
        signals.run_cancel(run=run, actor=self.principal.actor)
        return self._after(run)

    @operation(
        "Stop a run: running steps end, exit handlers still run.",
        body=StopAsk,
        reply=RunDetail,
        status=202,
    )
    def stop(self, request: Request, id: str) -> Response:
        """With a selector only the suspended nodes it picks end, as Failed, and the run goes on from there."""
        return self._signal(id, "stop", "run.cancel", None)

    @operation("Terminate a run: everything ends.", body=SignalAsk, reply=RunDetail, status=202)
    def terminate(self, request: Request, id: str) -> Response:
        return self._signal(id, "terminate", "run.cancel", {})

    @operation("Suspend a run: no new step starts.", body=SignalAsk, reply=RunDetail, status=202)
    def suspend(self, request: Request, id: str) -> Response:
        return self._signal(id, "suspend", "run.signal", {})

    @operation("Resume a run, or some of its suspended nodes.", body=ResumeAsk, reply=RunDetail, status=202)
    def resume(self, request: Request, id: str) -> Response:
        return self._signal(id, "resume", "run.signal", None)

    @operation("Fill in suspended nodes of a run.", body=SetAsk, reply=RunDetail, status=202)
    def set(self, request: Request, id: str) -> Response:
        """Outputs, a message or a phase for the nodes the selector picks; without a phase they go on waiting."""
        return self._signal(id, "set", "run.signal", None)

    @operation("What people asked of a run, newest first.", reply=SignalOut, many=True)
    def signals(self, request: Request, id: str) -> Response:
        """With who asked, and why the engine refused, where it did."""
        return self.page(selectors.signals_of(run_visible(self.principal, id)), ("-id",))

    @operation("Submit a run's manifest again.", body=ResubmitAsk, reply=RunDetail, status=201)
    def resubmit(self, request: Request, id: str) -> Response:
        run = run_visible(self.principal, id, "run.resubmit")
        made = services.run_resubmit(
            run=run,
            actor=self.principal.actor,
            parameters=self.body["parameters"],
            name=self.body["name"],
            memoized=self.body["memoized"],
        )
        return self._after(made, headers={"Location": f"/api/v1/runs/{made.pk}"})

    def _signal(self, id: str, kind: str, action: str, payload: dict[str, Any] | None) -> Response:
        run = run_visible(self.principal, id, action)
        given = self.body  # validated also where there is nothing to say, so that a misplaced field is an error
        found = given if payload is None else payload
        signals.run_signal(
            run=run, kind=kind, actor=self.principal.actor, payload={k: v for k, v in found.items() if v}
        )
        return self._after(run)

    def _after(self, run: Run, headers: dict[str, str] | None = None) -> Response:
        row = run_visible(self.principal, run.pk, detailed=True)
        return self.reply(row, headers={"ETag": etag_of(row), **(headers or {})})


class NodeViews(ApiViews):
    """``/runs/{id}/nodes``."""

    @operation("A run's nodes, in the order they were made.", query=NodeFilter, reply=NodeOut, many=True)
    def list(self, request: Request, id: str) -> Response:
        wanted = self.params
        run = run_visible(self.principal, id)
        rows = selectors.nodes_of(
            run,
            phases=wanted.get("phase", ()),
            types=wanted.get("type", ()),
            template=wanted.get("template", ""),
            search=wanted.get("search", ""),
            boundary=wanted.get("boundary"),
        )
        pages = CursorPages()
        found = pages.paginate(rows, request, ("id",))
        context = self._context(run, [n.node_id for n in found])
        return pages.reply(NodeOut(found, many=True, context=context).data)

    @operation("One node.", reply=NodeOut)
    def retrieve(self, request: Request, id: str, node: str) -> Response:
        run = run_visible(self.principal, id)
        row = selectors.nodes_of(run).filter(node_id=node).first()
        if row is None:
            raise NotFound("The run has no such node.")
        return Response(NodeOut(row, context=self._context(run, [node])).data)

    def _context(self, run: Run, node_ids: Sequence[str]) -> dict[str, Any]:
        """What nodes show that their rows do not have."""
        return self.get_serializer_context() | {
            "reused": selectors.reused_of(run, node_ids),
            "children": selectors.children_of(run, node_ids),
        }


class TaskViews(ApiViews):
    """``/runs/{id}/tasks`` and ``/tasks/{id}``."""

    @operation("A run's tasks.", query=TaskFilter, reply=TaskOut, many=True)
    def list(self, request: Request, id: str) -> Response:
        run, wanted = run_visible(self.principal, id), self.params
        rows = selectors.tasks_of(
            run,
            states=wanted.get("state", ()),
            template=wanted.get("template", ""),
            node_id=wanted.get("node", ""),
            waiting_for=wanted.get("waiting_for", ""),
        )
        pages = CursorPages()
        found = pages.paginate(rows.defer("spec", "outcome"), request, ("id",))
        context = self.get_serializer_context()
        context["names"] = selectors.node_names(run.pk, [t.node_id for t in found])
        return pages.reply(TaskOut(found, many=True, context=context).data)

    @operation("One task with its attempts.", reply=TaskDetail)
    def retrieve(self, request: Request, id: str) -> Response:
        task: Any = task_visible(self.principal, id)
        selectors.costs_by_attempt(task.attempt_rows, holds_of([a.pk for a in task.attempt_rows]))
        context = self.get_serializer_context()
        context["names"] = selectors.node_names(task.run_id, [task.node_id])
        return Response(TaskDetail(task, context=context).data)

    @operation("What a task printed.", query=LogFilter, reply=LogOut)
    def logs(self, request: Request, id: str) -> Response:
        """Read on from `next_offset` until `eof`; with `follow`, an empty answer comes only after that many seconds."""
        wanted = self.params
        until = time.monotonic() + wanted["follow"]
        task: Any = task_visible(self.principal, id)
        while True:
            attempt = _attempt(task, wanted.get("attempt"))
            found = _log(task, attempt, wanted)
            if found["text"] or found["eof"] or time.monotonic() >= until:
                return self.reply(found)
            time.sleep(POLL_S)
            task = task_visible(self.principal, id)


class AttemptViews(ApiViews):
    """``/runs/{id}/attempts``."""

    @operation(
        "A run's attempts: where, for how long, at what cost.",
        query=AttemptFilter,
        reply=AttemptOut,
        many=True,
    )
    def list(self, request: Request, id: str) -> Response:
        wanted = self.params
        rows = selectors.attempts_of(
            run_visible(self.principal, id),
            states=wanted.get("state", ()),
            site=wanted.get("site", ""),
            cause=wanted.get("cause", ""),
        )
        pages = CursorPages()
        found: list[Attempt] = pages.paginate(rows, request, ("id",))
        selectors.costs_by_attempt(found, holds_of([a.pk for a in found]))
        return pages.reply(AttemptOut(found, many=True, context=self.get_serializer_context()).data)


def run_visible(principal: Any, ref: str, action: str = "run.read", *, detailed: bool = False) -> Run:
    """A run the principal may see; then, may it do this?"""
    run = selectors.run_get(project_ids_visible(principal), ref, detailed=detailed) if len(ref) <= 32 else None
    if run is None:
        raise NotFound("There is no such run, or you cannot see it.")
    if action != "run.read":
        authorize(principal, action, run.project)
    return run


def task_visible(principal: Any, id: str) -> Task:
    task = selectors.task_get(project_ids_visible(principal), id)
    if task is None:
        raise NotFound("There is no such task, or you cannot see it.")
    return task


def run_source(project: Project, body: dict[str, Any]) -> tuple[PipelineVersion | None, str]:
    """The text to submit, and the pipeline version it is, if any."""
    if "manifest" in body:
        return None, body["manifest"]
    rows: QuerySet[Pipeline] = Pipeline.objects.filter(project=project)
    wanted = body["pipeline"]
    pipeline = rows.filter(pk=wanted).first() or rows.filter(name=wanted).first()
    if pipeline is None:
        raise Invalid(
            say("The project has no pipeline {wanted!r}.", wanted=wanted),
            errors=[{"pointer": "/pipeline", "code": "not_found", "found": wanted}],
            next_step="List them with GET /api/v1/pipelines?project=..., or send the manifest itself.",
        )
    version = version_get(pipeline, body.get("version"))
    if version is None:
        raise Invalid(
            say(
                "The pipeline {name!r} has no version {version}; its newest is {version2}.",
                name=pipeline.name,
                version=body.get("version"),
                version2=pipeline.version,
            ),
            errors=[
                {"pointer": "/version", "code": "not_found", "found": body.get("version"), "allowed": pipeline.version}
            ],
        )
    return version, version.text


def _attempt(task: Any, number: int | None) -> Attempt | None:
    rows: list[Attempt] = task.attempt_rows
    if number is None:
        return rows[-1] if rows else None
    for row in rows:
        if row.number == number:
            return row
    raise NotFound(say("The task has no attempt {number}; it had {rows_count}.", number=number, rows_count=len(rows)))


def _log(task: Task, attempt: Attempt | None, wanted: dict[str, Any]) -> dict[str, Any]:
    """One part of an attempt's log as `LogOut` has it.

    Raises:
        NotFound: the step has no such container.
    """
    containers = selectors.containers_of(task)
    chosen = wanted.get("container") or (containers[0] if containers else "")
    if chosen and chosen not in containers:
        known = f"it has {', '.join(containers)}" if containers else "it has only one, without a name"
        raise NotFound(say("The step has no container {chosen!r}; {known}.", chosen=chosen, known=known))
    container = "" if containers and chosen == containers[0] else chosen
    if attempt is None:
        part, streams, ended = (
            LogPart(wanted.get("stream", "main"), 0, b"", 0, False),
            [],
            task.state in TASK_ENDED,  # what the platform does itself has no attempt and prints nothing
        )
    else:
        streams = log_streams(task.run_id, attempt.pk, container)
        stream = wanted.get("stream") or _fullest(task.run_id, attempt.pk, streams, container)
        offset = wanted["offset"]
        if "tail" in wanted:
            size = log_read(task.run_id, attempt.pk, stream=stream, container=container, limit=0).size_bytes
            offset = max(0, size - wanted["tail"])
        elif "tail_lines" in wanted:
            offset = log_lines_from(task.run_id, attempt.pk, wanted["tail_lines"], stream=stream, container=container)
        part = log_read(
            task.run_id, attempt.pk, stream=stream, container=container, offset=offset, limit=wanted["limit"]
        )
        ended = log_is_late(attempt)
    at_end = part.next_offset >= part.size_bytes
    eof = part.eof or (ended and at_end)
    data = text_cut(part.data, whole=eof or len(part.data) < 4)
    return {
        "attempt_id": attempt.pk if attempt else "",
        "attempt": attempt.number if attempt else 0,
        "stream": part.stream,
        "streams": streams,
        "container": chosen,
        "containers": containers,
        "offset": part.offset,
        "next_offset": part.offset + len(data),
        "size_bytes": part.size_bytes,
        "text": data.decode("utf-8", "replace"),
        "gaps": [g for g in part.gaps if g.offset <= part.offset + len(data)],
        "eof": eof,
    }


def _fullest(run_id: str, attempt_id: str, streams: Any, container: str) -> str:
    """The stream with most in it, so that a step that only prints errors still shows something."""
    sizes = {s: log_read(run_id, attempt_id, stream=s, container=container, limit=0).size_bytes for s in streams}
    return max(sizes, key=lambda s: sizes[s], default="main")
