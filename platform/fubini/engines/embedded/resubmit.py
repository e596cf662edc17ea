"""A failed run's tree under another run's name, so that only what failed runs again there (a memoized resubmit).

Pure. What the old run's exit handler did is left out. Nodes keep their phases: Argo shows the pods it carries over as
Skipped, which makes `depends: A.Succeeded` false and drops them from a fan-out's collected outputs; here they stay
Succeeded, with Argo's message, so that what follows sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fubini.engines.embedded import tree
from fubini.engines.embedded.persist import as_created
from fubini.runs.engine import NodeId, NodePhase, NodeRecord, NodeType


def renamed(
    records: Sequence[NodeRecord], *, old: str, new: str, keys: Mapping[str, str], at_ms: int
) -> list[NodeRecord]:
    """The records of run `old` as those of run `new`, whose artifacts have the keys `keys` says.

    Succeeded leaves say which node they come from. Generations begin anew.
    """
    kept = [r for r in as_created(records) if r.phase is not None and not r.name.startswith(f"{old}.onExit")]
    ids: dict[str, NodeId] = {}
    taken: set[str] = set()
    for record in kept:
        id_ = first = tree.node_id(new, new + record.name.removeprefix(old))
        number = 1
        while id_ in taken:
            number += 1
            id_ = NodeId(f"{first}-{number}")
        taken.add(id_)
        ids[record.id] = id_
    made = []
    for record in kept:
        carried = record.type is NodeType.POD and record.phase is NodePhase.SUCCEEDED
        made.append(
            replace(
                record,
                id=ids[record.id],
                name=new + record.name.removeprefix(old),
                display_name=new if record.display_name == old else record.display_name,
                generation=0,
                private={name: value for name, value in record.private.items() if name != "again"},
                boundary_id=ids.get(record.boundary_id) if record.boundary_id else None,
                parents=tuple(ids[p] for p in record.parents if p in ids),
                message=f"original pod: {record.id}" if carried else record.message,
                inputs=_rekeyed(record.inputs, keys),
                outputs=_rekeyed(record.outputs, keys),
                started_ms=at_ms,
                finished_ms=at_ms if record.finished_ms is not None else None,
            )
        )
    return made


def _rekeyed(value: Any, keys: Mapping[str, str]) -> Any:
    """Artifact keys of the old run as those of the new one, wherever they stand."""
    if isinstance(value, str):
        return keys.get(value, value)
    if isinstance(value, Mapping):
        return {name: _rekeyed(inner, keys) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rekeyed(inner, keys) for inner in value]
    return value
