"""`resource` templates that make or read a Workflow: a child run of the same project. Any other kind is refused.

Decides what is asked for; making the run, waiting for it and reading it is the platform's (`runs.children`). As in Argo the
node is a Pod, a resource without conditions is done once it is made, and outputs are read by `jsonPath` at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.language import conditions, jsonpath
from fubini.language.errors import LanguageError
from fubini.runs.engine import ChildOutput, ChildRun, NodePhase, OpenTask, TaskSpec

if TYPE_CHECKING:
    from fubini.engines.embedded.process import Processed
    from fubini.engines.embedded.state import State
    from fubini.engines.embedded.tree import Node

ACTIONS = ("create", "get")


def open_child(state: State, node: Node, processed: Processed) -> str:
    """Ask the platform for a child run; -> a message where it cannot even be asked."""
    if state.shutdown and not (state.shutdown == "Stop" and node.on_exit):
        state.mark(node, NodePhase.FAILED, f"workflow shutdown with strategy: {state.shutdown}")
        return ""
    try:
        child = _child(processed)
    except (EngineError, LanguageError) as error:
        return error.message
    state.command(OpenTask(node.id, node.generation, TaskSpec(processed.template.name, "", (), child=child)))
    return ""


def _child(processed: Processed) -> ChildRun:
    section = processed.leaf(processed.template.body["resource"])
    action = section.get("action") or ""
    if action not in ACTIONS:
        raise EngineError(f"the action {action!r} is not done here; these are: {', '.join(ACTIONS)}")
    if not section.get("manifest"):
        raise EngineError("a resource needs a manifest")
    for name in ("successCondition", "failureCondition"):
        conditions.parse(section.get(name) or "")
    declared = processed.leaf(processed.template.outputs) if processed.template.outputs else {}
    return ChildRun(
        action=action,
        manifest=section["manifest"],
        success=section.get("successCondition") or "",
        failure=section.get("failureCondition") or "",
        outputs=tuple(
            _output(p) for p in declared.get("parameters") or () if (p.get("valueFrom") or {}).get("jsonPath")
        ),
    )


def _output(parameter: dict[str, Any]) -> ChildOutput:
    source = parameter["valueFrom"]
    jsonpath.parse(source["jsonPath"])
    return ChildOutput(parameter["name"], source["jsonPath"], any_string(source.get("default")))
