"""Random workflows over the whole language, for properties of the engine: a seed decides all of one.

`Workload(seed)` has a manifest, how each leaf ends (by its node's name and try, never by when it runs) and what people do
at which event. `calm` workflows leave out what makes the tree depend on which of two independent leaves ends first:
signals, deadlines, longest times of retries, limits of parallelism, fail-fast, daemons, locks and caches, what errs at once (loops
over an inline template do: Argo cannot gather their outputs), and exit handlers in a DAG's loops (such a loop is over with what it
has started).
"""

from __future__ import annotations

import json
import random
from typing import Any

from fubini.runs.engine import LeafOutcome, OutcomeKind, SignalKind

MAX_DEPTH = 2
ITEMS: list[Any] = [1, "two", {"k": "three"}, 4]
CONDITIONS = ("true", "1 == 2", "'{{inputs.parameters.v}}' == '1'", "'{{workflow.name}}' =~ 'w'")
# These can be invalid once their values are known, which ends a step group at once, whatever else is going on in it.
BOLD_CONDITIONS = ("{{inputs.parameters.v}} == 1",)
LIBRARY: tuple[dict[str, Any], ...] = (
    {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "sizes"}, "data": {"two": "2"}},
    {
        "kind": "WorkflowTemplate",
        "apiVersion": "argoproj.io/v1alpha1",
        "metadata": {"name": "shelf"},
        "spec": {
            "templates": [
                {
                    "name": "kept",
                    "inputs": {"parameters": [{"name": "v", "default": "shelf"}]},
                    "steps": [[{"name": "in", "template": "inner"}]],
                },
                {"name": "inner", "container": {"image": "i", "command": ["inner"]}},
            ]
        },
    },
)


class Workload:
    """One random workflow and everything that happens to it."""

    def __init__(self, seed: int, *, calm: bool = False) -> None:
        self.seed = seed
        self.calm = calm
        self.chance = random.Random(seed)
        # A daemon counts as open while it serves: beside a limit of open leaves it can hold up what would end it.
        self.limits = not calm and self.maybe(0.5)
        self.daemons = not calm and not self.limits
        self.gates = not calm and self.maybe(0.5)  # locks and caches
        self.templates: list[dict[str, Any]] = []
        self.count = 0
        self.signals: list[tuple[int, SignalKind]] = [] if calm else self._signals()
        self.manifest = self._workflow()

    # --- the manifest ------------------------------------------------------------------------------------------------

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def _workflow(self) -> dict[str, Any]:
        self.wrapped = self.maybe(0.2)  # every template gets a retryStrategy
        self._composite("main", 0)
        self.templates += self._leaves()
        spec: dict[str, Any] = {"entrypoint": "main", "templates": self.templates}
        if self.maybe(0.4):
            spec["onExit"] = self.chance.choice(["note", "farewell"])
        if self.maybe(0.25):
            spec["hooks"] = {
                "running": {"expression": "workflow.status == 'Running'", "template": "note"},
                **({"exit": {"template": "note"}} if "onExit" not in spec and self.maybe(0.5) else {}),
            }
        if self.wrapped:
            spec["templateDefaults"] = {"retryStrategy": {"limit": self.chance.randint(0, 1)}}
        if not self.calm:
            if self.limits and self.maybe(0.3):
                spec["parallelism"] = self.chance.randint(1, 3)
            if self.maybe(0.2):
                spec["activeDeadlineSeconds"] = self.chance.choice([8, 30, 200])
            if self.maybe(0.1) and not self.daemons:
                spec["suspend"] = True
            if self.gates and self.maybe(0.2):
                spec["synchronization"] = {"mutexes": [{"name": "run"}]}
        spec["arguments"] = {"parameters": [{"name": "p", "value": self.chance.choice(["1", "x y", "[1, 2]"])}]}
        metadata = {"name": "wf"}
        return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec}

    def _leaves(self) -> list[dict[str, Any]]:
        value = {"parameters": [{"name": "v", "default": "0"}]}

        def container(name: str, **more: Any) -> dict[str, Any]:
            body = {"image": "i", "command": [name], "args": ["{{inputs.parameters.v}}"]}
            return {"name": name, "inputs": value, "container": body, **more}

        retries: dict[str, Any] = {"limit": self.chance.randint(0, 2)}
        if self.maybe(0.5):
            retries["retryPolicy"] = self.chance.choice(["Always", "OnFailure", "OnError", "OnTransientError"])
        if self.maybe(0.3):
            retries["expression"] = "asInt(lastRetry.exitCode) != 2"
        if self.maybe(0.3):
            retries["backoff"] = {"duration": "3s", "factor": 2, **({} if self.calm else {"maxDuration": "1m"})}
        strict = {"name": "o", "valueFrom": {"path": "/o"}}
        leaves = [
            container("work"),
            container("flaky", retryStrategy=retries),
            container("timed", activeDeadlineSeconds=5),
            container("emit", outputs={"parameters": [{"name": "o", "valueFrom": {"path": "/o", "default": "none"}}]}),
            # Of several steps that set one global output the last one counts.
            container("strict", outputs={"parameters": [{**strict, **({} if self.calm else {"globalName": "g"})}]}),
            container("file", outputs={"artifacts": [{"name": "a", "path": "/a", "optional": True}]}),
            {
                "name": "read",
                "inputs": {**value, "artifacts": [{"name": "a", "path": "/in", "optional": True}]},
                "container": {"image": "i", "command": ["read"]},
            },
            {"name": "list", "inputs": value, "script": {"image": "i", "command": ["sh"], "source": "list"}},
            {"name": "note", "container": {"image": "i", "command": ["note", "{{workflow.status}}"]}},
            {"name": "pause", "inputs": value, "suspend": {"duration": "4s"}},
            {"name": "ask", "inputs": value, "suspend": {}},
            {
                "name": "farewell",
                "steps": [[{"name": "bad", "template": "note", "when": "{{workflow.status}} != Succeeded"}]],
            },
            {
                "name": "again",
                "inputs": {"parameters": [{"name": "left"}, {"name": "v", "default": "0"}]},
                "steps": [
                    [{"name": "do", "template": "work"}],
                    [
                        {
                            "name": "next",
                            "template": "again",
                            "when": "{{inputs.parameters.left}} > 0",
                            "arguments": named(left="{{=string(asInt(inputs.parameters.left) - 1)}}"),
                        }
                    ],
                ],
            },
            {
                "name": "set",
                "inputs": value,
                "containerSet": {
                    "containers": [
                        {"name": "main", "image": "i", "command": ["a"]},
                        {"name": "side", "image": "i", "command": ["b"], "dependencies": ["main"]},
                    ]
                },
            },
        ]
        if not self.calm:
            leaves += [
                container("server", daemon=True),
                container("locked", synchronization={"mutexes": [{"name": "m-{{inputs.parameters.v}}"}]}),
                container(
                    "shared", synchronization={"semaphores": [{"configMapKeyRef": {"name": "sizes", "key": "two"}}]}
                ),
                container(
                    "cached",
                    memoize={"key": "{{inputs.parameters.v}}", "maxAge": "1h", "cache": {"configMap": {"name": "c"}}},
                ),
            ]
        return leaves

    def _composite(self, name: str, depth: int) -> None:
        body: dict[str, Any] = {"name": name, "inputs": {"parameters": [{"name": "v", "default": "1"}]}}
        self.templates.append(body)
        names = [f"{self.chance.choice('abcdefgh')}{n}" for n in range(self.chance.randint(1, 4))]
        if self.maybe(0.5):
            self._dag(body, names, depth)
        else:
            self._steps(body, names, depth)
        if self.maybe(0.2):
            body["retryStrategy"] = {"limit": self.chance.randint(0, 1), "retryPolicy": "Always"}
        if self.limits and self.maybe(0.3):
            body["parallelism"] = self.chance.randint(1, 2)
        if self.gates and self.maybe(0.3):
            body["synchronization"] = {"mutexes": [{"name": f"level-{depth}"}]}
        if self.gates and self.maybe(0.2):
            key = f"{name}-{{{{inputs.parameters.v}}}}"
            body["memoize"] = {"key": key, "maxAge": "1h", "cache": {"configMap": {"name": "c"}}}

    def _dag(self, body: dict[str, Any], names: list[str], depth: int) -> None:
        tasks: list[dict[str, Any]] = []
        for n, name in enumerate(names):
            task = self._call(name, body["name"], depth, group="tasks", earlier=tasks)
            if n and "depends" not in task and self.maybe(0.8):
                other = self.chance.choice(names[:n])
                states = ["Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned"]
                task["depends"] = self.chance.choice(
                    [
                        other,
                        f"{other}.{self.chance.choice(states[:5])}",
                        f"{other}.Succeeded || {other}.Failed",
                        f"!{other}.Errored",
                    ]
                )
            tasks.append(task)
        # `depends` and `continueOn` exclude each other in one graph.
        if any("depends" in task for task in tasks):
            for task in tasks:
                task.pop("continueOn", None)
        body["dag"] = {"tasks": tasks}
        if self.maybe(0.4) and not self.calm:
            body["dag"]["failFast"] = self.maybe(0.5)
        elif self.calm:
            body["dag"]["failFast"] = False
        if len(names) > 1 and self.maybe(0.15):
            body["dag"]["target"] = " ".join(self.chance.sample(names, self.chance.randint(1, len(names))))

    def _steps(self, body: dict[str, Any], names: list[str], depth: int) -> None:
        groups: list[list[dict[str, Any]]] = []
        rest = names
        while rest:
            size = self.chance.randint(1, len(rest))
            earlier = [step for group in groups for step in group]
            groups.append(
                [self._call(name, body["name"], depth, group="steps", earlier=earlier) for name in rest[:size]]
            )
            rest = rest[size:]
        body["steps"] = groups

    def _call(self, name: str, parent: str, depth: int, *, group: str, earlier: list[dict[str, Any]]) -> dict[str, Any]:
        """One step or task; it may use what an earlier one left, where that is sure to be there."""
        plain = ["work", "work", "flaky", "timed", "emit", "strict", "file", "list", "pause", "set"]
        if not self.calm:
            plain += ["ask", *(["server"] if self.daemons else [])]
            plain += ["locked", "shared", "cached"] if self.gates else []
        call: dict[str, Any] = {"name": name, "template": self.chance.choice(plain)}
        value = self.chance.choice(["{{workflow.name}}", "{{inputs.parameters.v}}", "7", "{{workflow.parameters.p}}"])
        call["arguments"] = named(v=value)
        if depth < MAX_DEPTH and self.maybe(0.3):
            call["template"] = f"{parent}-{name}"
            self._composite(call["template"], depth + 1)
        elif self.maybe(0.1):
            call |= {"template": "again", "arguments": named(left=str(self.chance.randint(0, 3)))}
        elif self.maybe(0.1):
            del call["template"]
            call["templateRef"] = {"name": "shelf", "template": "kept"}
        elif self.maybe(0.1):
            del call["template"]
            call["inline"] = {"container": {"image": "i", "command": ["inline"]}}
            call.pop("arguments")
        lists = [e["name"] for e in earlier if e.get("template") == "list" and "withItems" not in e and "when" not in e]
        files = [e["name"] for e in earlier if e.get("template") == "file" and "withItems" not in e and "when" not in e]
        if lists and self.maybe(0.6):
            source = self.chance.choice(lists)
            call |= {
                "template": "work",
                "withParam": f"{{{{{group}.{source}.outputs.result}}}}",
                "arguments": named(v="{{item}}"),
            }
            call.pop("templateRef", None)
            call.pop("inline", None)
            if group == "tasks":
                call["depends"] = f"{source}.Succeeded"
        elif files and self.maybe(0.6):
            source = self.chance.choice(files)
            origin = f"{{{{{group}.{source}.outputs.artifacts.a}}}}"
            call |= {"template": "read", "arguments": {"artifacts": [{"name": "a", "from": origin, "optional": True}]}}
            call.pop("templateRef", None)
            call.pop("inline", None)
            if group == "tasks":
                call["depends"] = f"{source}.Succeeded"
        elif self.maybe(0.2):
            call["withItems"] = ITEMS[: self.chance.randint(1, len(ITEMS))]
        elif self.maybe(0.1):
            call["withSequence"] = {"count": str(self.chance.randint(0, 3))}
        if self.maybe(0.2):
            call["when"] = self.chance.choice(CONDITIONS if self.calm else CONDITIONS + BOLD_CONDITIONS)
        if self.maybe(0.25):
            call["continueOn"] = {"failed": True, "error": self.maybe(0.5)}
        loop = any(key in call for key in ("withItems", "withParam", "withSequence"))
        if self.calm and loop and call.pop("inline", None):
            call |= {"template": "work", "arguments": named(v=value)}
        if self.maybe(0.15):
            if not (self.calm and loop and group == "tasks"):
                call["hooks"] = {"exit": {"template": "note"}}
        elif self.maybe(0.1) and not loop:
            call["hooks"] = {"told": {"template": "note", "expression": f"{group}['{name}'].status == 'Succeeded'"}}
        return call

    # --- what happens ------------------------------------------------------------------------------------------------

    def _signals(self) -> list[tuple[int, SignalKind]]:
        """(event number, what a person asks for), in order."""
        if not self.maybe(0.5):
            return []
        kinds = [SignalKind.STOP, SignalKind.TERMINATE, SignalKind.RETRY]
        if not self.daemons:
            kinds += [SignalKind.SUSPEND, SignalKind.RESUME]
        found = [(self.chance.randint(1, 40), self.chance.choice(kinds)) for _ in range(self.chance.randint(1, 3))]
        return sorted(found)

    def outcome(self, name: str, template: str, generation: int) -> LeafOutcome:
        """How a leaf ends."""
        chance = random.Random(f"{self.seed}/{name}/{generation}")
        share = chance.random()
        if share < 0.15:
            return LeafOutcome(OutcomeKind.EXITED, exit_code=chance.randint(1, 3))
        if share < 0.25:
            kinds = [OutcomeKind.TIMED_OUT, OutcomeKind.OOM, OutcomeKind.PLATFORM, OutcomeKind.INPUT_ERROR]
            return LeafOutcome(chance.choice(kinds), exit_code=None, error="made up")
        if template == "strict" and share < 0.4:
            return LeafOutcome(OutcomeKind.OUTPUT_ERROR, exit_code=0, error="open /o: no such file or directory")
        # Results of a loop that are no JSON end what asks for them all at once.
        result = json.dumps(list(range(chance.randint(0, 3)))) if template == "list" else "7" if self.calm else "done"
        parameters = {"o": f"of {name}"} if template in ("emit", "strict") else {}
        artifacts = {"a": f"key/{name}/{generation}"} if template == "file" and chance.random() < 0.8 else {}
        return LeafOutcome(OutcomeKind.EXITED, exit_code=0, result=result, parameters=parameters, artifacts=artifacts)


def named(**values: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "value": value} for name, value in values.items()]}
