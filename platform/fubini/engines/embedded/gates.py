"""What a template asks for before it starts: its locks, then an earlier result of the same key (`memoize`).

Both are asked of the platform by a command and answered by an event. Argo does them within a pass, so that what
follows in the same step group does not start before the answer: the run's work stands still while `State.asked` names
who asked. A node that waits for a lock, or that is not found in the cache, is Pending from then on; Argo leaves
composite nodes Pending until they end, and so does this. Which locks are free is decided by `runs.locktable`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import process
from fubini.engines.embedded.frames import Call, Failed, Frame, Outcome, enter, node_of
from fubini.engines.embedded.process import EngineError, Processed
from fubini.engines.embedded.program import Template
from fubini.engines.embedded.tree import Node
from fubini.language import durations
from fubini.language.errors import LanguageError
from fubini.runs.engine import (
    RUN_HOLDER,
    Answer,
    LockGranted,
    LockKind,
    LockName,
    LockRequest,
    LockWaiting,
    MemoAnswer,
    MemoLookup,
    NodePhase,
    NodeType,
)

if TYPE_CHECKING:
    from fubini.engines.embedded.state import State

_CACHE_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_TYPES = {"steps": NodeType.STEPS, "dag": NodeType.DAG, "suspend": NodeType.SUSPEND, "http": NodeType.HTTP}


@dataclass(slots=True)
class Gate:
    """A node that may not start yet."""

    call: Call
    template: Template
    processed: Processed
    granted: bool = False  # its locks are its own


# --- what is asked -----------------------------------------------------------------------------------------------


def lock_names(section: Mapping[str, Any], namespace: str) -> tuple[LockName, ...]:
    """The locks of a `synchronization`, semaphores first.

    Raises:
        EngineError: it is none.
    """
    found: list[LockName] = []
    for semaphore in section.get("semaphores") or ():
        where = semaphore.get("namespace") or namespace
        reference, database = semaphore.get("configMapKeyRef"), semaphore.get("database")
        if reference is not None and database is not None:
            raise EngineError(
                "requested configuration is invalid: invalid semaphore with both ConfigMapKeyRef and Database"
            )
        if reference is not None:
            name, key = reference.get("name") or "", reference.get("key") or ""
            found.append(LockName(where, LockKind.CONFIG_MAP, name, key, semaphore=True))
        elif database is not None:
            found.append(LockName(where, LockKind.DATABASE, database.get("key") or "", semaphore=True))
        else:
            raise EngineError(
                "requested configuration is invalid: "
                "cannot get LockName for a Semaphore without a ConfigMapRef or Database"
            )
    for mutex in section.get("mutexes") or ():
        kind = LockKind.DATABASE if mutex.get("database") else LockKind.MUTEX
        found.append(LockName(mutex.get("namespace") or namespace, kind, mutex.get("name") or ""))
    if len(set(found)) < len(found):
        raise EngineError("requested configuration is invalid: duplicate synchronization item found")
    for lock in found:
        # Argo's controller panics over a lock whose name it cannot read back.
        if not lock.resource or (
            lock.kind is LockKind.CONFIG_MAP and (not lock.key or "/" in lock.resource + lock.key)
        ):
            raise EngineError(f"requested configuration is invalid: a lock has no usable name: {lock.text}")
    return tuple(found)


def _locks(state: State, processed: Processed) -> tuple[LockName, ...]:
    section = processed.template.body.get("synchronization")
    return lock_names(processed.sub(section), state.context.namespace) if section else ()


def memo_status(processed: Processed) -> dict[str, Any] | None:
    """The `memoizationStatus` of a node that was not found in the cache; None for a template without `memoize`."""
    section = processed.template.body.get("memoize")
    if not section:
        return None
    memoize = processed.sub(section)
    cache = (memoize.get("cache") or {}).get("configMap") or {}
    return {"hit": False, "key": str(memoize.get("key") or ""), "cacheName": cache.get("name") or ""}


def _max_age_ms(processed: Processed) -> int | None:
    text = processed.sub(processed.template.body["memoize"]).get("maxAge")
    if not text:
        return None
    try:
        return durations.parse_go(text)
    except LanguageError as error:
        raise EngineError(f"invalid maxAge: {error.message}") from None


def _check_own(state: State, node: Node, locks: tuple[LockName, ...]) -> None:
    """A mutex held by an enclosing node, or by the run, can never be had: Argo waits for ever.

    Raises:
        EngineError: it is.
    """
    mutexes = {lock for lock in locks if not lock.semaphore}
    if not mutexes:
        return
    held: list[tuple[str, tuple[LockName, ...]]] = [("the run", run_locks(state))] if state.run_lock else []
    above = node.boundary
    while above is not None:
        if above.locked and isinstance(above.frame, Frame):
            held.append((above.name, _locks(state, above.frame.processed)))
        above = above.boundary
    for who, names in held:
        for lock in mutexes.intersection(names):
            raise EngineError(f"would wait for ever: {lock.text} is held by {who}, which waits for this node")


# --- a node ------------------------------------------------------------------------------------------------------


def guard(state: State, call: Call, template: Template, processed: Processed, *, retried: bool) -> Outcome:
    """Make the node of a template with locks or a cache, Pending, and ask for what it needs."""
    type_ = NodeType.RETRY if retried else _TYPES.get(template.kind, NodeType.POD)
    node = node_of(state, call, type_, NodePhase.PENDING, processed)
    node.memo = memo_status(processed)
    _close(state, node, Gate(call, template, processed))
    state.work.append(lambda: ask(state, node))
    return node


def _close(state: State, node: Node, gate: Gate, *, again: bool = False) -> None:
    """Nothing inside the node goes on until it is let through."""
    call = gate.call
    state.gates[node.id] = gate
    node.gate = {"kind": call.kind, "name": call.holder.get("name") or "", "depth": call.depth}
    if gate.processed.locals:
        node.gate["locals"] = dict(gate.processed.locals)
    if again:
        node.gate["again"] = True


def _ask(state: State, node: Node, question: LockRequest | MemoLookup) -> None:
    state.command(question)
    state.asked = node.id
    state.touch(node)


def ask(state: State, node: Node) -> None:
    """Ask for the next thing a node needs; with nothing left to ask it starts."""
    gate = state.gates.get(node.id)
    if gate is None:
        return
    try:
        if not gate.granted:
            locks = _locks(state, gate.processed)
            if locks:
                _check_own(state, node, locks)
                node.locked = True
                state.holding[node.id] = node
                priority = int(state.program.spec.get("priority") or 0)
                _ask(state, node, LockRequest(node.id, node.generation, locks, priority))
                return
            gate.granted = True
        if node.memo is None or "key" not in node.memo:
            start(state, node)
            return
        key, cache = node.memo["key"], node.memo["cacheName"]
        if not _CACHE_KEY.fullmatch(key):
            raise EngineError(f"invalid cache key: {key}")
        _ask(state, node, MemoLookup(node.id, node.generation, cache, key, _max_age_ms(gate.processed)))
    except EngineError as error:
        refuse(state, node, error.message)


def hear(state: State, event: Answer) -> None:
    """Take an answer in."""
    holder = event.node_id if isinstance(event, MemoAnswer) else event.holder
    if state.asked == holder:
        state.asked = None
    if holder == RUN_HOLDER:
        from fubini.engines.embedded.interpreter import hear_run_lock  # a cycle: what follows is the run's beginning

        hear_run_lock(state, event)
        return
    node = state.nodes.get(holder)
    if node is None or node.generation != event.generation or node.fulfilled:
        return
    gate = gate_of(state, node)
    if gate is None or node.gate is None:
        return
    state.touch(node)
    if isinstance(event, MemoAnswer):
        if event.error:
            state.work.append(lambda: refuse(state, node, event.error))
        elif event.outputs is None:
            state.work.append(lambda: start(state, node))
        else:
            outputs = dict(event.outputs)
            state.work.append(lambda: take_over(state, node, outputs))
    elif isinstance(event, LockGranted):
        gate.granted = node.gate["granted"] = True
        state.work.append(lambda: pass_lock(state, node))
    elif isinstance(event, LockWaiting):
        state.set_waiting(node, event.lock)
        state.mark(node, node.phase, event.message)
        state.work.append(lambda: _tell(node))
    else:
        message = event.message
        state.work.append(lambda: refuse(state, node, message))


def gate_of(state: State, node: Node) -> Gate | None:
    """The gate before a node that has not started, found again from what the node keeps after a restart."""
    found = state.gates.get(node.id)
    if found is not None or node.gate is None:
        return found
    template = state.template_of(node)
    if template is None:
        return None
    processed = process.restore(template, node.inputs, state.globals, dict(node.gate.get("locals") or {}))
    gate = Gate(call_of(state, node, template, node.gate), template, processed, bool(node.gate.get("granted")))
    state.gates[node.id] = gate
    return gate


def call_of(state: State, node: Node, template: Template, kept: Mapping[str, Any]) -> Call:
    """The call that a node was made for, from the node."""
    holder: dict[str, Any] = {"name": kept.get("name") or ""}
    if node.template_ref:
        holder["templateRef"] = node.template_ref
    elif node.template_name:
        holder["template"] = node.template_name
    else:
        holder["inline"] = template.body
    return Call(
        name=node.name,
        holder=holder,
        arguments={},
        base=state.base_of(node),
        owner=None,
        boundary=node.boundary,
        slot=node.slot,
        kind=kept.get("kind") or "step",
        on_exit=node.on_exit,
        flag={"hooked": True} if node.hooked else None,
        depth=int(kept.get("depth") or 1),
    )


def pass_lock(state: State, node: Node) -> None:
    """The locks are there: go on, unless the run has as many leaves open as it may."""
    if node.fulfilled or node.id not in state.gates:
        return
    limit = state.program.spec.get("parallelism")
    # A leaf that never had to wait is counted as open already: it must not stand in its own way.
    counted = node.type is NodeType.POD and not node.waiting_for
    if limit is not None and state.active_pods - counted >= int(limit):
        state.crowded[node.id] = node
        return
    state.crowded.pop(node.id, None)
    if node.waiting_for:
        state.set_waiting(node, "")
        state.mark(node, node.phase, "")
    ask(state, node)


def knock(state: State, node: Node) -> None:
    """Go on where a node stands before its gate: no question twice, and no locks past the limit of the run."""
    gate = state.gates.get(node.id)
    if gate is None or node.fulfilled or state.asked == node.id:
        return
    if gate.granted:
        pass_lock(state, node)
    elif not node.waiting_for:
        ask(state, node)


def start(state: State, node: Node) -> None:
    """Nothing is left to ask: what runs inside begins, or goes on after a retry."""
    gate = state.gates.pop(node.id, None)
    node.gate = None
    if gate is None or node.fulfilled:
        return
    state.touch(node)
    if isinstance(node.frame, Frame):
        for frame in frames_below(state, node):
            frame.go_on()
        return
    outcome = enter(state, gate.call, gate.template, gate.processed, node)
    if isinstance(outcome, Failed):
        owner = node.owner
        if owner is not None:
            state.work.append(lambda: owner.failed(outcome))
    else:
        _tell(node)


def take_over(state: State, node: Node, outputs: dict[str, Any]) -> None:
    """The cache has a result: the node succeeds with it and nothing runs."""
    state.gates.pop(node.id, None)
    node.gate = None
    node.memo = {**(node.memo or {}), "hit": True}
    node.outputs = outputs or None
    state.mark(node, NodePhase.SUCCEEDED)


def refuse(state: State, node: Node, message: str) -> None:
    """The node cannot be executed. One that never waited shows no more than that: Argo had not made it yet."""
    gate = state.gates.pop(node.id, None)
    waited = bool(node.waiting_for) or isinstance(node.frame, Frame)
    node.gate = None
    if gate is not None and not waited:
        state.count(node, node.phase, None)
        node.type, node.inputs, node.memo = NodeType.SKIPPED, None, None
    state.mark(node, NodePhase.ERROR, message, tell=False)
    owner = node.owner
    if owner is not None:
        state.work.append(lambda: owner.failed(Failed(node, message, final=True)))


def _tell(node: Node) -> None:
    """A node came to stand: the hooks of its step look at it."""
    if node.owner is not None and not node.fulfilled:
        node.owner.running(node)


# --- the run -----------------------------------------------------------------------------------------------------


def run_locks(state: State) -> tuple[LockName, ...]:
    """The locks of the run itself.

    Raises:
        EngineError: its `synchronization` is none.
    """
    section = state.program.spec.get("synchronization")
    if not section:
        return ()
    from fubini.engines.embedded.scope import VariableScope

    scope = VariableScope(state.globals, {})
    return lock_names(process.walk(section, lambda text: process.replace(text, scope)), state.context.namespace)


def ask_for_run(state: State) -> bool:
    """Ask for the run's own locks; -> whether there are any.

    Raises:
        EngineError: its `synchronization` is none.
    """
    locks = run_locks(state)
    if not locks:
        return False
    state.run_lock = "asked"
    state.touch_run()
    state.command(LockRequest(RUN_HOLDER, 0, locks, int(state.program.spec.get("priority") or 0)))
    state.asked = RUN_HOLDER
    return True


# --- going on ----------------------------------------------------------------------------------------------------


def closed_off(state: State, node: Node | None) -> bool:
    """Whether a node, or one it stands in, has not been let through."""
    if not state.gates:
        return False
    while node is not None:
        if node.id in state.gates:
            return True
        node = _outer(node)
    return False


def frames_below(state: State, node: Node) -> list[Frame]:
    """The running frames of a node and of what is inside, inner ones first, without those closed off."""
    from fubini.engines.embedded.persist import live_frames

    return [f for f in live_frames(state) if _inside(f.node, node) and _may_go_on(state, f.node)]


def _may_go_on(state: State, node: Node) -> bool:
    return not closed_off(state, node) and kept_back_by(node) is None


def _outer(node: Node) -> Node | None:
    """What a node stands in: the Retry node of an attempt, else its boundary."""
    return node.parents[0] if node.retried and node.parents else node.boundary


def kept_back_by(node: Node) -> Node | None:
    """The outermost node around this one that lets nothing of it go on, for another reason than a gate.

    A retry runs nodes again all over the tree, but steps go through their groups one after the other: what runs again in
    a later group waits for its turn. And what is inside a node that has since found its result in a cache is never
    looked at again.
    """
    found: Node | None = None
    while (outer := _outer(node)) is not None:
        if outer.over:
            if outer.memo is not None and outer.memo.get("hit"):
                found = outer
        elif isinstance(outer.frame, Frame) and outer.frame.comes_later(node):
            found = outer
        node = outer
    return found


def put_off(state: State, frame: Frame) -> bool:
    """Note a frame with the node that keeps it back; -> whether there is one."""
    outer = kept_back_by(frame.node)
    if outer is not None:
        state.later.setdefault(outer.id, []).append(frame)
    return outer is not None


def take_turns(state: State, steps: Node) -> None:
    """Steps have come to a group that a retry left in the tree: what runs again inside goes on, or asks to."""
    for frame in state.later.pop(steps.id, ()):
        node = frame.node
        if node.over or node.frame is not frame or put_off(state, frame):
            continue
        if node.id in state.gates:
            state.work.append(lambda node=node: knock(state, node))  # type: ignore[misc]
        elif not closed_off(state, node):
            frame.go_on()


def _inside(node: Node | None, outer: Node) -> bool:
    while node is not None:
        if node is outer:
            return True
        node = _outer(node)
    return False


def catch_up(state: State) -> None:
    """Everything that stood still: gates that were opened meanwhile, then frames."""
    for node in [n for n in state.nodes.values() if n.gate is not None or n.id in state.gates]:
        gate = gate_of(state, node)
        if gate is not None and not node.fulfilled and kept_back_by(node) is None:
            state.work.append(lambda node=node: knock(state, node))  # type: ignore[misc]
    from fubini.engines.embedded.persist import live_frames

    for frame in live_frames(state):
        if _may_go_on(state, frame.node):
            frame.go_on()


def ask_again(state: State) -> None:
    """After a retry: composite nodes that run again need their locks again before anything inside goes on."""
    for node in sorted(state.nodes.values(), key=lambda n: len(n.name)):
        frame = node.frame
        if not isinstance(frame, Frame) or node.fulfilled or node.retried:
            continue
        if not frame.template.body.get("synchronization"):
            continue
        call = call_of(state, node, frame.template, frame.private())
        _close(state, node, Gate(call, frame.template, frame.processed), again=True)
        if kept_back_by(node) is None:
            state.work.insert(0, lambda node=node: knock(state, node))  # type: ignore[misc]
