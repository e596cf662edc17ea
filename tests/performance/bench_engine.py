"""How the embedded engine scales: time per step of a wide loop and of a long chain, leaves per second, memory a node.

    python -m tests.performance.bench_engine [--fanout 100000] [--chain 100000]

Pure core, one process set up as dispatch is: no database, no scheduler, no real commands. Times are CPU seconds and the
best of a few runs, so that other work on the machine disturbs them least. Writes `build/bench-engine.json` (`fanout_ratio`, `chain_ratio`,
`leaves_per_s`, ...).
"""

from __future__ import annotations

import argparse
import gc
import json
import pathlib
import resource
import sys
import time
import tracemalloc
from collections.abc import Mapping
from typing import Any

from fubini.common.collector import collector_for_large_state
from fubini.engines import embedded
from fubini.runs.engine import (
    LeafDone,
    LeafOutcome,
    LeafRunning,
    NodePhase,
    OpenTask,
    OutcomeKind,
    RunContext,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN_MS = 1_790_000_000_000
REPEATS, REPEATS_LARGE = 3, 2
SMALL = 100
RATIO_MAX = 1.5
MEMORY_OF = 20_000  # counting each allocation is slow


def leaf_template() -> dict[str, Any]:
    return {
        "name": "work",
        "inputs": {"parameters": [{"name": "n"}]},
        "container": {
            "image": "science:1",
            "command": ["python3", "-m", "work"],
            "args": ["--seed", "{{inputs.parameters.n}}", "--run", "{{workflow.name}}"],
            "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}},
        },
        "outputs": {"parameters": [{"name": "energy", "valueFrom": {"path": "/tmp/energy"}}]},
    }


def fanout(count: int) -> dict[str, Any]:
    """One step over `count` items."""
    step = {
        "name": "each",
        "template": "work",
        "withSequence": {"count": str(count)},
        "arguments": {"parameters": [{"name": "n", "value": "{{item}}"}]},
    }
    return manifest([{"name": "main", "steps": [[step]]}, leaf_template()])


def chain(count: int) -> dict[str, Any]:
    """`count` tasks, each after the one before and using its output."""
    tasks: list[dict[str, Any]] = []
    for n in range(count):
        value = f"{{{{tasks.t{n - 1}.outputs.parameters.energy}}}}" if n else "0"
        task: dict[str, Any] = {
            "name": f"t{n}",
            "template": "work",
            "arguments": {"parameters": [{"name": "n", "value": value}]},
        }
        if n:
            task["depends"] = f"t{n - 1}"
        tasks.append(task)
    return manifest([{"name": "main", "dag": {"tasks": tasks}}, leaf_template()])


def manifest(templates: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "wf"},
        "spec": {"entrypoint": "main", "templates": templates},
    }


def drive(document: Mapping[str, Any], count: int) -> tuple[float, embedded.State]:
    """Run a workflow to its end; -> CPU seconds, final state."""
    context = RunContext("wf", "bench", "uid", BEGIN_MS, max_nodes=1_000_000, max_items=1_000_000)
    gc.collect()
    begin = time.process_time()
    state, step = embedded.start(document, context, BEGIN_MS)
    queue = [command for command in step.commands if isinstance(command, OpenTask)]
    at, done = BEGIN_MS, 0
    while done < len(queue):
        task = queue[done]
        done += 1
        at += 1
        embedded.advance(state, LeafRunning(at, task.node_id, task.generation))
        outcome = LeafOutcome(
            OutcomeKind.EXITED, exit_code=0, parameters={"energy": "1.5"}, started_ms=at, finished_ms=at
        )
        step = embedded.advance(state, LeafDone(at, task.node_id, task.generation, outcome))
        queue.extend(command for command in step.commands if isinstance(command, OpenTask))
    seconds = time.process_time() - begin
    assert done == count, f"{done} leaves ran, {count} were expected"
    assert state.phase is NodePhase.SUCCEEDED, state.message
    return seconds, state


def per_step(make: Any, count: int) -> float:
    """Best time per step, in seconds; small runs are repeated so that both are measured alike long."""
    document = make(count)
    rounds = max(1, 2000 // count)
    best = float("inf")
    for _ in range(REPEATS if rounds > 1 else REPEATS_LARGE):
        total = sum(drive(document, count)[0] for _ in range(rounds))
        best = min(best, total / rounds / count)
    return best


def memory_per_node(count: int) -> float:
    """Bytes that stay in memory for each node of a wide loop half way through."""
    document = fanout(count)
    context = RunContext("wf", "bench", "uid", BEGIN_MS, max_nodes=1_000_000, max_items=1_000_000)
    gc.collect()
    tracemalloc.start()
    state, step = embedded.start(document, context, BEGIN_MS)
    opened = [command for command in step.commands if isinstance(command, OpenTask)]
    ids = [(task.node_id, task.generation) for task in opened[: count // 2]]
    del step, opened
    for node_id, generation in ids:
        outcome = LeafOutcome(OutcomeKind.EXITED, exit_code=0, parameters={"energy": "1.5"})
        embedded.advance(state, LeafDone(BEGIN_MS + 1, node_id, generation, outcome))
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(state.nodes)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fanout", type=int, default=100_000)
    parser.add_argument("--chain", type=int, default=100_000)
    options = parser.parse_args(argv)
    collector_for_large_state()
    small_fanout, small_chain = per_step(fanout, SMALL), per_step(chain, SMALL)
    large_fanout, large_chain = per_step(fanout, options.fanout), per_step(chain, options.chain)
    result = {
        "fanout_steps": options.fanout,
        "chain_steps": options.chain,
        "fanout_us_per_step": round(large_fanout * 1e6, 1),
        "fanout_us_per_step_small": round(small_fanout * 1e6, 1),
        "chain_us_per_step": round(large_chain * 1e6, 1),
        "chain_us_per_step_small": round(small_chain * 1e6, 1),
        "fanout_ratio": round(large_fanout / small_fanout, 2),
        "chain_ratio": round(large_chain / small_chain, 2),
        "leaves_per_s": round(1 / large_fanout),
        "resident_bytes_per_node": round(memory_per_node(min(options.fanout, MEMORY_OF))),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench-engine.json").write_text(json.dumps(result, indent=1) + "\n")
    for name, value in result.items():
        print(f"{name:28} {value}")
    held = result["fanout_ratio"] <= RATIO_MAX and result["chain_ratio"] <= RATIO_MAX
    flat = f"time per step is flat from {SMALL} to {options.fanout} leaves"
    print(flat if held else f"time per step grows with the run: at most {RATIO_MAX} times is allowed")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
