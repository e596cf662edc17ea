"""What runs inside a composite node: the part common to steps, DAGs and retries, and how a template is started.

`launch` is Argo's executeTemplate for a node that does not exist yet: find the template, give it its arguments, hold
it back where a parallelism limit is reached, and make the node with whatever runs inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import process, tree
from fubini.engines.embedded.process import EngineError, Processed
from fubini.engines.embedded.program import ProgramError, Template, TemplateBase
from fubini.engines.embedded.scope import VariableScope
from fubini.engines.embedded.tree import Node
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase, NodeType

if TYPE_CHECKING:
    from fubini.engines.embedded.hooks import HookRunner, HookState
    from fubini.engines.embedded.scope import References
    from fubini.engines.embedded.state import State

TOO_DEEP = "Maximum recursion depth exceeded. See https://argo-workflows.readthedocs.io/en/release-4.1/scaling/#maximum-recursion-depth"
FAILED_FAST = "template has failed or errored children and failFast enabled"


@dataclass(slots=True)
class Call:
    """A template about to run as a node."""

    name: str
    holder: Mapping[str, Any]
    arguments: Mapping[str, Any]
    base: TemplateBase
    owner: Frame | None
    boundary: Node | None = None
    slot: str = ""
    kind: str = "step"
    on_exit: bool = False
    flag: dict[str, bool] | None = None
    depth: int = 1
    parents: tuple[Node, ...] = ()


@dataclass(slots=True)
class Waiting:
    """The call could not start yet: a parallelism limit is reached."""


@dataclass(slots=True)
class Failed:
    """The template could not be executed; `node` shows it and the caller fails with the message.

    `deep`: the run went too deep. `final`: the node had been made, so that no later pass looks at it again.
    """

    node: Node
    message: str
    deep: bool = False
    final: bool = False


WAITING = Waiting()
Outcome = Node | Waiting | Failed


class Frame:
    """Base of what runs inside a node."""

    def daemon_died(self, node: Node) -> None:
        """A daemon that served in this template has failed, after those who waited for it had gone on."""

    def __init__(self, state: State, node: Node, template: Template, processed: Processed, depth: int) -> None:
        self.state = state
        self.node = node
        self.template = template
        self.processed = processed
        self.depth = depth
        self.active_children = 0
        self.active_pods = 0
        self.unsuccessful = 0
        self.hooks: dict[str, HookState] = {}
        self.hook_runner: HookRunner
        self.broken = ""  # why the frame could not be rebuilt

    # what subclasses do
    def start(self) -> None:
        raise NotImplementedError

    def ended(self, node: Node) -> None:
        """A node this frame started has ended."""
        raise NotImplementedError

    def running(self, node: Node) -> None:
        """A leaf this frame started is running now."""

    def revives(self, node: Node) -> bool:
        """Whether a daemon this frame started is tried again when it dies."""
        return True

    def comes_later(self, node: Node) -> bool:
        """Whether a node inside, left there by a retry, stands behind what this frame is at."""
        return False

    def resume_waiting(self) -> None:
        """Try again to start what a limit held back."""

    def watch_failures(self) -> None:
        """From now on a failed child ends the frame, if its template asks for that."""
        if self.template.fail_fast and not self.node.fulfilled:
            self.state.fail_fast[id(self)] = self

    def end_fast(self) -> None:
        """A new pass finds that a child has failed and nothing runs: the frame is over."""

    @property
    def failed_fast(self) -> bool:
        """Whether a child has failed, nothing runs any more, and so nothing more may start."""
        return self.template.fail_fast and self.unsuccessful > 0 and self.active_pods == 0

    def check_fail_fast(self) -> None:
        """Something is held back: where that is for good, because another child has failed, the frame is over."""

    def restore(self) -> None:
        """Rebuild what is kept in memory from the children's nodes."""
        raise NotImplementedError

    def catch_up(self) -> None:
        """Do what the children's nodes allow; after `restore`, and when a suspended run goes on."""
        raise NotImplementedError

    # common
    def go_on(self) -> None:
        """`catch_up`, or the end of a frame that could not be rebuilt: what failed then fails again."""
        if self.broken and not self.node.fulfilled:
            self.fail(self.broken)
        else:
            self.catch_up()

    def private(self) -> dict[str, Any]:
        """What `load` cannot know otherwise: local variables, depth."""
        kept: dict[str, Any] = {"depth": self.depth}
        if self.processed.locals:
            kept["locals"] = dict(self.processed.locals)
        return kept

    def close(self) -> Any:
        """The node has ended; -> what `Node.frame` keeps (only what `outbound` needs)."""
        self.state.waiting.pop(id(self), None)
        self.state.fail_fast.pop(id(self), None)
        closed = Closed(self.state, self.template)
        closed.active_children, closed.active_pods = self.active_children, self.active_pods
        return closed

    def scope(self, references: References) -> VariableScope:
        """What this template's steps or tasks see."""
        return VariableScope(self.state.globals, self.processed.values, references)

    def fail(self, message: str, *, ends: bool = False) -> None:
        """Executing this template is an error for the node and for whoever called it.

        Only with `ends` do later nodes hang under what ran inside.
        """
        state, node = self.state, self.node
        owner = node.owner
        state.mark(node, NodePhase.ERROR, message, tell=False)
        if isinstance(node.frame, Closed):
            node.frame.endless = not ends
        if owner is not None:
            state.work.append(lambda: owner.failed(Failed(node, message)))

    def failed(self, failure: Failed) -> None:
        """A node this frame started could not be executed after all."""
        raise NotImplementedError

    def timed_out(self, node: Node) -> None:
        """A leaf this frame started was not running in time; it has been marked Failed and told nobody."""
        raise NotImplementedError


class Closed:
    """What is left of a frame after its node has ended: enough to find the node's ends, which later nodes hang under."""

    __slots__ = ("active_children", "active_pods", "endless", "state", "targets", "template", "unsuccessful")

    def __init__(self, state: State, template: Template, kept: Mapping[str, Any] | None = None) -> None:
        self.state = state
        self.template = template
        self.endless = bool(kept and kept.get("endless"))
        self.targets: list[str] | None = (kept or {}).get("targets")
        self.active_children = 0
        self.active_pods = 0
        self.unsuccessful = 0

    def private(self) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        if self.endless:
            kept["endless"] = True
        if self.targets is not None:
            kept["targets"] = self.targets
        return kept

    def close(self) -> Any:
        return self

    def ended(self, node: Node) -> None:
        """A straggler: whoever it belonged to is over."""

    def running(self, node: Node) -> None:
        """A straggler."""

    def revives(self, node: Node) -> bool:
        """Nobody needs it any more."""
        return False

    def failed(self, failure: Failed) -> None:
        """A straggler."""

    def timed_out(self, node: Node) -> None:
        """A straggler."""


def ends_of(node: Node) -> list[Node]:
    """The nodes of a steps or DAG node that come last in it: what Argo keeps as its outbound nodes."""
    frame = node.frame
    if not isinstance(frame, Closed) or frame.endless:
        return []
    last: list[Node] = []
    if node.type is NodeType.STEPS:
        for index in range(len(frame.template.steps) - 1, -1, -1):
            group = frame.state.find(f"{node.name}[{index}]")
            if group is not None:
                last = list(group.children)
                break
    elif node.type is NodeType.DAG:
        try:
            targets = frame.template.plan.targets if frame.targets is None else frame.targets
        except LanguageError:
            return []
        found = [frame.state.find(f"{node.name}.{name}") for name in targets]
        last = [end for end in found if end is not None]
    return _outbound_of(last)


def _outbound_of(nodes: list[Node]) -> list[Node]:
    found: dict[str, Node] = {}
    for node in nodes:
        for end in outbound(node):
            found[end.id] = end
    return list(found.values())


def outbound(node: Node) -> list[Node]:
    """The nodes that the successor of this one hangs under."""
    if node.type in (NodeType.SKIPPED, NodeType.SUSPEND, NodeType.HTTP, NodeType.PLUGIN):
        return [node]
    if node.type is NodeType.RETRY:
        return [node.children[-1]] if node.children else []
    if node.type in (NodeType.TASK_GROUP, NodeType.POD, NodeType.CONTAINER):
        return _inner_outbound(node)
    if node.memo and node.memo.get("hit"):
        return [node]
    return _outbound_of(ends_of(node))


def _inner_outbound(node: Node) -> list[Node]:
    if node.type is NodeType.POD:
        inner = [child for child in node.children if child.type is NodeType.CONTAINER and child.boundary is node]
        if inner:  # the hooks of a container set come last beside its containers
            inner += [child for child in node.children if child.hooked]
    elif node.type is NodeType.CONTAINER:
        inner = [child for child in node.children if child.boundary is node.boundary]
    else:
        inner = list(node.children)
    return _outbound_of(inner) if inner else [node]


# --- starting a template ----------------------------------------------------------------------------------------


def locals_for(state: State, call: Call, template: Template, *, retried: bool) -> dict[str, str]:
    """`node.name`, `pod.name`, `steps.name`, `tasks.name`."""
    found = {"node.name": call.name}
    if template.is_pod and not retried:
        found["pod.name"] = tree.pod_name(state.name, call.name, template.name)
    name = call.holder.get("name")
    if call.kind == "task":
        found["tasks.name"] = name or ""
    else:
        found["steps.name"] = name or ""
    return found


def blocked(state: State, boundary: Node | None) -> bool:
    """Whether a limit holds back one more node of this boundary."""
    limit = state.program.spec.get("parallelism")
    if limit is not None and state.active_pods >= int(limit):
        return True
    frame = boundary.frame if boundary is not None else None
    if not isinstance(frame, Frame):
        return False
    template = frame.template
    if template.fail_fast and frame.unsuccessful > 0:
        return True
    return bool(template.parallelism and frame.active_children >= template.parallelism)


def launch(state: State, call: Call) -> Outcome:
    """Start a template as a new node, with its edges."""
    if blocked(state, call.boundary):
        return WAITING
    if call.depth >= state.context.max_depth:
        return _unstartable(state, call, TOO_DEEP, deep=True)
    try:
        template = state.program.resolve(call.holder, call.base)
        strategy = template.body.get("retryStrategy")
        if strategy is None:
            strategy = state.program.retry_strategy
        locals_ = locals_for(state, call, template, retried=strategy is not None)
        processed = process.process(template, call.arguments, state.globals, locals_, state.program.config_maps)
    except (EngineError, ProgramError) as error:
        return _unstartable(state, call, str(error))
    if template.guarded:
        from fubini.engines.embedded import gates

        outcome: Outcome = gates.guard(state, call, template, processed, retried=strategy is not None)
    else:
        outcome = enter(state, call, template, processed)
    if template.impatient and isinstance(outcome, Node) and outcome.phase is NodePhase.PENDING:
        from fubini.engines.embedded.leaf import watch_pending

        watch_pending(state, outcome, processed)
    return outcome


def enter(state: State, call: Call, template: Template, processed: Processed, node: Node | None = None) -> Outcome:
    """Start a template whose arguments are in place and that need not wait for anything; `node` is its, if made."""
    strategy = template.body.get("retryStrategy")
    if strategy is None:
        strategy = state.program.retry_strategy
    if strategy is None:
        return begin(state, call, template, processed, node)
    from fubini.engines.embedded.retry import RetryFrame

    if node is None:
        node = node_of(state, call, NodeType.RETRY, NodePhase.RUNNING, processed)
    node.frame = RetryFrame(state, node, template, processed, call.depth)
    node.frame.call = call
    node.frame.start()
    return node


def begin(state: State, call: Call, template: Template, processed: Processed, node: Node | None = None) -> Outcome:
    """Make the node of a template whose arguments are in place, and start what runs inside."""
    from fubini.engines.embedded.childrun import open_child
    from fubini.engines.embedded.containers import open_containers
    from fubini.engines.embedded.dag import DagFrame
    from fubini.engines.embedded.inhouse import open_inhouse
    from fubini.engines.embedded.leaf import open_leaf
    from fubini.engines.embedded.steps import StepsFrame
    from fubini.engines.embedded.suspend import open_suspend

    kind = template.kind
    if kind in ("steps", "dag"):
        type_ = NodeType.STEPS if kind == "steps" else NodeType.DAG
        if node is None:
            node = node_of(state, call, type_, NodePhase.RUNNING, processed)
            node.memo = memo_of(processed)
        frame: Frame = (
            StepsFrame(state, node, template, processed, call.depth)
            if kind == "steps"
            else DagFrame(state, node, template, processed, call.depth)
        )
        node.frame = frame
        state.work.append(frame.start)
        return node
    if kind == "suspend":
        node = node or node_of(state, call, NodeType.SUSPEND, NodePhase.PENDING, processed)
        failure = open_suspend(state, node, processed)
    elif kind in ("http", "data"):
        type_ = NodeType.HTTP if kind == "http" else NodeType.POD
        node = node or node_of(state, call, type_, NodePhase.PENDING, processed)
        failure = open_inhouse(state, node, processed)
    elif kind == "resource":
        node = node or node_of(state, call, NodeType.POD, NodePhase.PENDING, processed)
        failure = open_child(state, node, processed)
    elif kind in ("container", "script", "containerSet"):
        if node is None:
            node = node_of(state, call, NodeType.POD, NodePhase.PENDING, processed)
            node.memo = memo_of(processed)
        failure = open_leaf(state, node, processed, call)
        if not failure:
            open_containers(state, node, template, call)
    else:
        return _unstartable(state, call, f"Template '{template.name}' is a {kind} template, which is not run here")
    if failure:
        state.mark(node, NodePhase.ERROR, failure, tell=False)
        return Failed(node, failure)
    return node


def memo_of(processed: Processed) -> dict[str, Any] | None:
    """What a node of a template with `memoize` shows of it before it is known in the cache."""
    if not processed.template.body.get("memoize"):
        return None
    from fubini.engines.embedded import gates

    return gates.memo_status(processed)


def node_of(state: State, call: Call, type_: NodeType, phase: NodePhase, processed: Processed) -> Node:
    """The node of a call, with its inputs and edges."""
    node = state.create(
        call.name,
        type_,
        phase,
        boundary=call.boundary,
        scope=call.base.scope,
        owner=call.owner,
        slot=call.slot,
        template_name=_template_name(call.holder),
        template_ref=call.holder.get("templateRef"),
        flag=call.flag,
        on_exit=call.on_exit,
    )
    node.inputs = processed.shown()
    for parent in call.parents:
        state.link(parent, node)
    label = (processed.template.body.get("annotations") or {}).get("workflows.argoproj.io/display-name")
    if label:
        node.display = processed.sub(label)
    return node


def _template_name(holder: Mapping[str, Any]) -> str:
    return "" if holder.get("templateRef") else holder.get("template") or ""


def _unstartable(state: State, call: Call, message: str, *, deep: bool = False) -> Failed:
    node = skipped_node(state, call, NodePhase.ERROR, message)
    return Failed(node, message, deep)


def skipped_node(state: State, call: Call, phase: NodePhase, message: str) -> Node:
    """A node of type Skipped: not run, or not able to run."""
    node = state.create(
        call.name,
        NodeType.SKIPPED,
        phase,
        boundary=call.boundary,
        scope=call.base.scope,
        owner=call.owner,
        slot=call.slot,
        template_name=_template_name(call.holder),
        template_ref=call.holder.get("templateRef"),
        flag=call.flag,
        message=message,
        on_exit=call.on_exit,
    )
    for parent in call.parents:
        state.link(parent, node)
    return node
