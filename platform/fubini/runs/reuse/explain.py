"""Why a step is not reused: the first thing in which it differs from the step of the same name in an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fubini.common.saying import ours, say
from fubini.runs.codec import spec_of
from fubini.runs.models import Run, RunNode, Task
from fubini.runs.reuse.keys import difference
from fubini.runs.reuse.lookup import Keyed, keyed_of

COMPARED_RUNS: Final = 10  # newest runs of the project a step is compared with when any may be reused


class Explainer:
    """Compares steps with those of one run, or of the project's newest runs."""

    def __init__(self, project_id: str, *, run_id: str = "", but_run: str = "") -> None:
        self.project_id = project_id
        rows = Run.objects.filter(project_id=project_id, deleted_at_ms=None).order_by("-created_at_ms")
        rows = rows.filter(pk=run_id) if run_id else rows.exclude(pk=but_run).filter(engine_version__gt=0)
        self.runs = list(rows.only("id", "name")[:COMPARED_RUNS])
        self.one = bool(run_id)

    def why(self, steps: Sequence[tuple[str, Keyed]]) -> list[str]:
        """A sentence without its subject for each step.

        Args:
            steps: each a node's name without the run's in front (".train(0:a)"), and its key.
        """
        bases = self._bases([name for name, _ in steps])
        return [keyed.why or self._compare(keyed, bases.get(name)) for name, keyed in steps]

    def _bases(self, names: Sequence[str]) -> dict[str, tuple[Run, RunNode, Task | None]]:
        """The step of that name in the newest run that has one, finished ones first."""
        by_run = {r.pk: r for r in self.runs}
        full = [r.name + name for r in self.runs for name in names]
        nodes = list(
            RunNode.objects.filter(run_id__in=by_run, name__in=full)
            .exclude(phase="")
            .only("run_id", "node_id", "name", "phase", "generation")
        )
        tasks = {
            (t.run_id, t.node_id, t.generation): t
            for t in Task.objects.filter(run_id__in=by_run, node_id__in=[n.node_id for n in nodes])
        }
        order = {r.pk: n for n, r in enumerate(self.runs)}
        nodes.sort(key=lambda n: (n.phase != "Succeeded", order[n.run_id]))
        found: dict[str, tuple[Run, RunNode, Task | None]] = {}
        for node in nodes:
            run = by_run[node.run_id]
            name = node.name.removeprefix(run.name)
            found.setdefault(name, (run, node, tasks.get((node.run_id, node.node_id, node.generation))))
        return found

    def _compare(self, now: Keyed, base: tuple[Run, RunNode, Task | None] | None) -> str:
        if base is None:
            if self.one:
                name = self.runs[0].name if self.runs else ours("the run")
                return say("{run} has no step of that name", run=name)
            return ours("no earlier run of the project has a step of that name")
        run, node, task = base
        if node.phase != "Succeeded":
            return say("it ended {phase} in {run}", phase=ours(node.phase), run=run.name)
        if task is None:
            return say("it ran no command in {run}: its result came from a cache", run=run.name)
        [before] = keyed_of(self.project_id, [spec_of(task.spec)])
        if before.why:
            return say("what it read in {run} is not there any more", run=run.name)
        told = difference(before.parts, now.parts)
        if told:
            return say("{difference} (compared with {run})", difference=told, run=run.name)
        return say("{run} kept no key of it", run=run.name)
