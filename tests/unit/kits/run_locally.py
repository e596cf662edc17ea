"""Run the kit's manifest through the embedded engine, its leaves as plain local processes, two at a time.

``python -m tests.unit.kits.run_locally FOLDER [--set NAME=VALUE]`` prints the result and the seconds each kind of step took.
No server, scheduler or agent takes part: this shows that manifest and science are right.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fubini.engines import embedded
from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from fubini.runs.engine import (
    LeafDone,
    LeafOutcome,
    LeafRunning,
    NodePhase,
    OpenTask,
    OutcomeKind,
    RunContext,
    Step,
    TaskSpec,
)
from tests.unit.kits.leaves import KIT, SCIENCE_PYTHON, Leaf, LeafFailed, LeafResult, mounts_of, run_leaf


@dataclass(frozen=True)
class LocalStep:
    """One leaf that ran: its node's name, its template, what it asked for and how long it took."""

    node: str
    template: str
    spec: TaskSpec
    seconds: float


@dataclass
class LocalResult:
    """How a run ended: phase, every leaf, and the outputs with a global name (artifacts as files)."""

    phase: NodePhase
    message: str
    steps: list[LocalStep]
    parameters: dict[str, str]
    artifacts: dict[str, Path]
    nodes: dict[str, NodePhase | None] = field(default_factory=dict)

    def templates(self) -> dict[str, list[float]]:
        """Seconds of every leaf by template."""
        found: dict[str, list[float]] = {}
        for step in self.steps:
            found.setdefault(step.template, []).append(step.seconds)
        return found


Runner = Callable[[Leaf, Path], LeafResult]


def run_manifest(
    manifest: Path,
    folder: Path,
    data: Path,
    *,
    parameters: Mapping[str, str],
    slots: int = 2,
    runner: Runner = run_leaf,
) -> LocalResult:
    """Run `manifest` to its end; `runner` may stand in for real processes.

    Raises:
        ValueError: the manifest is refused, with every finding.
    """
    text = manifest.read_text(encoding="utf-8")
    report = check_manifest(text, supported=SUPPORTED, library=(), parameters=parameters, values_later=False)
    if report.invalid or report.unsupported:
        raise ValueError("\n".join(str(finding) for finding in (*report.invalid, *report.unsupported)))
    assert report.document is not None
    context = RunContext(
        name="kit",
        namespace="demo",
        uid="kit",
        created_ms=_now_ms(),
        parameters=dict(parameters),
        artifact_prefix="kit",
    )
    files: dict[str, Path] = {}
    steps: list[LocalStep] = []
    names: dict[str, str] = {}
    phases: dict[str, NodePhase | None] = {}
    outputs: Mapping[str, Any] = {}
    state, first = embedded.start(report.document, context, _now_ms())

    with ThreadPoolExecutor(slots) as pool:
        busy: dict[Future[LeafResult], OpenTask] = {}

        def take(step: Step) -> None:
            nonlocal outputs
            for node in step.nodes:
                names[node.id] = node.name
                phases[node.name] = node.phase
            if step.run is not None and step.run.outputs:
                outputs = step.run.outputs
            for command in step.commands:
                if isinstance(command, OpenTask):
                    leaf = _leaf(names[command.node_id], command.spec, files, data)
                    busy[pool.submit(runner, leaf, folder / leaf.name)] = command
                    take(embedded.advance(state, LeafRunning(_now_ms(), command.node_id, command.generation)))

        take(first)
        while busy:
            done, _ = wait(busy, return_when=FIRST_COMPLETED)
            for future in done:
                command = busy.pop(future)
                outcome = _outcome(command, future, files)
                if outcome.kind is OutcomeKind.EXITED and outcome.exit_code == 0:
                    spec = command.spec
                    steps.append(LocalStep(names[command.node_id], spec.template, spec, future.result().seconds))
                take(embedded.advance(state, LeafDone(_now_ms(), command.node_id, command.generation, outcome)))
    return LocalResult(
        phase=state.phase,
        message=state.message,
        steps=steps,
        parameters={p["name"]: p["value"] for p in outputs.get("parameters", ())},
        artifacts={a["name"]: files[a["key"]] for a in outputs.get("artifacts", ())},
        nodes=phases,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _leaf(name: str, spec: TaskSpec, files: Mapping[str, Path], data: Path) -> Leaf:
    inputs: dict[str, Path | str] = {}
    for artifact in spec.artifacts_in:
        if artifact.raw is not None:
            inputs[artifact.path] = artifact.raw
        elif artifact.key is not None:
            inputs[artifact.path] = files[artifact.key]
    return Leaf(
        name=name,
        argv=spec.argv,
        env=dict(spec.env),
        inputs=inputs,
        parameters_out={p.name: p.path for p in spec.parameters_out},
        artifacts_out={a.name: a.path for a in spec.artifacts_out},
        mounts=mounts_of(data, [(volume.claim, volume.mount_path) for volume in spec.volumes]),
    )


def _outcome(command: OpenTask, future: Future[LeafResult], files: dict[str, Path]) -> LeafOutcome:
    try:
        result = future.result()
    except LeafFailed as failure:
        return LeafOutcome(kind=OutcomeKind.EXITED, exit_code=1, error=str(failure))
    keys = {name: f"kit/{command.node_id}/{command.generation}/{name}" for name in result.artifacts}
    files.update({keys[name]: path for name, path in result.artifacts.items()})
    return LeafOutcome(kind=OutcomeKind.EXITED, exit_code=0, parameters=result.parameters, artifacts=keys)


def make_data(folder: Path) -> Path:
    """The input dataset, written by the kit's own script."""
    argv = [str(SCIENCE_PYTHON), str(KIT / "make_dataset.py"), str(folder)]
    subprocess.run(argv, check=True, capture_output=True, env={"PYTHONDONTWRITEBYTECODE": "1"})
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    data = make_data(options.folder.resolve() / "data")
    parameters = dict(pair.split("=", 1) for pair in options.set)
    began = time.monotonic()
    run = run_manifest(
        KIT / "pipeline.yaml", options.folder.resolve() / "run", data, parameters=parameters, slots=options.slots
    )
    seconds = time.monotonic() - began
    if run.phase is not NodePhase.SUCCEEDED:
        print(f"{run.phase}: {run.message}", file=sys.stderr)
        return 1
    print(run.artifacts["report"].read_text(encoding="utf-8"))
    for template, taken in sorted(run.templates().items(), key=lambda pair: -sum(pair[1])):
        print(f"{template:18s} {len(taken):3d} steps {sum(taken):7.1f} s, longest {max(taken):5.1f} s")
    print(json.dumps({"steps": len(run.steps), "seconds": round(seconds, 1), **run.parameters}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
