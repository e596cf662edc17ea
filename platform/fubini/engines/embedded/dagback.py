"""Taking a DAG up again: which of its tasks are open, held back or over, read from the tree, and what may go on by that.

After a restart (`restore`) and after a retry or a suspension (`catch_up`). Nothing is kept of a frame beside its nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import dagloop, dagreads
from fubini.engines.embedded.hooks import exit_hook, hooks_settled, restore_hooks
from fubini.engines.embedded.outputs import declared_outputs
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.scope import Group
from fubini.engines.embedded.tree import Node
from fubini.runs.engine import NodePhase, NodeType

if TYPE_CHECKING:
    from fubini.engines.embedded.dag import DagFrame


def restore(frame: DagFrame) -> None:
    frame.prepare()
    for name in frame.plan.order:
        node = frame.state.find(f"{frame.node.name}.{name}")
        if node is None:
            continue
        frame.tasks[name].node = node
        if node.type is not NodeType.TASK_GROUP:
            frame.references.nodes[name] = node
        elif node.fulfilled:
            frame.references.nodes[name] = Group(node, [c for c in node.children if not c.hooked])
        declared = declared_outputs(
            frame.state.program, frame.plan.tasks[name], frame.template.base, node, artifacts=False
        )
        if declared:
            frame.references.declared[name] = declared
    for name in frame.plan.order:
        if frame.tasks[name].node is not None:
            restore_task(frame, name)
    for task in frame.tasks.values():
        if task.node is None and task.waits == 0:
            task.held = True
            frame.running_count += 1
            frame.state.waiting[id(frame)] = frame


def restore_task(frame: DagFrame, name: str) -> None:
    task = frame.tasks[name]
    node = task.node
    assert node is not None
    raw = frame.plan.tasks[name]
    if raw.get("hooks") or raw.get("onExit") or (node.type is NodeType.TASK_GROUP and not node.fulfilled):
        try:
            task.task = dagreads.resolve(frame, raw)
        except EngineError:
            task.task = raw
        if node.type is NodeType.SKIPPED and node.phase is NodePhase.ERROR and not dagreads.can_be_read(frame, name):
            task.task = raw
    restore_hooks(frame, node)
    finished = frame.given_up(name, node) or hooks_settled(frame, node, raw)
    if not node.fulfilled:
        frame.hook_runner.hold_again(task.task or raw, node, name)
    if not finished:
        frame.running_count += 1
    else:
        task.settled = True
        for dependent in frame.plan.dependents[name]:
            if dependent in frame.tasks:
                frame.tasks[dependent].waits -= 1
    if node.type is NodeType.TASK_GROUP and node.fulfilled:
        for child in node.children:
            restore_hooks(frame, child)
        frame.running_count += dagloop.handlers_running(frame, task)
    elif node.type is NodeType.TASK_GROUP:
        restore_items(frame, name, task.task or raw)


def restore_items(frame: DagFrame, name: str, holder: Mapping[str, Any]) -> None:
    task = frame.tasks[name]
    handlers = task.handlers = dagloop.ItemHandlers() if dagloop.has_handler(holder) else None
    hook = exit_hook(holder, {})
    for call in dagreads.calls_of(frame, holder):
        child = frame.state.find(f"{frame.node.name}.{call['name']}")
        if child is None:
            if task.node is None or not task.node.barred:
                task.pending.append(call)
                task.items += 1
            continue
        restore_hooks(frame, child)
        if not child.fulfilled:
            task.items += 1
        if handlers is not None:
            handlers.add(child)
            state = frame.hooks.get(child.id)
            if state is not None and "exit" in state.started:
                if not state.exit_done:
                    handlers.handler_runs(child)
            elif child.completed and not needs_no_handler(frame, hook, child, name):
                handlers.item_ended(child)
    if handlers is not None and handlers.busy:
        frame.stalled.add(name)
    if frame._held_items(task):
        frame.state.waiting[id(frame)] = frame


def needs_no_handler(frame: DagFrame, hook: Mapping[str, Any] | None, node: Node, name: str) -> bool:
    """Whether the exit handler of an item that has ended does not start."""
    if hook is None or frame.state.shutdown == "Terminate":
        return True
    return bool(hook.get("expression")) and frame.hook_runner.is_off(hook, node, name)


def catch_up(frame: DagFrame) -> None:
    if frame.over or frame.node.fulfilled:
        return
    for name in frame.plan.order:
        catch_up_hooks(frame, name)
    for name in frame.plan.order:
        task = frame.tasks[name]
        node = task.node
        if node is None:
            if task.waits == 0:
                frame.ready(name)
        elif node.type is NodeType.TASK_GROUP and not node.fulfilled:
            dagloop.go_over_items(frame, name)
        elif task.pending:
            frame.proceed(name)
        elif node.fulfilled and not task.settled:
            frame.task_ended(name, node, again=True)
    frame.assess()


def catch_up_hooks(frame: DagFrame, name: str) -> None:
    """Start what has come due of the hooks of a task under way; a daemon's dependents wait for them."""
    task = frame.tasks[name]
    node = task.node
    if node is None or node.over or node.id in frame.state.gates or not frame.plan.tasks[name].get("hooks"):
        return
    frame.run_hooks(name, node)
    if frame._hooks_open(node):
        frame.unsettle(name)
