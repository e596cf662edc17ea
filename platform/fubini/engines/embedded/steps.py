"""A steps template: groups one after the other, the steps of a group side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import expand, frames, gates, process
from fubini.engines.embedded.frames import Call, Failed, Frame, Waiting, launch, outbound, skipped_node
from fubini.engines.embedded.hooks import HookRunner, hooks_settled, restore_hooks
from fubini.engines.embedded.outputs import composite_outputs, declared_outputs
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import has_tags
from fubini.engines.embedded.scope import Group, References, VariableScope
from fubini.engines.embedded.tree import Node
from fubini.language import govaluate, tags
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase, NodeType

if TYPE_CHECKING:
    from fubini.engines.embedded.process import Processed
    from fubini.engines.embedded.program import Template
    from fubini.engines.embedded.state import State


NO_TEMPLATE = (
    "failed to get a template"  # Argo looks the template of a loop's items up by their node, which has no name of it
)


def continues(holder: Mapping[str, Any], phase: NodePhase) -> bool:
    """Whether `continueOn` lets the rest go on after this phase."""
    allowed = holder.get("continueOn") or {}
    return bool(
        (phase is NodePhase.ERROR and allowed.get("error")) or (phase is NodePhase.FAILED and allowed.get("failed"))
    )


class StepsFrame(Frame):
    """One running steps template."""

    def __init__(self, state: State, node: Node, template: Template, processed: Processed, depth: int) -> None:
        super().__init__(state, node, template, processed, depth)
        self.references = References("steps")
        self.hook_runner = HookRunner(self, "steps", self.references)
        self.index = -1
        self.group: Node | None = None
        self.holders: dict[str, Mapping[str, Any]] = {}
        self.hook_holders: dict[str, Mapping[str, Any]] = {}
        self.hooked_off: set[str] = (
            set()
        )  # nodes with hooks that are counted off; a shutdown ends node and hook at once
        self.pending: deque[tuple[Mapping[str, Any], str]] = deque()
        self.open = 0
        self.over = False
        self.watch_failures()
        self.unseen: list[tuple[Node, Mapping[str, Any]]] = []  # read back: steps whose hooks may have come due
        self.hook_failed = False  # a hook of the group cannot be evaluated: it ends as Error once its steps have ended

    # --- groups --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if not self.node.fulfilled:
            self.next_group()

    def next_group(self) -> None:
        self.index += 1
        if self.index >= len(self.template.steps):
            self.finish()
            return
        previous = self.group
        state = self.state
        found = state.find(f"{self.node.name}[{self.index}]")
        if found is not None:  # an earlier group ran again after a retry; Argo keeps what came after it
            self.group = found
            self.go_on_with()
            return
        self.group = state.create(
            f"{self.node.name}[{self.index}]",
            NodeType.STEP_GROUP,
            NodePhase.RUNNING,
            boundary=self.node,
            scope=self.template.base.scope,
        )
        if previous is None:
            state.link(self.node, self.group)
        elif not previous.children:
            state.link(previous, self.group)
        else:
            seen: dict[str, Node] = {}
            for child in previous.children:
                for last in outbound(child):
                    seen[last.id] = last
            for last in seen.values():
                _append(last, self.group)
            self.group.parents = tuple(seen.values())
        try:
            self.prepare()
        except EngineError as error:
            self.fail_group(NodePhase.ERROR, error.message)
            return
        self.proceed()

    def prepare(self) -> None:
        """Resolve and expand the group's steps.

        Raises:
            EngineError: a reference or a loop that cannot be read.
        """
        scope = self.scope(self.references)
        resolved: list[tuple[Mapping[str, Any], bool]] = []
        for raw in self.template.steps[self.index]:
            step = self.processed.sub(raw)
            loop = expand.is_loop(step)
            try:
                body, no = process.resolve_holder(step, scope, self.references, loop=loop)
                if not no:
                    arguments = body.get("arguments") or {}
                    if arguments.get("artifacts"):
                        body["arguments"] = process.resolve_artifacts(
                            arguments, scope, skip=lambda _, artifact: bool(artifact.get("optional"))
                        )
            except LanguageError as error:
                raise EngineError(f"failed to resolve references: {error.message}") from None
            except EngineError as error:
                prefix = "unable to resolve references: " if _about_artifact(error) else ""
                raise EngineError(f"failed to resolve references: {prefix}{error.message}") from None
            resolved.append((body, loop))
        self.holders = {step["name"]: step for step, _ in resolved}
        self.pending = deque()
        for step, loop in resolved:
            if loop:
                self.pending.extend((expanded, step["name"]) for expanded in self.expand(step))
            else:
                self.pending.append((step, step["name"]))
        self.open = len(self.pending)

    def expand(self, step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        state = self.state
        try:
            try:
                items = expand.items_of(step, state.context.max_items)
            except LanguageError:
                if _certainly_off(step):
                    items = []
                else:
                    raise
        except LanguageError as error:
            raise EngineError(error.message) from None
        if not items and self.group is not None and state.find(f"{self.group.name}.{step['name']}") is None:
            call = self.call(step, f"{self.group.name}.{step['name']}", step["name"])
            skipped_node(state, call, NodePhase.SKIPPED, "Skipped, empty params")
        check_room(state, len(items))
        return expand_holder(step, items, self.scope(self.references))

    def call(self, step: Mapping[str, Any], name: str, slot: str) -> Call:
        assert self.group is not None
        return Call(
            name=name,
            holder=step,
            arguments=step.get("arguments") or {},
            base=self.template.base,
            owner=self,
            boundary=self.node,
            slot=slot,
            on_exit=self.node.on_exit,
            depth=self.depth + 1,
            parents=(self.group,),
        )

    def proceed(self) -> None:
        """Start what may start of the group, then see whether it is done."""
        state = self.state
        while self.pending and not self.over:
            step, slot = self.pending[0]
            assert self.group is not None
            name = f"{self.group.name}.{step['name']}"
            call = self.call(step, name, slot)
            try:
                run = govaluate.should_execute(step.get("when") or "")
            except LanguageError as error:
                skipped_node(state, call, NodePhase.ERROR, error.message)
                self.fail_group(NodePhase.ERROR, error.message)
                return
            if not run:
                skipped_node(state, call, NodePhase.SKIPPED, f"when '{step['when']}' evaluated false")
                self.pending.popleft()
                self.open -= 1
                continue
            before = len(state.work)
            outcome = launch(state, call)
            if isinstance(outcome, Waiting):
                state.waiting[id(self)] = self
                self.check_fail_fast()
                return
            self.pending.popleft()
            if isinstance(outcome, Failed):
                if not outcome.deep:
                    self.failed(outcome)
                    return
                self.open -= 1
                continue
            if step.get("hooks") or step.get("onExit"):
                self.hook_holders[outcome.id] = step
                if not outcome.fulfilled and outcome.id not in state.gates:
                    self.run_hooks(outcome, step)
            if len(state.work) > before:
                # What runs inside goes first: it may fail the group before the next step starts.
                state.work.insert(before, self.proceed)
                return
        if not self.hook_runner.held:
            state.waiting.pop(id(self), None)
        self.check()

    def resume_waiting(self) -> None:
        for node in self.hook_runner.take_held():
            if node.over and node.id in self.hook_holders and not self.over:
                self.settle(node)
            elif not node.over:
                self.running(node)
        if not self.pending and not self.hook_runner.held:
            self.state.waiting.pop(id(self), None)
        if self.pending and not self.over:
            self.proceed()

    def check_fail_fast(self) -> None:
        held = bool(self.pending or self.hook_runner.held) and not self.over and not self.node.fulfilled
        if not held or not self.failed_fast:
            return
        if self.hook_runner.held or self.open > len(self.pending):
            self.end_fast()
            return
        # A group of which nothing starts any more has, for Argo, all its steps behind it.
        assert self.group is not None
        for step, slot in self.pending:
            if _certainly_off(step):
                call = self.call(step, f"{self.group.name}.{step['name']}", slot)
                skipped_node(self.state, call, NodePhase.SKIPPED, f"when '{step['when']}' evaluated false")
        self.pending.clear()
        self.open = 0
        for node in (self.group, self.node):
            self.state.mark(node, node.phase, frames.FAILED_FAST)
        self.check()

    def end_fast(self) -> None:
        if self.group is not None:
            self.fail_group(NodePhase.FAILED, frames.FAILED_FAST, endless=True)

    # --- children ------------------------------------------------------------------------------------------------

    def run_hooks(self, node: Node, step: Mapping[str, Any]) -> bool:
        """-> whether no hook of this step is running."""
        if self.hook_failed:
            return True
        try:
            return self.hook_runner.run(step, node, step["name"])
        except EngineError as error:
            assert self.group is not None
            self.hook_failed = True
            self.state.mark(self.group, NodePhase.ERROR, error.message)
            return True

    def running(self, node: Node) -> None:
        step = self.hook_holders.get(node.id)
        if step is not None and not self.over:
            self.run_hooks(node, step)

    def revives(self, node: Node) -> bool:
        return not self.over and self.group is not None and not self.group.over and node in self.group.children

    def comes_later(self, node: Node) -> bool:
        number = node.name[len(self.node.name) + 1 :].partition("]")[0]
        return number.isdigit() and int(number) > self.index

    def ended(self, node: Node) -> None:
        if self.over or self.comes_later(node):
            return
        if node.hooked:
            parent = self.hook_runner.done(node)
            if parent is not None and parent.fulfilled:
                self.settle(parent)
            return
        self.settle(node)

    def settle(self, node: Node) -> None:
        """A step's node has ended: run its hooks, then its exit handler, then count it off."""
        if node.id in self.hooked_off:
            return
        step = self.hook_holders.get(node.id)
        if step is not None:
            if not self.run_hooks(node, step):
                return
            try:
                if not self.hook_failed and not self.hook_runner.run_exit(step, node, step["name"]):
                    return
            except EngineError as error:
                self.fail_by_handler(error.message)
                return
            del self.hook_holders[node.id]
            self.hooked_off.add(node.id)
            self.hook_runner.held.pop(node.id, None)
        self.open -= 1
        self.check()

    def failed(self, failure: Failed) -> None:
        if self.over:
            return
        if failure.node.hooked:
            self.fail_group(NodePhase.ERROR, failure.message)
            return
        message = f"step group deemed errored due to child {failure.node.name} error: {failure.message}"
        self.fail_group(NodePhase.ERROR, message)

    def timed_out(self, node: Node) -> None:
        if not self.over:
            self.fail_group(NodePhase.FAILED, node.message)

    def check(self) -> None:
        group, held = self.group, id(self) in self.state.waiting
        failed = self.hook_failed and not self.over and (held or not self.pending)
        if failed and group is not None and all(child.fulfilled for child in group.children):
            self.fail_group(NodePhase.ERROR, group.message)
        if self.open == 0 and not self.pending and not self.over:
            self.finish_group()

    def daemon_died(self, node: Node) -> None:
        """Argo looks at a group again for as long as anything after it runs: a daemon that failed fails its group."""
        group = next((parent for parent in node.parents if parent.type is NodeType.STEP_GROUP), None)
        if self.over or group is None or group is self.group or group.boundary is not self.node:
            return
        if any(step["name"] == node.slot and continues(step, node.phase) for g in self.template.steps for step in g):
            return
        self.over = True
        self.pending.clear()
        message = f"child '{node.id}' failed"
        self.state.mark(group, NodePhase.FAILED, message)
        self.state.mark(self.node, NodePhase.FAILED, message)

    def finish_group(self) -> None:
        assert self.group is not None
        state = self.state
        for child in self.group.children:
            step = self.holders.get(child.slot, {})
            if child.failed and not continues(step, child.phase):
                self.fail_group(NodePhase.FAILED, f"child '{child.id}' failed")
                return
        state.mark(self.group, NodePhase.SUCCEEDED)
        try:
            self.publish()
        except LanguageError as error:
            self.over = True
            self.fail(error.message)
            return
        self.holders = {}
        self.next_group()

    def publish(self) -> None:
        """Add the group's steps to what later steps see.

        Raises:
            LanguageError: an item's result is not JSON, or the items have no template that has a name.
        """
        assert self.group is not None
        by_slot: dict[str, list[Node]] = {}
        for child in self.group.children:
            by_slot.setdefault(child.slot, []).append(child)
        self.references.status.clear()
        for raw in self.template.steps[self.index]:
            name = raw["name"]
            members = by_slot.get(name, [])
            if len(members) == 1 and members[0].name == f"{self.group.name}.{name}":
                self.references.nodes[name] = members[0]
                declared = declared_outputs(self.state.program, raw, self.template.base, members[0], artifacts=True)
                if declared:
                    self.references.declared[name] = declared
                continue
            loop = Group(self.group, [m for m in members if m.type is not NodeType.SKIPPED])
            self.references.nodes[name] = loop
            if loop.members and raw.get("inline"):
                raise LanguageError(NO_TEMPLATE)
            if any(m.outputs and m.outputs.get("result") is not None for m in loop.members):
                _ = loop.values

    def fail_by_handler(self, message: str) -> None:
        """An exit handler that cannot run; for the entry template Argo takes the group's end for the workflow's."""
        if self.node.name != self.state.name:
            self.fail_group(NodePhase.ERROR, message)
            return
        assert self.group is not None
        self.over = True
        self.pending.clear()
        self.state.mark(self.group, NodePhase.ERROR, message)
        self.state.verdict = self.group
        self.state.touch_run()

    def fail_group(self, phase: NodePhase, message: str, *, endless: bool = False) -> None:
        assert self.group is not None
        self.over = True
        self.pending.clear()
        self.state.mark(self.group, phase, message)
        self.state.mark(self.node, NodePhase.FAILED, message)
        if endless:
            self.node.frame.endless = True

    def finish(self) -> None:
        state = self.state
        self.over = True
        try:
            outputs = composite_outputs(self.processed, state.globals, self.references)
        except EngineError as error:
            self.fail(error.message, ends=True)
            return
        if outputs is not None:
            self.node.outputs = outputs
            state.add_global_output(outputs)
        state.mark(self.node, NodePhase.SUCCEEDED)

    def close(self) -> Any:
        self.over = True
        return super().close()

    # --- reading back --------------------------------------------------------------------------------------------

    def restore(self) -> None:
        for index in range(len(self.template.steps)):
            group = self.state.find(f"{self.node.name}[{index}]")
            if group is None:
                break
            self.index, self.group = index, group
            if group.phase is not NodePhase.SUCCEEDED:
                break
            if not self.node.fulfilled:
                self.publish()
        if self.group is not None:
            self.restore_group()

    def restore_group(self) -> None:
        """Find again what is left to do of the group at hand.

        Raises:
            EngineError: a reference or a loop that cannot be read.
        """
        assert self.group is not None
        self.hook_failed = self.group.phase is NodePhase.ERROR and not self.node.fulfilled
        if self.group.fulfilled and not self.hook_failed:
            return
        self.prepare()
        todo: deque[tuple[Mapping[str, Any], str]] = deque()
        self.open = 0
        for step, slot in self.pending:
            child = self.state.find(f"{self.group.name}.{step['name']}")
            if child is None:
                todo.append((step, slot))
                self.open += 1
                continue
            hooked = child.type is not NodeType.SKIPPED and bool(step.get("hooks") or step.get("onExit"))
            if hooked:
                restore_hooks(self, child)
                self.unseen.append((child, step))
            if not child.fulfilled or (hooked and not hooks_settled(self, child, step)):
                self.open += 1
                if hooked:
                    self.hook_holders[child.id] = step
                    if not child.fulfilled:
                        self.hook_runner.hold_again(step, child, step["name"])
        self.pending = todo
        if todo:
            self.state.waiting[id(self)] = self

    def go_on_with(self) -> None:
        """The group that comes next is there already: what has ended of it counts, the rest goes on."""
        assert self.group is not None
        try:
            if self.group.phase is NodePhase.SUCCEEDED:
                self.publish()
            self.restore_group()
        except EngineError as error:
            self.fail_group(NodePhase.ERROR, error.message)
        except LanguageError as error:
            self.over = True
            self.fail(error.message)
        else:
            self.state.work.append(self.catch_up_inside)

    def catch_up_inside(self) -> None:
        """The group at hand is one that a retry left: first what is inside goes on, then the group."""
        if self.group is not None and not self.group.fulfilled:
            gates.take_turns(self.state, self.node)
        self.catch_up()

    def catch_up(self) -> None:
        if self.over or self.node.fulfilled:
            return
        if self.group is None or self.group.phase is NodePhase.SUCCEEDED:
            self.next_group()
            return
        if self.group.failed and not (self.hook_failed and self.open):
            self.over = True
            self.state.mark(self.node, NodePhase.FAILED, self.group.message)
            return
        for node, step in self.unseen:
            if not node.over and node.id not in self.state.gates and not self.run_hooks(node, step):
                self.open += node.id not in self.hook_holders  # a daemon that served before anybody saw it
                self.hook_holders[node.id] = step
        self.unseen.clear()
        for node in [child for child in self.group.children if child.id in self.hook_holders and child.fulfilled]:
            self.settle(node)
        if not self.over:
            self.proceed()


def _append(parent: Node, child: Node) -> None:
    if not parent.children:
        parent.children = [child]
    else:
        assert isinstance(parent.children, list)
        parent.children.append(child)


def _about_artifact(error: EngineError) -> bool:
    return error.message.startswith(("Unable to resolve", "Variable {{", "Unable to compile"))


def _certainly_off(holder: Mapping[str, Any]) -> bool:
    try:
        return not govaluate.should_execute(holder.get("when") or "")
    except LanguageError:
        return False


def check_room(state: State, count: int) -> None:
    """A loop that would take the run beyond its nodes ends it before any of its leaves opens.

    Raises:
        LimitReached: it would.
    """
    from fubini.engines.embedded.state import LimitReached

    if len(state.nodes) + count > state.context.max_nodes:
        raise LimitReached(
            f"a loop of {count} items would take the run beyond {state.context.max_nodes} nodes (the project's max_nodes)"
        )


def expand_holder(holder: Mapping[str, Any], items: list[expand.Item], scope: VariableScope) -> list[Mapping[str, Any]]:
    """One copy of a step or task for each item, its texts replaced.

    Raises:
        EngineError: a tag that nothing resolves.
    """
    if not items:
        return []
    body = {k: v for k, v in holder.items() if k not in ("withItems", "withParam", "withSequence")}
    name = body.pop("name")
    template = body.pop("template", None)
    off = bool(holder.get("when")) and _certainly_off(holder)
    strict = tags.never if off else tags.always
    out: list[Mapping[str, Any]] = []
    plain = not has_tags(body)
    for index, item in enumerate(items):
        if plain:
            new = dict(body)
        else:
            layer = VariableScope(scope.globals, {**scope.local, **item.variables}, scope.references)
            new = dict(process.walk(body, partial(process.replace, scope=layer, strict=strict)))
        new["name"] = expand.item_name(name, index, item.label)
        if template is not None:
            new["template"] = template
        out.append(new)
    return out
