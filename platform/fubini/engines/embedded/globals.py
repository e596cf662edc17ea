"""The variables that hold everywhere in a run: `workflow.*`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import process
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.scope import VariableScope, rfc3339
from fubini.language import gojson
from fubini.manifests.crons import SCHEDULED_AT

if TYPE_CHECKING:
    from fubini.engines.embedded.state import State

_FORMATS = {
    "B": "%B",
    "b": "%b",
    "m": "%m",
    "A": "%A",
    "a": "%a",
    "d": "%d",
    "H": "%H",
    "I": "%I",
    "M": "%M",
    "S": "%S",
    "Y": "%Y",
    "y": "%y",
    "p": "%p",
    "Z": "UTC",
    "z": "+0000",
}


def run_arguments(state: State) -> list[dict[str, Any]]:
    """The workflow's parameters with those given at submit."""
    given = {**state.context.parameters, **state.overrides}
    listed: list[dict[str, Any]] = []
    for parameter in (state.program.spec.get("arguments") or {}).get("parameters") or ():
        entry = dict(parameter)
        if entry["name"] in given:
            entry["value"] = given.pop(entry["name"])
            entry.pop("valueFrom", None)
        listed.append(entry)
    listed.extend({"name": name, "value": value} for name, value in given.items())
    return listed


def set_globals(state: State) -> None:
    """Fill in everything known before the first node; outputs of the workflow are added as they come.

    Raises:
        EngineError: a parameter of the workflow has no value.
    """
    context, program = state.context, state.program
    created = datetime.fromtimestamp(context.created_ms // 1000, UTC)
    spec = program.spec
    found: dict[str, Any] = {
        "workflow.name": context.name,
        "workflow.namespace": context.namespace,
        "workflow.mainEntrypoint": spec.get("entrypoint") or "",
        "workflow.serviceAccountName": spec.get("serviceAccountName") or "",
        "workflow.uid": context.uid,
        "workflow.creationTimestamp": rfc3339(context.created_ms),
        "workflow.creationTimestamp.s": str(context.created_ms // 1000),
        "workflow.creationTimestamp.RFC3339": rfc3339(context.created_ms),
        "workflow.status": "",
        "workflow.duration": "0.000000",
    }
    for letter, layout in _FORMATS.items():
        found[f"workflow.creationTimestamp.{letter}"] = created.strftime(layout)
    found["workflow.creationTimestamp.L"] = f".{context.created_ms % 1000:03d}"
    if spec.get("priority") is not None:
        found["workflow.priority"] = any_string(spec["priority"])
    scheduled = (program.metadata.get("annotations") or {}).get(SCHEDULED_AT)
    if scheduled is not None:
        found["workflow.scheduledTime"] = any_string(scheduled)
    _labels(found, program.metadata, spec.get("workflowMetadata") or {})
    parameters = run_arguments(state)
    text = process.parameters_json(parameters) if parameters else "null"
    found["workflow.parameters"] = found["workflow.parameters.json"] = text
    for parameter in parameters:
        found[f"workflow.parameters.{parameter['name']}"] = _value(state, parameter)
    state.globals = found
    for entry in state.outputs.get("parameters") or ():
        found[f"workflow.outputs.parameters.{entry['name']}"] = entry.get("value") or ""
    for entry in state.outputs.get("artifacts") or ():
        found[f"workflow.outputs.artifacts.{entry['name']}"] = entry
    arguments = {**(spec.get("arguments") or {}), "parameters": parameters}
    scope = VariableScope(found, {})
    state.arguments = process.walk(arguments, lambda text: process.replace(text, scope))


def _labels(found: dict[str, Any], metadata: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    for kind in ("labels", "annotations"):
        own = {str(k): any_string(v) or "" for k, v in (metadata.get(kind) or {}).items()}
        text = gojson.dumps(own) if own else "null"
        found[f"workflow.{kind}"] = found[f"workflow.{kind}.json"] = text
        for key, value in {**own, **(extra.get(kind) or {})}.items():
            found[f"workflow.{kind}.{key}"] = any_string(value) or ""


def _value(state: State, parameter: Mapping[str, Any]) -> str:
    if parameter.get("value") is not None:
        return str(parameter["value"])
    source = parameter.get("valueFrom")
    if source and source.get("configMapKeyRef"):
        try:
            return process.config_map_value(parameter["name"], source, {}, state.program.config_maps)
        except EngineError as error:
            raise EngineError(f"failed to set global parameter {parameter['name']}: {error.message}") from None
    raise EngineError(
        f"either value or valueFrom must be specified in order to set global parameter {parameter['name']}"
    )
