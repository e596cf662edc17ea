"""Plays random workflows to their end: a platform that keeps the log, people who interfere, and what holds of every end."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from fubini.engines.embedded.frames import ends_of
from fubini.runs.engine import (
    CancelTask,
    Event,
    LeafDone,
    LeafOutcome,
    LeafRunning,
    LockRelease,
    LockRequest,
    NodePhase,
    NodeType,
    OpenTask,
    OutcomeKind,
    Signal,
    SignalKind,
    Step,
    Tick,
)
from tests.support.random_workflows import LIBRARY, Workload
from tests.unit.fubini.engines.embedded.support import Platform, context

MAX_EVENTS = 4000
FAILED = {NodePhase.FAILED, NodePhase.ERROR}
ENDED = {NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.ERROR}


class World(Platform):
    """A platform that keeps the log, runs leaves in a random order, and lets people interfere and time pass."""

    def __init__(self, work: Workload, *, order: int = 0, **options: Any) -> None:
        super().__init__(work.manifest, run=context(library=LIBRARY), **options)
        self.work = work
        self.order = random.Random(order)
        self.log: list[Event] = []
        self.signals = list(work.signals)
        self.late: list[OpenTask] = []
        self.locks: set[Any] = set()
        self.gone: set[tuple[str, int]] = set()  # tasks the engine has cancelled

    def feed_one(self, event: Event) -> tuple[Step, list[Event]]:
        assert len(self.log) < MAX_EVENTS, f"workload {self.work.seed} does not end"
        self.log.append(event)
        before = {task.node_id: task for task in [*self.queue, *self.serving]}
        step, answers = super().feed_one(event)
        for command in step.commands:
            if isinstance(command, CancelTask):
                self.gone.add((command.node_id, command.generation))
                self.serving = [task for task in self.serving if task.node_id != command.node_id]
                if command.node_id in before:
                    self.late.append(before[command.node_id])
            elif isinstance(command, LockRequest):
                self.locks.add((command.holder, command.generation))
            elif isinstance(command, LockRelease):
                self.locks.discard((command.holder, command.generation))
        return step, answers

    def play(self) -> World:
        """To the end of the run, and of the signals that come after it."""
        self.start()
        while not self.state.finished or self.signals:
            if self.signals and (len(self.log) >= self.signals[0][0] or self._idle() or self.state.finished):
                self._signal(self.signals.pop(0)[1])
            elif self.state.finished:
                break
            elif (key := self._due()) is not None:
                del self.timers[key]
                self.feed(Tick(self.now, key))
            elif self.queue:
                self._leaf()
            elif self.late:
                self._too_late()
            elif self.timers:
                self.now = min(self.timers.values()) + 1
            else:
                self._signal(SignalKind.RESUME)  # what still waits, waits for a person
        return self

    def _idle(self) -> bool:
        return not (self.queue or self.timers)

    def _due(self) -> str | None:
        due = [key for key, at in self.timers.items() if at <= self.now]
        return min(due, key=lambda key: (self.timers[key], key)) if due else None

    def _leaf(self) -> None:
        task = self.queue.pop(self.order.randrange(len(self.queue)) if self.order else 0)
        name, template = self.state.nodes[task.node_id].name, task.spec.template
        self.now += 500
        self.feed(LeafRunning(self.now, task.node_id, task.generation, address="127.0.0.1"))
        if (task.node_id, task.generation) in self.gone:
            return
        if task.spec.daemon:
            self.serving.append(task)
            return
        self.now += 500
        self.feed(LeafDone(self.now, task.node_id, task.generation, self.work.outcome(name, template, task.generation)))

    def _too_late(self) -> None:
        """What was cancelled ends all the same, and says so: nobody listens any more."""
        task = self.late.pop(0)
        self.now += 1
        self.feed(LeafDone(self.now, task.node_id, task.generation, LeafOutcome(OutcomeKind.CANCELLED)))

    def _signal(self, kind: SignalKind) -> None:
        ended = self.state.finished
        if (kind is SignalKind.RETRY) != ended:
            return  # the platform itself refuses these
        if kind is SignalKind.RETRY and self.state.phase is NodePhase.SUCCEEDED:
            return
        self.now += 1
        self.feed(Signal(self.now, kind))


def check(world: World) -> None:
    """What holds of every run that has ended."""
    where = f"workload {world.work.seed}"
    state = world.state
    assert state.finished and state.phase in ENDED, f"{where}: {state.phase}"
    assert state.run_record().finished
    assert [t.node_id for t in world.queue] == [], f"{where}: commands are left open"
    assert [t.node_id for t in world.serving] == [], f"{where}: daemons are left running"
    assert world.locks == set(), f"{where}: locks are kept"
    for node in state.nodes.values():
        assert state.find_id(node.name) == node.id
        if node.over:
            times = f"{node.started} to {node.finished}"
            assert node.finished is not None and node.started is not None, f"{where}: {node.name} is {times}"
            assert node.started <= node.finished, f"{where}: {node.name} is {times}"
        else:
            assert left_open(node, run_erred=state.phase is NodePhase.ERROR), f"{where}: {node.name} is {node.phase}"
        for parent in node.parents:
            assert parent is not node and sum(child is node for child in parent.children) == 1, f"{where}: {node.name}"
            assert state.nodes[parent.id] is parent
        for child in node.children:
            assert sum(parent is node for parent in child.parents) == 1, f"{where}: {node.name}"
        for end in ends_of(node):
            assert state.nodes[end.id] is end
            assert node in boundaries(end), f"{where}: {end.name} is no end of {node.name}"
        seen = boundaries(node)
        assert len(seen) == len({id(each) for each in seen})
        kinds = (NodeType.POD,) if node.type is NodeType.CONTAINER else (NodeType.STEPS, NodeType.DAG)
        assert not seen or seen[0].type in kinds, f"{where}: {node.name} is inside a {seen[0].type}"
    assert rooted(state.nodes.values()), f"{where}: a node hangs nowhere"


def left_open(node: Any, *, run_erred: bool) -> bool:
    """Whether the controller leaves a node as it is when the run ends, be it a daemon that serves.

    It does in what has failed while this was still under way (the innermost around it that is over), in what ran again
    after a retry and then found its result in a cache (updateAsCacheHitNode marks that one node), in an attempt beside
    which a retry goes on with a later one, and where the run errs beside it.
    """
    while node is not None:
        if node.retried and node.parents and node.parents[0].type is NodeType.RETRY:
            whole = node.parents[0]
            if whole.attempts()[-1] is not node:
                return True
        else:
            whole = node.boundary
        if whole is not None and whole.over:
            return whole.phase in FAILED or bool(whole.memo and whole.memo.get("hit"))
        node = whole
    return run_erred


def boundaries(node: Any) -> list[Any]:
    found = []
    while node.boundary is not None and len(found) < 200:
        node = node.boundary
        found.append(node)
    return found


def rooted(nodes: Iterable[Any]) -> bool:
    """Does every node without a parent stand for itself (the root, handlers and hooks), and is there no circle?"""
    depth: dict[int, int] = {}

    def below(node: Any, path: frozenset[int]) -> bool:
        if id(node) in depth:
            return True
        if id(node) in path:
            return False
        depth[id(node)] = 1
        return all(below(child, path | {id(node)}) for child in node.children)

    return all(below(node, frozenset()) for node in nodes)


def opened(world: World) -> list[tuple[str, int]]:
    return sorted((task.node_id, task.generation) for task in world.opened)


def play(number: int, *, calm: bool = False, **options: Any) -> World:
    world = World(Workload(number, calm=calm), **options).play()
    check(world)
    return world
