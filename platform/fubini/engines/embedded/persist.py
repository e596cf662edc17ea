"""A run's state out to records and back.

What is kept is what each `Step` said last of every node and of the run. Everything else (who waits for whom, what is
open, what a limit holds back) follows from the manifest and the tree, and is found again by `rebuild`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fubini.engines.embedded import gates
from fubini.engines.embedded.dag import DagFrame
from fubini.engines.embedded.frames import Call, Closed, Frame
from fubini.engines.embedded.globals import set_globals
from fubini.engines.embedded.interpreter import root_of, show_status
from fubini.engines.embedded.process import EngineError, restore
from fubini.engines.embedded.program import Template
from fubini.engines.embedded.retry import RetryFrame
from fubini.engines.embedded.state import State
from fubini.engines.embedded.steps import StepsFrame
from fubini.engines.embedded.tree import Node
from fubini.language.errors import LanguageError
from fubini.runs.engine import Event, NodeId, NodeRecord, NodeType, RunContext, RunRecord

_COMPOSITES: dict[NodeType, type[Frame]] = {
    NodeType.STEPS: StepsFrame,
    NodeType.DAG: DagFrame,
    NodeType.RETRY: RetryFrame,
}


def dump(state: State) -> tuple[RunRecord, list[NodeRecord]]:
    """The whole state as records."""
    return state.run_record(), [node.record() for node in state.nodes.values()]


def load(
    manifest: Mapping[str, Any],
    context: RunContext,
    run: RunRecord | None,
    records: Sequence[NodeRecord],
    unsettled: Sequence[Event] = (),
) -> State:
    """A state equal to the one whose steps left these records, in the order in which the nodes first came.

    `unsettled` are the events since the last step that was settled; `run` is None where none was. What they command has
    been handed out.
    """
    from fubini.engines.embedded.interpreter import advance

    state = State(manifest, context) if run is None else _settled(manifest, context, run, records)
    for event in unsettled:
        advance(state, event)
    return state


def _settled(manifest: Mapping[str, Any], context: RunContext, run: RunRecord, records: Sequence[NodeRecord]) -> State:
    state = State(manifest, context)
    state.phase, state.message = run.phase, run.message
    state.suspended, state.shutdown, state.finished = run.suspended, run.shutdown, run.finished
    state.outputs = {kind: [dict(entry) for entry in entries] for kind, entries in (run.outputs or {}).items()}
    state.started = run.private.get("started")
    state.begun = bool(run.private.get("begun"))
    state.overrides = dict(run.private.get("parameters") or {})
    state.change = dict(run.private.get("change") or {})
    state.limit = run.private.get("limit") or ""
    state.run_lock = run.private.get("lock") or ""
    if not state.begun and not state.run_lock:
        return state
    _globals(state)
    private = _nodes(state, records)
    verdict = run.private.get("verdict")
    state.verdict = state.nodes.get(verdict) if verdict else None
    root = state.nodes.get(state.find_id(state.name))
    if root is not None:
        show_status(state, root)
    rebuild(state, private)
    return state


def _globals(state: State) -> None:
    try:
        set_globals(state)
    except EngineError:
        return
    seconds = state.program.spec.get("activeDeadlineSeconds")
    if seconds is not None and state.started is not None:
        state.deadline = state.started // 1000 * 1000 + int(seconds) * 1000


def _nodes(state: State, records: Sequence[NodeRecord]) -> dict[str, Mapping[str, Any]]:
    """Make the nodes and their edges; -> what frames kept, by node id."""
    private: dict[str, Mapping[str, Any]] = {}
    for record in as_created(records):
        state.generations[record.id] = record.generation
        again = record.private.get("again")
        if again:
            state.remade = max(state.remade, again[1])
        if record.phase is None:
            continue
        node = Node(record.id, record.name, record.display_name, record.type, record.phase)
        node.generation = record.generation
        state.made = node.number = state.made + 1
        node.again = tuple(again) if again else None
        node.template_name = record.template_name
        node.template_ref = record.template_ref
        node.scope = record.template_scope
        node.message = record.message
        node.inputs = dict(record.inputs) if record.inputs is not None else None
        node.outputs = dict(record.outputs) if record.outputs is not None else None
        node.flag = dict(record.node_flag) if record.node_flag is not None else None
        node.started, node.finished = record.started_ms, record.finished_ms
        kept = record.private
        node.slot = kept.get("slot") or ""
        node.on_exit = bool(kept.get("exit"))
        node.daemoned = bool(kept.get("daemoned"))
        node.address = kept.get("address") or ""
        node.memo = dict(kept["memo"]) if kept.get("memo") is not None else None
        node.waiting_for = record.waiting_for
        node.barred = bool(kept.get("barred"))
        node.watched = bool(kept.get("watched"))
        node.locked = bool(kept.get("locked"))
        node.gate = dict(kept["gate"]) if kept.get("gate") is not None else None
        if kept.get("frame"):
            private[record.id] = kept["frame"]
        state.nodes[record.id] = node
        for at in (node.started, node.finished):
            state.now = max(state.now, at or 0)
    known = {record.id: record for record in records}
    for node_ in state.nodes.values():
        record = known[node_.id]
        if record.boundary_id is not None:
            node_.boundary = state.nodes.get(record.boundary_id)
        parents = [state.nodes[parent] for parent in record.parents if parent in state.nodes]
        node_.parents = tuple(parents)
        for parent in parents:
            if not parent.children:
                parent.children = [node_]
            else:
                assert isinstance(parent.children, list)
                parent.children.append(node_)
    return private


def as_created(records: Sequence[NodeRecord]) -> list[NodeRecord]:
    """Records in the order in which the nodes that they are now were made: one that came back came after all there were."""
    if not any("again" in record.private for record in records):
        return list(records)
    keys = {r.id: tuple(r.private["again"]) if "again" in r.private else (n + 1, 0) for n, r in enumerate(records)}
    return sorted(records, key=lambda record: keys[record.id])


def depth_of(node: Node) -> int:
    """How deep below the entry template a node is."""
    depth = 1
    while node.boundary is not None:
        node = node.boundary
        depth += 1
    return depth


def rebuild(state: State, private: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the frames of composite nodes again, and the owners and counters of everything.

    What the frames before had still to do goes with them: `catch_up` finds it again from the tree.
    """
    state.work.clear()
    state.late.clear()
    composites = [node for node in state.nodes.values() if node.type in _COMPOSITES]
    templates = {node.id: state.template_of(node) for node in composites}
    left: set[NodeId] = set()
    for node in composites:
        template = templates[node.id]
        node.frame = None
        if template is None or (node.gate is not None and not node.gate.get("again")):
            continue
        if _left_behind(node) or (node.boundary is not None and node.boundary.id in left):
            left.add(node.id)
        if node.over or node.id in left:
            node.frame = Closed(state, template, private.get(node.id))
        else:
            node.frame = _frame(state, node, template, private.get(node.id) or {})
    state.active_pods = 0
    state.waiting.clear()
    state.daemons.clear()
    state.failures = {node.id: node for node in state.nodes.values() if node.failed}
    for node in state.nodes.values():
        if node.daemoned:
            state.daemons.setdefault(id(node.boundary), {})[node.id] = node
    state.gates.clear()
    state.crowded.clear()
    for node in state.nodes.values():
        if node.locked:
            state.holding[node.id] = node
        if node.gate is None:
            continue
        gates.gate_of(state, node)
        if node.gate.get("granted"):
            state.crowded[node.id] = node
    root = root_of(state)
    for node in state.nodes.values():
        if node.retried and node.parents and node.parents[0].type is NodeType.RETRY and node.parents[0] is not node:
            node.owner = node.parents[0].frame
        elif node.type in (NodeType.STEP_GROUP, NodeType.TASK_GROUP):
            node.owner = None
        else:
            node.owner = root if node.boundary is None else node.boundary.frame
        state.count(node, None, node.phase)
        if node.failed and node.boundary is not None and node.boundary.frame is not None:
            node.boundary.frame.unsuccessful += node.type in (NodeType.POD, NodeType.STEPS, NodeType.DAG)
    frames = live_frames(state)
    for frame in frames:
        try:
            frame.restore()
        except (EngineError, LanguageError) as error:
            frame.broken = str(error)
    state.later.clear()
    for frame in frames:
        gates.put_off(state, frame)


def _left_behind(node: Node) -> bool:
    """Whether this is an attempt that a retry reset beside a later one: Argo goes on with the last, and leaves it as it is."""
    if node.over or not node.retried or not node.parents or node.parents[0].type is not NodeType.RETRY:
        return False
    return node.parents[0].attempts()[-1] is not node


def _frame(state: State, node: Node, template: Template, kept: Mapping[str, Any]) -> Frame:
    """The frame of a node that is not over."""
    locals_ = dict(kept.get("locals") or {})
    processed = restore(template, node.inputs, state.globals, locals_)
    frame = _COMPOSITES[node.type](state, node, template, processed, int(kept.get("depth") or depth_of(node)))
    if isinstance(frame, RetryFrame):
        call = kept.get("call") or {}
        in_dag = node.boundary is not None and node.boundary.type is NodeType.DAG
        holder: dict[str, Any] = {"name": call.get("name") or (node.display if node.slot else "")}
        if node.template_ref:
            holder["templateRef"] = node.template_ref
        elif node.template_name:
            holder["template"] = node.template_name
        else:
            holder["inline"] = template.body
        frame.call = Call(
            name=node.name,
            holder=holder,
            arguments={},
            base=state.base_of(node),
            owner=None,
            boundary=node.boundary,
            slot=node.slot,
            kind=call.get("kind") or ("task" if in_dag else "step"),
            on_exit=node.on_exit,
            flag={"hooked": True} if node.hooked else None,
            depth=frame.depth,
        )
    return frame


def live_frames(state: State) -> list[Frame]:
    """The frames of running composites, inner ones first."""
    frames = [node.frame for node in state.nodes.values() if isinstance(node.frame, Frame)]
    return sorted(frames, key=lambda frame: -depth_of(frame.node))
