"""How the items of a DAG task's loop go on: in which order their exit handlers run, and when the group is over early.

Argo goes over the items one after the other in every pass and stops at the first whose exit handler has not ended:
what comes after it neither starts nor gets a handler in that pass. At the end of the pass a group is over once all
items it has started are, whatever was still to come, unless something that is met before the group in the tree runs.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded.tree import Node
from fubini.runs.engine import NodePhase, NodeType

if TYPE_CHECKING:
    from fubini.engines.embedded.dag import DagFrame, TaskState


class ItemHandlers:
    """The exit handlers of one loop's items."""

    __slots__ = ("due", "nodes", "numbers", "running")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.numbers: dict[str, int] = {}
        self.running: set[int] = set()  # items whose handler has not ended
        self.due: list[int] = []  # a heap: items that have ended and whose handler has not started

    def add(self, node: Node) -> None:
        """The next item has been started."""
        if node.id not in self.numbers:
            self.numbers[node.id] = len(self.nodes)
            self.nodes.append(node)

    def item_ended(self, node: Node) -> None:
        """This item's handler may start as soon as nothing before it stands in the way."""
        self.add(node)
        heapq.heappush(self.due, self.numbers[node.id])

    def handler_ended(self, node: Node) -> None:
        self.running.discard(self.numbers.get(node.id, -1))

    def handler_runs(self, node: Node) -> None:
        self.running.add(self.numbers[node.id])

    @property
    def busy(self) -> bool:
        """Whether a handler is still to end or to start: no further item starts before."""
        return bool(self.running or self.due)

    @property
    def next_may_start(self) -> bool:
        """Whether the first handler that is due waits for no other; between events only a limit keeps it from starting."""
        return bool(self.due) and not (self.running and min(self.running) < self.due[0])

    def next_due(self) -> Node | None:
        """The item whose handler may start now, taken off the list."""
        return self.nodes[heapq.heappop(self.due)] if self.next_may_start else None


def has_handler(task: Mapping[str, Any]) -> bool:
    """Whether the items of this task's loop have an exit handler."""
    return bool(task.get("onExit") or (task.get("hooks") or {}).get("exit"))


def group_phase(children: list[Node]) -> NodePhase:
    """What a loop came to: the last failure among its items."""
    phase = NodePhase.SUCCEEDED
    for child in children:
        if child.failed:
            phase = child.phase
    return phase


def complete_groups(frame: DagFrame) -> list[str]:
    """End the groups that are over at the end of a pass though items are still to come; -> the names of their tasks."""
    found: list[Node] = []
    queue = deque(frame.node.children)
    seen = {child.id for child in queue}
    while queue:
        node = queue.popleft()
        if not node.fulfilled:
            if node.type is not NodeType.TASK_GROUP or not node.children:
                break
            if not all(child.fulfilled for child in node.children):
                break
            found.append(node)
        below = node.children
        if node.type is NodeType.RETRY and node.attempts():
            below = [*(child for child in below if child.hooked and not child.retried), *node.attempts()[-1].children]
        for child in below:
            if child.id not in seen:
                seen.add(child.id)
                queue.append(child)
    own = {task.node.id: name for name, task in frame.tasks.items() if task.node is not None}
    names = []
    for group in found:
        if group.id in own:
            frame.state.mark(group, group_phase(list(group.children)), tell=False)
            names.append(own[group.id])
    return names


def go_over_items(frame: DagFrame, name: str) -> None:
    """Another pass over a loop's items: what may start of their handlers, and of what is still to come."""
    start_handlers(frame, name)
    if frame.tasks[name].pending:
        frame.proceed(name)
    group_check(frame, name)


def start_handlers(frame: DagFrame, name: str) -> None:
    """Start the exit handlers of items that have ended, up to the first that does not end at once."""
    handlers, group = frame.tasks[name].handlers, frame.tasks[name].node
    if handlers is None or group is None or group.fulfilled:
        return
    while (node := handlers.next_due()) is not None:
        if frame.exit_done(name, frame.plan.tasks[name], node):
            continue
        if frame.hook_runner.held.pop(node.id, None) is not None:  # no room: it is the next to start all the same
            handlers.item_ended(node)
            break
        handlers.handler_runs(node)
    if handlers.busy:
        frame.stalled.add(name)
    else:
        frame.stalled.discard(name)


def group_check(frame: DagFrame, name: str) -> None:
    task = frame.tasks[name]
    group = task.node
    if group is None or task.items > 0 or task.pending or group.fulfilled:
        return
    if task.handlers is not None and task.handlers.busy:
        return
    frame.state.mark(group, group_phase([c for c in group.children if not c.hooked]), tell=False)
    frame.group_ended(name, group)


def handlers_running(frame: DagFrame, task: TaskState) -> int:
    """How many items have an exit handler that has started and not ended."""
    items = task.node.children if task.node is not None else ()
    states = [frame.hooks[child.id] for child in items if child.id in frame.hooks]
    return sum("exit" in state.started and not state.exit_done for state in states)
