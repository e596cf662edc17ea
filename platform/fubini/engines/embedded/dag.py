"""A DAG template: a task runs once everything it depends on has ended and its condition holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import dagback, dagloop, dagphase, dagreads, expand, frames
from fubini.engines.embedded.frames import (
    Call,
    Failed,
    Frame,
    Waiting,
    launch,
    skipped_node,
)
from fubini.engines.embedded.hooks import HookRunner
from fubini.engines.embedded.outputs import composite_outputs, declared_outputs
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import DagPlan, has_tags
from fubini.engines.embedded.scope import Group, References
from fubini.engines.embedded.steps import _append
from fubini.engines.embedded.tree import FAILED, Node
from fubini.language import govaluate
from fubini.language.errors import LanguageError
from fubini.runs.engine import TASK_TYPES, CancelTask, NodePhase, NodeType

if TYPE_CHECKING:
    from fubini.engines.embedded.process import Processed
    from fubini.engines.embedded.program import Template
    from fubini.engines.embedded.state import State


class TaskState:
    """One task of a running DAG."""

    __slots__ = ("again", "handlers", "held", "items", "node", "pending", "settled", "task", "waits")

    def __init__(self, waits: int) -> None:
        self.waits = waits  # dependencies that have not settled
        self.node: Node | None = None  # the task's node, or its group's
        self.task: Mapping[str, Any] | None = None  # resolved, until settled
        self.pending: deque[Mapping[str, Any]] = deque()  # calls held back or not reached
        self.items = 0  # items of a group that have not ended
        self.handlers: dagloop.ItemHandlers | None = None  # of a loop with an exit handler
        self.settled = False
        self.held = False  # read back as ready but held back by a limit
        self.again = False  # hooks are looked at once more in the next pass


class DagFrame(Frame):
    """One running DAG template."""

    def __init__(self, state: State, node: Node, template: Template, processed: Processed, depth: int) -> None:
        super().__init__(state, node, template, processed, depth)
        self.references = References("tasks")
        self.hook_runner = HookRunner(self, "tasks", self.references)
        self.plan: DagPlan
        self.tasks: dict[str, TaskState] = {}
        self.running_count = 0  # tasks started and not settled
        self.stalled: set[str] = set()  # tasks with items that a handler keeps from starting or from their own handler
        self.over = False
        self.watch_failures()

    # --- going through the graph ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Find the graph.

        Raises:
            EngineError: a `depends` that cannot be read.
        """
        dag = self.template.body["dag"]
        try:
            if has_tags([(t.get("depends"), t.get("dependencies")) for t in dag.get("tasks") or ()]) or has_tags(
                dag.get("target")
            ):
                self.plan = DagPlan(self.processed.sub(dag))
            else:
                self.plan = self.template.plan
        except LanguageError as error:
            raise EngineError(error.message) from None
        named = [*self.plan.targets, *(other for d in self.plan.depends.values() if d for other in d.tasks)]
        unknown = next((name for name in named if name not in self.plan.tasks), None)
        if unknown is not None:
            raise EngineError(f"target {unknown} does not exist")
        for name in self.plan.order:
            depends = self.plan.depends[name]
            self.tasks[name] = TaskState(len(depends.tasks) if depends else 0)

    def start(self) -> None:
        if self.node.fulfilled:
            return
        try:
            self.prepare()
        except EngineError as error:
            self.fail(error.message)
            return
        work = self.state.work
        work.append(self.assess)
        for name in reversed(self.plan.order):
            if self.tasks[name].waits == 0 and self.tasks[name].node is None:
                work.append(lambda name=name: self.ready(name))  # type: ignore[misc]

    def ready(self, name: str) -> None:
        """All dependencies of a task have settled: run it, leave it out, or say why it cannot run."""
        if self.over or self.tasks[name].node is not None or self.tasks[name].pending:
            return  # it has begun, or a limit holds it back
        task = self.tasks[name]
        if task.held:
            task.held = False
            self.running_count -= 1
        raw = self.plan.tasks[name]
        depends = self.plan.depends[name]
        if depends is not None:
            try:
                if not depends.evaluate({other: dagreads.results_of(self, other) for other in depends.tasks}):
                    self.leave(name, raw, NodePhase.OMITTED, "omitted: depends condition not met")
                    return
            except LanguageError as error:
                self.leave(name, raw, NodePhase.ERROR, error.message)
                return
        try:
            dagreads.gather(self, name)
        except LanguageError as error:
            message = error.message
            self.leave(name, raw, NodePhase.ERROR, message)
            if (
                name in self.plan.target_set
            ):  # Argo reads what targets see once more, for their hooks, and takes the error for the DAG's
                self.fail_if_open(message)
            return
        try:
            holder = dagreads.resolve(self, raw)
            loop = expand.is_loop(raw)
            calls = dagreads.calls_of(self, holder) if loop else [holder]
        except (EngineError, LanguageError) as error:
            self.leave(name, raw, NodePhase.ERROR, error.message)
            return
        task.task = holder
        self.running_count += 1
        if loop:
            if not calls:
                task.node = skipped_node(
                    self.state,
                    dagreads.call_of(self, raw, name, dagreads.parents_of(self, name)),
                    NodePhase.SKIPPED,
                    "Skipped, empty params",
                )
                self.references.nodes[name] = task.node
                self.settle(name)
                return
            task.node = self.state.create(
                f"{self.node.name}.{name}",
                NodeType.TASK_GROUP,
                NodePhase.RUNNING,
                boundary=self.node,
                scope=self.template.base.scope,
                template_name="" if raw.get("templateRef") else raw.get("template") or "",
                template_ref=raw.get("templateRef"),
                slot=name,
            )
            self.connect(task.node, dagreads.parents_of(self, name))
            task.items = len(calls)
            if dagloop.has_handler(raw):
                task.handlers = dagloop.ItemHandlers()
        task.pending = deque(calls)
        self.proceed(name)

    def fail_if_open(self, message: str) -> None:
        if not self.over and not self.node.fulfilled:
            self.over = True
            self.fail(message)

    def connect(self, node: Node, parents: list[Node]) -> None:
        node.parents = tuple(parents)
        for parent in parents:
            _append(parent, node)

    def leave(self, name: str, raw: Mapping[str, Any], phase: NodePhase, message: str) -> None:
        """A task that does not run: its Skipped node settles at once."""
        task = self.tasks[name]
        task.node = skipped_node(
            self.state, dagreads.call_of(self, raw, name, dagreads.parents_of(self, name)), phase, message
        )
        self.references.nodes[name] = task.node
        self.running_count += 1
        if phase is NodePhase.ERROR:
            task.task = raw
        self.task_ended(name, task.node)

    def proceed(self, name: str) -> None:
        """Start what may start of a task: its one node, or the items of its loop."""
        task = self.tasks[name]
        state = self.state
        raw = self.plan.tasks[name]
        group = task.node if task.node is not None and task.node.type is NodeType.TASK_GROUP else None
        while task.pending and not self.over and not (group is not None and group.barred):
            if task.handlers is not None and task.handlers.busy:
                return
            holder = task.pending[0]
            parents = [group] if group is not None else dagreads.parents_of(self, name)
            call = dagreads.call_of(self, holder, name, parents)
            before = len(state.work)
            node, failed, told = self.start_one(holder, call)
            if node is None:
                state.waiting[id(self)] = self
                return
            task.pending.popleft()
            if task.handlers is not None:
                task.handlers.add(node)
            if group is None:
                task.node = node
                self.references.nodes[name] = node
            if node.fulfilled and (node.type is NodeType.SKIPPED or node.phase in FAILED):
                if failed and group is not None:
                    self.bar(group)
                if not told:
                    self.one_ended(name, node)
            if group is not None and task.pending and len(state.work) > before:
                state.work.insert(before, lambda: self.proceed(name))
                return
        if group is not None and group.barred:
            task.items -= len(task.pending)
            task.pending.clear()
            dagloop.group_check(self, name)
            return
        node = task.node
        if node is None or group is not None or node.id in state.gates:
            return
        if raw.get("hooks") and name in self.plan.target_set:
            self.run_hooks(name, node)
        elif raw.get("hooks") and node.type is NodeType.SUSPEND:
            self.state.late.append(lambda: self.still_running(name, node))

    def still_running(self, name: str, node: Node) -> None:
        """The pass after the one that began to wait finds the task Running, and looks at its hooks."""
        if not node.fulfilled:
            self.running(node)

    def bar(self, group: Node) -> None:
        """An item of a loop could not be executed: the rest of the loop does not start."""
        group.barred = True
        self.state.touch(group)

    def start_one(self, holder: Mapping[str, Any], call: Call) -> tuple[Node | None, bool, bool]:
        """One node of a task, None when a limit holds it back; whether it could not be executed; whether `ended` follows."""
        try:
            if not govaluate.should_execute(holder.get("when") or ""):
                message = f"when '{holder['when']}' evaluated false"
                return skipped_node(self.state, call, NodePhase.SKIPPED, message), False, False
        except LanguageError as error:
            return skipped_node(self.state, call, NodePhase.ERROR, error.message), False, False
        outcome = launch(self.state, call)
        if isinstance(outcome, Waiting):
            return None, False, False
        if isinstance(outcome, Failed):
            if not outcome.deep:
                message = f"task '{call.name}' errored: {outcome.message}"
                self.state.mark(outcome.node, NodePhase.ERROR, message, tell=False)
                if outcome.node.type is NodeType.SKIPPED:
                    self.state.late.append(lambda: self.reword(outcome))
            return outcome.node, True, False
        at_once = outcome.fulfilled and outcome.failed
        return outcome, at_once, at_once

    def reword(self, failure: Failed) -> None:
        """Every later pass over a task that could not start shows the bare reason."""
        name = failure.node.slot
        later = self.plan.dependents[name]
        visited = name in self.plan.target_set or any(
            (other := self.tasks.get(n)) is not None and (other.node is None or not other.node.fulfilled) for n in later
        )
        if not self.over and visited:
            self.state.mark(failure.node, NodePhase.ERROR, failure.message, tell=False)

    def resume_waiting(self) -> None:
        if self.over:
            return
        for node in self.hook_runner.take_held():
            self.look_at_hooks(node)
        for name in self.plan.order:
            task = self.tasks[name]
            if task.held:
                self.ready(name)
            elif task.handlers is not None and task.handlers.next_may_start:
                dagloop.go_over_items(self, name)
            elif task.pending:
                self.proceed(name)
        if self.holds_back():
            self.check_fail_fast()
        else:
            self.state.waiting.pop(id(self), None)
        self.assess()

    def holds_back(self) -> bool:
        """Whether a limit keeps a task, an item or a hook from starting."""
        return bool(self.hook_runner.held) or any(task.held or self._held_items(task) for task in self.tasks.values())

    @staticmethod
    def _held_items(task: TaskState) -> bool:
        if task.node is not None and task.node.type is NodeType.TASK_GROUP and task.node.over:
            return False
        handlers = task.handlers
        return handlers.next_may_start or (bool(task.pending) and not handlers.busy) if handlers else bool(task.pending)

    def check_fail_fast(self) -> None:
        if self.failed_fast and not self.over and not self.node.fulfilled and self.holds_back():
            self.end_fast()

    def end_fast(self) -> None:
        self.over = True
        self.state.mark(self.node, NodePhase.FAILED, frames.FAILED_FAST)
        self.node.frame.endless = True

    # --- what has ended ------------------------------------------------------------------------------------------

    def run_hooks(self, name: str, node: Node) -> bool:
        """-> whether no hook of this task is running."""
        task = self.tasks[name]
        try:
            return self.hook_runner.run(task.task or self.plan.tasks[name], node, name)
        except EngineError as error:
            if not node.over and node.type in TASK_TYPES:
                self.state.command(CancelTask(node.id, node.generation, error.message))
            self.state.mark(node, NodePhase.ERROR, error.message, tell=False)
            if task.node is node:
                self.state.work.append(self.assess)
                self.settle(name)
            return False

    def running(self, node: Node) -> None:
        name = node.slot
        if (
            not self.over
            and name in self.tasks
            and self.tasks[name].node is node
            and self.plan.tasks[name].get("hooks")
        ):
            self.run_hooks(name, node)

    def ended(self, node: Node) -> None:
        if self.over:
            return
        self.state.work.append(self.assess)
        if node.hooked:
            parent = self.hook_runner.done(node)
            if parent is not None:
                self.hook_ended(parent)
            return
        self.one_ended(node.slot, node)

    def hook_ended(self, parent: Node) -> None:
        """A hook of this node has ended."""
        if parent.fulfilled:
            if self.passed_over(parent):
                self.running_count -= 1
            else:
                self.look_at_hooks(parent)
            return
        # After a retry an item can run again beside its own handler.
        handlers = self.tasks[parent.slot].handlers
        if handlers is not None and self.hooks[parent.id].exit_done:
            handlers.handler_ended(parent)
            dagloop.go_over_items(self, parent.slot)

    def passed_over(self, node: Node) -> bool:
        """Whether nobody looks at this node any more: its task is settled, or its loop's group is over."""
        task = self.tasks[node.slot]
        return task.settled or (task.node is not None and task.node is not node and task.node.fulfilled)

    def look_at_hooks(self, node: Node) -> None:
        """A hook of this node has ended, or one that a limit held back may start now."""
        name = node.slot
        task = self.tasks[name]
        if self.passed_over(node):
            return
        if not node.fulfilled:
            self.running(node)
        elif task.node is node:
            self.task_ended(name, node, again=True)
        elif task.handlers is not None and self.exit_done(name, self.plan.tasks[name], node):
            task.handlers.handler_ended(node)
            dagloop.go_over_items(self, name)

    def one_ended(self, name: str, node: Node) -> None:
        """A task's only node, or one item of its loop, has ended."""
        task = self.tasks[name]
        if task.node is node:
            self.task_ended(name, node)
            return
        self.hook_runner.held.pop(node.id, None)
        task.items -= 1
        if task.handlers is not None and node.completed:
            task.handlers.item_ended(node)
            dagloop.start_handlers(self, name)
        dagloop.group_check(self, name)

    def group_ended(self, name: str, group: Node) -> None:
        self.stalled.discard(name)
        self.references.nodes[name] = Group(group, [child for child in group.children if not child.hooked])
        self.task_ended(name, group)

    def complete_groups(self) -> None:
        """The end of a pass over stalled loops: some are over with what they have started."""
        for name in dagloop.complete_groups(self):
            task = self.tasks[name]
            task.pending.clear()
            task.items = 0
            self.running_count += dagloop.handlers_running(self, task)
            if task.node is not None:
                self.group_ended(name, task.node)

    def task_ended(self, name: str, node: Node, *, again: bool = False) -> None:
        """A task's node has ended: hooks and exit handler, then whoever depends on it.

        A leaf's hooks run before its dependents are looked at, and so do a target's. Another node that ends within a
        pass (composites, tasks left out) is only looked at again in the next pass, and not at all when all its
        dependents have ended by then.
        """
        task = self.tasks[name]
        if task.settled:
            return
        raw = self.plan.tasks[name]
        has_hooks = any(hook != "exit" for hook in raw.get("hooks") or ())
        never_ran = self.never_ran(name, node)
        at_once = again or name in self.plan.target_set or node.type is NodeType.POD or not (has_hooks or never_ran)
        if at_once:
            if has_hooks and not self.run_hooks(name, node):
                return
            if not self.exit_done(name, raw, node):
                return
        else:
            if not never_ran and (not self.exit_done(name, raw, node) or self._hooks_open(node)):
                return
            task.again = True
        self.settle(name)

    def never_ran(self, name: str, node: Node) -> bool:
        """Whether a task could not be read: its exit handler, too, is for the next pass, if there is one for it."""
        return (
            node.type is NodeType.SKIPPED
            and node.phase is NodePhase.ERROR
            and self.tasks[name].task is self.plan.tasks[name]
        )

    def given_up(self, name: str, node: Node) -> bool:
        """Whether no pass came to a task that could not be read, so that its exit handler never started."""
        unseen = name not in self.plan.target_set and not self.visited(name)
        return unseen and self.never_ran(name, node) and node.id not in self.hooks

    def _hooks_open(self, node: Node) -> bool:
        state = self.hooks.get(node.id)
        return state is not None and state.open > 0

    def exit_done(self, name: str, raw: Mapping[str, Any], node: Node) -> bool:
        """-> whether the exit handler has nothing left to do."""
        task = self.tasks[name]
        holder = task.task or raw
        if not dagloop.has_handler(holder):
            return True
        try:
            return self.hook_runner.run_exit(holder, node, name)
        except EngineError:
            # Argo logs it, retries it every pass and never ends; here the task ends without its handler.
            return True

    def settle(self, name: str) -> None:
        """A task is over with everything that belongs to it: its dependents may be ready."""
        task = self.tasks[name]
        if task.settled:
            return
        task.settled = True
        node = task.node
        assert node is not None
        self.hook_runner.held.pop(node.id, None)
        if node.phase in (NodePhase.SKIPPED, NodePhase.OMITTED):
            declared = declared_outputs(
                self.state.program, self.plan.tasks[name], self.template.base, node, artifacts=False
            )
            if declared:
                self.references.declared[name] = declared
        self.running_count -= 1
        for other in reversed(self.plan.dependents[name]):
            waiting = self.tasks.get(other)
            if waiting is None:
                continue
            waiting.waits -= 1
            if waiting.waits == 0:
                self.state.work.append(lambda other=other: self.ready(other))  # type: ignore[misc]
        if task.again:
            self.state.late.append(lambda: self.look_again(name))

    def look_again(self, name: str) -> None:
        """The next pass over a composite task that has ended: its hooks, unless nobody visits it any more."""
        task = self.tasks[name]
        task.again = False
        if self.over or task.node is None:
            return
        if not self.visited(name):
            return
        self.run_hooks(name, task.node)
        self.hook_runner.held.pop(task.node.id, None)  # the task is settled: this was their last look
        open_ = self._hooks_open(task.node)
        if not open_ and self.never_ran(name, task.node):
            open_ = not self.exit_done(name, self.plan.tasks[name], task.node)
        if open_:
            self.unsettle(name)

    def visited(self, name: str) -> bool:
        """Whether a pass comes to a task that has ended: something that depends on it has not."""
        return any(
            (other := self.tasks.get(n)) is not None and (other.node is None or not other.node.fulfilled)
            for n in self.plan.dependents[name]
        )

    def unsettle(self, name: str) -> None:
        """Where a hook of a settled task runs after all, what has not begun of its dependents waits for it.

        So a task is settled exactly if nothing of it is open, which is all that the tree shows after a restart.
        """
        task = self.tasks[name]
        if not task.settled:
            return
        task.settled = False
        self.running_count += 1
        for other in self.plan.dependents[name]:
            waiting = self.tasks.get(other)
            if waiting is None:
                continue
            waiting.waits += 1
            if waiting.node is None and (waiting.held or waiting.pending):  # no room for it so far
                waiting.held = False
                waiting.pending.clear()
                self.running_count -= 1

    def failed(self, failure: Failed) -> None:
        if self.over:
            return
        node = failure.node
        if node.type is NodeType.SKIPPED:
            # It never started: what was to start with it still does before the DAG is looked at.
            self.state.work.insert(0, self.assess)
        else:
            self.state.work.append(self.assess)
        name = node.slot
        if node.hooked:
            self.ended(node)
            return
        task = self.tasks[name]
        self.state.mark(node, NodePhase.ERROR, f"task '{node.name}' errored: {failure.message}", tell=False)
        if node.type is NodeType.SKIPPED and not failure.final:
            self.state.late.append(lambda: self.reword(failure))
        if task.node is not None and task.node is not node:
            self.bar(task.node)
            task.items -= len(task.pending)
            task.pending.clear()
        self.one_ended(name, node)

    def timed_out(self, node: Node) -> None:
        self.ended(node)

    # --- the end -------------------------------------------------------------------------------------------------

    def assess(self) -> None:
        """See whether the DAG is over, once nothing in it is on its way."""
        if self.over or self.node.fulfilled:
            return
        if self.stalled:
            self.complete_groups()
        if self.running_count > 0:
            return
        phase = dagphase.verdict(self)
        if phase is None:
            return
        self.over = True
        if phase in FAILED:
            self.state.mark(self.node, phase)
            return
        try:
            for name, task in self.tasks.items():
                dagreads.aggregate(self, name)
                if task.node is not None:
                    self.state.add_global_output(task.node.outputs)
            outputs = composite_outputs(self.processed, self.state.globals, self.references)
        except (EngineError, LanguageError) as error:
            self.fail(str(error))
            return
        if outputs is not None:
            self.node.outputs = outputs
        self.state.mark(self.node, NodePhase.SUCCEEDED)

    def shut_down(self) -> None:
        """Argo fails a DAG in the pass of the shutdown, before the steps it ends have ended for their dependents."""
        if self.over or self.node.fulfilled or any(state.open for state in self.hooks.values()):
            return
        self.over = True
        self.state.mark(self.node, NodePhase.FAILED)

    def close(self) -> Any:
        self.over = True
        closed = super().close()
        if hasattr(self, "plan") and self.plan is not self.template.__dict__.get("plan"):
            closed.targets = list(self.plan.targets)
        return closed

    def restore(self) -> None:
        dagback.restore(self)

    def catch_up(self) -> None:
        dagback.catch_up(self)
