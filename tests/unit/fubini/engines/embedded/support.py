"""Small runs for the engine's tests: a manifest of templates, a simulated platform, restarts and orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fubini.engines import embedded
from fubini.runs.engine import (
    CancelTask,
    Event,
    LeafDone,
    LeafOutcome,
    LeafRunning,
    OpenTask,
    OutcomeKind,
    RunContext,
    Start,
    Step,
    Tick,
)
from tests.support.desk import Desk

BEGIN_MS = 1_790_000_000_000


def workflow(templates: Sequence[Mapping[str, Any]], **spec: Any) -> dict[str, Any]:
    """A workflow whose entrypoint is the first template."""
    metadata = {"name": "wf", **spec.pop("metadata", {})}
    body = {"entrypoint": templates[0]["name"], "templates": list(templates), **spec}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": body}


def leaf(name: str, *parameters: str, **fields: Any) -> dict[str, Any]:
    """A container template; its arguments are its parameters' tags."""
    return {
        "name": name,
        "inputs": {"parameters": [{"name": p} for p in parameters]},
        "container": {"image": "i", "command": ["run"], "args": [f"{{{{inputs.parameters.{p}}}}}" for p in parameters]},
        **fields,
    }


def arguments(**values: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "value": value} for name, value in values.items()]}


def context(**fields: Any) -> RunContext:
    return RunContext(**{"name": "wf", "namespace": "ns", "uid": "u", "created_ms": BEGIN_MS, **fields})


class Platform:
    """Runs opened leaves one after the other; `outcome` says how a leaf (by node name) ends."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        outcome: Callable[[str], LeafOutcome] | None = None,
        *,
        run: RunContext | None = None,
        restart: bool = False,
        restart_midway: bool = False,
        newest_first: bool = False,
        database: Mapping[str, int] | None = None,
    ) -> None:
        self.manifest = manifest
        self.context = run or context()
        self.outcome = outcome or (lambda _: LeafOutcome(OutcomeKind.EXITED, exit_code=0))
        self.restart = restart  # after every event, once its questions are answered
        self.restart_midway = restart_midway  # between a question and its answer, too
        self.newest_first = newest_first
        self.state = embedded.State.new(manifest, self.context)
        self.opened: list[OpenTask] = []
        self.queue: list[OpenTask] = []
        self.cancelled: list[CancelTask] = []
        self.serving: list[OpenTask] = []  # daemons that run, until a test ends them
        self.timers: dict[str, int] = {}
        self.records: dict[str, Any] = {}
        self.run_record: Any = None
        self.steps: list[Step] = []
        self.unsettled: list[Event] = []
        self.now = BEGIN_MS
        self.most_open = 0
        self.desk = Desk(self.context.library, database=database)

    def feed(self, event: Event) -> Step:
        """One event, and what the platform answers to it at once; -> the event's own step."""
        first, answers = self.feed_one(event)
        while answers:
            if self.restart_midway:
                self.reload()
            answers.extend(self.feed_one(answers.pop(0))[1])
        if self.restart or self.restart_midway:
            self.reload()
        return first

    def reload(self) -> None:
        """The state as a new process would read it back."""
        records = list(self.records.values())
        self.state = embedded.load(self.manifest, self.context, self.run_record, records, self.unsettled)

    def feed_one(self, event: Event) -> tuple[Step, list[Event]]:
        answers: list[Event] = []
        step = embedded.advance(self.state, event)
        self.steps.append(step)
        self.unsettled = [] if step.settled else [*self.unsettled, event]
        for record in step.nodes:
            self.records[record.id] = record
        if step.run is not None:
            self.run_record = step.run
        for command in step.commands:
            if isinstance(command, OpenTask):
                self.opened.append(command)
                self.queue.append(command)
            elif isinstance(command, CancelTask):
                self.cancelled.append(command)
                self.queue = [t for t in self.queue if t.node_id != command.node_id]
            else:
                answers.extend(self.desk.answer(command, self.now, self.context.created_ms))
        for timer in step.timers:
            if timer.at_ms is None:
                self.timers.pop(timer.key, None)
            else:
                self.timers[timer.key] = timer.at_ms
        self.most_open = max(self.most_open, len(self.queue))
        return step, answers

    def start(self) -> Platform:
        self.feed(Start(self.now))
        return self

    def finish_one(self) -> None:
        task = self.queue.pop(-1 if self.newest_first else 0)
        name = self.state.nodes[task.node_id].name
        self.now += 1000
        self.feed(LeafRunning(self.now, task.node_id, task.generation, address="127.0.0.1"))
        if task.spec.daemon:
            self.serving.append(task)
            return
        self.now += 1000
        self.feed(LeafDone(self.now, task.node_id, task.generation, self.outcome(name)))

    def end_daemon(self, outcome: LeafOutcome) -> None:
        """The oldest daemon that serves ends by itself."""
        task = self.serving.pop(0)
        self.now += 1000
        self.feed(LeafDone(self.now, task.node_id, task.generation, outcome))

    def run(self) -> Platform:
        """To the end, or until only a person could go on."""
        self.start()
        return self.go_on()

    def go_on(self) -> Platform:
        while not self.state.finished and (self.queue or self.timers):
            if self.queue:
                self.finish_one()
                continue
            key = min(self.timers, key=lambda k: self.timers[k])
            self.now = max(self.now, self.timers.pop(key)) + 1
            self.feed(Tick(self.now, key))
        return self

    def messages(self) -> dict[str, str]:
        return {node.name: node.message for node in self.state.nodes.values()}

    def phases(self) -> dict[str, str]:
        return {node.name: node.phase.value for node in self.state.nodes.values()}

    def specs(self) -> dict[str, Any]:
        """The specification of each opened leaf, by template name; the last one counts."""
        return {task.spec.template: task.spec for task in self.opened}


def failed(code: int = 1) -> LeafOutcome:
    return LeafOutcome(OutcomeKind.EXITED, exit_code=code)


def done(result: str | None = None, **parameters: str) -> LeafOutcome:
    return LeafOutcome(OutcomeKind.EXITED, exit_code=0, result=result, parameters=parameters)
