"""A run's whole tree in one answer, lean enough to draw: what the run page needs, in five queries at any size.

Decides which columns a picture needs and where it ends (`GRAPH_MAX` nodes; beyond it the counts by template tell the
rest). Inputs, outputs and everything else of one node are read one by one from ``runs/{id}/nodes/{node}``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fubini.ledger.selectors import holds_of_runs
from fubini.runs.messages import with_names
from fubini.runs.models import Attempt, Run, RunNode, Task
from fubini.runs.selectors import NodeCount, nodes_summary

GRAPH_MAX: Final = 5_000


@dataclass(slots=True)
class GraphNode:
    """One node; the task's columns are empty where the node is no leaf, times are milliseconds since the epoch."""

    id: str
    name: str
    type: str
    phase: str
    template: str
    boundary: str
    parents: list[str]
    message: str
    started_at_ms: int | None
    finished_at_ms: int | None
    task: str = ""
    task_state: str = ""
    queued_at_ms: int | None = None
    waits_for: str = ""
    attempts: int = 0
    site: str = ""
    pool: str = ""
    simulated: bool = False
    leased_at_ms: int | None = None
    running_at_ms: int | None = None
    ended_at_ms: int | None = None
    charged_micros: int = 0


@dataclass(slots=True)
class RunGraph:
    """`nodes` in the order they were made, at most `GRAPH_MAX` of `total`; `counts` are of all."""

    total: int
    truncated: bool
    counts: list[NodeCount]
    nodes: list[GraphNode] = field(default_factory=list)


def graph_of(run: Run, *, limit: int = GRAPH_MAX) -> RunGraph:
    """The tree with where each leaf ran, when, and what it cost the project."""
    counts = nodes_summary(run)
    total = sum(c.count for c in counts)
    rows = (
        RunNode.objects.filter(run=run)
        .exclude(phase="")
        .order_by("id")
        .values_list(
            "node_id", "display_name", "type", "phase", "template_name", "boundary_id", "parents", "message",
            "started_at_ms", "finished_at_ms", "generation",
        )[:limit]
    )  # fmt: skip
    found = RunGraph(total, total > limit, counts)
    by_leaf: dict[tuple[str, int], GraphNode] = {}
    for *columns, generation in rows:
        node = GraphNode(*columns)
        found.nodes.append(node)
        by_leaf[node.id, generation] = node
    names = {node.id: node.name for node in found.nodes}
    for node in found.nodes:
        node.message = with_names(node.message, names)
    by_task: dict[str, GraphNode] = {}
    tasks = Task.objects.filter(run=run).values_list(
        "pk", "node_id", "generation", "state", "queued_at_ms", "why_document__content"
    )
    for pk, node_id, generation, state, queued_at_ms, why in tasks.iterator(chunk_size=2000):
        leaf = by_leaf.get((node_id, generation))
        if leaf is not None:
            leaf.task, leaf.task_state, leaf.queued_at_ms = pk, state, queued_at_ms
            leaf.waits_for = str(why[0].get("code", "")) if why and state in ("queued", "blocked") else ""
            by_task[pk] = leaf
    holds = holds_of_runs([run.pk])
    attempts = (
        Attempt.objects.filter(run_id=run.pk)
        .order_by("number")
        .values_list(
            "pk", "task_id", "site__name", "pool__name", "node_group__simulated", "leased_at_ms", "started_at_ms",
            "ended_at_ms",
        )
    )  # fmt: skip
    for pk, task_id, site, pool, simulated, leased, running, ended in attempts.iterator(chunk_size=2000):
        leaf = by_task.get(task_id)
        if leaf is None:
            continue
        leaf.attempts += 1
        leaf.site, leaf.pool, leaf.simulated = site, pool, bool(simulated)
        leaf.leased_at_ms, leaf.running_at_ms, leaf.ended_at_ms = leased, running, ended
        hold = holds.get(pk)
        leaf.charged_micros += hold.settled_micros if hold else 0
    return found
