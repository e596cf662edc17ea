"""What runs inside a composite node: the part common to steps, DAGs and retries, and how a template is started.

`launch` is Argo's executeTemplate for a node that does not exist yet: find the template, give it its arguments, hold
it back where a parallelism limit is reached, and make the node with whatever runs inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import process, tree
from fubini.engines.embedded.process import EngineError, Processed
from fubini.engines.embedded.program import ProgramError, Template, TemplateBase
from fubini.engines.embedded.scope import VariableScope, evaluate_bool, last_attempt
from fubini.engines.embedded.tree import Node
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase, NodeType

if TYPE_CHECKING:
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


# --- hooks ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class HookState:
    """The hooks of one step or task: which have been started, and how many still run."""

    started: dict[str, Node] = field(default_factory=dict)
    open: int = 0
    exit_done: bool = False


def exit_hook(holder: Mapping[str, Any], arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The exit handler of a step, task or workflow, with the workflow's arguments where it has none."""
    if holder.get("onExit"):
        return {"template": holder["onExit"], "arguments": arguments}
    hook = (holder.get("hooks") or {}).get("exit")
    if hook is None:
        return None
    own = hook.get("arguments") or {}
    return hook if own.get("parameters") or own.get("artifacts") else {**hook, "arguments": arguments}


def hook_arguments(
    arguments: Mapping[str, Any], prefix: str, name: str, outputs: Mapping[str, Any] | None, scope: VariableScope
) -> Mapping[str, Any]:
    """A hook's arguments, seeing the outputs of the step or task it belongs to.

    Raises:
        EngineError: a reference that cannot be resolved.
    """
    local = dict(scope.local)
    for parameter in (outputs or {}).get("parameters") or ():
        local[f"{prefix}.{name}.outputs.parameters.{parameter['name']}"] = parameter.get("value") or ""
    for artifact in (outputs or {}).get("artifacts") or ():
        local[f"{prefix}.{name}.outputs.artifacts.{artifact['name']}"] = artifact
    wide = VariableScope(scope.globals, local, scope.references)
    body = dict(arguments)
    if body.get("parameters") and scope.references is not None:
        references = scope.references
        body["parameters"] = [
            {**p, "value": process.ABSENT} if p.get("value") and process.absent(p["value"], references) else p
            for p in body["parameters"]
        ]
    replaced = process.walk(body, lambda text: process.replace(text, wide))
    return process.resolve_artifacts(replaced, wide, skip=lambda _, artifact: bool(artifact.get("optional")))


class HookRunner:
    """Runs the hooks of one frame's steps or tasks."""

    def __init__(self, frame: Frame, prefix: str, references: References) -> None:
        self.frame = frame
        self.prefix = prefix
        self.references = references
        self.held: dict[str, Node] = {}  # nodes with a hook that a limit held back

    def hold(self, node: Node) -> None:
        """A limit keeps a hook of this node from starting."""
        self.held[node.id] = node
        self.frame.state.waiting[id(self.frame)] = self.frame
        if self.frame.failed_fast:  # not otherwise: a pass that leaves work behind is followed by another
            self.frame.state.late.append(self.frame.check_fail_fast)

    def hold_again(self, holder: Mapping[str, Any], node: Node, name: str) -> None:
        """Read back: a hook whose condition holds, while there is no room for it, was held back."""
        hooks = {k: hook for k, hook in (holder.get("hooks") or {}).items() if k != "exit" and hook.get("expression")}
        known = self.frame.hooks.get(node.id)
        for hook_name, hook in hooks.items():
            if (known is None or hook_name not in known.started) and blocked(self.frame.state, self.frame.node):
                try:
                    if evaluate_bool(hook["expression"], self._scope(node, name)):
                        self.hold(node)
                except LanguageError:
                    continue  # said where the hook is looked at
                finally:
                    self.references.hidden = ""

    def take_held(self) -> list[Node]:
        """The nodes whose hooks a limit held back, to look at again, in the order in which they were made."""
        nodes = sorted(self.held.values(), key=attrgetter("number"))
        self.held.clear()
        return nodes

    def run(self, holder: Mapping[str, Any], node: Node, name: str) -> bool:
        """`start_hooks`, with the step itself hidden from its hooks."""
        try:
            return self.start_hooks(holder, node, name)
        except LanguageError as error:
            raise EngineError(error.message) from None
        finally:
            self.references.hidden = ""

    def run_exit(self, holder: Mapping[str, Any], node: Node, name: str) -> bool:
        """`start_exit`, with the step itself hidden from its handler."""
        try:
            return self.start_exit(holder, node, name)
        except LanguageError as error:
            raise EngineError(error.message) from None
        finally:
            self.references.hidden = ""

    def start_hooks(self, holder: Mapping[str, Any], node: Node, name: str) -> bool:
        """Start the hooks whose condition holds now; -> whether none is running.

        Raises:
            EngineError: a condition or argument that cannot be evaluated.
        """
        hooks = holder.get("hooks") or {}
        state = self.frame.hooks.get(node.id)
        if not any(hook_name != "exit" for hook_name in hooks):
            return True
        if state is None:
            state = self.frame.hooks[node.id] = HookState()
        scope = self._scope(node, name)
        for hook_name, hook in hooks.items():
            if hook_name == "exit" or hook_name in state.started:
                continue
            full = f"{node.name}.hooks.{hook_name}"
            if not hook.get("expression"):
                raise EngineError(f"Expression required for hook {full}")
            try:
                if not evaluate_bool(hook["expression"], scope):
                    continue
            except LanguageError as error:
                raise EngineError(error.message) from None
            arguments = hook.get("arguments") or {}
            outputs = last_attempt(node).outputs
            if arguments and outputs is not None:
                arguments = hook_arguments(arguments, self.prefix, name, outputs, scope)
            self._start(state, hook_name, hook, arguments, node, full, on_exit=False)
        return state.open == 0

    def start_exit(self, holder: Mapping[str, Any], node: Node, name: str) -> bool:
        """Start the exit handler once the node completed; -> whether there is nothing to wait for.

        Raises:
            EngineError: a condition or argument that cannot be evaluated.
        """
        hook = exit_hook(holder, self.frame.state.arguments)
        if hook is None or not node.completed or self.frame.state.shutdown == "Terminate":
            return True
        state = self.frame.hooks.setdefault(node.id, HookState())
        if "exit" in state.started or state.exit_done:
            return state.exit_done
        scope = self._scope(node, name)
        if hook.get("expression"):
            try:
                if not evaluate_bool(hook["expression"], scope):
                    state.exit_done = True
                    return True
            except LanguageError as error:
                raise EngineError(error.message) from None
        arguments = hook.get("arguments") or {}
        if arguments.get("parameters") or arguments.get("artifacts"):
            arguments = hook_arguments(arguments, self.prefix, name, last_attempt(node).outputs, scope)
        self._start(state, "exit", hook, arguments, node, f"{node.name}.onExit", on_exit=True)
        return state.exit_done

    def is_off(self, hook: Mapping[str, Any], node: Node, name: str) -> bool:
        """Whether an exit handler's condition says no."""
        try:
            return not evaluate_bool(hook["expression"], self._scope(node, name))
        except LanguageError:
            return False
        finally:
            self.references.hidden = ""

    def done(self, hook_node: Node) -> Node | None:
        """A hook's node ended; -> the step's or task's node it belongs to."""
        for parent in hook_node.parents:
            state = self.frame.hooks.get(parent.id)
            if state is None:
                continue
            for name, started in state.started.items():
                if started is hook_node:
                    if name == "exit":
                        state.exit_done = True
                    else:
                        state.open -= 1
                    return parent
        return None

    def _scope(self, node: Node, name: str) -> VariableScope:
        self.references.status[name] = node.phase.value
        self.references.hidden = name
        return self.frame.scope(self.references)

    def _start(
        self,
        state: HookState,
        hook_name: str,
        hook: Mapping[str, Any],
        arguments: Mapping[str, Any],
        node: Node,
        full: str,
        *,
        on_exit: bool,
    ) -> None:
        frame = self.frame
        outcome = launch(
            frame.state,
            Call(
                name=full,
                holder={k: hook[k] for k in ("template", "templateRef") if hook.get(k)},
                arguments=arguments,
                base=frame.template.base,
                owner=frame,
                boundary=frame.node,
                on_exit=on_exit,
                flag={"hooked": True},
                depth=frame.depth + 1,
                parents=(node,) if on_exit else (),
            ),
        )
        if isinstance(outcome, Waiting):
            self.hold(node)
            return
        if isinstance(outcome, Failed):
            state.started[hook_name] = outcome.node
            state.exit_done = state.exit_done or hook_name == "exit"
            raise EngineError(outcome.message)
        state.started[hook_name] = outcome
        self.held.pop(node.id, None)
        if not on_exit:
            frame.state.link(node, outcome)  # a hook that cannot start hangs nowhere
            state.open += 1


def restore_hooks(frame: Frame, node: Node) -> None:
    """Rebuild which hooks of a step's or task's node have been started."""
    state = HookState()
    for child in node.children:
        if not child.hooked or child.boundary is not frame.node:
            continue
        if child.name == f"{node.name}.onExit":
            state.started["exit"] = child
            state.exit_done = child.fulfilled
        elif child.name.startswith(f"{node.name}.hooks."):
            state.started[child.name.removeprefix(f"{node.name}.hooks.")] = child
            state.open += not child.fulfilled
    if state.started:
        frame.hooks[node.id] = state


def hooks_settled(frame: Frame, node: Node, holder: Mapping[str, Any]) -> bool:
    """Whether a restored node has nothing of its hooks left to wait for."""
    if not node.fulfilled:
        return False
    state = frame.hooks.get(node.id)
    if state is not None and (state.open > 0 or ("exit" in state.started and not state.exit_done)):
        return False
    if frame.state.shutdown == "Terminate":
        return True  # no handler starts any more
    if not node.completed or (hook := exit_hook(holder, {})) is None or (state is not None and state.exit_done):
        return True
    if hook.get("expression") and frame.hook_runner.is_off(hook, node, holder["name"]):
        return True
    if state is None or ("exit" not in state.started and state.open == 0):
        frame.hook_runner.hold(node)  # nothing but a limit can have kept its handler from starting
    return False
