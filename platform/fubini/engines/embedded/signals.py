"""What people do to a run: stop, terminate, suspend, resume, retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import changes, containers, gates, persist, suspend
from fubini.engines.embedded.dag import DagFrame
from fubini.engines.embedded.frames import Frame
from fubini.engines.embedded.globals import set_globals
from fubini.engines.embedded.interpreter import end
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.select import matcher
from fubini.engines.embedded.state import SignalRefused, State
from fubini.engines.embedded.tree import Node
from fubini.runs.engine import TASK_TYPES, CancelTask, NodePhase, NodeType, Signal, SignalKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXECUTION = frozenset({NodeType.POD, NodeType.CONTAINER, NodeType.HTTP, NodeType.PLUGIN})
GROUPS = frozenset({NodeType.DAG, NodeType.TASK_GROUP, NodeType.STEP_GROUP, NodeType.STEPS})


def signal(state: State, event: Signal) -> None:
    """Carry one action out.

    Raises:
        SignalRefused: it does not fit.
    """
    if event.kind in (SignalKind.STOP, SignalKind.TERMINATE):
        if event.kind is SignalKind.STOP and event.selector:
            settle_suspended(state, event, NodePhase.FAILED)
        else:
            shut_down(state, "Stop" if event.kind is SignalKind.STOP else "Terminate")
    elif event.kind is SignalKind.SUSPEND:
        if state.finished:
            raise SignalRefused("cannot suspend completed workflows")
        state.suspended = True
        state.touch_run()
    elif event.kind is SignalKind.RESUME:
        resume(state, event)
    elif event.kind is SignalKind.SET:
        set_suspended(state, event)
    else:
        retry(state, event)


# --- suspend nodes ----------------------------------------------------------------------------------------------


def _active_suspends(state: State) -> list[Node]:
    return [n for n in state.nodes.values() if n.type is NodeType.SUSPEND and n.phase is NodePhase.RUNNING]


# --- stop, terminate --------------------------------------------------------------------------------------------


def shut_down(state: State, strategy: str) -> None:
    """End what is open; with Stop, exit handlers still run."""
    if state.finished or state.shutdown == "Terminate" or state.shutdown == strategy:
        return
    state.shutdown = strategy
    state.touch_run()
    if state.run_lock and not state.begun:
        # Argo lets only Terminate end a run that waits for its locks; a stopped one waits on, and then starts nothing.
        if strategy == "Terminate":
            state.begun = True
            end(state, NodePhase.FAILED, f"Stopped with strategy '{strategy}'")
        return
    message = f"Stopped with strategy '{strategy}'"
    graphs: dict[str, DagFrame] = {}
    for node in list(state.nodes.values()):
        if node.fulfilled or (strategy == "Stop" and node.on_exit):
            continue
        if node.gate is not None:
            state.mark(node, NodePhase.FAILED, message)
        elif node.type in TASK_TYPES:
            state.command(CancelTask(node.id, node.generation, message))
            owner = node.owner
            killed = isinstance(owner, DagFrame) and not node.hooked and not owner.node.on_exit
            state.mark(node, NodePhase.FAILED, f"workflow shutdown with strategy: {strategy}", tell=not killed)
            if killed and isinstance(owner, DagFrame):
                graphs[owner.node.id] = owner
            containers.fail_containers(state, node, node.message)
        elif node.type is NodeType.SUSPEND:
            state.mark(node, NodePhase.FAILED, message)
    for node in list(state.nodes.values()):
        if node.type is not NodeType.RETRY or node.fulfilled or (strategy == "Stop" and node.on_exit):
            continue
        if node.children and all(child.fulfilled for child in node.children) and not _queued(state, node):
            state.mark(node, NodePhase.FAILED, message)
    for graph in graphs.values():
        state.late.append(graph.shut_down)  # what waited for no command is over at once, and its dependents are seen


def _queued(state: State, node: Node) -> bool:
    """Whether the last attempt was only just ended by this action: the Retry node then follows by itself."""
    return bool(node.children) and list(node.children)[-1].finished == state.now


# --- suspend, resume --------------------------------------------------------------------------------------------


def resume(state: State, event: Signal) -> None:
    """Go on: the whole run and all that waits for a person, or the suspend nodes selected."""
    if event.selector or event.outputs:
        settle_suspended(state, event, NodePhase.SUCCEEDED)
        return
    nodes = _active_suspends(state)
    filled: list[tuple[Node, Any]] = []
    try:
        filled = [(node, suspend.fill_defaults(node.outputs)) for node in nodes]
    except EngineError as error:
        raise SignalRefused(error.message) from None
    was_suspended = state.suspended
    for node, outputs in filled:
        node.outputs = outputs
        state.add_global_output(outputs)
        state.mark(node, NodePhase.SUCCEEDED, event.message or None)
    if was_suspended:
        state.suspended = False
        state.touch_run()
        persist.rebuild(state, {str(n.id): n.frame.private() for n in state.nodes.values() if n.frame is not None})
        catch_up(state)


SETTABLE = {p.value: p for p in (NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.ERROR)}


def set_suspended(state: State, event: Signal) -> None:
    """Fill in outputs, message or phase of the suspend nodes selected; without a phase they go on waiting."""
    if not event.selector:
        raise SignalRefused("'set' currently only targets suspend nodes, use a node field selector to target them")
    if event.phase and event.phase not in SETTABLE:
        raise SignalRefused(f"a suspend node cannot be set to {event.phase}; it can be to {', '.join(SETTABLE)}")
    matches = matcher(event.selector)
    nodes = [node for node in _active_suspends(state) if matches(node)]
    if not nodes or not (event.outputs or event.message or event.phase):
        raise SignalRefused(
            f"currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: {event.selector}"
        )
    try:
        supplied = [(node, suspend.supply(node.outputs, event.outputs)) for node in nodes]
    except EngineError as error:
        raise SignalRefused(error.message) from None
    for node, outputs in supplied:
        if event.outputs:
            node.outputs = outputs
            state.add_global_output(outputs)
        state.mark(node, SETTABLE.get(event.phase, node.phase), event.message or None)


def settle_suspended(state: State, event: Signal, phase: NodePhase) -> None:
    """End the suspend nodes selected, with supplied outputs."""
    matches = matcher(event.selector)
    nodes = [node for node in _active_suspends(state) if matches(node)]
    if not nodes:
        raise SignalRefused(
            f"currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: {event.selector}"
        )
    try:
        supplied = [(node, suspend.supply(node.outputs, event.outputs)) for node in nodes]
    except EngineError as error:
        raise SignalRefused(error.message) from None
    for node, outputs in supplied:
        node.outputs = outputs
        state.add_global_output(outputs)
        state.mark(node, phase, event.message or None)


def catch_up(state: State) -> None:
    """Do everything that events did not do while the run was suspended."""
    for node in _active_suspends(state):
        suspend.wake(state, node)
    gates.catch_up(state)


def go_on(state: State) -> None:
    """After a retry: what runs again takes its locks again, then everything open goes on."""
    gates.ask_again(state)
    catch_up(state)


# --- retry ------------------------------------------------------------------------------------------------------


def retry(state: State, event: Signal) -> None:
    """Run failed nodes again: they leave the tree and come back with a higher generation.

    Raises:
        SignalRefused: the run has not failed.
    """
    if not state.finished:
        raise SignalRefused(f"Cannot retry a workflow in phase {state.phase.value}")
    again = event.restart_successful and bool(event.selector)
    if state.phase is NodePhase.SUCCEEDED and not again:
        raise SignalRefused("To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector")
    chosen = {n.id for n in state.nodes.values() if matcher(event.selector)(n)} if again else set()
    for node in list(state.nodes.values()):
        # A leaf that was open when the run ended was cancelled then: it runs again as a failed one does.
        if (node.failed or not node.fulfilled) and node.type in EXECUTION:
            leaf = node.boundary if node.type is NodeType.CONTAINER and node.retried else node
            assert leaf is not None
            whole = leaf.parents[0] if leaf.retried and leaf.parents else leaf
            if not _succeeded_below(whole, chosen):
                chosen.add(node.id)
    state.change = changes.noted(state, event, chosen)
    to_reset, to_delete = _plan(state, chosen)
    # What hangs nowhere is not come to from the root: it stays as it is, but what was cancelled in it starts anew.
    to_delete |= {below.id for id_ in chosen if not state.nodes[id_].fulfilled for below in descendants([state.nodes[id_]])}
    if event.parameters:
        for id_ in to_reset - to_delete:
            node = state.nodes[id_]
            if node.type in (NodeType.TASK_GROUP, NodeType.STEP_GROUP):
                to_delete |= {below.id for below in descendants([node])} - {node.id}
    exit_name = f"{state.name}.onExit"
    to_delete |= {n.id for n in state.nodes.values() if n.name.startswith(exit_name)}
    for id_ in sorted(to_reset - to_delete):
        node = state.nodes[id_]
        state.count(node, node.phase, NodePhase.RUNNING)
        state.failures.pop(node.id, None)
        if node.phase is not NodePhase.SKIPPED:
            node.phase = NodePhase.RUNNING
        node.message, node.started, node.finished, node.barred = "", state.now, None, False
        state.touch(node)
    state.remove([state.nodes[id_] for id_ in sorted(to_delete) if id_ in state.nodes])
    state.overrides.update(event.parameters)
    state.finished, state.shutdown, state.limit = False, "", ""
    state.phase, state.message, state.started = NodePhase.RUNNING, "", state.now
    set_globals(state)
    state.globals["workflow.status"] = NodePhase.RUNNING.value
    private: dict[str, Mapping[str, Any]] = {}
    for node in state.nodes.values():
        if node.frame is not None and (node.over or isinstance(node.frame, Frame)):
            private[node.id] = node.frame.private()  # where it ends, and what nobody reset, stays as it was
        elif not node.over:
            private[node.id] = {"locals": _locals(state, node)}
    for node in state.nodes.values():
        node.frame = None
    persist.rebuild(state, private)
    for node in state.nodes.values():
        if node.frame is not None and not node.over:
            state.touch(node)  # what its frame keeps may have come or gone with the retry
    seconds = state.program.spec.get("activeDeadlineSeconds")
    if seconds is not None:
        state.deadline = state.now // 1000 * 1000 + int(seconds) * 1000
        state.timer("run:deadline", state.deadline + 1)
    state.touch_run()
    if not gates.ask_for_run(state):
        go_on(state)


def _locals(state: State, node: Node) -> dict[str, str]:
    template = state.template_of(node)
    return state.leaf_locals(node, template) if template is not None else {"node.name": node.name}


def _succeeded_below(node: Node, chosen: set[Any]) -> bool:
    """Whether something below that is not chosen has succeeded: then the failure was dealt with."""
    stack, seen = list(node.children), set()
    while stack:
        child = stack.pop()
        if child.id in chosen or child.id in seen:
            continue
        if child.phase is NodePhase.SUCCEEDED:
            return True
        seen.add(child.id)
        stack.extend(child.children)
    return False


def descendants(start: Iterable[Node]) -> list[Node]:
    """Nodes and everything below them."""
    found: dict[str, Node] = {}
    stack = list(start)
    while stack:
        node = stack.pop()
        if node.id not in found:
            found[node.id] = node
            stack.extend(node.children)
    return list(found.values())


def _plan(state: State, chosen: set[Any]) -> tuple[set[Any], set[Any]]:
    """Which nodes run again in place, and which leave the tree, walking from the root."""
    to_reset: set[Any] = set()
    to_delete: set[Any] = set()
    root = state.nodes.get(state.find_id(state.name))
    if root is None:
        return to_reset, to_delete
    parent_of: dict[str, Node] = {}
    for id_ in sorted(state.nodes):
        for child in state.nodes[id_].children:
            parent_of[child.id] = state.nodes[id_]
    order: list[Node] = [root]
    seen = {root.id}
    for node in order:
        for child in node.children:
            if child.id not in seen:
                seen.add(child.id)
                order.append(child)
    for node in order:
        if node.id in chosen and node.id not in to_delete:
            reset, delete = _path(node, parent_of)
            to_reset |= reset
            to_delete |= delete
    return to_reset, to_delete


def _path(node: Node, parent_of: dict[str, Node]) -> tuple[set[Any], set[Any]]:
    """What one node's return means for those above and below it."""
    delete = {below.id for below in descendants([node])}
    reset: set[Any] = set()
    if node.id not in parent_of:
        return reset, delete
    current: Node | None = node
    while current is not None:
        if current.type in GROUPS:
            reset.add(current.id)
            current = _boundaries(current, parent_of, reset)
            continue
        if current.type is NodeType.RETRY and current.failed:
            reset.add(current.id)
        elif current.type is NodeType.CONTAINER:
            current = _pod_above(current, parent_of)
            if current is None:
                break
            delete |= {below.id for below in descendants([current])}
            continue
        current = parent_of.get(current.id)
    return reset, delete


def _pod_above(node: Node, parent_of: dict[str, Node]) -> Node | None:
    current: Node | None = node
    while current is not None and current.type is not NodeType.POD:
        current = parent_of.get(current.id)
    return current


def _boundaries(node: Node, parent_of: dict[str, Node], reset: set[Any]) -> Node | None:
    current: Node = node
    while True:
        parent = parent_of.get(current.id)
        if parent is not None and parent.type is NodeType.RETRY:
            reset.add(parent.id)
            current = parent
            parent = parent_of.get(current.id)
        if parent is not None and parent.type in (NodeType.STEP_GROUP, NodeType.TASK_GROUP):
            reset.add(parent.id)
        if current.boundary is None:
            return parent
        wanted = current.boundary
        walk: Node | None = current
        while walk is not None and walk is not wanted:
            walk = parent_of.get(walk.id)
        if walk is None:
            return None
        reset.add(walk.id)
        current = walk
