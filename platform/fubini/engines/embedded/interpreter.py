"""One event in, one step out: the order in which a run's parts are looked at."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import containers, frames, gates, leaf, suspend
from fubini.engines.embedded.frames import Call, Failed, Waiting, launch
from fubini.engines.embedded.globals import set_globals
from fubini.engines.embedded.hooks import exit_hook
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.scope import VariableScope, evaluate_bool
from fubini.engines.embedded.state import LimitReached, SignalRefused, State
from fubini.engines.embedded.tree import Node
from fubini.language.errors import LanguageError
from fubini.runs.engine import (
    TASK_TYPES,
    Answer,
    CancelTask,
    Event,
    LeafDone,
    LeafRunning,
    LockGranted,
    LockRefused,
    LockWaiting,
    MemoAnswer,
    NodeId,
    NodePhase,
    NodeType,
    RunContext,
    Signal,
    Start,
    Step,
    Tick,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE_KEY = "run:deadline"
DEADLINE_MESSAGE = "Step exceeded its deadline"


class Root:
    """Owner of the entry node, the workflow's hooks and its exit handler."""

    def __init__(self, state: State) -> None:
        self.state = state

    def ended(self, node: Node) -> None:
        """Looked at after every event."""

    def running(self, node: Node) -> None:
        """Looked at after every event."""

    def timed_out(self, node: Node) -> None:
        self.failed(Failed(node, node.message))

    def failed(self, failure: Failed) -> None:
        state = self.state
        if failure.node is state.find(f"{state.name}.onExit"):
            end(state, NodePhase.ERROR, f"error in exit template execution : {failure.message}")
        elif failure.node.name == state.name:
            end(state, NodePhase.ERROR, f"error in entry template execution: {failure.message}")
        else:
            state.mark(failure.node, NodePhase.ERROR, failure.message, tell=False)
            root = state.nodes.get(state.find_id(state.name))
            if failure.node.type is NodeType.SKIPPED and root is not None:
                state.mark(root, NodePhase.ERROR, failure.message, tell=False)


def start(manifest: Mapping[str, Any], context: RunContext, at_ms: int) -> tuple[State, Step]:
    """A new run and its first step."""
    state = State.new(manifest, context)
    return state, advance(state, Start(at_ms))


def advance(state: State, event: Event) -> Step:
    """Take one event into the run; the state changes in place, the step says all that changed."""
    if state.finished and not isinstance(event, Signal):
        return Step()
    state.now = max(state.now, event.at_ms)
    try:
        _dispatch(state, event)
        if isinstance(event, LeafDone):
            _end_fast(state)
        settle(state)
        while _end_fast(state):
            settle(state)
    except SignalRefused as error:
        return Step(refused=str(error), settled=state.asked is None)
    except LimitReached as error:
        give_up(state, str(error))
    return state.take_step()


def _dispatch(state: State, event: Event) -> None:
    if isinstance(event, Start):
        begin_run(state)
    elif isinstance(event, LeafDone):
        node = state.nodes.get(event.node_id)
        if node is not None and node.generation == event.generation and not node.over:
            leaf.finish_leaf(state, node, event.outcome)
    elif isinstance(event, LeafRunning):
        node = state.nodes.get(event.node_id)
        if node is not None and node.generation == event.generation and node.phase is NodePhase.PENDING:
            state.mark(node, NodePhase.RUNNING, "")
            containers.run_containers(state, node)
            leaf.started(state, node)
            if not state.suspended:
                _tell_running(node)
            template = state.template_of(node)
            if template is not None and template.is_daemon:
                node.address = event.address
                state.daemon_runs(node)
    elif isinstance(event, Tick):
        tick(state, event.key)
    elif isinstance(event, LockGranted | LockWaiting | LockRefused | MemoAnswer):
        gates.hear(state, event)
    else:
        from fubini.engines.embedded.signals import signal  # a cycle: retry rebuilds the run

        signal(state, event)


def _end_fast(state: State) -> bool:
    """The start of a pass: composites whose template fails fast are over with a failed child, if nothing of them runs.

    -> whether there are any.
    """
    if not state.fail_fast or state.suspended or state.finished or state.asked is not None:
        return False
    limit = state.program.spec.get("parallelism")
    if limit is not None and state.active_pods >= int(limit):
        return False
    over = [frame for frame in state.fail_fast.values() if frame.failed_fast and not frame.node.fulfilled]
    for frame in over:
        if frame.node.frame is frame:
            frame.end_fast()
    return any(frame.node.fulfilled for frame in over)


def _tell_running(node: Node) -> None:
    """Hooks look at the node a step or task shows: an attempt's is its Retry node, which was running already."""
    owner = node.owner
    if owner is not None:
        owner.running(node)


def settle(state: State) -> None:
    """Let everything follow from what has changed, then look at the workflow as a whole."""
    if state.suspended or not state.begun or state.asked is not None or state.run_lock == "waiting":
        return
    while True:
        state.drain()
        if state.finished or state.asked is not None:
            return
        _refill(state)
        if not state.work and not state.late:
            watch(state)
        if not state.work and not state.late:
            return


def _refill(state: State) -> None:
    """A workflow-wide limit has room again: give it to whoever waits."""
    limit = state.program.spec.get("parallelism")
    if limit is None or state.active_pods >= int(limit):
        return
    for node in sorted(state.crowded.values(), key=attrgetter("number")):
        if state.active_pods >= int(limit):
            return
        gates.pass_lock(state, node)
        if state.asked is not None:
            return
    for frame in sorted(state.waiting.values(), key=attrgetter("node.number")):
        if state.active_pods >= int(limit):
            return
        frame.resume_waiting()


def begin_run(state: State) -> None:
    """The first pass."""
    if state.begun:
        return
    state.started = state.now
    state.touch_run()
    try:
        set_globals(state)
    except EngineError as error:
        state.phase, state.message = NodePhase.FAILED, f"failed to set global parameters: {error.message}"
        state.finished = state.begun = True
        return
    try:
        if gates.ask_for_run(state):
            state.started = None
            return
    except EngineError as error:
        refuse_run(state, error.message)
        return
    begin_work(state)


def begin_work(state: State) -> None:
    """The run has what it needs to begin: it is Running, its time counts, its entry template starts."""
    state.started = state.now
    state.phase, state.message = NodePhase.RUNNING, ""
    state.touch_run()
    seconds = state.program.spec.get("activeDeadlineSeconds")
    if seconds is not None:
        state.deadline = state.now // 1000 * 1000 + int(seconds) * 1000
        state.timer(DEADLINE_KEY, state.deadline + 1)
    state.begun = True
    if state.program.spec.get("suspend"):
        state.suspended = True
    if not state.suspended:
        launch_root(state)


def hear_run_lock(state: State, event: Answer) -> None:
    """What became of the run's own locks."""
    if not state.run_lock or state.finished:
        return
    if isinstance(event, LockRefused):
        refuse_run(state, event.message)
    elif isinstance(event, LockWaiting):
        state.run_lock, state.message = "waiting", event.message
        state.touch_run()
    elif state.run_lock != "held":
        state.run_lock = "held"
        if not state.begun:
            begin_work(state)
            return
        state.message = ""
        state.touch_run()
        from fubini.engines.embedded.signals import go_on  # a cycle: retry rebuilds the run

        if not state.suspended:
            go_on(state)


def refuse_run(state: State, message: str) -> None:
    """The run's own locks cannot be had: it has failed, mostly before its first node."""
    state.begun = True
    state.started = state.started or state.now
    end(state, NodePhase.FAILED, f"Failed to acquire the synchronization lock. {message}")


def launch_root(state: State) -> None:
    """Start the entry template."""
    outcome = launch(
        state,
        Call(
            name=state.name,
            holder={"template": state.program.spec.get("entrypoint") or ""},
            arguments=state.arguments,
            base=state.program.root,
            owner=root_of(state),
        ),
    )
    if isinstance(outcome, Failed):
        end(state, NodePhase.ERROR, f"error in entry template execution: {outcome.message}")


def root_of(state: State) -> Any:
    """The owner of what belongs to no template."""
    found = state.root_owner
    if found is None:
        found = state.root_owner = Root(state)
    return found


_STATUS = {
    NodePhase.PENDING: NodePhase.PENDING,
    NodePhase.RUNNING: NodePhase.RUNNING,
    NodePhase.FAILED: NodePhase.FAILED,
    NodePhase.ERROR: NodePhase.ERROR,
}


def show_status(state: State, root: Node) -> NodePhase:
    """Set the variables that tell how the workflow stands; -> its phase by its entry node."""
    status = _STATUS.get(root.phase, NodePhase.SUCCEEDED)
    state.globals["workflow.status"] = status.value
    state.globals["workflow.duration"] = f"{(state.now - (state.started or state.now)) / 1000:.6f}"
    if root.over or state.program.hooks_see_failures:
        state.globals["workflow.failures"] = state.failures_json()
    return status


def watch(state: State) -> None:
    """What is done at the end of every pass: the workflow's hooks, its exit handler, its end."""
    root = state.verdict or state.nodes.get(state.find_id(state.name))
    if root is None:
        if not state.finished and not state.suspended:
            launch_root(state)
        return
    if root.daemoned and root.fulfilled:
        state.end_daemons(None)  # an entry template that serves is done once it does
    count = len(state.nodes)
    status = show_status(state, root)
    if not _workflow_hooks(state, root):
        return
    if root.over and status in (NodePhase.RUNNING, NodePhase.PENDING):
        state.late.append(lambda: None)  # a hook ended the entry node: look again
        return
    if len(state.nodes) != count and (state.work or state.late):
        return
    if not root.over:
        return
    hook = exit_hook(state.program.exit_holder, state.arguments)
    exit_node = state.find(f"{state.name}.onExit")
    if hook is not None and (exit_node is not None or state.shutdown != "Terminate"):
        if exit_node is None:
            outcome = launch(
                state,
                Call(
                    name=f"{state.name}.onExit",
                    holder={k: hook[k] for k in ("template", "templateRef") if hook.get(k)},
                    arguments=_workflow_arguments(state, hook),
                    base=state.program.root,
                    owner=root_of(state),
                    on_exit=True,
                    flag={"hooked": True},
                ),
            )
            if isinstance(outcome, Waiting):
                return
            if isinstance(outcome, Failed):
                end(state, NodePhase.ERROR, f"error in exit template execution : {outcome.message}")
                return
            exit_node = outcome
            if not exit_node.fulfilled:
                return
        if not exit_node.fulfilled:
            return
    message = root.message
    if root.failed and state.shutdown:
        message = f"Stopped with strategy '{state.shutdown}'"
    if state.limit:
        end(state, NodePhase.ERROR, state.limit)
    elif status is NodePhase.SUCCEEDED and exit_node is not None and exit_node.failed:
        end(state, exit_node.phase, exit_node.message)
    elif status is NodePhase.SUCCEEDED:
        end(state, NodePhase.SUCCEEDED, "")
    else:
        end(state, status, message)


def _workflow_arguments(state: State, hook: Mapping[str, Any]) -> Mapping[str, Any]:
    from fubini.engines.embedded import process

    scope = VariableScope(state.globals, {})
    found: Mapping[str, Any] = process.walk(hook.get("arguments") or {}, lambda text: process.replace(text, scope))
    return found


def _workflow_hooks(state: State, root: Node) -> bool:
    """Start the workflow's hooks whose condition holds; -> whether none is running."""
    hooks = state.program.spec.get("hooks") or {}
    done = True
    for name, hook in hooks.items():
        if name == "exit":
            continue
        full = f"{state.name}.hooks.{name}"
        node = state.find(full)
        if node is None:
            try:
                if not hook.get("expression"):
                    raise EngineError(f"Expression required for hook {full}")
                if not evaluate_bool(hook["expression"], VariableScope(state.globals, {})):
                    continue
            except (EngineError, LanguageError) as error:
                state.mark(root, NodePhase.ERROR, error.message, tell=False)
                return True
            outcome = launch(
                state,
                Call(
                    name=full,
                    holder={k: hook[k] for k in ("template", "templateRef") if hook.get(k)},
                    arguments=_workflow_arguments(state, hook),
                    base=state.program.root,
                    owner=root_of(state),
                    flag={"hooked": True},
                ),
            )
            if isinstance(outcome, Failed):
                state.mark(root, NodePhase.ERROR, outcome.message, tell=False)
                return True
            if isinstance(outcome, Waiting):
                return False
            node = outcome
            state.link(root, node)  # a hook that cannot start hangs nowhere
        done = done and node.fulfilled
    return done


def end(state: State, phase: NodePhase, message: str) -> None:
    """The run is over; leaves still open are cancelled."""
    state.phase, state.message, state.finished = phase, message, True
    state.touch_run()
    state.end_daemons(None)
    state.unlock_run()
    if phase is NodePhase.ERROR:
        root = state.nodes.get(state.find_id(state.name))
        if root is not None and root.phase is NodePhase.RUNNING:
            state.mark(root, NodePhase.ERROR, "Workflow operation error", tell=False)
            if isinstance(root.frame, frames.Closed):
                root.frame.endless = True
    if state.deadline is not None:
        state.timer(DEADLINE_KEY, None)
    if state.active_pods:
        for node in state.nodes.values():
            if node.type in TASK_TYPES and node.phase in (NodePhase.PENDING, NodePhase.RUNNING):
                state.command(CancelTask(node.id, node.generation, "the run has ended"))
    state.work.clear()
    state.late.clear()


def give_up(state: State, message: str) -> None:
    """A limit of the installation is reached: everything open ends, the run is an Error that names the limit."""
    state.limit = message
    state.work.clear()
    state.late.clear()
    for node in list(state.nodes.values()):
        if node.type in TASK_TYPES and not node.over:
            state.command(CancelTask(node.id, node.generation, message))
            state.mark(node, NodePhase.FAILED, message, tell=False)
    for node in list(state.nodes.values()):
        if not node.over:
            state.mark(node, NodePhase.ERROR, message, tell=False)
    state.work.clear()
    end(state, NodePhase.ERROR, message)


def tick(state: State, key: str) -> None:
    """A timer has come due."""
    if state.suspended:
        return
    kind, _, id_ = key.partition(":")
    if key == DEADLINE_KEY:
        deadline_passed(state)
        return
    node = state.nodes.get(NodeId(id_))
    if node is None or node.over:
        return
    if kind == "pending":
        leaf.pending_too_long(state, node)
        if node.failed:
            containers.fail_containers(state, node, node.message)
    elif kind == "suspend":
        suspend.wake(state, node)
    elif kind == "retry" and isinstance(node.frame, frames.Frame):
        node.frame.catch_up()


def deadline_passed(state: State) -> None:
    """The workflow's activeDeadlineSeconds is over: what is open ends, exit handlers still run."""
    if state.deadline is None or state.now < state.deadline:
        return
    for node in reversed(state.nodes.values()):  # what is told last is looked at first
        if node.fulfilled or node.on_exit:
            continue
        if node.type in TASK_TYPES:
            if node.gate is None:
                state.command(CancelTask(node.id, node.generation, DEADLINE_MESSAGE))
            state.mark(node, NodePhase.FAILED, DEADLINE_MESSAGE)
            containers.fail_containers(state, node, DEADLINE_MESSAGE)
        elif node.type is NodeType.SUSPEND or (node.phase is NodePhase.PENDING and node.type is not NodeType.CONTAINER):
            state.mark(node, NodePhase.FAILED, DEADLINE_MESSAGE)
