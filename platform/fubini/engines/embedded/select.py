"""Field selectors: how a person names nodes of a run, as Argo's `--node-field-selector` does."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from fubini.engines.embedded.state import SignalRefused
from fubini.engines.embedded.tree import Node

_CONDITION = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<operator>!=|==|=)\s*(?P<value>.*)", re.S)


@lru_cache(maxsize=64)
def matcher(selector: str) -> Callable[[Node], bool]:
    """A field selector: ``key=value,key!=value`` over a node's fields and input parameters.

    Raises:
        SignalRefused: it cannot be read.
    """
    wanted: list[tuple[str, str, bool]] = []
    for part in selector.split(","):
        if not part.strip():
            continue
        found = _CONDITION.fullmatch(part.strip())
        if found is None:
            raise SignalRefused(f"invalid selector: '{selector}'; can't understand '{part}'")
        wanted.append((found["key"], found["value"], found["operator"] != "!="))
    return lambda node: all((_field(node, key) == value) is equal for key, value, equal in wanted)


def _field(node: Node, key: str) -> str:
    simple = {
        "displayName": node.display,
        "templateName": node.template,
        "phase": node.phase.value,
        "name": node.name,
        "id": node.id,
    }
    if key in simple:
        return simple[key]
    if key.startswith("templateRef."):
        return str((node.template_ref or {}).get(key.partition(".")[2]) or "")
    if key.startswith("inputs.parameters.") and key.endswith(".value"):
        name = key[18:-6]
        for parameter in (node.inputs or {}).get("parameters") or ():
            if parameter["name"] == name:
                return str(parameter["value"])
    return ""
