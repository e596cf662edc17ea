"""Suspend nodes: they wait for a person or for their duration, and may get output parameters supplied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded.process import EngineError, Processed
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.tree import Node
from fubini.language import durations
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase

if TYPE_CHECKING:
    from fubini.engines.embedded.state import State


def open_suspend(state: State, node: Node, processed: Processed) -> str:
    """Start waiting; -> a message where the template cannot be executed."""
    template = processed.template
    supplied = [_supplied(processed, p) for p in template.outputs.get("parameters") or ()]
    listed = [p for p in supplied if p is not None]
    if listed:
        node.outputs = {"parameters": listed}
    duration = any_string((processed.sub(template.body["suspend"]) or {}).get("duration"))
    if duration:
        try:
            length = durations.parse(duration)
        except LanguageError as error:
            return f"unable to parse {duration} as a duration: {error.message}"
        if length <= 0 and not state.shutdown:
            return _pass_by(state, node)
        node.memo = {**(node.memo or {}), "until": state.now + length}
        state.timer(f"suspend:{node.id}", state.now + length)
    if state.shutdown and not (state.shutdown == "Stop" and node.on_exit):
        state.mark(node, NodePhase.FAILED, f"Stopped with strategy '{state.shutdown}'")
        return ""
    state.mark(node, NodePhase.RUNNING)
    return ""


def _pass_by(state: State, node: Node) -> str:
    """A node that waits for no time at all; -> a message where an output is not supplied."""
    try:
        node.outputs = fill_defaults(node.outputs)
    except EngineError as error:
        return error.message
    state.add_global_output(node.outputs)
    state.mark(node, NodePhase.SUCCEEDED)
    return ""


def _supplied(processed: Processed, parameter: Mapping[str, Any]) -> dict[str, Any] | None:
    source = processed.sub(parameter.get("valueFrom") or {})
    if source.get("supplied") is None:
        return None
    kept: dict[str, Any] = {"supplied": {}}
    default = source.get("default")
    if default is None:
        for declared in processed.template.inputs.get("parameters") or ():
            if declared["name"] == parameter["name"] and declared.get("default") is not None:
                default = processed.sub(declared["default"])
    if default is not None:
        kept["default"] = default
    out: dict[str, Any] = {"name": parameter["name"], "valueFrom": kept}
    if parameter.get("globalName"):
        out["globalName"] = processed.sub(parameter["globalName"])
    return out


def fill_defaults(outputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Outputs nobody supplied get their defaults.

    Raises:
        EngineError: one has none.
    """
    if outputs is None:
        return None
    filled: list[dict[str, Any]] = []
    for parameter in outputs.get("parameters") or ():
        source = parameter.get("valueFrom")
        if source is None or source.get("supplied") is None:
            filled.append(parameter)
            continue
        if source.get("default") is None:
            raise EngineError(
                f"raw output parameter '{parameter['name']}' has not been set and does not have a default value"
            )
        entry = {k: v for k, v in parameter.items() if k != "valueFrom"}
        filled.append({**entry, "value": source["default"]})
    return {**outputs, "parameters": filled}


def supply(outputs: Mapping[str, Any] | None, values: Mapping[str, str]) -> dict[str, Any] | None:
    """Outputs with a person's values.

    Raises:
        EngineError: the node waits for no such parameter.
    """
    if not values:
        return dict(outputs) if outputs is not None else None
    if outputs is None:
        raise EngineError("cannot set output parameters because node is not expecting any raw parameters")
    listed = [dict(p) for p in outputs.get("parameters") or ()]
    for name, value in values.items():
        for entry in listed:
            if entry["name"] == name and entry.get("valueFrom") is not None:
                del entry["valueFrom"]
                entry["value"] = value
                break
        else:
            raise EngineError(f"node is not expecting output parameter '{name}'")
    return {**outputs, "parameters": listed}


def wake(state: State, node: Node) -> None:
    """The node's time has come."""
    until = (node.memo or {}).get("until")
    if node.phase is not NodePhase.RUNNING or until is None:
        return
    if state.now < until:
        state.timer(f"suspend:{node.id}", until)
        return
    from fubini.engines.embedded.frames import Failed

    try:
        node.outputs = fill_defaults(node.outputs)
    except EngineError as error:
        state.mark(node, NodePhase.ERROR, error.message, tell=False)
        owner, message = node.owner, error.message
        if owner is not None:
            state.work.append(lambda: owner.failed(Failed(node, message)))
        return
    state.add_global_output(node.outputs)
    state.mark(node, NodePhase.SUCCEEDED)
