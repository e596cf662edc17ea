"""Random workflows of the whole language, played to their end by the embedded engine in several ways.

For every one of them: replaying the log gives the same steps and the same state; the steps' last words are the whole state;
a restart at every event, and between every question and its answer, gives back the memory that was there and leads to the
same tree and tasks; a calm workflow's leaves may end in any order; and what holds of every end holds (`random_world.check`).
A failure names the workload: ``Workload(NUMBER)`` makes it again. `seed` is the first number, the others follow.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

from fubini.engines import embedded
from tests.conformance.driver import tree_of
from tests.fuzz.common import FuzzResult, TookTooLong, deadline, main
from tests.support.engine_memory import difference, memory
from tests.support.random_workflows import Workload
from tests.support.random_world import World, check, opened

NAME = "workflows"
MAX_S = 60.0  # wall seconds of one workload in all its plays; an event that costs more than its share shows here
PROPERTIES = ("end", "replay", "said", "restart", "order")


class Restarted(World):
    """Read back after every event and before every answer, and compared with what was there."""

    lost = ""

    def reload(self) -> None:
        before = self.state
        super().reload()
        if not self.lost and not before.finished and not before.suspended:
            self.lost = difference(memory(before), memory(self.state))
            if self.lost:
                self.lost = f"event {len(self.log)}: {self.lost}"


def failures(number: int) -> dict[str, str]:
    """What does not hold of one workload, by property; empty where all does."""
    found: dict[str, str] = {}
    world = World(Workload(number)).play()
    for name, holds in (("end", _end), ("replay", _replay), ("said", _said), ("restart", _restart)):
        said = holds(world)
        if said:
            found[name] = said
    trees = [tree_of(World(Workload(number, calm=True), order=order).play().state) for order in (0, number + 1)]
    if trees[0] != trees[1]:
        found["order"] = difference(*trees)
    return found


def _end(world: World) -> str:
    try:
        check(world)
    except AssertionError as error:
        line = traceback.extract_tb(error.__traceback__)[-1].line
        return f"{str(error).partition(chr(10))[0]} ({line})"
    return ""


def _replay(world: World) -> str:
    again = embedded.State.new(world.manifest, world.context)
    steps = [embedded.advance(again, event) for event in world.log]
    place = next((n for n, (a, b) in enumerate(zip(steps, world.steps, strict=True)) if a != b), None)
    if place is not None:
        return f"step {place} differs"
    return "" if embedded.dump(again) == embedded.dump(world.state) else "the state differs"


def _said(world: World) -> str:
    run, nodes = embedded.dump(world.state)
    said: dict[str, Any] = {id_: record for id_, record in world.records.items() if record.phase is not None}
    return difference({"run": world.run_record, **said}, {"run": run, **{node.id: node for node in nodes}})


def _restart(world: World) -> str:
    again = Restarted(world.work, restart_midway=True).play()
    if again.lost:
        return again.lost
    if opened(again) != opened(world):
        return "other tasks are opened"
    return difference(tree_of(world.state), tree_of(again.state))


def run(count: int, seed: int) -> FuzzResult:
    result = FuzzResult(NAME, seed)
    wrong = dict.fromkeys(PROPERTIES, 0)
    for number in range(seed, seed + count):
        result.inputs += 1
        try:
            with deadline(MAX_S):
                found = failures(number)
        except (Exception, TookTooLong) as error:
            found = {"end": f"{type(error).__name__}: {error}"}
        for name, said in found.items():
            print(f"workload {number}: {name}: {said[:300]}", flush=True)
            wrong[name] += 1
            result.fail(f"workload {number}: {name}: {said[:1500]}")
        result.outcomes["fails" if found else "holds"] += 1
        if result.inputs % 1000 == 0:
            print(f"{result.inputs:,} workloads, {result.outcomes['fails']} fail", flush=True)
    result.worst |= {f"{name}_failures": wrong[name] for name in PROPERTIES}
    return result


if __name__ == "__main__":
    sys.exit(main(run, 500))
