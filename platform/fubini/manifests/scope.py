"""Which {{variables}} a place in a manifest may use, judged as Argo's controller does at submit.

Only tags whose first word Argo knows (`ROOTS`) are judged; any other tag is left as text. Expression tags ``{{=...}}``
are not judged at all. What a node offers depends on its template: a result only where something runs, an output only
where it is declared, aggregated outputs only after a loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fubini.manifests.library import Template
from fubini.manifests.load import Path

ROOTS = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
ANY_ITEM = "item.*"
ANY_GLOBAL_PARAMETER = "workflow.outputs.parameters.*"
ANY_GLOBAL_ARTIFACT = "workflow.outputs.artifacts.*"

# Known at run time only, by their beginnings.
_LATE = (
    "outputs.",
    "workflow.creationTimestamp",
    "workflow.scheduledTime",
    "workflow.duration",
    "tasks.name",
    "steps.name",
    "node.name",
)
_KINDS = (
    "workflow.parameters",
    "workflow.outputs",
    "workflow.labels",
    "workflow.annotations",
    "inputs.parameters",
    "inputs.artifacts",
)
_ALWAYS_OF_NODE = frozenset({"id", "startedAt", "finishedAt", "hostNodeName"})


@dataclass(slots=True)
class Node:
    """What is known of a step or task of the same template: its template (None = known at run time only)."""

    template: Template | None = None
    outputs: bool = False
    status: bool = False
    aggregate: bool = False
    group: int = 0
    never: bool = False  # its condition is false whatever happens

    def offers(self, rest: str) -> bool:
        """Is ``steps.NAME.<rest>`` in scope?"""
        if rest == "status":
            return self.status
        if not self.outputs:
            return False
        if rest in _ALWAYS_OF_NODE:
            return True
        template = self.template
        if template is None:
            return False
        if rest == "ip":
            return template.body.get("daemon") is True
        if rest in ("outputs.result", "exitCode"):
            return template.has_result or (self.aggregate and template.type in ("script", "containerSet"))
        if rest == "outputs.parameters":
            return self.aggregate
        if rest.startswith("outputs.parameters."):
            return rest[19:] in template.output_parameters
        if rest.startswith("outputs.artifacts."):
            return rest[18:] in template.output_artifacts
        return False

    def known(self) -> list[str]:
        """What could be asked for, for "nearest" and "allowed"."""
        names = ["status"] if self.status else []
        if self.outputs:
            names += sorted(_ALWAYS_OF_NODE)
            if self.template is not None:
                names += [f"outputs.parameters.{n}" for n in list(self.template.output_parameters)[:50]]
                names += [f"outputs.artifacts.{n}" for n in list(self.template.output_artifacts)[:50]]
                names += [n for n in ("outputs.result", "exitCode", "outputs.parameters") if self.offers(n)]
        return names


@dataclass(slots=True)
class Scope:
    """The variables of one template: its own names, its nodes, and the run's globals (shared, growing)."""

    globals: set[str]
    names: set[str] = field(default_factory=set)
    root: str = ""  # "steps" or "tasks" where there are nodes
    nodes: dict[str, Node] = field(default_factory=dict)
    template_of_others: bool = False  # validating a WorkflowTemplate by itself: parameters may come from its user

    def has(self, tag: str, extra: frozenset[str] | set[str] = frozenset()) -> bool:
        """Does this (trimmed) tag resolve? Tags with an unknown first word do."""
        if not tag.startswith(ROOTS):
            return True
        if tag in self.names or tag in self.globals or tag in extra:
            return True
        if tag.startswith("item.") and (ANY_ITEM in extra or ANY_ITEM in self.names):
            return True
        if tag.startswith("workflow.outputs.parameters.") and ANY_GLOBAL_PARAMETER in self.names | self.globals:
            return True
        if tag.startswith("workflow.outputs.artifacts.") and ANY_GLOBAL_ARTIFACT in self.names | self.globals:
            return True
        if tag.startswith(_LATE):
            return True
        if self.template_of_others and tag.startswith("workflow.parameters"):
            return True
        if self.root and tag.startswith(self.root):
            name, rest = split_node(tag)
            node = self.nodes.get(name)
            return node is not None and node.offers(rest)
        return False

    def known(self, tag: str, extra: frozenset[str] | set[str] = frozenset()) -> list[str]:
        """Tags that would resolve and look like this one."""
        root = tag.split(".", 1)[0]
        kind = ".".join(tag.split(".")[:2])
        start = kind + "." if kind in _KINDS else root
        names = [n for n in (*self.names, *self.globals, *extra) if n.startswith(start) and not n.endswith("*")][:500]
        if self.nodes and (root in ("steps", "tasks")):
            wanted, _ = split_node(tag)
            chosen = {wanted: self.nodes[wanted]} if wanted in self.nodes else dict(list(self.nodes.items())[:50])
            names += [f"{self.root}.{n}.{rest}" for n, node in chosen.items() for rest in node.known()]
        return names


def split_node(tag: str) -> tuple[str, str]:
    """``steps.a.outputs.result`` -> ``a``, ``outputs.result``."""
    _, _, tail = tag.partition(".")
    name, _, rest = tail.partition(".")
    return name, rest


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag found in a text: its path, the words between the braces, and whether the braces are closed."""

    path: Path
    words: str
    closed: bool = True

    @property
    def trimmed(self) -> str:
        return self.words.strip()

    @property
    def expression(self) -> bool:
        return self.words.startswith("=")


def tags_in(value: Any, path: Path) -> Iterator[Tag]:
    """All tags in the texts below `value`, keys included, in order of the document."""
    stack: list[tuple[Any, Path]] = [(value, path)]
    while stack:
        node, at = stack.pop()
        if isinstance(node, str):
            if "{{" in node:
                yield from tags_of(node, at)
        elif isinstance(node, dict):
            for key in node:
                if "{{" in key:
                    yield from tags_of(key, (*at, key))
            stack.extend((inner, (*at, key)) for key, inner in reversed(node.items()) if inner is not None)
        elif isinstance(node, list) and all(type(inner) is str for inner in node):
            for index, inner in enumerate(node):
                if "{{" in inner:
                    yield from tags_of(inner, (*at, index))
        elif isinstance(node, list):
            stack.extend((inner, (*at, i)) for i, inner in reversed(list(enumerate(node))) if _may_hold(inner))


def _may_hold(value: Any) -> bool:
    return "{{" in value if isinstance(value, str) else isinstance(value, dict | list)


def tags_of(text: str, path: Path) -> Iterator[Tag]:
    """The tags of one text: from ``{{`` to the next ``}}``."""
    start = text.find("{{")
    while start >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            yield Tag(path, text[start + 2 :], closed=False)
            return
        yield Tag(path, text[start + 2 : end])
        start = text.find("{{", end + 2)
