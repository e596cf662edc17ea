"""What a task of a DAG reads when it becomes ready: the results of others, its fields, its items, and where its node hangs.

Everything here only looks; starting and ending are the frame's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import expand as loops
from fubini.engines.embedded import process
from fubini.engines.embedded.frames import Call, outbound
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.scope import Group
from fubini.engines.embedded.steps import NO_TEMPLATE, _certainly_off, check_room, expand_holder
from fubini.engines.embedded.tree import Node
from fubini.language.depends import TaskResults
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase, NodeType

if TYPE_CHECKING:
    from fubini.engines.embedded.dag import DagFrame


def aggregate(frame: DagFrame, name: str) -> None:
    """Read the results of a task's items together.

    Raises:
        LanguageError: one is not JSON.
    """
    found = frame.references.nodes.get(name)
    if isinstance(found, Group) and any((m.outputs or {}).get("result") is not None for m in found.members):
        _ = found.values


def results_of(frame: DagFrame, name: str) -> TaskResults:
    node = frame.tasks[name].node if name in frame.tasks else None
    if node is None:
        return TaskResults()
    any_succeeded, all_failed = False, False
    if node.type is NodeType.TASK_GROUP:
        phases = [child.phase for child in node.children]
        any_succeeded = NodePhase.SUCCEEDED in phases
        all_failed = bool(phases) and all(phase is NodePhase.FAILED for phase in phases)
    return TaskResults(
        Succeeded=node.phase is NodePhase.SUCCEEDED,
        Failed=node.phase is NodePhase.FAILED,
        Errored=node.phase is NodePhase.ERROR,
        Skipped=node.phase is NodePhase.SKIPPED,
        Omitted=node.phase is NodePhase.OMITTED,
        Daemoned=node.daemoned and node.phase is not NodePhase.PENDING,
        AnySucceeded=any_succeeded,
        AllFailed=all_failed,
    )


def parents_of(frame: DagFrame, name: str) -> list[Node]:
    """What a task's node hangs under: the ends of its dependencies, or the DAG itself."""
    depends = frame.plan.depends[name]
    if depends is None or not depends.tasks:
        return [frame.node]
    found: dict[str, Node] = {}
    for other in depends.tasks:
        node = frame.tasks[other].node
        for last in outbound(node) if node is not None else ():
            found[last.id] = last
    return list(found.values())


def call_of(frame: DagFrame, holder: Mapping[str, Any], slot: str, parents: list[Node]) -> Call:
    return Call(
        name=f"{frame.node.name}.{holder['name']}",
        holder=holder,
        arguments=holder.get("arguments") or {},
        base=frame.template.base,
        owner=frame,
        boundary=frame.node,
        slot=slot,
        kind="task",
        on_exit=frame.node.on_exit,
        depth=frame.depth + 1,
        parents=tuple(parents),
    )


def resolve(frame: DagFrame, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    task = frame.processed.sub(raw)
    scope = frame.scope(frame.references)
    body, no = process.resolve_holder(task, scope, frame.references, loop=loops.is_loop(task))
    if not no and (body.get("arguments") or {}).get("artifacts"):
        body["arguments"] = process.resolve_artifacts(
            body["arguments"],
            scope,
            skip=lambda error, artifact: "Unable to resolve" in error.message and bool(artifact.get("optional")),
        )
    return body


def gather(frame: DagFrame, name: str) -> None:
    """Make the outputs of the loops that a task depends on.

    Raises:
        LanguageError: one has none that can be gathered.
    """
    depends = frame.plan.depends[name]
    for other in depends.tasks if depends is not None else ():
        if isinstance(frame.references.nodes.get(other), Group) and frame.plan.tasks[other].get("inline"):
            raise LanguageError(NO_TEMPLATE)
        aggregate(frame, other)


def items_of(frame: DagFrame, holder: Mapping[str, Any]) -> list[Any]:
    try:
        return list(loops.items_of(holder, frame.state.context.max_items))
    except LanguageError as error:
        if not _certainly_off(holder):
            raise EngineError(error.message) from None
        return []


def calls_of(frame: DagFrame, holder: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = items_of(frame, holder)
    check_room(frame.state, len(items))
    return expand_holder(holder, items, frame.scope(frame.references))


def can_be_read(frame: DagFrame, name: str) -> bool:
    """Whether what a task depends on, its fields and its items can be read, as `ready` reads them."""
    try:
        gather(frame, name)
        holder = resolve(frame, frame.plan.tasks[name])
        if loops.is_loop(frame.plan.tasks[name]):
            expand_holder(holder, items_of(frame, holder), frame.scope(frame.references))
    except (EngineError, LanguageError):
        return False
    return True
