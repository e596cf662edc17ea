"""Leaves of several containers: sets, init containers and sidecars.

Decides which containers a template has, what each is to run, the Container nodes of a set (as Argo records them under
the pod's node), and what their exit codes say of the leaf. How processes are started and ended is the platform's.

Source: Argo's executeContainerSet, assessNodeStatus and inferFailedReason (v4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.secrets import secret_env
from fubini.language import durations
from fubini.language.errors import LanguageError
from fubini.runs.engine import ContainerKind, ContainerSpec, LeafOutcome, NodePhase, NodeType, OutcomeKind

if TYPE_CHECKING:
    from fubini.engines.embedded.environment import Environment
    from fubini.engines.embedded.frames import Call
    from fubini.engines.embedded.process import Processed
    from fubini.engines.embedded.program import Template
    from fubini.engines.embedded.state import State
    from fubini.engines.embedded.tree import Node

MAIN = "main"
#: What Argo adds to every pod, before the containers of the template.
WAIT = "wait"
#: A container that waited for one that failed ends with this, as Argo's emissary ends.
NOT_RUN = 64
#: Sidecars end by SIGTERM or SIGKILL: that is no failure.
ENDED_BY_US = frozenset({137, 143})
DELETED = "container deleted"
POD_FAILED = "Pod Failed whilst container running"


@dataclass(frozen=True, slots=True)
class Roles:
    """The containers of one template by what they are for, in the manifest's order; `after` are a set's edges."""

    mains: tuple[str, ...]
    inits: tuple[str, ...] = ()
    sidecars: tuple[str, ...] = ()
    after: Mapping[str, tuple[str, ...]] | None = None  # None: no container set

    @property
    def is_plain(self) -> bool:
        """One command, as most leaves have."""
        return self.after is None and not self.inits and not self.sidecars

    @property
    def principal(self) -> str:
        """The container whose command stands for the leaf."""
        return MAIN if MAIN in self.mains else self.mains[-1]


_PLAIN = Roles((MAIN,))


def roles_of(template: Template | None) -> Roles:
    """Which containers a template's leaf has."""
    if template is None:
        return _PLAIN
    body = template.body
    inits = tuple(c["name"] for c in body.get("initContainers") or ())
    sidecars = tuple(c["name"] for c in body.get("sidecars") or ())
    if template.kind == "containerSet":
        listed = body["containerSet"].get("containers") or ()
        after = {c["name"]: tuple(c.get("dependencies") or ()) for c in listed}
        return Roles(tuple(after), inits, sidecars, after)
    return Roles((MAIN,), inits, sidecars) if inits or sidecars else _PLAIN


# --- what is to run ---------------------------------------------------------------------------------------------


def bodies(processed: Processed) -> list[tuple[ContainerKind, Mapping[str, Any]]]:
    """All containers of a leaf with their tags resolved, in the order in which a pod lists them: the main ones first.

    A main container outside a set is called ``main`` whatever the manifest says; mirrored mounts are its own.
    """
    body = processed.template.body
    found: list[tuple[ContainerKind, Mapping[str, Any]]] = []
    if processed.template.kind == "containerSet":
        whole = processed.leaf(body["containerSet"])
        shared = whole.get("volumeMounts") or []
        for container in whole.get("containers") or ():
            mounts = [*(container.get("volumeMounts") or ()), *shared]
            found.append((ContainerKind.MAIN, {**container, "volumeMounts": mounts}))
    else:
        main = processed.leaf(body.get("container") or body.get("script") or {})
        found.append((ContainerKind.MAIN, {**main, "name": MAIN}))
    mirrored = next((c.get("volumeMounts") or [] for _, c in found if c.get("name") == MAIN), [])
    for kind, field in ((ContainerKind.INIT, "initContainers"), (ContainerKind.SIDECAR, "sidecars")):
        for container in processed.leaf(body.get(field) or []):
            if container.get("mirrorVolumeMounts"):
                mounts = [*(container.get("volumeMounts") or ()), *mirrored]
                container = {**container, "volumeMounts": mounts}
            found.append((kind, container))
    return found


def container_specs(
    processed: Processed, found: list[tuple[ContainerKind, Mapping[str, Any]]], environment: Environment
) -> tuple[ContainerSpec, ...]:
    """The containers of a leaf; empty where there is only one.

    Raises:
        EngineError: a retry that cannot be read, a variable whose value nobody knows, or two containers of one name.
    """
    body = processed.template.body
    if len(found) == 1 and body.get("containerSet") is None:
        return ()
    _check_names(processed, found)
    runs, delay_ms = _inner_retry(processed)
    is_script = body.get("script") is not None
    return tuple(
        ContainerSpec(
            name=c["name"],
            kind=kind,
            image=c.get("image") or "",
            argv=(*(c.get("command") or ()), *(c.get("args") or ())),
            source=c.get("source") if is_script and kind is ContainerKind.MAIN else None,
            env=environment.of(c),
            secret_env=secret_env(c),
            working_dir=c.get("workingDir") or "",
            dependencies=tuple(c.get("dependencies") or ()) if kind is ContainerKind.MAIN else (),
            runs=runs if kind is ContainerKind.MAIN else 1,
            delay_ms=delay_ms if kind is ContainerKind.MAIN else 0,
        )
        for kind, c in found
    )


def _check_names(processed: Processed, found: list[tuple[ContainerKind, Mapping[str, Any]]]) -> None:
    """A pod whose containers share a name is none; Argo's own container comes first in it.

    Raises:
        EngineError: two of them do.
    """
    names = [WAIT, *(c.get("name") or "" for kind, c in found if kind is not ContainerKind.INIT)]
    twice = [
        f'spec.containers[{n}].name: Duplicate value: "{name}"' for n, name in enumerate(names) if name in names[:n]
    ]
    if twice:
        what = twice[0] if len(twice) == 1 else f"[{', '.join(twice)}]"
        raise EngineError(f'Pod "{processed.locals.get("pod.name", "")}" is invalid: {what}')


def _inner_retry(processed: Processed) -> tuple[int, int]:
    """How often a set's containers run at most, and the pause between in milliseconds.

    Argo's `retries` counts all runs, not those after the first. With 0 it would not run the command at all and call
    that a success; here it runs once.

    Raises:
        EngineError: not a count, not a duration.
    """
    strategy = processed.sub((processed.template.body.get("containerSet") or {}).get("retryStrategy") or {})
    runs = any_string(strategy.get("retries"))
    if runs is None:
        return 1, 0
    duration = strategy.get("duration") or ""
    try:
        count, delay_ms = int(runs), durations.parse(duration) if duration else 0
    except ValueError:
        raise EngineError(f"failed to get retry strategy: '{runs}' is not a number of runs") from None
    except LanguageError as error:
        raise EngineError(f"failed to get retry strategy: {error.message}") from None
    if delay_ms < 0:
        raise EngineError(f"failed to get retry strategy: duration has to be positive, current duration: {duration} ")
    return max(1, count), delay_ms


# --- the nodes of a set -----------------------------------------------------------------------------------------


def open_containers(state: State, node: Node, template: Template, call: Call) -> None:
    """Make the Container nodes of a set, linked as they wait for each other."""
    roles = roles_of(template)
    if roles.after is None:
        return
    nodes: dict[str, Node] = {}
    for name in roles.mains:
        nodes[name] = state.create(
            f"{node.name}.{name}",
            NodeType.CONTAINER,
            NodePhase.PENDING,
            boundary=node,
            scope=call.base.scope,
            template_name=node.template_name,
            template_ref=node.template_ref,
            flag=dict(call.flag) if call.flag else None,
            on_exit=call.on_exit,
        )
    for name, others in roles.after.items():
        for parent in [nodes[other] for other in others] or [node]:
            state.link(parent, nodes[name])
    if node.fulfilled and state.shutdown == "" and node.phase is NodePhase.FAILED:
        fail_containers(state, node, node.message)  # the deadline passed before it could start


def containers_of(node: Node) -> list[Node]:
    """The Container nodes under a leaf, those that wait for others after them."""
    found: dict[str, Node] = {}
    stack = [child for child in node.children if child.type is NodeType.CONTAINER and child.boundary is node]
    while stack:
        current = stack.pop()
        if current.id not in found:
            found[current.id] = current
            stack.extend(child for child in current.children if child.boundary is node)
    return list(found.values())


def run_containers(state: State, node: Node) -> None:
    """The leaf runs: so do its containers, of which those that wait for others wait inside."""
    for container in containers_of(node):
        if container.phase is NodePhase.PENDING:
            state.mark(container, NodePhase.RUNNING, tell=False)


def fail_containers(state: State, node: Node, message: str, phase: NodePhase = NodePhase.FAILED) -> None:
    """The leaf was ended from outside: what has not ended of it ends with it."""
    for container in containers_of(node):
        if not container.over:
            state.mark(container, phase, message, tell=False)


def finish_containers(state: State, node: Node, template: Template | None, outcome: LeafOutcome) -> None:
    """Each container's phase and message from its exit code."""
    nodes = {container.display: container for container in containers_of(node)}
    if not nodes:
        return
    if outcome.kind is OutcomeKind.CANCELLED:
        fail_containers(state, node, outcome.error or "the step was cancelled")
        return
    if outcome.kind is OutcomeKind.PLATFORM:
        fail_containers(state, node, DELETED, NodePhase.ERROR)
        return
    after = roles_of(template).after or {}
    for name, container in nodes.items():
        code = outcome.containers.get(name)
        if code is None:
            state.mark(container, NodePhase.FAILED, POD_FAILED, tell=False)
        elif code == 0:
            state.mark(container, NodePhase.SUCCEEDED, tell=False)
        else:
            phase = NodePhase.ERROR if code == NOT_RUN else NodePhase.FAILED
            said = _why(name, outcome.containers, after)
            state.mark(container, phase, f"{name}: Error (exit code {code}): {said}", tell=False)


def _why(name: str, codes: Mapping[str, int], after: Mapping[str, tuple[str, ...]]) -> str:
    """Argo's sentence for a container that did not run because of another; "" for one that ran."""
    if codes.get(name) != NOT_RUN:
        return ""
    for other in after.get(name, ()):
        if codes.get(other, 0) != 0:
            return f'dependency "{other}" exited with non-zero code: {codes[other]}'
    return ""


# --- what came of it --------------------------------------------------------------------------------------------


def main_failure(outcome: LeafOutcome, roles: Roles) -> str:
    """The message of the first main container that failed; "" where none did."""
    for name in roles.mains:
        code = outcome.containers.get(name, 0)
        if code != 0:
            said = _why(name, outcome.containers, roles.after or {})
            return f"{name}: Error (exit code {code})" + (f": {said}" if said else "")
    return ""


def init_failure(outcome: LeafOutcome, roles: Roles) -> str:
    """The message of the init container that failed, before which nothing else ran."""
    for name in roles.inits:
        code = outcome.containers.get(name, 0)
        if code != 0:
            return f"{name}: Error (exit code {code})"
    return ""


def sidecar_failure(outcome: LeafOutcome, roles: Roles) -> str:
    """The message of the first sidecar that failed by itself."""
    for name in roles.sidecars:
        code = outcome.containers.get(name, 0)
        if code != 0 and code not in ENDED_BY_US:
            return f"{name}: Error (exit code {code})"
    return ""


def exit_code(outcome: LeafOutcome, roles: Roles) -> int | None:
    """The exit code a leaf shows: of the container called ``main``, if there is one and it ran."""
    if roles.is_plain or not outcome.containers:
        return outcome.exit_code
    return outcome.containers.get(MAIN)
