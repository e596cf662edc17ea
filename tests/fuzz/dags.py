"""Shapes of graphs: sound ones run to their end, broken ones are refused before anything runs, and what only a result
can show ends the run as Error, naming the limit, before one leaf of that loop opens.

Each shape is built with its expected outcome. Sound ones also run through the embedded engine with made-up results.
"""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fubini.engines import embedded
from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from fubini.runs.engine import (
    CancelTask,
    Event,
    LeafDone,
    LeafOutcome,
    NodePhase,
    OpenTask,
    OutcomeKind,
    RunContext,
    Start,
    Tick,
)
from tests.fuzz.common import FuzzResult, main, measured

NAME = "dags"
MAX_CPU_S = 1.0
MAX_MEMORY_BYTES = 200 * 1024 * 1024
MAX_ITEMS = 50_000
MAX_NODES = 50_000
MAX_DEPTH = 100
MAX_EVENTS = 60_000


@dataclass(slots=True)
class Shape:
    """A manifest and what must come of it.

    `refused` are the codes of which one must be among the errors; empty for a sound shape. `result` is what the leaf
    of each template prints. `order` are (earlier, later) display names of leaves. `limit` are words one of which a
    message of the run must have: items, nodes, depth and the length of a text are limited. `never` is the template
    that must not open then.
    """

    label: str
    document: dict[str, Any]
    refused: tuple[str, ...] = ()
    runs: bool = True
    result: dict[str, str] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    limit: tuple[str, ...] = ()
    never: str = ""
    failing: float = 0.0


def run(count: int, seed: int, first: int = 0) -> FuzzResult:
    """`count` shapes from number `first` on; the special ones have the lowest numbers."""
    result = FuzzResult(NAME, seed)
    started = time.monotonic()
    slowest = (0.0, "")
    for index in range(first, first + count):
        source = random.Random(f"{seed}/{index}")
        make = SPECIAL[index] if index < len(SPECIAL) else source.choice(SHAPES)
        shape = make(source)
        where = f"#{index} ({shape.label}), seed {seed}"
        result.inputs += 1
        try:
            cpu_s = _judge(result, shape, where)
            slowest = max(slowest, (round(cpu_s, 3), where))
        except Exception:
            result.fail(f"{where}: raised {traceback.format_exc(limit=-5)}")
    result.worst = {"most CPU of a check": f"{slowest[0]} s ({slowest[1]})"}
    result.seconds = time.monotonic() - started
    return result


def _judge(result: FuzzResult, shape: Shape, where: str) -> float:
    text = json.dumps(shape.document)
    with measured() as cost:
        report = check_manifest(text, supported=SUPPORTED)
    if cost.cpu_s > MAX_CPU_S:
        with measured() as again:
            check_manifest(text, supported=SUPPORTED)
        if again.cpu_s > MAX_CPU_S:
            result.fail(f"{where}: the check took {again.cpu_s:.2f} s of CPU")
    if cost.memory_bytes > MAX_MEMORY_BYTES:
        result.fail(f"{where}: the check took {cost.memory_bytes >> 20} MB")
    codes = {f.code for f in report.errors}
    if shape.refused:
        result.outcomes[f"refused: {shape.label}"] += 1
        if not codes & set(shape.refused):
            result.fail(f"{where}: want one of {shape.refused}, got {sorted(codes) or 'no error'}")
        if any(f.line < 1 or f.column < 1 or not f.path for f in report.errors):
            result.fail(f"{where}: an error without a place")
        return cost.cpu_s
    if report.errors:
        first = report.errors[0]
        result.fail(f"{where}: a sound shape is refused: {first.code} at {first.path}: {first.message}")
        return cost.cpu_s
    if shape.runs:
        assert report.document is not None
        result.outcomes[_drive(result, shape, report.document, where)] += 1
    else:
        result.outcomes[f"accepted: {shape.label}"] += 1
    return cost.cpu_s


def _drive(result: FuzzResult, shape: Shape, document: dict[str, Any], where: str) -> str:
    """Run the shape; every leaf ends at once, in a mixed order."""
    source = random.Random(where)
    context = RunContext(
        name="fuzz", namespace="fuzz", uid="0", created_ms=0,
        max_items=MAX_ITEMS, max_nodes=MAX_NODES, max_depth=MAX_DEPTH,
    )  # fmt: skip
    state = embedded.State.new(document, context)
    at_ms, events = 0, 0
    queue: list[Event] = [Start(0)]
    timers: dict[str, int] = {}
    opened: set[tuple[str, int]] = set()
    names: dict[str, str] = {}
    done: dict[str, int] = {}
    began: dict[str, int] = {}
    record = None
    limit_named = False
    while queue or timers:
        events += 1
        if events > MAX_EVENTS:
            result.fail(f"{where}: no end after {MAX_EVENTS} events")
            break
        if queue:
            event = queue.pop(source.randrange(len(queue)) if len(queue) < 50 else -1)
        else:
            key = min(timers, key=lambda k: timers[k])
            at_ms = max(at_ms, timers.pop(key))
            event = Tick(at_ms, key)
        if isinstance(event, LeafDone):
            done[names[event.node_id]] = events
        step = embedded.advance(state, event)
        for node in step.nodes:
            names[node.id] = node.display_name
            if any(word in node.message for word in shape.limit):
                limit_named = True
        if step.run is not None:
            record = step.run
            limit_named = limit_named or any(word in step.run.message for word in shape.limit)
        for command in step.commands:
            if isinstance(command, CancelTask):
                continue
            if (command.node_id, command.generation) in opened:
                result.fail(f"{where}: {names[command.node_id]} opened twice")
            opened.add((command.node_id, command.generation))
            began[names[command.node_id]] = events
            if shape.never and command.spec.template == shape.never:
                result.fail(f"{where}: a leaf of the loop opened")
                return "failed"
            queue.append(LeafDone(at_ms, command.node_id, command.generation, _outcome(shape, command, source)))
        for timer in step.timers:
            if timer.at_ms is None:
                timers.pop(timer.key, None)
            else:
                timers[timer.key] = timer.at_ms
        if record is not None and record.finished:
            break
    if record is None or not record.finished:
        result.fail(f"{where}: the run has no end; opened {len(opened)}, phase {record.phase if record else None}")
        return "endless"
    for earlier, later in shape.order:
        if later in began and (earlier not in done or done[earlier] > began[later]):
            result.fail(f"{where}: {later} began before {earlier} had ended")
    if shape.limit:
        # Argo's steps turn an Error below them into Failed; the message is what tells.
        if record.phase not in (NodePhase.ERROR, NodePhase.FAILED) or not limit_named:
            result.fail(f"{where}: want an Error naming {shape.limit!r}, got {record.phase}: {record.message[:200]}")
        return f"ended at a limit: {shape.label}"
    if shape.failing == 0 and record.phase is not NodePhase.SUCCEEDED:
        result.fail(f"{where}: want Succeeded, got {record.phase}: {record.message[:200]}")
    return f"ran: {shape.label}: {record.phase}"


def _outcome(shape: Shape, command: OpenTask, source: random.Random) -> LeafOutcome:
    failed = source.random() < shape.failing
    return LeafOutcome(
        kind=OutcomeKind.EXITED,
        exit_code=1 if failed else 0,
        result=shape.result.get(command.spec.template, "ok") if command.spec.capture_result else None,
        parameters={p.name: shape.result.get(command.spec.template, "1") for p in command.spec.parameters_out},
    )


# --- building shapes ---------------------------------------------------------------------------------------------


def _workflow(*templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "shape"},
        "spec": {"entrypoint": "main", "templates": [*templates], **spec},
    }


def _leaf(name: str = "leaf", *inputs: str) -> dict[str, Any]:
    leaf: dict[str, Any] = {"name": name, "script": {"image": "bash:5", "command": ["bash"], "source": "echo ok"}}
    if inputs:
        leaf["inputs"] = {"parameters": [{"name": i} for i in inputs]}
    return leaf


def _dag(tasks: list[dict[str, Any]], name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "dag": {"tasks": tasks, **more}}


def _steps(*groups: list[dict[str, Any]], name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "steps": list(groups), **more}


def _argument(name: str, value: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "value": value}]}


def _random_graph(source: random.Random, most: int = 40) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Tasks in a random order with edges from earlier to later names, written as depends or as dependencies."""
    count = source.randrange(1, most)
    written = source.random() < 0.5
    tasks, order = [], []
    for i in range(count):
        task: dict[str, Any] = {"name": f"t{i}", "template": "leaf"}
        before = sorted({f"t{source.randrange(i)}" for _ in range(source.randrange(0, 4))}) if i else []
        if before:
            if written:
                task["depends"] = " && ".join(b + source.choice(("", ".Succeeded")) for b in before)
            else:
                task["dependencies"] = before
        order += [(b, f"t{i}") for b in before]
        tasks.append(task)
    source.shuffle(tasks)
    return tasks, order


def sound_dag(source: random.Random) -> Shape:
    tasks, order = _random_graph(source)
    return Shape("a sound dag", _workflow(_dag(tasks), _leaf()), order=order)


def failing_dag(source: random.Random) -> Shape:
    tasks, order = _random_graph(source)
    more: dict[str, Any] = {"failFast": False} if source.random() < 0.5 else {}
    return Shape("a dag with failures", _workflow(_dag(tasks, **more), _leaf()), order=order, failing=0.3)


def logical_dag(source: random.Random) -> Shape:
    tasks, _ = _random_graph(source, 15)
    for task in tasks:
        task.pop("dependencies", None)
        i = int(task["name"][1:])
        if i and source.random() < 0.7:
            parts = [
                source.choice(("", "!"))
                + f"t{source.randrange(i)}."
                + source.choice(("Succeeded", "Failed", "Skipped"))
                for _ in range(source.randrange(1, 4))
            ]
            task["depends"] = source.choice((" && ", " || ")).join(parts)
        else:
            task.pop("depends", None)
    return Shape("a dag with conditions", _workflow(_dag(tasks), _leaf()), failing=0.3)


def cycle(source: random.Random) -> Shape:
    tasks, _ = _random_graph(source)
    length = source.randrange(2, 6)
    written = any("depends" in t for t in tasks)
    for i in range(length):
        other = f"c{(i + 1) % length}"
        link = {"depends": other} if written else {"dependencies": [other]}
        tasks.insert(source.randrange(len(tasks) + 1), {"name": f"c{i}", "template": "leaf", **link})
    return Shape("a circle", _workflow(_dag(tasks), _leaf()), refused=("cycle",))


def self_edge(source: random.Random) -> Shape:
    tasks, _ = _random_graph(source)
    task = source.choice(tasks)
    if any("depends" in t for t in tasks):
        task["depends"] = f"{task['depends']} || {task['name']}" if "depends" in task else task["name"]
    else:
        task.setdefault("dependencies", []).append(task["name"])
    return Shape("a task on itself", _workflow(_dag(tasks), _leaf()), refused=("cycle",))


def unknown_dependency(source: random.Random) -> Shape:
    tasks, _ = _random_graph(source)
    task = source.choice(tasks)
    if any("depends" in t for t in tasks):
        task["depends"] = f"{task['depends']} && t999" if "depends" in task else "t999.Failed"
    else:
        task["dependencies"] = [*task.get("dependencies", []), "t999"]
    return Shape("an unknown dependency", _workflow(_dag(tasks), _leaf()), refused=("unknown-dependency",))


def duplicate(source: random.Random) -> Shape:
    tasks, _ = _random_graph(source)
    tasks.append({"name": source.choice(tasks)["name"], "template": "leaf"})
    return Shape("two tasks of a name", _workflow(_dag(tasks), _leaf()), refused=("duplicate",))


def mixed(source: random.Random) -> Shape:
    tasks: list[dict[str, Any]] = [
        {"name": "a", "template": "leaf"},
        {"name": "b", "template": "leaf", "dependencies": ["a"]},
        {"name": "c", "template": "leaf", "depends": "a"},
    ]
    source.shuffle(tasks)
    return Shape("both dependency words", _workflow(_dag(tasks), _leaf()), refused=("depends-and-dependencies",))


def unknown_template(source: random.Random) -> Shape:
    tasks, _ = _random_graph(source)
    source.choice(tasks)["template"] = "laef"
    return Shape("an unknown template", _workflow(_dag(tasks), _leaf()), refused=("unknown-template",))


def bad_reference(source: random.Random) -> Shape:
    tasks, _ = _random_graph(source)
    for task in tasks:
        task["template"] = "take"
        task["arguments"] = _argument("x", "1")
    tasks[0]["arguments"] = _argument("x", "{{tasks.t999.outputs.result}}")
    document = _workflow(_dag(tasks), _leaf("take", "x"))
    return Shape("an unknown task's output", document, refused=("unknown-variable", "missing-dependency"))


def same_group(source: random.Random) -> Shape:
    count = source.randrange(1, 6)
    group = [{"name": f"s{i}", "template": "leaf"} for i in range(count)]
    late = {"name": "late", "template": "take", "arguments": _argument("x", "{{steps.s0.outputs.result}}")}
    document = _workflow(_steps([*group, late]), _leaf(), _leaf("take", "x"))
    return Shape("a reference in one group", document, refused=("same-group",))


def literal_loop(source: random.Random) -> Shape:
    count = source.choice((0, 1, 2, 7, 30))
    kind = source.randrange(3)
    step: dict[str, Any] = {"name": "each", "template": "take", "arguments": _argument("x", "{{item}}")}
    if kind == 0:
        step["withItems"] = [source.choice((i, str(i), i % 2 == 0, None)) for i in range(count)]
    elif kind == 1:
        step["withParam"] = json.dumps(list(range(count)))
    else:
        step["withSequence"] = {"count": str(count)}
    return Shape("a loop", _workflow(_steps([step]), _leaf("take", "x")))


def large_literal(source: random.Random) -> Shape:
    count = MAX_ITEMS + source.randrange(1, 20_000)
    step: dict[str, Any] = {"name": "each", "template": "take", "arguments": _argument("x", "{{item}}")}
    kind = source.randrange(4)
    if kind == 0:
        step["withItems"] = list(range(count))
    elif kind == 1:
        step["withParam"] = json.dumps(list(range(count)))
    elif kind == 2:
        step["withSequence"] = {"count": count * source.choice((1, 10**6))}
    else:
        step["withSequence"] = {"start": 5, "end": str(count * source.choice((1, -1)) + 20)}
    document = _workflow(_steps([step]), _leaf("take", "x"))
    return Shape("a loop over the limit", document, refused=("too-many-items",))


def result_loop(source: random.Random) -> Shape:
    count = source.choice((0, 1, 3, 50))
    return _result_loop(count, "a loop over a result", dag=source.random() < 0.5)


def _result_loop(count: int, label: str, *, dag: bool, **more: Any) -> Shape:
    each = {"name": "each", "template": "take", "arguments": _argument("x", "{{item}}")}
    result = {"list": json.dumps(list(range(count)))}
    if dag:
        each |= {"withParam": "{{tasks.list.outputs.result}}", "depends": "list"}
        main_template = _dag([{"name": "list", "template": "list"}, each])
    else:
        each |= {"withParam": "{{steps.list.outputs.result}}"}
        main_template = _steps([{"name": "list", "template": "list"}], [each])
    document = _workflow(main_template, _leaf("list"), _leaf("take", "x"))
    return Shape(label, document, result=result, **more)


def million_in_steps(source: random.Random) -> Shape:
    return _result_loop(
        1_000_000,
        "a million items from a result",
        dag=False,
        limit=(f"{MAX_ITEMS}", "4000000 characters"),
        never="take",
    )


def million_in_dag(source: random.Random) -> Shape:
    return _result_loop(
        1_000_000, "a million items from a result", dag=True, limit=(f"{MAX_ITEMS}", "4000000 characters"), never="take"
    )


def just_over(source: random.Random) -> Shape:
    dag = source.random() < 0.5
    return _result_loop(
        MAX_ITEMS + 1, "one item over the limit", dag=dag, limit=(f"{MAX_ITEMS}", "4000000 characters"), never="take"
    )


def sequence_from_result(source: random.Random) -> Shape:
    count = source.choice((MAX_ITEMS + 1, 10**9, 10**18))
    each = {
        "name": "each", "template": "take", "arguments": _argument("x", "{{item}}"),
        "withSequence": {"count": "{{steps.list.outputs.result}}"},
    }  # fmt: skip
    document = _workflow(_steps([{"name": "list", "template": "list"}], [each]), _leaf("list"), _leaf("take", "x"))
    label = "a long sequence from a result"
    return Shape(
        label, document, result={"list": str(count)}, limit=(f"{MAX_ITEMS}", "4000000 characters"), never="take"
    )


def loop_of_loops(source: random.Random) -> Shape:
    """Each loop is within the limit of items, together they pass the limit of nodes."""
    inner = _steps(
        [
            {
                "name": "each",
                "template": "take",
                "arguments": _argument("x", "{{item}}"),
                "withSequence": {"count": 40_000},
            }
        ],
        name="inner",
    )
    outer = {"name": "outer", "template": "inner", "withSequence": {"count": 3}}
    document = _workflow(_steps([outer]), inner, _leaf("take", "x"))
    return Shape("more nodes than a run may have", document, limit=(f"{MAX_NODES}",))


def endless_recursion(source: random.Random) -> Shape:
    again = {"name": "again", "template": "main"}
    body = _dag([again]) if source.random() < 0.5 else _steps([again])
    return Shape("recursion without end", _workflow(body, _leaf()), limit=("recursion depth",))


def bounded_recursion(source: random.Random) -> Shape:
    depth = source.randrange(1, 20)
    body = _steps(
        [{"name": "work", "template": "leaf"}],
        [
            {
                "name": "again",
                "template": "round",
                "when": "{{inputs.parameters.left}} > 0",
                "arguments": _argument("left", "{{=string(asInt(inputs.parameters.left) - 1)}}"),
            }
        ],
        name="round",
        inputs={"parameters": [{"name": "left"}]},
    )
    main_template = _steps([{"name": "go", "template": "round", "arguments": _argument("left", str(depth))}])
    return Shape("recursion that ends", _workflow(main_template, body, _leaf()))


def nested(source: random.Random) -> Shape:
    depth = source.randrange(1, 12)
    templates = [_leaf("n0")]
    for i in range(1, depth + 1):
        child = {"name": "x", "template": f"n{i - 1}"}
        other = {"name": "y", "template": f"n{source.randrange(i)}"}
        sequel = {**other, "dependencies": ["x"]}
        templates.append(
            _dag([child, sequel], name=f"n{i}") if source.random() < 0.5 else _steps([child], [other], name=f"n{i}")
        )
    entry = f"n{min(depth, 6)}"
    return Shape(
        "templates in templates", _workflow(*templates) | {"spec": {"entrypoint": entry, "templates": templates}}
    )


def conditions(source: random.Random) -> Shape:
    words = ("true", "false", "1 == 1", "'a' == 'b'", "2 > 10", '"x" =~ "y"', "!(1 > 2) && true")
    groups = [
        [{"name": f"s{g}-{i}", "template": "leaf", "when": source.choice(words)} for i in range(source.randrange(1, 4))]
        for g in range(source.randrange(1, 5))
    ]
    return Shape("steps with conditions", _workflow(_steps(*groups), _leaf()))


def wide_dag(source: random.Random) -> Shape:
    tasks = [{"name": f"t{i}", "template": "leaf"} for i in range(10_000)]
    return Shape("10,000 tasks side by side", _workflow(_dag(tasks), _leaf()), runs=False)


def long_chain(source: random.Random) -> Shape:
    tasks: list[dict[str, Any]] = [{"name": "t0", "template": "leaf"}]
    tasks += [{"name": f"t{i}", "template": "leaf", "depends": f"t{i - 1}"} for i in range(1, 10_000)]
    return Shape("a chain of 10,000", _workflow(_dag(tasks), _leaf()), runs=False)


def long_chain_backwards(source: random.Random) -> Shape:
    tasks: list[dict[str, Any]] = [
        {"name": f"t{i}", "template": "leaf", "dependencies": [f"t{i + 1}"]} for i in range(9_999)
    ]
    tasks.append({"name": "t9999", "template": "leaf"})
    return Shape("a chain of 10,000 backwards", _workflow(_dag(tasks), _leaf()), runs=False)


def long_cycle(source: random.Random) -> Shape:
    tasks: list[dict[str, Any]] = [
        {"name": f"t{i}", "template": "leaf", "depends": f"t{(i + 1) % 10_000}"} for i in range(10_000)
    ]
    return Shape("a circle of 10,000", _workflow(_dag(tasks), _leaf()), refused=("cycle",))


def running_chain(source: random.Random) -> Shape:
    tasks: list[dict[str, Any]] = [{"name": "t0", "template": "leaf"}]
    tasks += [{"name": f"t{i}", "template": "leaf", "depends": f"t{i - 1}"} for i in range(1, 1_000)]
    order = [(f"t{i - 1}", f"t{i}") for i in range(1, 1_000)]
    return Shape("a chain of 1,000 that runs", _workflow(_dag(tasks), _leaf()), order=order)


def too_many_tasks(source: random.Random) -> Shape:
    tasks = [{"name": f"t{i}", "template": "leaf"} for i in range(13_000)]
    return Shape("13,000 tasks", _workflow(_dag(tasks), _leaf()), refused=("too-many-parts", "too-many-values"))


def deep_templates(source: random.Random) -> Shape:
    templates = [_steps([{"name": "a", "template": f"d{i + 1}"}], name=f"d{i}") for i in range(3_500)]
    document = _workflow(*templates, _leaf("d3500"))
    document["spec"]["entrypoint"] = "d0"
    return Shape("3,500 templates in a row", document, limit=("recursion depth",), never="d3500")


SPECIAL: list[Callable[[random.Random], Shape]] = [
    million_in_steps, million_in_dag, just_over, sequence_from_result, loop_of_loops, endless_recursion, wide_dag,
    long_chain, long_chain_backwards, long_cycle, running_chain, too_many_tasks, deep_templates,
]  # fmt: skip
SHAPES: list[Callable[[random.Random], Shape]] = [
    sound_dag, sound_dag, failing_dag, logical_dag, cycle, self_edge, unknown_dependency, duplicate, mixed,
    unknown_template, bad_reference, same_group, literal_loop, result_loop, bounded_recursion, nested, conditions,
    sequence_from_result, endless_recursion,
]  # fmt: skip
# Large literal loops cost a second of making the text; a few are enough.
RARE = large_literal
SHAPES += [RARE]

if __name__ == "__main__":
    sys.exit(main(run, 500))
