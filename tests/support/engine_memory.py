"""What the embedded engine keeps in memory beside its records, as plain data: equal before and after a restart.

Left out is what no event looks at again: hooks that have ended, owners of nodes that have, how often a settled task waits.
"""

from __future__ import annotations

from typing import Any

from fubini.engines.embedded.dag import DagFrame
from fubini.engines.embedded.frames import Frame
from fubini.engines.embedded.state import State
from fubini.engines.embedded.steps import StepsFrame
from fubini.runs.engine import NodeType


def memory(state: State) -> dict[str, Any]:
    """By the name of a node, and of the run as a whole under ""."""
    known = {name: value for name, value in state.globals.items() if name not in MOVING}
    found: dict[str, Any] = {
        "": {
            "record": state.run_record(),
            "open": state.active_pods,
            "asked": state.asked,
            "deadline": state.deadline,
            "globals": known,
            "generations": state.generations,
            "order": [node.name for node in state.nodes.values()],
            "failures": sorted(state.failures),
            "gates": {id_: gate.granted for id_, gate in state.gates.items()},
            "holding": sorted(state.holding),
            "crowded": sorted(state.crowded),
            "waiting": sorted(frame.node.name for frame in state.waiting.values() if _holds_back(frame)),
            "daemons": sorted(id_ for daemons in state.daemons.values() for id_ in daemons),
        }
    }
    for node in state.nodes.values():
        kept: dict[str, Any] = {"record": node.record(), "children": [child.name for child in node.children]}
        if isinstance(node.frame, Frame):
            kept |= _frame(node.frame)
        found[node.name] = kept
    return found


MOVING = frozenset({"workflow.duration", "workflow.failures"})


def _frame(frame: Frame) -> dict[str, Any]:
    kept = {
        "children open": frame.active_children,
        "leaves open": frame.active_pods,
        "failed": frame.unsuccessful,
        "hooks": _hooks(frame),
        "broken": frame.broken,
    }
    if isinstance(frame, StepsFrame):
        kept["held"] = sorted(frame.hook_runner.held)
        kept["steps"] = {
            "group": frame.group.name if frame.group is not None else "",
            "index": frame.index,
            "pending": [step["name"] for step, _ in frame.pending],
            "open": frame.open,
            "over": frame.over,
            "hook failed": frame.hook_failed,
            "known": sorted(frame.references.nodes),
        }
    elif isinstance(frame, DagFrame):
        kept["held"] = sorted(frame.hook_runner.held)
        kept["running"], kept["over"] = frame.running_count, frame.over
        kept["known"] = sorted(frame.references.nodes)
        kept["tasks"] = {name: _task(frame, name) for name in frame.tasks}
    return kept


def _task(frame: DagFrame, name: str) -> dict[str, Any]:
    task = frame.tasks[name]
    looping = task.node is not None and task.node.type is NodeType.TASK_GROUP and not task.node.over
    handlers = task.handlers
    begun = any(frame.tasks[other].node for other in frame.plan.dependents[name] if other in frame.tasks)
    return {
        "node": task.node.name if task.node is not None else "",
        "waits": 0 if task.node is not None else task.waits,
        "to come": bool(task.pending) or task.held,
        "items": task.items if looping else 0,
        "settled": task.settled or begun,
        "again": task.again,
        "handlers": (sorted(handlers.running), sorted(handlers.due)) if handlers and looping else ((), ()),
        "stalled": name in frame.stalled,
    }


def _hooks(frame: Frame) -> dict[str, Any]:
    found = {}
    for id_, hooks in frame.hooks.items():
        node = frame.state.nodes.get(id_)
        ending = "exit" in hooks.started and not hooks.exit_done
        if hooks.open or ending or (hooks.started and node is not None and not node.over):
            found[str(id_)] = (sorted(hooks.started), hooks.open, hooks.exit_done)
    return found


def _holds_back(frame: Frame) -> bool:
    if isinstance(frame, DagFrame):
        return frame.holds_back()
    return isinstance(frame, StepsFrame) and bool(frame.pending or frame.hook_runner.held)


def difference(before: Any, after: Any, path: str = "") -> str:
    """The first place where two memories differ, with what is there; "" where none does."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            if before.get(key) != after.get(key):
                return difference(before.get(key), after.get(key), f"{path}/{key}")
        return ""
    return "" if before == after else f"{path}: {before!r} is {after!r} after a restart"
