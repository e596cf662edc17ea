"""Run the kit's manifest on this machine, two steps at a time, without Fubini: the check of the science alone.

``python -m tests.unit.kits.run_locally FOLDER [--set NAME=VALUE]`` prints the result and the seconds each kind of step took.
It understands only what the kit's manifest uses (dag with `depends` of `&&`, steps, `when` of `a == b`, artifacts by
`from` and `raw`); the engine is judged elsewhere.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.unit.kits.leaves import KIT, SCIENCE_PYTHON, Leaf, LeafResult, mounts_of, run_leaf

_TAG = re.compile(r"\{\{([^{}]+)\}\}")


@dataclass
class Result:
    """Outputs of one template: parameters and artifacts by name."""

    parameters: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Path | str] = field(default_factory=dict)


class LocalRun:
    """One run of a manifest; `steps` collects (node name, template, seconds) of every leaf."""

    def __init__(self, manifest: Path, folder: Path, data: Path, slots: int, parameters: Mapping[str, str]):
        spec = yaml.safe_load(manifest.read_text(encoding="utf-8"))["spec"]
        self.entrypoint = str(spec["entrypoint"])
        self.templates: dict[str, Any] = {template["name"]: template for template in spec["templates"]}
        given = {p["name"]: str(p["value"]) for p in spec["arguments"]["parameters"]} | dict(parameters)
        self.workflow = {f"workflow.parameters.{name}": value for name, value in given.items()}
        self.claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"]}
        self.folder, self.data = folder, data
        self.slots = threading.Semaphore(slots)
        self.lock = threading.Lock()
        self.steps: list[tuple[str, str, float]] = []
        self.outputs = Result()

    def run(self) -> Result:
        """Run everything; the result holds the outputs with a global name."""
        self._template("main", self.entrypoint, Result())
        return self.outputs

    def _template(self, node: str, name: str, inputs: Result) -> Result:
        template = self.templates[name]
        scope = dict(self.workflow)
        files: dict[str, Path | str] = {}
        for parameter in template.get("inputs", {}).get("parameters", []):
            scope[f"inputs.parameters.{parameter['name']}"] = inputs.parameters[parameter["name"]]
        for artifact in template.get("inputs", {}).get("artifacts", []):
            if artifact["name"] in inputs.artifacts:
                files[f"inputs.artifacts.{artifact['name']}"] = inputs.artifacts[artifact["name"]]
            elif not artifact.get("optional"):
                raise KeyError(f"{node}: the required artifact {artifact['name']} was not passed")
        if "container" in template:
            return self._leaf(node, template, scope, files)
        if "dag" in template:
            self._dag(node, template["dag"]["tasks"], scope, files)
        else:
            for group in template["steps"]:
                self._together(node, [(task, "steps") for task in group], scope, files)
        return self._outputs(template, scope, files)

    def _dag(self, node: str, tasks: list[Any], scope: dict[str, str], files: dict[str, Path | str]) -> None:
        done: dict[str, threading.Event] = {task["name"]: threading.Event() for task in tasks}

        def one(task: Any) -> None:
            try:
                for name in filter(None, (task.get("depends") or "").split(" && ")):
                    done[name].wait()
                if not problems:
                    self._together(node, [(task, "tasks")], scope, files)
            except BaseException as problem:
                problems.append(problem)
            finally:
                done[task["name"]].set()

        problems: list[BaseException] = []
        with ThreadPoolExecutor(len(tasks)) as pool:
            list(pool.map(one, tasks))
        if problems:
            raise problems[0]

    def _together(
        self, node: str, group: list[tuple[Any, str]], scope: dict[str, str], files: dict[str, Path | str]
    ) -> None:
        def one(task: Any, kind: str) -> None:
            if "when" in task:
                left, right = self._text(task["when"], scope).split(" == ")
                if left != right:
                    return
            arguments = task.get("arguments", {})
            inputs = Result(
                {p["name"]: self._text(str(p["value"]), scope) for p in arguments.get("parameters", [])},
                {
                    a["name"]: a["raw"]["data"] if "raw" in a else files[a["from"].strip("{}")]
                    for a in arguments.get("artifacts", [])
                },
            )
            result = self._template(f"{node}.{task['name']}", task["template"], inputs)
            with self.lock:
                scope.update({f"{kind}.{task['name']}.outputs.parameters.{k}": v for k, v in result.parameters.items()})
                files.update({f"{kind}.{task['name']}.outputs.artifacts.{k}": v for k, v in result.artifacts.items()})

        with ThreadPoolExecutor(len(group)) as pool:
            list(pool.map(lambda pair: one(*pair), group))

    def _outputs(self, template: Any, scope: dict[str, str], files: dict[str, Path | str]) -> Result:
        outputs = template.get("outputs", {})
        return Result(
            {p["name"]: self._text(p["valueFrom"]["parameter"], scope) for p in outputs.get("parameters", [])},
            {a["name"]: files[a["from"].strip("{}")] for a in outputs.get("artifacts", [])},
        )

    def _leaf(self, node: str, template: Any, scope: dict[str, str], files: dict[str, Path | str]) -> Result:
        container, outputs = template["container"], template.get("outputs", {})
        leaf = Leaf(
            name=node,
            argv=tuple(self._text(word, scope) for word in container["command"] + container["args"]),
            env={pair["name"]: str(pair["value"]) for pair in container["env"]},
            inputs={
                artifact["path"]: files[f"inputs.artifacts.{artifact['name']}"]
                for artifact in template.get("inputs", {}).get("artifacts", [])
                if f"inputs.artifacts.{artifact['name']}" in files
            },
            parameters_out={p["name"]: p["valueFrom"]["path"] for p in outputs.get("parameters", [])},
            artifacts_out={a["name"]: a["path"] for a in outputs.get("artifacts", [])},
            mounts=mounts_of(self.data, [(self.claims[v["name"]], v["mountPath"]) for v in container["volumeMounts"]]),
        )
        with self.slots:
            done: LeafResult = run_leaf(leaf, self.folder / node)
        with self.lock:
            self.steps.append((node, template["name"], done.seconds))
            for parameter in outputs.get("parameters", []):
                if "globalName" in parameter:
                    self.outputs.parameters[parameter["globalName"]] = done.parameters[parameter["name"]]
            for artifact in outputs.get("artifacts", []):
                if "globalName" in artifact:
                    self.outputs.artifacts[artifact["globalName"]] = done.artifacts[artifact["name"]]
        return Result(dict(done.parameters), dict(done.artifacts))

    @staticmethod
    def _text(value: str, scope: Mapping[str, str]) -> str:
        return _TAG.sub(lambda tag: scope[tag.group(1)], value)


def make_data(folder: Path) -> Path:
    """The input dataset, written by the kit's own script."""
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [str(SCIENCE_PYTHON), str(KIT / "make_dataset.py"), str(folder)], check=True, capture_output=True, env=env
    )
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
    run = LocalRun(KIT / "pipeline.yaml", options.folder.resolve() / "run", data, options.slots, parameters)
    began = time.monotonic()
    outputs = run.run()
    seconds = time.monotonic() - began
    print(Path(outputs.artifacts["report"]).read_text(encoding="utf-8"))
    kinds: dict[str, list[float]] = {}
    for _, template, taken in run.steps:
        kinds.setdefault(template, []).append(taken)
    for template, taken_all in sorted(kinds.items(), key=lambda pair: -sum(pair[1])):
        print(f"{template:18s} {len(taken_all):3d} steps {sum(taken_all):7.1f} s, longest {max(taken_all):5.1f} s")
    print(json.dumps({"steps": len(run.steps), "seconds": round(seconds, 1), **outputs.parameters}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
