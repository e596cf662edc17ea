"""A picture of a manifest before it runs: its steps and what comes after what. Pure; never raises for what is in a manifest.

Nested steps and DAGs are opened to the bottom; a template inside itself, one of another manifest, and everything past
`MAX_NODES` is one box. Loops are one box marked as such: how many items they have may not be known yet. Conditions are
not judged, so the picture shows all that could run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fubini.manifests.context import listing, mapping

MAX_NODES: Final = 60
MAX_DEPTH: Final = 8
MAX_OPENED: Final = 2000  # steps looked at, drawn or not: nesting multiplies them
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_LOOPS: Final = ("withItems", "withParam", "withSequence")


@dataclass(frozen=True, slots=True)
class SketchNode:
    """One box. `parents` are ids of boxes it comes after; `loop`: it stands for any number of equal ones."""

    id: str
    name: str
    template: str
    parents: tuple[str, ...]
    loop: bool
    conditional: bool


@dataclass(frozen=True, slots=True)
class Sketch:
    nodes: tuple[SketchNode, ...] = ()
    truncated: bool = False


def sketch_of(document: Any) -> Sketch:
    """The boxes of a Workflow, WorkflowTemplate or CronWorkflow, in an order where parents come first."""
    spec = mapping(mapping(document).get("spec"))
    spec = mapping(spec.get("workflowSpec")) or spec
    templates = {str(t.get("name")): t for t in listing(spec.get("templates")) if isinstance(t, dict)}
    drawing = _Drawing(templates)
    entry = str(spec.get("entrypoint") or "")
    if entry in templates:
        drawing.open(entry, templates[entry], entry, (), (), False, False)
    return Sketch(tuple(drawing.nodes), drawing.truncated)


class _Drawing:
    def __init__(self, templates: Mapping[str, dict[str, Any]]) -> None:
        self.templates = templates
        self.nodes: list[SketchNode] = []
        self.truncated = False
        self.opened = 0

    def open(
        self, name: str, template: dict[str, Any], title: str, after: tuple[str, ...], stack: tuple[str, ...],
        loop: bool, conditional: bool,
    ) -> tuple[str, ...]:  # fmt: skip
        """Draw one step; the boxes that are its ends."""
        self.opened += 1
        if len(self.nodes) >= MAX_NODES or self.opened > MAX_OPENED:
            self.truncated = True
            return after
        inner = stack.count(title) == 0 and len(stack) < MAX_DEPTH and not loop
        if inner and isinstance(template.get("steps"), list):
            return self._steps(listing(template["steps"]), after, (*stack, title), conditional)
        if inner and isinstance(mapping(template.get("dag")).get("tasks"), list):
            return self._dag(listing(mapping(template["dag"])["tasks"]), after, (*stack, title), conditional)
        node = SketchNode(str(len(self.nodes)), name[:120], title[:120], after, loop, conditional)
        self.nodes.append(node)
        return (node.id,)

    def _step(self, step: dict[str, Any], after: tuple[str, ...], stack: tuple[str, ...], conditional: bool) -> tuple[str, ...]:
        inline = step.get("inline")
        title = str(step.get("template") or mapping(step.get("templateRef")).get("template") or step.get("name") or "")
        template = inline if isinstance(inline, dict) else self.templates.get(title, {}) if "templateRef" not in step else {}
        loop = any(step.get(key) for key in _LOOPS)
        return self.open(
            str(step.get("name") or title), mapping(template), title, after, stack, loop, conditional or bool(step.get("when"))
        )  # fmt: skip

    def _steps(self, groups: list[Any], after: tuple[str, ...], stack: tuple[str, ...], conditional: bool) -> tuple[str, ...]:
        for group in groups:
            ends: list[str] = []
            for step in listing(group) if isinstance(group, list) else [group]:
                if isinstance(step, dict):
                    ends += self._step(step, after, stack, conditional)
            after = tuple(dict.fromkeys(ends)) or after
        return after

    def _dag(self, tasks: list[Any], after: tuple[str, ...], stack: tuple[str, ...], conditional: bool) -> tuple[str, ...]:
        named = {str(t.get("name")): t for t in tasks if isinstance(t, dict)}
        needs = {name: [n for n in _needs(task) if n in named and n != name] for name, task in named.items()}
        ends: dict[str, tuple[str, ...]] = {}
        waiting = list(named)
        while waiting:  # each round draws at least one, or what is left is a circle and is not drawn
            ready = [name for name in waiting if all(n in ends for n in needs[name])]
            for name in ready:
                above = tuple(dict.fromkeys(e for n in needs[name] for e in ends[n])) or after
                ends[name] = self._step(named[name], above, stack, conditional)
            waiting = [name for name in waiting if name not in ends]
            if not ready:
                break
        used = {n for some in needs.values() for n in some}
        return tuple(dict.fromkeys(e for name in ends if name not in used for e in ends[name])) or after


def _needs(task: Mapping[str, Any]) -> list[str]:
    if isinstance(task.get("dependencies"), list):
        return [str(n) for n in task["dependencies"]]
    return _NAME.findall(str(task.get("depends") or "").replace(".", " . "))
