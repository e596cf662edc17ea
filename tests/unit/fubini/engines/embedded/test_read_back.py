"""What random workflows once showed of restarts, pauses and retries, each as the smallest run that shows it."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import LeafDone, LeafRunning, NodePhase, Signal, SignalKind, Tick
from tests.conformance.driver import tree_of
from tests.support.engine_memory import difference, memory
from tests.unit.fubini.engines.embedded.support import Platform, context, done, failed, leaf, workflow

MUTEX = {"mutexes": [{"name": "m"}]}
CACHE = {"key": "k", "maxAge": "1h", "cache": {"configMap": {"name": "c"}}}
RESTARTS = pytest.mark.parametrize("restart", [False, True])


def signal(platform: Platform, kind: SignalKind) -> None:
    platform.now += 1
    platform.feed(Signal(platform.now, kind))


def unchanged_by_a_restart(platform: Platform) -> bool:
    before = memory(platform.state)
    platform.reload()
    return difference(before, memory(platform.state)) == ""


def test_of_several_that_ask_the_first_is_let_in_whoever_is_restarted_between() -> None:
    group = [{"name": name, "template": "locked"} for name in "abc"]
    manifest = workflow([{"name": "main", "parallelism": 2, "steps": [group]}, leaf("locked", synchronization=MUTEX)])
    plain, restarted = Platform(manifest).run(), Platform(manifest, restart_midway=True).run()
    assert [step.nodes for step in restarted.steps] == [step.nodes for step in plain.steps]
    assert [task.node_id for task in restarted.opened] == [task.node_id for task in plain.opened]


def test_a_step_that_asks_says_nothing_but_its_question_before_the_answer() -> None:
    main = {"name": "main", "steps": [[{"name": "a", "template": "locked"}]]}
    platform = Platform(workflow([main, leaf("locked", synchronization=MUTEX)])).start()
    asking, answered = platform.steps[:2]
    assert not asking.settled and asking.nodes == () and asking.run is None and len(asking.commands) == 1
    assert answered.settled and {node.name for node in answered.nodes} == {"wf", "wf[0]", "wf[0].a"}


@RESTARTS
def test_nodes_that_come_back_after_a_retry_stand_last_among_those_beside_them(restart: bool) -> None:
    tasks = [{"name": name, "template": "work"} for name in "ab"]
    main = {"name": "main", "retryStrategy": {"limit": 0}, "dag": {"tasks": tasks}}
    codes = {"wf(0).a": [failed(), done()], "wf(0).b": [done()]}
    platform = Platform(
        workflow([main, leaf("work")]), lambda name: codes.get(name, [done()])[0], restart=restart
    ).run()
    assert platform.state.phase is NodePhase.FAILED
    codes["wf(0).a"].pop(0)
    signal(platform, SignalKind.RETRY)
    assert unchanged_by_a_restart(platform)
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert [child.name for child in platform.state.find("wf(0)").children] == ["wf(0).b", "wf(0).a"]


@RESTARTS
def test_an_attempt_before_the_last_stays_as_a_retry_left_it(restart: bool) -> None:
    main = {"name": "main", "retryStrategy": {"limit": 1}, "dag": {"tasks": [{"name": "a", "template": "work"}]}}
    codes = [failed(), failed(), done()]
    platform = Platform(workflow([main, leaf("work")]), lambda _: codes.pop(0), restart=restart).run()
    signal(platform, SignalKind.RETRY)
    platform.go_on()
    phases = platform.phases()
    assert (phases["wf"], phases["wf(0)"], phases["wf(1)"]) == ("Succeeded", "Running", "Succeeded")
    assert "wf(0).a" not in phases and codes == []


@RESTARTS
def test_a_group_whose_results_cannot_be_read_errs_again_after_a_retry(restart: bool) -> None:
    script = {"name": "say", "script": {"image": "i", "command": ["sh"], "source": "say"}}
    loop = {"name": "a", "template": "say", "withItems": [1, 2]}
    later = {"name": "b", "template": "say"}
    main = {"name": "main", "steps": [[loop], [later]]}
    platform = Platform(workflow([main, script]), lambda _: done("no json"), restart=restart).run()
    first = platform.messages()["wf"]
    assert platform.state.phase is NodePhase.ERROR and "invalid character" in first
    signal(platform, SignalKind.RETRY)
    platform.go_on()
    assert platform.phases()["wf"] == "Error" and platform.messages()["wf"] == first
    assert "wf[1]" not in platform.phases()


@RESTARTS
def test_an_output_for_all_keeps_its_value_where_a_later_step_has_none(restart: bool) -> None:
    output = {"name": "o", "globalName": "g", "valueFrom": {"path": "/o"}}
    show = {"name": "show", "container": {"image": "i", "command": ["{{workflow.outputs.parameters.g}}"]}}
    groups = [[{"name": n, "template": "emit", "continueOn": {"failed": True}}] for n in "ab"]
    main = {"name": "main", "steps": [*groups, [{"name": "c", "template": "show"}]]}
    platform = Platform(
        workflow([main, leaf("emit", outputs={"parameters": [output]}), show]),
        lambda name: done(o="first") if name.endswith(".a") else failed() if name.endswith(".b") else done(),
        restart=restart,
    ).run()
    assert platform.specs()["show"].argv == ("first",)


@RESTARTS
def test_a_composite_that_its_run_s_deadline_ended_does_not_end_again(restart: bool) -> None:
    inner = {"name": "inner", "memoize": CACHE, "steps": [[{"name": "x", "template": "work"}]]}
    main = {"name": "main", "steps": [[{"name": "a", "template": "inner"}]]}
    manifest = workflow([main, inner, leaf("work")], activeDeadlineSeconds=5)
    platform = Platform(manifest, restart=restart).start()
    platform.queue.clear()
    platform.go_on()
    assert platform.phases()["wf[0].a"] == "Failed"
    assert platform.messages()["wf[0].a"] == "Step exceeded its deadline"


@RESTARTS
def test_an_item_that_fails_as_it_starts_is_counted_off_once(restart: bool) -> None:
    loop = {"name": "l", "template": "work", "withItems": [1, 2, 3]}
    main = {"name": "main", "parallelism": 2, "dag": {"tasks": [loop], "failFast": False}}
    platform = Platform(workflow([main, leaf("work")], activeDeadlineSeconds=3), restart=restart).start()
    platform.timers.clear()  # the deadline passes, and nobody has said so yet
    platform.now += 5000
    platform.finish_one()
    assert platform.phases()["wf.l(2:3)"] == "Failed"
    assert platform.phases()["wf.l"] == "Running" and platform.phases()["wf.l(1:2)"] == "Pending"
    assert unchanged_by_a_restart(platform)


@RESTARTS
def test_a_leaf_with_its_lock_that_a_limit_holds_back_starts_once_there_is_room(restart: bool) -> None:
    group = [{"name": "a", "template": "work"}, {"name": "b", "template": "locked"}]
    library = ({"kind": "ConfigMap", "metadata": {"name": "sizes"}, "data": {"one": "1"}},)
    manifest = workflow(
        [{"name": "main", "steps": [group]}, leaf("work"), leaf("locked", synchronization=MUTEX)], parallelism=1
    )
    platform = Platform(manifest, run=context(library=library), restart=restart).run()
    assert platform.state.phase is NodePhase.SUCCEEDED and platform.most_open == 1


@pytest.mark.parametrize("kind", ["steps", "dag"])
@pytest.mark.parametrize("daemon", [False, True])
@RESTARTS
def test_a_hook_that_came_due_while_the_run_was_suspended_starts_when_it_goes_on(
    kind: str, daemon: bool, restart: bool
) -> None:
    word = "steps" if kind == "steps" else "tasks"
    hook = {"template": "note", "expression": f"{word}.a.status == 'Running'"}
    first: dict[str, Any] = {"name": "a", "template": "first", "hooks": {"up": hook}}
    later = {"name": "b", "template": "note"}
    body = [[first], [later]] if kind == "steps" else {"tasks": [first, {**later, "depends": "a"}]}
    platform = Platform(
        workflow([{"name": "main", kind: body}, leaf("first", daemon=daemon), leaf("note")]), restart=restart
    ).start()
    task = platform.queue.pop(0)
    signal(platform, SignalKind.SUSPEND)
    platform.now += 1
    platform.feed(LeafRunning(platform.now, task.node_id, task.generation, address="127.0.0.1"))
    signal(platform, SignalKind.RESUME)
    name = "wf[0].a" if kind == "steps" else "wf.a"
    assert platform.phases()[f"{name}.hooks.up"] == "Pending"
    assert all(not other.endswith(".b") for other in platform.phases()), "what follows waits for the hook"
    assert unchanged_by_a_restart(platform)
    if not daemon:
        platform.feed(LeafDone(platform.now, task.node_id, task.generation, done()))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert sum(other.endswith(".b") for other in platform.phases()) == 1


def test_a_restart_while_a_run_is_suspended_gives_the_same_tree() -> None:
    main = {"name": "main", "dag": {"tasks": [{"name": "l", "template": "work", "withItems": [1, 2]}]}}
    trees = []
    for restart in (False, True):
        platform = Platform(workflow([main, leaf("work")]), restart=restart).start()
        signal(platform, SignalKind.SUSPEND)
        platform.finish_one()
        signal(platform, SignalKind.RESUME)
        trees.append(tree_of(platform.go_on().state))
    assert trees[0] == trees[1]


@RESTARTS
def test_an_exit_handler_that_runs_again_after_a_retry_waits_for_room(restart: bool) -> None:
    tasks = [
        {"name": "a", "template": "work", "hooks": {"exit": {"template": "bye"}}},
        {"name": "b", "template": "inner", "depends": "a"},
    ]
    main = {"name": "main", "parallelism": 1, "dag": {"tasks": tasks}}
    inner = {"name": "inner", "dag": {"tasks": [{"name": "x", "template": "work"}]}}
    ends = {"wf.a.onExit": [failed(), done()], "wf.b.x": [failed(), done()]}
    manifest = workflow([main, inner, leaf("work"), leaf("bye")])
    platform = Platform(manifest, lambda name: ends[name].pop(0) if name in ends else done(), restart=restart).run()
    assert platform.state.phase is NodePhase.FAILED
    signal(platform, SignalKind.RETRY)
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert platform.state.find("wf.a.onExit").phase is NodePhase.SUCCEEDED


@RESTARTS
def test_after_a_retry_a_later_step_group_waits_for_the_one_before_it(restart: bool) -> None:
    first = {"name": "a", "template": "work", "continueOn": {"failed": True}}
    main = {"name": "main", "steps": [[first], [{"name": "b", "template": "inner"}]]}
    inner = {"name": "inner", "steps": [[{"name": "c", "template": "work"}]]}
    broken = {"wf[0].a", "wf[1].b[0].c"}
    manifest = workflow([main, inner, leaf("work")])
    platform = Platform(manifest, lambda name: failed() if name in broken else done(), restart=restart).run()
    assert platform.state.phase is NodePhase.FAILED
    broken.clear()
    signal(platform, SignalKind.RETRY)
    assert [task.node_id for task in platform.queue] == [platform.state.find_id("wf[0].a")]
    assert unchanged_by_a_restart(platform)
    platform.finish_one()
    assert [task.node_id for task in platform.queue] == [platform.state.find_id("wf[1].b[0].c")]
    platform.go_on()
    assert set(platform.phases().values()) == {"Succeeded"}


@RESTARTS
def test_what_waits_for_its_turn_after_a_retry_takes_no_lock_before(restart: bool) -> None:
    first = {"name": "a", "template": "locked", "continueOn": {"failed": True}}
    main = {"name": "main", "steps": [[first], [{"name": "b", "template": "inner"}]]}
    inner = {"name": "inner", "synchronization": MUTEX, "steps": [[{"name": "c", "template": "work"}]]}
    broken = {"wf[0].a", "wf[1].b[0].c"}
    manifest = workflow([main, inner, leaf("work"), leaf("locked", synchronization=MUTEX)])
    platform = Platform(manifest, lambda name: failed() if name in broken else done(), restart=restart).run()
    broken.clear()
    signal(platform, SignalKind.RETRY)
    assert [task.node_id for task in platform.queue] == [platform.state.find_id("wf[0].a")]
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert platform.opened[-1].node_id == platform.state.find_id("wf[1].b[0].c")


def test_handlers_of_items_that_wait_for_room_wait_on_after_a_restart() -> None:
    loop = {"name": "a", "template": "pause", "withItems": [1, 2], "hooks": {"exit": {"template": "bye"}}}
    tasks = [loop, {"name": "b", "template": "work"}, {"name": "c", "template": "work"}]
    pause = {"name": "pause", "suspend": {"duration": "1s"}}
    main = {"name": "main", "parallelism": 2, "dag": {"tasks": tasks}}
    platform = Platform(workflow([main, pause, leaf("work"), leaf("bye")])).start()
    assert len(platform.timers) == len(platform.queue) == 2
    for key in sorted(platform.timers, reverse=True):
        platform.now = platform.timers.pop(key) + 1
        platform.feed(Tick(platform.now, key))
        assert unchanged_by_a_restart(platform)
    while platform.queue:
        platform.finish_one()
        assert unchanged_by_a_restart(platform)
    assert platform.state.phase is NodePhase.SUCCEEDED


def test_a_loop_ended_by_a_person_looks_the_same_whoever_is_restarted_before() -> None:
    loop = {"name": "l", "template": "work", "withItems": [1, 2], "hooks": {"exit": {"template": "bye"}}}
    tasks = [{"name": "a", "template": "work"}, loop]
    main = {"name": "main", "parallelism": 2, "dag": {"tasks": tasks, "failFast": False}}
    trees = []
    for restart in (False, True):
        platform = Platform(workflow([main, leaf("work"), leaf("bye")]), restart=restart, newest_first=True).start()
        platform.finish_one()
        platform.finish_one()
        assert [platform.state.nodes[task.node_id].name for task in platform.queue] == ["wf.a", "wf.l(1:2)"]
        assert unchanged_by_a_restart(platform)
        signal(platform, SignalKind.TERMINATE)
        trees.append(tree_of(platform.state))
    assert trees[0] == trees[1]


def test_a_handler_that_ends_while_its_item_runs_again_stands_in_nobody_s_way() -> None:
    again = {"retryStrategy": {"limit": 0}}
    loop = {"name": "l", "template": "work", "withItems": [1, 2], "hooks": {"exit": {"template": "bye"}}}
    main = {"name": "main", "dag": {"tasks": [loop], "failFast": False}}
    ends = {"wf.l(0:1)(0)": [failed(), done()], "wf.l(0:1).onExit(0)": [failed(), done()]}
    platform = Platform(
        workflow([main, leaf("work", **again), leaf("bye", **again)]),
        lambda name: ends[name].pop(0) if name in ends else done(),
    ).run()
    assert platform.state.phase is NodePhase.FAILED
    signal(platform, SignalKind.RETRY)
    platform.queue.sort(key=lambda task: ".onExit" not in platform.state.nodes[task.node_id].name)
    assert len(platform.queue) == 2, "the item and its handler run side by side"
    platform.finish_one()
    assert unchanged_by_a_restart(platform)
    assert platform.go_on().state.phase is NodePhase.SUCCEEDED


def test_a_composite_that_ends_again_after_a_retry_is_settled_once() -> None:
    hook = {"template": "work", "expression": "tasks.a.status == 'Succeeded'"}
    tasks = [
        {"name": "a", "template": "inner", "hooks": {"told": hook}},
        {"name": "b", "template": "work", "depends": "a.Succeeded || a.Failed"},
    ]
    main = {"name": "main", "synchronization": MUTEX, "dag": {"tasks": tasks}}
    inner = {"name": "inner", "steps": [[{"name": "x", "template": "work"}]]}
    platform = Platform(
        workflow([main, inner, leaf("work")]), lambda name: failed() if name == "wf.b" else done()
    ).run()
    assert platform.state.phase is NodePhase.FAILED
    signal(platform, SignalKind.RETRY)
    assert unchanged_by_a_restart(platform)


def test_a_task_that_could_not_be_read_owes_no_handler_after_a_restart_if_no_pass_came_to_it() -> None:
    tasks = [
        {"name": "l", "template": "work", "withItems": [1, 2]},
        {"name": "a", "template": "work", "depends": "l", "hooks": {"exit": {"template": "bye"}}},
        {"name": "b", "template": "work", "depends": "a"},
        {"name": "long", "template": "work"},
    ]
    main = {"name": "main", "dag": {"tasks": tasks, "failFast": False}}
    platform = Platform(
        workflow([main, leaf("work"), leaf("bye")]), lambda name: done("not JSON"), newest_first=False
    ).start()
    while (a := platform.state.find("wf.a")) is None:
        platform.finish_one()
    assert a.phase is NodePhase.ERROR and platform.state.find("wf.a.onExit") is None
    assert unchanged_by_a_restart(platform)
    platform.go_on()
    assert platform.state.find("wf.a.onExit") is None
