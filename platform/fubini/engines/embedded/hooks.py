"""Hooks of steps, tasks and workflows: which start when, with what arguments, and when nothing of them is open.

What a hook's template runs as is `frames.launch`'s; when a frame looks at its hooks is the frame's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import process
from fubini.engines.embedded.frames import Call, Failed, Frame, Waiting, blocked, launch
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.scope import VariableScope, evaluate_bool, last_attempt
from fubini.engines.embedded.tree import Node
from fubini.language.errors import LanguageError

if TYPE_CHECKING:
    from fubini.engines.embedded.scope import References


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
