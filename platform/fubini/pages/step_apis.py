"""A step's panel in one request: the node, its task with its attempts, why it waits or failed, what it left.

Decides what is read for which step: reasons for one that waits, a start or a failure only where `start` asks for it,
because a start simulates the queue and the panel of a live run is read again with every event.
"""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import NotFound
from fubini.common.together import together
from fubini.datasets.selectors import artifacts_of_run
from fubini.dispatch.explain import start_world, task_start
from fubini.dispatch.serializers import TaskStartOut, WhyOut
from fubini.dispatch.why import Around, task_why
from fubini.ledger.selectors import holds_of
from fubini.rest.serializers import QuerySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation
from fubini.runs import selectors
from fubini.runs.apis import run_visible
from fubini.runs.models import Run, RunNode
from fubini.runs.page_apis import ARTIFACTS, BY_AGE
from fubini.runs.page_serializers import ArtifactsPage
from fubini.runs.serializers.asks import SignalOut
from fubini.runs.serializers.nodes import NodeOut
from fubini.runs.serializers.tasks import TaskDetail

ANSWERS_MAX: Final = 100


class StepFilter(QuerySerializer):
    start = serializers.BooleanField(default=False, help_text="With `start`: it simulates the queue.")


class StepOut(ReplySerializer):
    """A step's panel."""

    node = NodeOut()
    task = TaskDetail(allow_null=True, help_text="Null where the node is no leaf.")
    why = WhyOut(allow_null=True, help_text="Of a step that waits.")
    start = TaskStartOut(allow_null=True, help_text="Of a step that waits or failed, where it was asked for.")
    artifacts = ArtifactsPage(help_text="What it left, the oldest first.")
    signals = SignalOut(many=True, help_text="Of a suspended step: what people asked of its run, the newest first.")


class StepViews(ApiViews):
    """``/runs/{id}/nodes/{node}/overview``."""

    @operation("A step's panel: why it waits or failed, where it ran, what it left.", query=StepFilter, reply=StepOut)
    def overview(self, request: Request, id: str, node: str) -> Response:
        run = run_visible(self.principal, id)
        row, task = _node(run, node)
        state = task.state if task is not None else ""
        world = start_world(task) if self.params["start"] and task is not None else None
        left = artifacts_of_run(run.pk).filter(node_id=node).defer("entries")
        value = {
            "node": row,
            "task": task,
            "why": task_why(task, Around([task], world.pools if world is not None else None)) if state in ("queued", "blocked") else None,
            "start": task_start(task, self.principal, world)
            if self.params["start"] and state in ("queued", "failed")
            else None,
            "artifacts": self.first(left, BY_AGE, path=f"runs/{run.pk}/artifacts", size=ARTIFACTS, node=node),
            "signals": selectors.signals_of(run).order_by("-id")[:ANSWERS_MAX] if row.type == "Suspend" else (),
        }
        return Response(StepOut(value, context=self.get_serializer_context() | _beside(row, task)).data)


def _node(run: Run, node_id: str) -> tuple[RunNode, Any]:
    """A node, and its task with its attempts and what each costs (None where it is no leaf).

    Raises:
        NotFound: the run has no such node.
    """
    nodes = selectors.nodes_of(run).filter(node_id=node_id)
    tasks = selectors.tasks_of(run, node_id=node_id).filter(generation__in=nodes.values("generation"))
    read = together({"node": nodes, "task": tasks})
    if not read["node"]:
        raise NotFound("The run has no such node.")
    task: Any = next(iter(read["task"]), None)
    if task is not None:
        task.run = run
        if task.attempt_rows:
            selectors.costs_by_attempt(task.attempt_rows, holds_of([a.pk for a in task.attempt_rows]))
    return read["node"][0], task


def _beside(node: RunNode, task: Any) -> dict[str, Any]:
    """What nodes and tasks show that their own rows do not have."""
    key = (node.node_id, node.generation)
    came = (task.reuse or {}).get("from") if task is not None else None
    child = task.child_run if task is not None and task.kind == "child" else ""
    return {
        "names": {node.node_id: node.display_name},
        "reused": {key: came} if came else {},
        "children": {key: child} if child else {},
    }
