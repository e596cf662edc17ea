"""What a DAG template came to: the phase that its target tasks give it.

When the DAG is looked at is decided by its frame; here only from what its nodes show by then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fubini.engines.embedded.steps import continues
from fubini.engines.embedded.tree import FAILED, Node
from fubini.runs.engine import NodePhase, NodeType

if TYPE_CHECKING:
    from fubini.engines.embedded.dag import DagFrame


def verdict(frame: DagFrame) -> NodePhase | None:
    """The DAG's phase by its targets; None while one is still to come."""
    if frame.state.shutdown and not frame.node.on_exit:
        return NodePhase.FAILED
    result: NodePhase | None = NodePhase.SUCCEEDED
    for name in frame.plan.targets:
        task = frame.tasks.get(name)
        node = task.node if task is not None else None
        if node is None or not node.fulfilled:
            result = None
            if not frame.plan.fail_fast:
                break
            continue
        phase = branch_phase(frame.node, node)
        if phase in FAILED and not continues(frame.plan.tasks[name], phase):
            result = phase
            if frame.plan.fail_fast:
                break
    return result


def branch_phase(dag: Node, node: Node) -> NodePhase:
    """A node's phase, or for one that did not run what its branch came to: a failure above counts."""
    if node.completed:
        return node.phase
    stack = [node]
    visited: set[str] = set()
    failures: set[NodePhase] = set()
    while stack:
        current = stack.pop()
        if current.id in visited:
            continue
        visited.add(current.id)
        for parent in current.parents:
            if parent is dag:
                continue
            whole = parent.parents[0] if parent.retried and not parent.hooked and parent.parents else parent
            if whole.completed:
                if whole.failed:
                    failures.add(whole.phase)
            else:
                stack.append(whole)
    if len(failures) > 1:
        return first_failure(dag, node)
    return failures.pop() if failures else NodePhase.SUCCEEDED


def first_failure(dag: Node, node: Node) -> NodePhase:
    """Which of several ways to fail a task that did not run takes over: the one met first from the DAG downwards."""
    queue = deque((child, NodePhase.SUCCEEDED) for child in dag.children)
    seen = {(child.id, phase) for child, phase in queue}
    while queue:
        current, phase = queue.popleft()
        if current.completed:
            phase = current.phase
        if current is node and phase in FAILED:
            return phase
        below = list(current.children)
        if current.type is NodeType.RETRY:
            attempts = current.attempts()
            below = [child for child in below if child.hooked and not child.retried]
            below += attempts[-1].children if attempts else []
        for child in below:
            if (child.id, phase) not in seen:
                seen.add((child.id, phase))
                queue.append((child, phase))
    return NodePhase.FAILED
