"""What a retry changes for the leaves of the new generation: memory, walltime, image.

A change lives from one retry to the next. It is kept with the run as plain data: which leaves it concerns (nodes picked
when the retry was asked for, a selector for those that come later, or templates of what had failed) and what it sets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded.select import matcher
from fubini.engines.embedded.state import SignalRefused
from fubini.engines.embedded.tree import Node
from fubini.runs.engine import ContainerKind, NodeId, NodeType, Signal, TaskSpec

if TYPE_CHECKING:
    from fubini.engines.embedded.state import State

PICKED_MAX = 1000  # nodes a change names one by one; a selector by template has no such limit
_LEAVES = frozenset({NodeType.POD, NodeType.RETRY})
_AROUND = frozenset({NodeType.STEPS, NodeType.DAG})


def noted(state: State, event: Signal, again: Collection[NodeId]) -> Mapping[str, Any]:
    """What to keep of a retry's change; `again` are the leaves that run again because of it.

    A selector that picks leaves means those; one that picks only what is around them (a dag, steps) means all inside.

    Raises:
        SignalRefused: it would concern no leaf, or its selector picks too many one by one.
    """
    change = event.change
    if not change:
        return {}
    kept: dict[str, Any] = {key: value for key, value in dataclasses.asdict(change).items() if value not in (None, "")}
    if not event.selector:
        kept["templates"] = sorted({state.nodes[id_].template for id_ in again})
        return kept
    matches = matcher(event.selector)
    found = [n for n in state.nodes.values() if matches(n)]
    picked = [n.id for n in found if n.type in _LEAVES] or [n.id for n in found if n.type in _AROUND]
    if not picked:
        raise SignalRefused(f"no node matches the selector {event.selector!r}: nothing would be changed")
    if len(picked) > PICKED_MAX:
        raise SignalRefused(
            f"the selector {event.selector!r} matches {len(picked)} nodes; at most {PICKED_MAX} can be changed one by"
            " one: select by templateName"
        )
    return {**kept, "selector": event.selector, "nodes": dict.fromkeys(picked, 1)}


def applied(state: State, node: Node, spec: TaskSpec) -> TaskSpec:
    """A leaf's specification with the run's change, where it concerns the leaf."""
    change = state.change
    if not change or not _concerns(change, node):
        return spec
    resources = spec.resources
    if "memory_bytes" in change:
        resources = dataclasses.replace(resources, memory_bytes=change["memory_bytes"])
    image = change.get("image") or spec.image
    mains = {c.name for c in spec.containers if c.kind is ContainerKind.MAIN and c.image == spec.image}
    return dataclasses.replace(
        spec,
        resources=resources,
        image=image,
        containers=tuple(dataclasses.replace(c, image=image) if c.name in mains else c for c in spec.containers),
        walltime_s=change.get("walltime_s", spec.walltime_s),
    )


def _concerns(change: Mapping[str, Any], node: Node) -> bool:
    if "templates" in change:
        return node.template in change["templates"]
    if matcher(change["selector"])(node):
        return True
    picked = change["nodes"]
    above: Node | None = node
    while above is not None:
        if above.id in picked or (above.retried and above.parents and above.parents[0].id in picked):
            return True
        above = above.boundary
    return False
