"""Drives an engine through one recorded case: a simulated clock, the recording's leaves, the recording's actions.

The engine decides the tree; from a recording only `manifest`, `extras`, `leaves` and `actions` are read, never `tree`.
Times are milliseconds on a clock that moves from event to event, a little late each time as a real controller is.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from fubini.engines import embedded
from fubini.engines.embedded.frames import ends_of
from fubini.engines.embedded.state import State
from fubini.engines.embedded.tree import Node
from fubini.runs.engine import (
    CancelTask,
    Event,
    LeafDone,
    LeafOutcome,
    LeafRunning,
    NodeId,
    NodePhase,
    NodeRecord,
    NodeType,
    OpenTask,
    OutcomeKind,
    RunContext,
    Signal,
    SignalKind,
    Start,
    Step,
    TaskSpec,
    Tick,
)
from tests.support.desk import Desk

BEGIN_MS = 1_790_000_000_000
START_DELAY_MS = 120
LATE_MS = 40
PASS_MS = 500  # the recordings' controller looks at a run twice a second: what ended in between ends in order
ACTION_DELAY_MS = 250
LIMIT_MS = 600_000
MAX_EVENTS = 20_000
SCRIPT_PATH = "/argo/staging/script"

ADDRESS = "<pod-ip>"  # of every daemon, as the recordings write it
UID, CREATED, NAMESPACE = "<workflow.uid>", "<workflow.creationTimestamp>", "<namespace>"
UID_TEXT = "4c1d8f8e-6a5b-4f0e-9a53-0d1f3f6f8c21"  # what the run sees; its letters matter in keys made of it


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: dates stay text."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str) -> dict[str, Any]:
    """One manifest."""
    found = yaml.load(text, _Loader)
    assert isinstance(found, dict)
    return found


@dataclass
class Result:
    """What came of a case, in the shape that the comparison reads."""

    tree: dict[str, Any]
    leaf_mismatches: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    finished: bool = True


def context_for(case: Mapping[str, Any]) -> RunContext:
    """The run a case describes."""
    return RunContext(
        name="wf",
        namespace=NAMESPACE,
        uid=UID_TEXT,
        created_ms=BEGIN_MS,
        library=tuple(parse(extra) for extra in case.get("extras") or ()),
        artifact_prefix="case",
    )


class Driver:
    """Feeds one case to the engine.

    `reorder` changes the order of simultaneous leaves; `between` is called after every event with it and its step, and
    hands back the state to go on with (a restart).
    """

    def __init__(
        self,
        case: Mapping[str, Any],
        *,
        between: Callable[[Event, Step], State] | None = None,
        reorder: Callable[[str], int] | None = None,
    ) -> None:
        self.case = case
        self.between = between
        self.reorder = reorder or (lambda _: 0)
        self.leaves: dict[str, list[dict[str, Any]]] = {k: list(v) for k, v in (case.get("leaves") or {}).items()}
        self.used: dict[str, int] = {}
        self.actions = list(case.get("actions") or ())
        self.acting = False
        self.supplied: dict[str, str] = {}
        self.supplied_selector = ""
        self.queue: list[tuple[int, int, Callable[[int], Event | None]]] = []
        self.order = itertools.count()
        self.timers: dict[str, int] = {}
        self.closed: set[tuple[NodeId, int]] = set()
        self.mismatches: list[str] = []
        self.steps: list[Step] = []
        self.events: list[Event] = []
        self.now = BEGIN_MS
        self.state: State
        self.desk = Desk(context_for(case).library)  # the recordings' controller has no database for locks
        self.answers: deque[Event] = deque()

    def run(self) -> Result:
        manifest = parse(self.case["manifest"])
        self.state = embedded.State.new(manifest, context_for(self.case))
        self.feed(Start(self.now))
        count = 0
        while self.queue and count < MAX_EVENTS:
            at, _, make = heapq.heappop(self.queue)
            if at - BEGIN_MS > LIMIT_MS:
                break
            self.now = max(self.now, at)
            event = make(self.now)
            if event is not None:
                count += 1
                self.feed(event)
        return Result(tree_of(self.state), self.mismatches, self.events, self.state.finished)

    def feed(self, event: Event) -> None:
        """One event, and what the platform answers to it at once."""
        self.answers.append(event)
        while self.answers:
            self.feed_one(self.answers.popleft())
        self.act()

    def feed_one(self, event: Event) -> None:
        self.events.append(event)
        step = embedded.advance(self.state, event)
        if step.refused:
            action = self.case["actions"][len(self.case["actions"]) - len(self.actions) - 1]
            if action["ran"].get("exit") == 0:
                self.mismatches.append(f"action {action['argo']}: refused: {step.refused}")
        self.steps.append(step)
        for command in step.commands:
            if isinstance(command, OpenTask):
                self.open(command)
            elif isinstance(command, CancelTask):
                self.closed.add((command.node_id, command.generation))
            else:
                self.answers.extend(self.desk.answer(command, self.now, BEGIN_MS))
        for timer in step.timers:
            if timer.at_ms is None:
                self.timers.pop(timer.key, None)
            else:
                self.timers[timer.key] = timer.at_ms
                self.push(timer.at_ms + LATE_MS, self.tick_maker(timer.key, timer.at_ms))
        if self.between is not None:
            self.state = self.between(event, step)

    def tick_maker(self, key: str, due: int) -> Callable[[int], Event | None]:
        def make(at: int) -> Event | None:
            if self.timers.get(key) != due:
                return None
            del self.timers[key]
            return Tick(at, key)

        return make

    def push(self, at: int, make: Callable[[int], Event | None]) -> None:
        heapq.heappush(self.queue, (at, next(self.order), make))

    # --- leaves --------------------------------------------------------------------------------------------------

    def open(self, command: OpenTask) -> None:
        node = self.state.nodes[command.node_id]
        entries = self.leaves.get(node.name) or []
        at = self.used.get(node.name, 0)
        self.used[node.name] = at + 1
        if at >= len(entries):
            if command.spec.daemon:  # it served to the end, so the recording has no outcome of it
                living = (command.node_id, command.generation)
                self.push(self.now + START_DELAY_MS, lambda at: _running(at, living, self.closed))
            return
        entry = entries[at]
        self.mismatches.extend(f"{node.name} {text}" for text in compare_leaf(entry, command.spec))
        length = max(int(entry.get("seconds", 0) * 1000), 1)
        jitter = self.reorder(node.name)
        started = self.now + START_DELAY_MS + jitter
        outcome = outcome_of(entry, command, self.state, started, started + length)
        key = (command.node_id, command.generation)
        if "init_error" not in entry:
            self.push(started, lambda at: _running(at, key, self.closed))
        ended = -(-(started + length + LATE_MS - BEGIN_MS) // PASS_MS) * PASS_MS + BEGIN_MS
        self.push(ended, lambda at: None if key in self.closed else LeafDone(at, *key, outcome))

    # --- actions -------------------------------------------------------------------------------------------------

    def act(self) -> None:
        """Schedule the next action once what it waits for has happened."""
        if not self.actions or self.acting or not self.met(self.actions[0].get("when") or {}):
            return
        self.acting = True
        self.push(self.now + ACTION_DELAY_MS, self.do_action)

    def met(self, when: Mapping[str, Any]) -> bool:
        if "workflow" in when:
            return bool(self.state.phase.value == when["workflow"])
        if "node" in when:
            wanted, phase = when["node"], when.get("phase", "Running")
            return any(
                node.phase.value == phase and (node.name.endswith(wanted) or node.display == wanted)
                for node in self.state.nodes.values()
            )
        return True

    def do_action(self, at: int) -> Event | None:
        action = self.actions.pop(0)
        self.acting = False
        event = self.signal_of(action["argo"], at)
        if event is None:
            self.push(at, lambda _: self.act())
        return event

    def signal_of(self, argv: list[str], at: int) -> Event | None:
        options: dict[str, str] = {}
        words: list[str] = []
        rest = list(argv)
        while rest:
            word = rest.pop(0)
            if word in ("--node-field-selector", "--output-parameter", "--message", "-p"):
                options[word] = rest.pop(0)
            else:
                words.append(word)
        selector = options.get("--node-field-selector", "")
        if words[:2] == ["node", "set"]:
            name, _, value = options["--output-parameter"].partition("=")
            self.supplied[name], self.supplied_selector = value, selector
            return None
        outputs: dict[str, str] = {}
        if words[0] == "resume" and self.supplied:
            outputs, self.supplied, selector = self.supplied, {}, self.supplied_selector
        parameters = dict([options["-p"].split("=", 1)]) if "-p" in options else {}
        return Signal(
            at,
            SignalKind(words[0]),
            selector=selector,
            outputs=outputs,
            message=options.get("--message", ""),
            restart_successful="--restart-successful" in words,
            parameters=parameters,
        )


def _running(at: int, key: tuple[NodeId, int], closed: set[tuple[NodeId, int]]) -> Event | None:
    return None if key in closed else LeafRunning(at, *key, address=ADDRESS)


def outcome_of(entry: Mapping[str, Any], command: OpenTask, state: State, started: int, finished: int) -> LeafOutcome:
    """A recorded leaf's end in the platform's words."""
    outputs = entry.get("outputs") or {}
    declared = {parameter.name: parameter for parameter in command.spec.parameters_out}
    parameters = {p["name"]: p["value"] for p in outputs.get("parameters") or () if "value" in p}
    artifacts = {
        a["name"]: f"{state.context.artifact_prefix}/{command.node_id}/{command.generation}/{a['name']}"
        for a in outputs.get("artifacts") or ()
    }
    code: int | None = int(entry.get("exitCode", 0))
    kind, error = OutcomeKind.EXITED, ""
    if entry.get("init_error"):
        kind, error, code = OutcomeKind.INPUT_ERROR, entry["init_error"], None
    elif entry.get("timed_out"):
        kind = OutcomeKind.TIMED_OUT
    elif entry.get("wait_error"):
        kind, error = OutcomeKind.OUTPUT_ERROR, entry["wait_error"]
    return LeafOutcome(
        kind=kind,
        exit_code=code,
        error=error,
        result=outputs.get("result"),
        parameters={name: value for name, value in parameters.items() if name in declared},
        artifacts=artifacts,
        started_ms=started,
        finished_ms=finished,
        containers={name: int(value) for name, value in (entry.get("containers") or {}).items()},
    )


# A leaf may print where it runs: such texts differ from run to run.
_VARIES = re.compile(re.escape(CREATED))


def compare_leaf(entry: Mapping[str, Any], spec: TaskSpec) -> Iterable[str]:
    """What the engine resolved for a leaf against what the recording's leaf was given."""
    argv = list(spec.argv)
    if spec.source:
        argv.append(SCRIPT_PATH)
    wanted = entry.get("argv")
    if wanted is not None and spec.argv and not _same(wanted, argv):
        yield f"argv: want {wanted} got {argv}"
    if "source" in entry and not _same(entry["source"], spec.source or ""):
        yield f"source: want {entry['source']!r} got {spec.source!r}"
    env = entry.get("env")
    if env:
        own = dict(spec.env)
        listed = env.items() if isinstance(env, Mapping) else [(e["name"], e.get("value")) for e in env]
        for name, value in listed:
            # a variable that the recording knows no value of came from elsewhere than the manifest
            if value is not None and not _same(value, own.get(name, "")):
                yield f"env {name}: want {value!r} got {own.get(name)!r}"
    got = {artifact.name: artifact for artifact in spec.artifacts_in}
    for artifact in (entry.get("inputs") or {}).get("artifacts") or ():
        mine = got.get(artifact["name"])
        if mine is None:
            yield f"input artifact {artifact['name']}: missing"
        elif artifact.get("path") and artifact["path"] != mine.path:
            yield f"input artifact {artifact['name']} path: want {artifact['path']} got {mine.path}"
        elif isinstance(artifact.get("raw"), Mapping) and not _same(artifact["raw"].get("data"), mine.raw):
            yield f"input artifact {artifact['name']} raw: want {artifact['raw'].get('data')!r} got {mine.raw!r}"


def _same(want: Any, got: Any) -> bool:
    return bool(_shown(want) == _shown(got))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(CREATED_TEXT, CREATED).replace(UID_TEXT, UID)
    if isinstance(value, list):
        return [_shown(element) for element in value]
    return value


def _created_text() -> str:
    from fubini.engines.embedded.scope import rfc3339

    return rfc3339(BEGIN_MS)


CREATED_TEXT = _created_text()


# --- the tree in the recordings' shape --------------------------------------------------------------------------


def tree_of(state: State) -> dict[str, Any]:
    """The whole tree as a recording writes it."""
    nodes = {node.name: _entry(node) for node in state.nodes.values()}
    tree: dict[str, Any] = {"phase": _phase(state), "nodes": dict(sorted(nodes.items()))}
    if state.message:
        tree["message"] = state.message
    record = state.run_record()
    if record.outputs:
        tree["outputs"] = record.outputs
    return _generic(tree)  # type: ignore[no-any-return]


def _phase(state: State) -> str:
    return state.phase.value


def _generic(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(CREATED_TEXT, CREATED).replace(UID_TEXT, UID)
    if isinstance(value, Mapping):
        return {key: _generic(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [_generic(element) for element in value]
    return value


def _entry(node: Node) -> dict[str, Any]:
    record: NodeRecord = node.record()
    entry: dict[str, Any] = {
        "displayName": record.display_name,
        "type": record.type.value,
        "phase": record.phase.value if isinstance(record.phase, NodePhase) else None,
        "message": record.message,
        "templateName": record.template_name,
        "templateRef": dict(record.template_ref) if record.template_ref else None,
        "templateScope": record.template_scope,
        "nodeFlag": record.node_flag,
        "boundary": node.boundary.name if node.boundary is not None else None,
        "children": sorted(child.name for child in node.children),
        "inputs": record.inputs,
        "outputs": record.outputs,
        "daemoned": node.daemoned or None,
        "memoizationStatus": record.memoization,
        "synchronizationStatus": record.waiting_for or None,
    }
    if node.type in (NodeType.STEPS, NodeType.DAG) and node.fulfilled:
        entry["outbound"] = sorted(end.name for end in ends_of(node))
    return {key: value for key, value in entry.items() if value not in (None, "", [], {})}
