"""Properties over random workflows: restarts, replays and the order of independent leaves never change the end."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fubini.engines import embedded
from fubini.runs.engine import LeafOutcome
from tests.conformance.driver import tree_of
from tests.unit.fubini.engines.embedded.support import Platform, arguments, context, done, failed, leaf, workflow


def random_workflow(seed: int, *, locks: bool = False, memo: bool = False, ordered: bool = False) -> dict[str, Any]:
    """A workflow of a few nested templates with loops, conditions, retries, hooks, failures, locks and caches.

    A composite takes the lock of its depth, so that no two wait for each other. `ordered`: nothing in which the order
    of leaves matters by Argo's rules, which are the exit handlers of a task's loop.
    """
    chance = random.Random(seed)
    templates: list[dict[str, Any]] = []

    def composite(name: str, depth: int) -> None:
        body: dict[str, Any] = {"name": name, "inputs": {"parameters": [{"name": "v", "default": "1"}]}}
        templates.append(body)
        names = [f"{chance.choice('abcdefgh')}{n}" for n in range(chance.randint(1, 4))]
        if chance.random() < 0.5:
            tasks = []
            for n, task_name in enumerate(names):
                task = holder(task_name, name, depth)
                if n and chance.random() < 0.8:
                    other = chance.choice(names[:n])
                    task["depends"] = chance.choice([other, f"{other}.Failed", f"{other}.Succeeded || {other}.Failed"])
                if ordered and "withItems" in task:
                    task.pop("hooks", None)
                tasks.append(task)
            body["dag"] = {"tasks": tasks, "failFast": chance.random() < 0.7}
        else:
            rest, body["steps"] = names, []
            while rest:
                size = chance.randint(1, len(rest))
                body["steps"].append([holder(n, name, depth) for n in rest[:size]])
                rest = rest[size:]
        if chance.random() < 0.2:
            body["retryStrategy"] = {"limit": 1, "retryPolicy": "Always"}
        if chance.random() < 0.2:
            body["parallelism"] = 2
        if locks and chance.random() < 0.4:
            body["synchronization"] = {"mutexes": [{"name": f"level-{depth}"}]}
        if memo and chance.random() < 0.3:
            body["memoize"] = memoized(f"{name}-{{{{inputs.parameters.v}}}}")

    def holder(name: str, parent: str, depth: int) -> dict[str, Any]:
        template = chance.choice(["work", "work", "flaky", *(["locked"] if locks else []), *(["kept"] if memo else [])])
        if depth < 2 and chance.random() < 0.35:
            template = f"{parent}-{name}"
            composite(template, depth + 1)
        body: dict[str, Any] = {
            "name": name,
            "template": template,
            "arguments": arguments(v=chance.choice(["{{workflow.name}}", "{{inputs.parameters.v}}", "7"])),
        }
        if chance.random() < 0.25:
            body["withItems"] = [1, "two", {"k": 3}][: chance.randint(1, 3)]
        if chance.random() < 0.2:
            body["when"] = chance.choice(["1 == 1", "1 == 2", "{{inputs.parameters.v}} == 1"])
        if chance.random() < 0.3:
            body["continueOn"] = {"failed": True, "error": chance.random() < 0.5}
        if chance.random() < 0.15:
            body["hooks"] = {"exit": {"template": "note"}}
        return body

    composite("main", 0)
    return workflow(
        [
            *templates,
            leaf("work", "v"),
            leaf("flaky", "v", retryStrategy={"limit": 1}),
            leaf(
                "locked", "v", synchronization={**LOCKS, "semaphores": [{"configMapKeyRef": {"name": "m", "key": "n"}}]}
            ),
            leaf("kept", "v", memoize=memoized("{{inputs.parameters.v}}"), synchronization=LOCKS),
            {"name": "note", "container": {"image": "i", "command": ["note"]}},
        ],
        onExit="note",
        **({"synchronization": {"mutexes": [{"name": "run"}]}} if locks and chance.random() < 0.5 else {}),
    )


LOCKS = {"mutexes": [{"name": "bench"}, {"name": "v-{{inputs.parameters.v}}"}]}
SIZES = {"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"n": "2"}}


def memoized(key: str) -> dict[str, Any]:
    return {"key": key, "maxAge": "1h", "cache": {"configMap": {"name": "cache"}}}


def outcome_for(seed: int, name: str) -> LeafOutcome:
    """How a leaf ends: decided by its name, never by when it runs."""
    return (
        failed(random.Random(f"{seed}/{name}").randint(1, 3))
        if random.Random(f"{name}{seed}").random() < 0.3
        else done()
    )


def end_of(seed: int, *, guarded: str = "", ordered: bool = False, **options: Any) -> tuple[dict[str, Any], Platform]:
    """`guarded`: "locks", or "all" with caches too, whose hits depend on what ended first."""
    manifest = random_workflow(seed, locks=bool(guarded), memo=guarded == "all", ordered=ordered)
    run = context(library=(SIZES,))
    platform = Platform(manifest, lambda name: outcome_for(seed, name), run=run, **options).run()
    assert platform.state.finished, f"seed {seed}: the run did not end"
    return tree_of(platform.state), platform


# Where a loop has a limit, a template fails fast or a step group errs at once, what starts depends on what ended first.
SEEDS = st.integers(0, 10_000_000)
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(SEEDS)
def test_a_restart_at_every_event_gives_the_same_tree(seed: int) -> None:
    assert end_of(seed)[0] == end_of(seed, restart=True)[0]


@RELAXED
@given(SEEDS)
def test_a_restart_at_every_event_gives_the_same_tree_with_locks_and_caches(seed: int) -> None:
    assert end_of(seed, guarded="all")[0] == end_of(seed, guarded="all", restart=True)[0]


@RELAXED
@given(SEEDS)
def test_a_restart_between_a_question_and_its_answer_gives_the_same_tree(seed: int) -> None:
    assert end_of(seed, guarded="all")[0] == end_of(seed, guarded="all", restart_midway=True)[0]


@RELAXED
@given(SEEDS)
def test_locks_change_nothing_in_the_tree_but_the_time(seed: int) -> None:
    assert (
        end_of(seed, guarded="locks", ordered=True)[0]
        == end_of(seed, guarded="locks", ordered=True, newest_first=True)[0]
    )


@RELAXED
@given(SEEDS)
def test_every_lock_is_given_back_when_the_run_ends(seed: int) -> None:
    table = end_of(seed, guarded="all")[1].desk.table
    assert table.idle()


@RELAXED
@given(SEEDS)
def test_the_order_of_independent_leaves_does_not_change_the_tree(seed: int) -> None:
    assert end_of(seed, ordered=True)[0] == end_of(seed, ordered=True, newest_first=True)[0]


@RELAXED
@given(SEEDS)
def test_replaying_the_events_gives_the_same_steps(seed: int) -> None:
    first, second = end_of(seed, guarded="all")[1], end_of(seed, guarded="all")[1]
    assert first.steps == second.steps


@RELAXED
@given(SEEDS)
def test_what_is_dumped_is_what_the_steps_said(seed: int) -> None:
    _, platform = end_of(seed, guarded="all")
    run, nodes = embedded.dump(platform.state)
    assert {node.id: node for node in nodes} == platform.records
    assert run == platform.run_record
    again = embedded.load(platform.manifest, platform.context, run, nodes)
    assert tree_of(again) == tree_of(platform.state)
