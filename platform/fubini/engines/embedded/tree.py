"""A run's nodes in memory: one small object each, linked both ways, and how nodes are named as Argo names them.

Edges are stored with the child (`parents`); `children` is the same in the other direction and never persisted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fubini.runs.engine import FULFILLED, NodeId, NodePhase, NodeRecord, NodeType

FAILED = frozenset({NodePhase.FAILED, NodePhase.ERROR})
COMPLETED = frozenset({NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.ERROR})
MEMO = ("hit", "key", "cacheName")
ACTIVE = frozenset({NodePhase.PENDING, NodePhase.RUNNING})


def fnv32a(text: str) -> int:
    """32-bit FNV-1a of a text's UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def node_id(run_name: str, node_name: str) -> NodeId:
    """The id of a node: the run's own name for the root, else the run's name and a hash of the node's."""
    if node_name == run_name:
        return NodeId(run_name)
    return NodeId(f"{run_name}-{fnv32a(node_name)}")


def pod_name(run_name: str, node_name: str, template_name: str) -> str:
    """What `{{pod.name}}` is: run, template and hash of the node's name."""
    if node_name == run_name:
        return run_name
    prefix = run_name
    if template_name and template_name not in run_name:
        prefix = f"{run_name}-{template_name}"
    return f"{prefix[:242]}-{fnv32a(node_name)}"


_SEPARATOR = re.compile(r"^(\[\d+\])?\.")


def display_name(name: str, boundary_name: str | None) -> str:
    """A node's name inside its boundary: without the boundary's own name and the step group's number."""
    if boundary_name is None:
        return name
    return _SEPARATOR.sub("", name.removeprefix(boundary_name))


class Node:
    """One node. `owner` is the frame to tell when it ends, `frame` what runs inside it, `slot` its step's or task's name."""

    __slots__ = (
        "address",
        "again",
        "barred",
        "boundary",
        "children",
        "daemoned",
        "dirty",
        "display",
        "finished",
        "flag",
        "frame",
        "gate",
        "generation",
        "id",
        "inputs",
        "locked",
        "memo",
        "message",
        "name",
        "number",
        "on_exit",
        "outputs",
        "owner",
        "parents",
        "phase",
        "scope",
        "slot",
        "started",
        "template_name",
        "template_ref",
        "type",
        "waiting_for",
        "watched",
    )

    def __init__(self, id_: NodeId, name: str, display: str, type_: NodeType, phase: NodePhase) -> None:
        self.id = id_
        self.name = name
        self.display = display
        self.type = type_
        self.phase = phase
        self.message = ""
        self.generation = 0
        self.number = 0  # nodes are made one after the other, and looked at in this order where there is a choice
        self.again: tuple[int, ...] | None = (
            None  # came back after a retry: how many nodes had been before, and which this is
        )
        self.boundary: Node | None = None
        self.template_name = ""
        self.template_ref: Mapping[str, Any] | None = None
        self.scope = ""
        self.parents: tuple[Node, ...] = ()
        self.children: list[Node] | tuple[()] = ()
        self.inputs: dict[str, Any] | None = None
        self.outputs: dict[str, Any] | None = None
        self.flag: dict[str, bool] | None = None
        self.started: int | None = None
        self.finished: int | None = None
        self.owner: Any = None
        self.frame: Any = None
        self.slot: str = ""
        self.on_exit = False
        self.dirty = False
        self.daemoned = False
        self.address = ""
        self.memo: dict[str, Any] | None = None  # memoizationStatus, and until when a suspend node waits
        self.waiting_for = ""  # the lock it waits for, as messages name it
        self.locked = False  # it has asked for locks and not given them back
        self.watched = False  # a timer runs until it must have started
        self.barred = False  # an item of this group could not be executed: no further one starts
        self.gate: dict[str, Any] | None = None  # not let through yet: what `gates` needs to go on after a restart

    @property
    def over(self) -> bool:
        """It has ended."""
        return self.phase in FULFILLED

    @property
    def fulfilled(self) -> bool:
        """Whoever waits for it may go on: it has ended, or serves as a daemon."""
        return self.phase in FULFILLED or (self.daemoned and self.phase is not NodePhase.PENDING)

    @property
    def completed(self) -> bool:
        return self.phase in COMPLETED

    @property
    def failed(self) -> bool:
        return self.phase in FAILED

    @property
    def hooked(self) -> bool:
        return bool(self.flag and self.flag.get("hooked"))

    @property
    def retried(self) -> bool:
        return self.type is not NodeType.RETRY and bool(self.flag and self.flag.get("retried"))

    @property
    def template(self) -> str:
        """The template's name, also where it comes by reference."""
        return str(self.template_ref.get("template") or "") if self.template_ref else self.template_name

    def attempts(self) -> list[Node]:
        """The tries of a Retry node, oldest first."""
        return [child for child in self.children if child.retried and not child.name.endswith(".onExit")]

    def add_child(self, child: Node) -> None:
        """Link, once."""
        if any(parent is self for parent in child.parents):
            return
        child.parents = (*child.parents, self)
        if not self.children:
            self.children = [child]
        else:
            assert isinstance(self.children, list)
            self.children.append(child)

    def record(self) -> NodeRecord:
        """The node's persistent form."""
        private: dict[str, Any] = {}
        if self.again is not None:
            private["again"] = list(self.again)
        if self.slot:
            private["slot"] = self.slot
        if self.on_exit:
            private["exit"] = True
        if self.daemoned:
            private["daemoned"] = True
        if self.address:
            private["address"] = self.address
        if self.memo is not None:
            private["memo"] = self.memo
        if self.watched:
            private["watched"] = True
        if self.locked:
            private["locked"] = True
        if self.barred:
            private["barred"] = True
        if self.gate is not None:
            private["gate"] = dict(self.gate)
        if self.frame is not None:
            kept = self.frame.private()
            if kept:
                private["frame"] = kept
        return NodeRecord(
            id=self.id,
            name=self.name,
            display_name=self.display,
            type=self.type,
            phase=self.phase,
            generation=self.generation,
            boundary_id=self.boundary.id if self.boundary is not None else None,
            template_name=self.template_name,
            template_ref=self.template_ref,
            template_scope=self.scope,
            message=self.message,
            parents=tuple([parent.id for parent in self.parents]),
            inputs=self.inputs,
            outputs=self.outputs,
            node_flag=self.flag,
            memoization={name: self.memo[name] for name in MEMO} if self.memo and "key" in self.memo else None,
            waiting_for=self.waiting_for,
            started_ms=self.started,
            finished_ms=self.finished,
            private=private,
        )
