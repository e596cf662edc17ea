"""A run's state while it is interpreted, and the few ways in which it changes.

Everything an event changes is collected here and handed out once as a `Step`. Nodes that end are queued for their
owner, so that long chains neither recurse nor look at the rest of the tree. Counters (open leaves, active children of
a boundary) are kept as nodes change phase.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import tree
from fubini.engines.embedded.keeping import keep_of
from fubini.engines.embedded.program import Program, ProgramError, Template, TemplateBase
from fubini.engines.embedded.tree import ACTIVE, Node
from fubini.language import gojson
from fubini.runs.engine import (
    FULFILLED,
    RUN_HOLDER,
    CancelTask,
    Command,
    LockRelease,
    MemoSave,
    NodeId,
    NodePhase,
    NodeRecord,
    NodeType,
    RunContext,
    RunRecord,
    Step,
    Timer,
)

if TYPE_CHECKING:
    from fubini.engines.embedded.frames import Frame
    from fubini.engines.embedded.gates import Gate

COMPOSITES = frozenset({NodeType.STEPS, NodeType.DAG})
_COUNTED = frozenset({NodeType.POD, NodeType.STEPS, NodeType.DAG})


class LimitReached(Exception):
    """The run cannot go on as a whole: it would outgrow this installation; the message names the limit."""


class SignalRefused(Exception):
    """A person's action does not fit the run's state; the message says why. Nothing has changed."""


class State:
    """One run. Made by `new` or `load`, changed only by `advance`; the caller owns it."""

    def __init__(self, manifest: Mapping[str, Any], context: RunContext) -> None:
        self.manifest = manifest
        self.context: RunContext = context
        self.program = Program(manifest, context.library)
        self.nodes: dict[NodeId, Node] = {}
        self.generations: dict[NodeId, int] = {}
        self.globals: dict[str, Any] = {}
        self.arguments: dict[str, Any] = {}
        self.phase = NodePhase.PENDING
        self.message = ""
        self.outputs: dict[str, list[dict[str, Any]]] = {}
        self.suspended = False
        self.shutdown = ""
        self.finished = False
        self.started: int | None = None
        self.deadline: int | None = None
        self.begun = False
        self.limit = ""
        self.overrides: dict[str, str] = {}
        self.change: Mapping[str, Any] = {}  # of the newest retry; see `changes`
        # bookkeeping, rebuilt by `load`
        self.now = 0
        self.active_pods = 0
        self.failures: dict[NodeId, Node] = {}
        self.root_owner: Any = None
        self.daemons: dict[int, dict[NodeId, Node]] = {}  # those that serve, by the template they were started in
        self.made = 0  # nodes made so far
        self.remade = 0  # of them, those that came back after a retry
        self.verdict: Node | None = None  # the node that stands for the entry node's end, where that is another
        self.waiting: dict[int, Frame] = {}
        self.fail_fast: dict[int, Frame] = {}  # composites that end with their first failure, outer ones first
        self.run_lock = ""  # the run's own locks: "" | asked | waiting | held
        self.asked: NodeId | None = None  # who waits for an answer; nothing else goes on before it
        self.gates: dict[NodeId, Gate] = {}
        self.holding: dict[NodeId, Node] = {}  # nodes that asked for locks and have not given them back
        self.later: dict[NodeId, list[Frame]] = {}  # after a retry: frames in step groups to come, by the steps' node
        self.crowded: dict[NodeId, Node] = {}  # nodes with their locks, held back by the workflow's parallelism
        self.work: list[Callable[[], None]] = []  # a stack: what runs inside comes before what follows
        self.late: deque[Callable[[], None]] = deque()
        # what the event at hand changed
        self._changed: list[Node] = []
        self._removed: list[NodeRecord] = []
        self._commands: list[Command] = []
        self._timers: dict[str, Timer] = {}
        self._run_dirty = False

    @classmethod
    def new(cls, manifest: Mapping[str, Any], context: RunContext) -> State:
        """A run that has not started: feed it `Start`."""
        return cls(manifest, context)

    # --- nodes ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.context.name

    def find(self, name: str) -> Node | None:
        """A node by its full name."""
        return self.nodes.get(self.find_id(name))

    def find_id(self, name: str) -> NodeId:
        """A node's id: Argo's, but two names with the same hash get different ones."""
        id_ = tree.node_id(self.name, name)
        found, number = self.nodes.get(id_), 1
        while found is not None and found.name != name:
            number += 1
            other = NodeId(f"{id_}-{number}")
            found = self.nodes.get(other)
            if found is None or found.name == name:
                return other
        return id_

    def template_of(self, node: Node) -> Template | None:
        """The template a node runs, found again from what the node keeps."""
        holder: dict[str, Any] = {}
        if node.template_ref:
            holder["templateRef"] = node.template_ref
        elif node.template_name:
            holder["template"] = node.template_name
        else:
            inline = self._inline(node)
            if inline is None:
                return None
            holder["inline"] = inline
        try:
            return self.program.resolve(holder, self.base_of(node))
        except ProgramError:
            return None

    def base_of(self, node: Node) -> TemplateBase:
        """Where the names in a node's step or task were looked up."""
        scope, _, name = node.scope.partition("/")
        if not name:
            return self.program.root
        return self.program.bases.get((scope, name), self.program.root)

    def _inline(self, node: Node) -> Mapping[str, Any] | None:
        """The template written inside the step or task that a node stands for."""
        boundary = node.boundary
        parent = self.template_of(boundary) if boundary is not None else None
        return parent.inline_of(node.slot) if parent is not None else None

    def leaf_locals(self, node: Node, template: Template) -> dict[str, str]:
        """The local variables a leaf was started with, as far as outputs can mention them."""
        found = {"node.name": node.name, "pod.name": tree.pod_name(self.name, node.name, template.name)}
        if node.retried:
            found["node.name"] = node.parents[0].name if node.parents else node.name
            found["retries"] = node.name.rpartition("(")[2].rstrip(")")
        if node.slot:
            kind = "tasks" if node.boundary is not None and node.boundary.type is NodeType.DAG else "steps"
            found[f"{kind}.name"] = node.display if not node.retried else node.parents[0].display
        return found

    def create(
        self,
        name: str,
        type_: NodeType,
        phase: NodePhase,
        *,
        boundary: Node | None,
        scope: str,
        owner: Frame | None = None,
        slot: str = "",
        template_name: str = "",
        template_ref: Mapping[str, Any] | None = None,
        flag: dict[str, bool] | None = None,
        message: str = "",
        on_exit: bool = False,
    ) -> Node:
        """Add a node.

        Raises:
            LimitReached: the run has as many nodes as it may have.
        """
        if len(self.nodes) >= self.context.max_nodes:
            raise LimitReached(f"the run would have more than {self.context.max_nodes} nodes (the project's max_nodes)")
        id_ = self.find_id(name)
        if id_ in self.nodes:
            raise LimitReached(f"two nodes would have the name {name}")
        node = Node(id_, name, tree.display_name(name, boundary.name if boundary else None), type_, phase)
        node.boundary = boundary
        node.scope = scope
        node.owner = owner
        node.slot = slot
        node.template_name = template_name
        node.template_ref = template_ref
        node.flag = flag
        node.message = message
        node.on_exit = on_exit
        node.started = self.now
        self.made = node.number = self.made + 1
        node.generation = self.generations.get(id_, -1) + 1
        if node.generation:
            self.remade += 1
            node.again = (len(self.generations), self.remade)
        self.generations[id_] = node.generation
        if phase in FULFILLED:
            node.finished = self.now
            if phase in tree.FAILED:
                self.failures[id_] = node
        self.nodes[id_] = node
        self.count(node, None, phase)
        self.touch(node)
        return node

    def remove(self, nodes: Collection[Node]) -> None:
        """Take nodes out of the tree; their records say so with no phase."""
        gone = {id(node) for node in nodes}
        parents: dict[int, Node] = {}
        for node in nodes:
            self.count(node, node.phase, None)
            self.failures.pop(node.id, None)
            parents.update((id(parent), parent) for parent in node.parents if id(parent) not in gone)
            for child in node.children:
                if id(child) not in gone:
                    child.parents = tuple(parent for parent in child.parents if id(parent) not in gone)
                    self.touch(child)
            del self.nodes[node.id]
            self._removed.append(
                NodeRecord(
                    id=node.id,
                    name=node.name,
                    display_name=node.display,
                    type=node.type,
                    phase=None,
                    generation=node.generation,
                    private={"again": list(node.again)} if node.again is not None else {},
                )
            )
        for parent in parents.values():
            parent.children = [child for child in parent.children if id(child) not in gone] or ()

    def touch(self, node: Node) -> None:
        """The node goes into this event's step."""
        if not node.dirty:
            node.dirty = True
            self._changed.append(node)

    def touch_run(self) -> None:
        self._run_dirty = True

    def link(self, parent: Node, child: Node) -> None:
        """Add an edge, once."""
        before = child.parents
        parent.add_child(child)
        if child.parents is not before:
            self.touch(child)

    def count(self, node: Node, before: NodePhase | None, after: NodePhase | None) -> None:
        """Keep the counters in step with a phase change."""
        was, is_ = before in ACTIVE, after in ACTIVE
        if was == is_ or node.type not in _COUNTED:
            return
        change = 1 if is_ else -1
        if node.type is NodeType.POD and not node.waiting_for:
            self._count_pod(node, change)
        boundary = node.boundary
        if boundary is not None and boundary.frame is not None:
            boundary.frame.active_children += change
            if change < 0 and id(boundary.frame) in self.waiting:
                self.late.append(boundary.frame.resume_waiting)

    def _count_pod(self, node: Node, change: int) -> None:
        self.active_pods += change
        if node.boundary is not None and node.boundary.frame is not None:
            node.boundary.frame.active_pods += change

    def set_waiting(self, node: Node, lock: str) -> None:
        """The node waits for a lock ("": no more); its leaf is not counted as open meanwhile."""
        if bool(lock) is not bool(node.waiting_for) and node.type is NodeType.POD and node.phase in ACTIVE:
            self._count_pod(node, -1 if lock else 1)
        node.waiting_for = lock
        self.touch(node)

    def unlock(self, node: Node) -> None:
        """A node is over: it gives its locks back, and leaves their queues."""
        self.holding.pop(node.id, None)
        if node.locked:
            node.locked = False
            self.command(LockRelease(node.id, node.generation))
        if self.gates.pop(node.id, None) is not None or node.gate is not None:
            node.gate = None
            self.crowded.pop(node.id, None)
            if self.asked == node.id:
                self.asked = None
        node.waiting_for = ""

    def unlock_run(self) -> None:
        """The run is over."""
        for node in sorted(self.holding.values(), key=attrgetter("number")):
            self.unlock(node)
            self.touch(node)
        if self.run_lock:
            self.run_lock = ""
            if self.asked == RUN_HOLDER:
                self.asked = None
            self.command(LockRelease(RUN_HOLDER, 0))
            self.touch_run()

    def _memoize(self, node: Node) -> None:
        memo = node.memo
        if memo is not None and "key" in memo and not memo["hit"] and node.type in _COUNTED:
            outputs = dict(node.outputs or {})
            self.command(MemoSave(node.id, node.generation, memo["cacheName"], memo["key"], outputs))

    def mark(self, node: Node, phase: NodePhase, message: str | None = None, *, tell: bool = True) -> None:
        """Change a node's phase and message; an ended node's owner is told unless `tell` is false."""
        before = node.phase
        if before is not phase:
            node.phase = phase
            self.count(node, before, phase)
            if phase in tree.FAILED:
                self.failures[node.id] = node
                if node.boundary is not None and node.boundary.frame is not None and node.type in _COUNTED:
                    node.boundary.frame.unsuccessful += 1
        if message is not None:
            node.message = message
        self.touch(node)
        if phase in FULFILLED:
            if node.finished is None:
                node.finished = self.now
            if self.daemons and node.type in COMPOSITES:
                self.end_daemons(node)
            if before not in FULFILLED:
                if node.locked or node.gate is not None:
                    self.unlock(node)
                if phase is NodePhase.SUCCEEDED:
                    self._memoize(node)
                node.frame = None if node.frame is None else node.frame.close()
                if tell and node.owner is not None and not self.suspended:
                    self.work.append(lambda: node.owner.ended(node))

    # --- daemons -------------------------------------------------------------------------------------------------

    def daemon_runs(self, node: Node) -> None:
        """A daemon serves now: whoever waits for it may go on, and it ends with the template it was started in."""
        told = node.daemoned
        node.daemoned = True
        self.daemons.setdefault(id(node.boundary), {})[node.id] = node
        if node.locked:
            self.unlock(node)  # for Argo it is fulfilled, and what is fulfilled holds nothing
        self.touch(node)
        if not told and node.owner is not None and not self.suspended:
            self.work.append(lambda: node.owner.ended(node))

    def daemon_died(self, node: Node, phase: NodePhase, message: str | None) -> None:
        """A daemon ended by itself. Those who waited for it have gone on; only its Retry node hears of it."""
        node.daemoned = False
        self._serves_no_more(node)
        self.mark(node, phase, message, tell=node.retried)
        if node.failed and not node.retried and node.boundary is not None and node.boundary.frame is not None:
            frame = node.boundary.frame
            self.work.append(lambda: frame.daemon_died(node))

    def _serves_no_more(self, node: Node) -> None:
        beside = self.daemons.get(id(node.boundary), {})
        beside.pop(node.id, None)
        if not beside:
            self.daemons.pop(id(node.boundary), None)

    def end_daemons(self, boundary: Node | None) -> None:
        """The template in which daemons were started is over: they end, and that is a success."""
        for node in self.daemons.pop(id(boundary), {}).values():
            self.failures.pop(node.id, None)
            node.daemoned = False
            if node.type is NodeType.POD and not node.over:
                self.command(CancelTask(node.id, node.generation, "the template that started this daemon is over"))
            self.mark(node, NodePhase.SUCCEEDED, tell=False)

    def has_daemon_around(self, node: Node) -> bool:
        """Whether a daemon serves in a template that this node is inside of."""
        if not self.daemons:
            return False
        around = node.boundary
        while around is not None:
            if id(around) in self.daemons:
                return True
            around = around.boundary
        return False

    # --- commands and timers -------------------------------------------------------------------------------------

    def command(self, command: Command) -> None:
        self._commands.append(command)

    def timer(self, key: str, at_ms: int | None) -> None:
        """Ask to be woken; the last word on a key counts."""
        self._timers[key] = Timer(key, at_ms)

    # --- the run -------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Let every frame that has something to do do it: first what follows at once, then what waits for a pass."""
        while (self.work or self.late) and self.asked is None:
            if self.work:
                self.work.pop()()
            else:
                self.late.popleft()()

    def add_global_output(self, outputs: Mapping[str, Any] | None) -> None:
        """Outputs with a `globalName` become the workflow's."""
        if not outputs:
            return
        for kind in ("parameters", "artifacts"):
            for entry in outputs.get(kind) or ():
                name = entry.get("globalName")
                if not name:
                    continue
                self._set_output(kind, name, entry)

    def _set_output(self, kind: str, name: str, entry: Mapping[str, Any]) -> None:
        listed = self.outputs.setdefault(kind, [])
        if kind == "parameters":
            given = entry.get("value")
            value: dict[str, Any] = {"name": name} if given is None else {"name": name, "value": given}
        else:
            value = {k: v for k, v in entry.items() if k not in ("globalName", "path")} | {"name": name}
            self.globals[f"workflow.outputs.artifacts.{name}"] = value
        for n, known in enumerate(listed):
            if known["name"] == name:
                if kind == "artifacts" or "value" in value:
                    listed[n] = value
                break
        else:
            listed.append(value)
        if kind == "parameters":
            kept = next(entry for entry in listed if entry["name"] == name)
            self.globals[f"workflow.outputs.parameters.{name}"] = kept.get("value", "")
        self.touch_run()

    def failures_json(self) -> str:
        """`workflow.failures`: the failed nodes, quoted once more as Argo quotes them."""
        from fubini.engines.embedded.scope import rfc3339

        found = [
            "{"
            + ",".join(
                f'"{key}":{gojson.dumps(value)}'
                for key, value in (
                    ("displayName", node.display),
                    ("message", node.message),
                    ("templateName", node.template),
                    ("phase", node.phase.value),
                    ("podName", tree.pod_name(self.name, node.name, node.template)),
                    ("finishedAt", rfc3339(node.finished) if node.finished is not None else None),
                )
            )
            + "}"
            for node in sorted(self.failures.values(), key=attrgetter("number"))
        ]
        text = "[" + ",".join(found) + "]" if found else "null"
        return gojson.dump_string(text).replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")

    def take_step(self) -> Step:
        """Everything the event changed; the next event starts afresh. While somebody waits for an answer: commands only."""
        if self.asked is not None:
            commands, self._commands = tuple(self._commands), []
            return Step(commands=commands, settled=False)
        records = [node.record() for node in self._changed if self.nodes.get(node.id) is node]
        for node in self._changed:
            node.dirty = False
        known = {record.id for record in records}
        records.extend(record for record in self._removed if record.id not in known)
        step = Step(
            nodes=tuple(records),
            run=self.run_record() if self._run_dirty else None,
            commands=tuple(self._commands),
            timers=tuple(self._timers.values()),
        )
        self._changed, self._removed, self._commands = [], [], []
        self._timers = {}
        self._run_dirty = False
        return step

    def run_record(self) -> RunRecord:
        """The run as a whole."""
        private: dict[str, Any] = {"started": self.started, "begun": self.begun}
        if self.overrides:
            private["parameters"] = self.overrides
        if self.change:
            private["change"] = dict(self.change)
        if self.limit:
            private["limit"] = self.limit
        if self.verdict is not None:
            private["verdict"] = self.verdict.id
        if self.run_lock:
            private["lock"] = self.run_lock
        return RunRecord(
            phase=self.phase,
            message=self.message,
            outputs={kind: list(listed) for kind, listed in self.outputs.items() if listed} or None,
            suspended=self.suspended,
            shutdown=self.shutdown,
            finished=self.finished,
            drop_disks=self.finished and self.program.drops_disks(self.phase),
            keep=keep_of(self.program.spec, self.phase) if self.finished else None,
            private=private,
        )
