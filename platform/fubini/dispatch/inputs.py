"""What a task reads: its artifacts and datasets as blob entries, resolved once and remembered (both are immutable)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fubini.common.errors import FubiniError
from fubini.datasets.services import artifact_resolve
from fubini.runs.engine import TaskSpec


@dataclass(frozen=True, slots=True)
class Resolved:
    """Entries {path, size, mode, sha256} and their total size."""

    entries: tuple[dict[str, Any], ...]
    size_bytes: int


@lru_cache(maxsize=20_000)
def input_resolve(project_id: str, key: str, sub_path: str = "") -> Resolved:
    """The entries behind a logical key (``<run>/<node>/<generation>/<name>`` or ``dataset/<name>[@version]``).

    Raises:
        FubiniError: the project has no such artifact or dataset.
    """
    found = artifact_resolve(project_id, key, sub_path)
    return Resolved(tuple(found.entries), found.size_bytes)


def input_sizes(project_id: str, spec: TaskSpec) -> dict[str, int]:
    """Digest -> bytes of everything a task reads; what cannot be resolved is left to the staging to refuse."""
    sizes: dict[str, int] = {}
    wanted = [(a.key, a.sub_path) for a in spec.artifacts_in if a.key] + [
        (f"dataset/{v.claim}", v.sub_path) for v in spec.volumes if v.claim
    ]
    for key, sub_path in wanted:
        try:
            resolved = input_resolve(project_id, key, sub_path)
        except FubiniError:
            continue
        for entry in resolved.entries:
            sizes[entry["sha256"]] = entry["size"]
    return sizes
