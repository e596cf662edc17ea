"""What a memoization cache answers: the rules, apart from where entries are kept.

A cache is named as Argo names the ConfigMap it is kept in. Here entries are rows of their own, but a ConfigMap of that
name still counts: without the label Argo asks for, the cache is refused; with it, the entries written in it are found
as Argo would find them. Source: Argo Workflows v4.1, docs/memoization.md; messages as its controller writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LABEL = "workflows.argoproj.io/configmap-type"
CACHE = "Cache"


@dataclass(frozen=True, slots=True)
class Entry:
    """What was kept under a key: a node's outputs, and when."""

    outputs: Mapping[str, Any]
    created_ms: int


def look_up(
    entry: Entry | None,
    config_map: Mapping[str, Any] | None,
    *,
    key: str,
    max_age_ms: int | None,
    now_ms: int,
) -> tuple[Mapping[str, Any] | None, str]:
    """-> (the outputs found or None, why the cache cannot be used or "").

    Args:
        entry: the row for `key`, if there is one.
        config_map: the manifest of the ConfigMap with the cache's name, if the project has one.
    """
    if config_map is not None:
        label = ((config_map.get("metadata") or {}).get("labels") or {}).get(LABEL)
        if label is None:
            return None, f"memoization configmap doesn't have {LABEL} label, refusing to use it"
        if label != CACHE:
            return None, f"memoization configmap doesn't have label {LABEL} = {CACHE}, refusing to use it"
        written = (config_map.get("data") or {}).get(key)
        if entry is None and written:
            try:
                entry = _entry_of(str(written))
            except ValueError as error:
                return None, f"malformed cache entry: could not unmarshal JSON; unable to parse: {error}"
    if entry is None or (max_age_ms is not None and now_ms - entry.created_ms // 1000 * 1000 > max_age_ms):
        return None, ""
    return entry.outputs, ""


def _entry_of(text: str) -> Entry | None:
    """An entry as Argo writes it; None for one without a node.

    Raises:
        ValueError: it is not such an entry.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    if not found.get("nodeID"):
        return None
    outputs = found.get("outputs") or {}
    if not isinstance(outputs, dict):
        raise ValueError("its outputs are no JSON object")
    created = str(found.get("creationTimestamp") or "1970-01-01T00:00:00Z")
    at = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return Entry(outputs, int(at.timestamp() * 1000))
