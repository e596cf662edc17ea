"""Locks, memoization and limits on how long a node may be Pending: what the engine asks, and what the tree shows."""

from __future__ import annotations

from typing import Any

from fubini.engines import embedded
from fubini.runs.engine import (
    LeafOutcome,
    LeafRunning,
    LockKind,
    LockName,
    LockRelease,
    LockRequest,
    MemoLookup,
    NodePhase,
    OutcomeKind,
    Signal,
    SignalKind,
    Tick,
)
from tests.support.desk import granted
from tests.unit.fubini.engines.embedded.support import Platform, arguments, context, done, failed, leaf, workflow

BEAM = {"mutexes": [{"name": "beam"}]}
MUTEX = LockName("ns", LockKind.MUTEX, "beam")
WAITING = "Waiting for ns/Mutex/beam lock. Lock status: 0/1"


def step(name: str, template: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "template": template, **fields}


def steps(*groups: Any, name: str = "main", **fields: Any) -> dict[str, Any]:
    return {"name": name, "steps": list(groups), **fields}


def memoized(key: str, max_age: str = "1h") -> dict[str, Any]:
    return {"key": key, "maxAge": max_age, "cache": {"configMap": {"name": "cache"}}}


def node(platform: Platform, name: str) -> Any:
    found = platform.state.find(name)
    assert found is not None, name
    return found


def asked(platform: Platform, kind: type) -> list[Any]:
    return [command for one in platform.steps for command in one.commands if isinstance(command, kind)]


THREE = workflow([steps([step("use", "use", withItems=[1, 2, 3])]), leaf("use", synchronization=BEAM)])


# --- template level ----------------------------------------------------------------------------------------------


def test_a_mutex_lets_one_leaf_run_and_the_others_wait_pending_in_order() -> None:
    platform = Platform(THREE).start()
    assert [task.node_id for task in platform.queue] == [node(platform, "wf[0].use(0:1)").id]
    second = node(platform, "wf[0].use(1:2)")
    assert (second.phase, second.message, second.waiting_for) == (NodePhase.PENDING, WAITING, MUTEX.text)
    platform.go_on()
    assert [task.node_id for task in platform.opened] == [
        node(platform, f"wf[0].use({n}:{n + 1})").id for n in range(3)
    ]
    assert platform.most_open == 1 and platform.state.phase is NodePhase.SUCCEEDED
    assert all(not n.message and not n.waiting_for for n in platform.state.nodes.values())
    assert platform.desk.table.idle()


def test_a_waiting_leaf_counts_as_a_child_but_not_as_an_open_leaf() -> None:
    platform = Platform(THREE).start()
    frame = node(platform, "wf").frame
    assert (platform.state.active_pods, frame.active_pods, frame.active_children) == (1, 1, 3)
    platform.go_on()
    assert (platform.state.active_pods, platform.state.nodes["wf"].frame.active_pods) == (0, 0)


def test_a_lock_of_a_steps_template_is_held_until_its_last_child_has_ended() -> None:
    manifest = workflow(
        [
            steps([step("pair", "pair", withItems=["x", "y"])]),
            steps([step("a", "work")], [step("b", "work")], name="pair", synchronization=BEAM),
            leaf("work"),
        ]
    )
    platform = Platform(manifest).run()
    names = [platform.state.nodes[task.node_id].name for task in platform.opened]
    assert [name.split("(")[1][0] for name in names] == ["0", "0", "1", "1"]


def test_a_composite_that_had_to_ask_stays_pending_while_its_children_run() -> None:
    manifest = workflow(
        [steps([step("in", "in")]), steps([step("a", "work")], name="in", synchronization=BEAM), leaf("work")]
    )
    platform = Platform(manifest).start()
    assert node(platform, "wf[0].in").phase is NodePhase.PENDING
    assert node(platform, "wf[0].in[0].a").phase is NodePhase.PENDING
    assert platform.go_on().state.phase is NodePhase.SUCCEEDED


def test_a_lock_is_held_over_all_attempts_of_a_retry() -> None:
    manifest = workflow(
        [steps([step("use", "use", withItems=[1, 2])]), leaf("use", synchronization=BEAM, retryStrategy={"limit": 1})]
    )
    platform = Platform(manifest, lambda name: failed() if name.endswith("(0)") else done()).run()
    names = [platform.state.nodes[task.node_id].name for task in platform.opened]
    assert names == [f"wf[0].use({n}:{n + 1})({attempt})" for n in range(2) for attempt in range(2)]
    assert len(asked(platform, LockRequest)) == 2


def test_a_semaphore_without_a_size_fails_the_group_before_its_next_step() -> None:
    semaphore = {"semaphores": [{"configMapKeyRef": {"name": "limits", "key": "seats"}}]}
    manifest = workflow(
        [steps([step("a", "use"), step("b", "work")]), leaf("use", synchronization=semaphore), leaf("work")]
    )
    platform = Platform(manifest).run()
    reason = "failed to initialize semaphore ns/ConfigMap/limits/seats with limit"
    found = node(platform, "wf[0].a")
    assert (found.type.value, found.phase.value, found.message) == ("Skipped", "Error", reason)
    assert node(platform, "wf").message == f"step group deemed errored due to child wf[0].a error: {reason}"
    assert platform.state.find("wf[0].b") is None and platform.opened == []


def test_in_a_dag_the_refused_task_is_named_with_the_reason() -> None:
    semaphore = {"semaphores": [{"configMapKeyRef": {"name": "limits", "key": "seats"}}]}
    manifest = workflow(
        [
            {"name": "main", "dag": {"tasks": [step("a", "use"), step("b", "work")]}},
            leaf("use", synchronization=semaphore),
            leaf("work"),
        ]
    )
    platform = Platform(manifest).run()
    reason = "failed to initialize semaphore ns/ConfigMap/limits/seats with limit"
    assert node(platform, "wf.a").message == f"task 'wf.a' errored: {reason}"
    assert platform.state.phase is NodePhase.ERROR


def test_a_lock_named_by_an_input_excludes_only_its_equals() -> None:
    door = {"mutexes": [{"name": "door-{{inputs.parameters.side}}"}]}
    manifest = workflow(
        [
            steps([step("use", "use", withItems=["east", "west", "east"], arguments=arguments(side="{{item}}"))]),
            leaf("use", "side", synchronization=door),
        ]
    )
    platform = Platform(manifest).start()
    assert len(platform.queue) == 2
    assert node(platform, "wf[0].use(2:east)").waiting_for == "ns/Mutex/door-east"


def test_odd_synchronization_is_refused_in_argos_words() -> None:
    for section, reason in (
        ({"mutexes": [{"name": "m"}, {"name": "m"}]}, "requested configuration is invalid: duplicate synchronization item found"),
        ({"semaphores": [{}]}, "requested configuration is invalid: cannot get LockName for a Semaphore without a ConfigMapRef or Database"),
        (
            {"semaphores": [{"configMapKeyRef": {"name": "a", "key": "b"}, "database": {"key": "c"}}]},
            "requested configuration is invalid: invalid semaphore with both ConfigMapKeyRef and Database",
        ),
        ({"mutexes": [{}]}, "requested configuration is invalid: a lock has no usable name: ns/Mutex/"),
    ):  # fmt: skip
        platform = Platform(workflow([steps([step("a", "use")]), leaf("use", synchronization=section)])).run()
        assert node(platform, "wf[0].a").message == reason


def test_a_mutex_that_an_enclosing_node_holds_ends_the_run_with_a_sentence() -> None:
    manifest = workflow(
        [
            steps([step("in", "in")]),
            steps([step("a", "use")], name="in", synchronization=BEAM),
            leaf("use", synchronization=BEAM),
        ]
    )
    platform = Platform(manifest).run()
    assert node(platform, "wf[0].in[0].a").message == (
        "would wait for ever: ns/Mutex/beam is held by wf[0].in, which waits for this node"
    )
    assert platform.state.phase is NodePhase.FAILED and platform.desk.table.idle()


def test_database_locks_are_asked_for_by_their_kind() -> None:
    section = {"semaphores": [{"database": {"key": "seats"}}], "mutexes": [{"name": "door", "database": True}]}
    platform = Platform(workflow([leaf("use", synchronization=section)]), database={"seats": 1}).run()
    [request] = asked(platform, LockRequest)
    assert [(lock.text, lock.semaphore) for lock in request.locks] == [
        ("ns/Database/seats", True),
        ("ns/Database/door", False),
    ]
    assert platform.state.phase is NodePhase.SUCCEEDED


def test_with_a_parallelism_of_the_workflow_a_granted_lock_waits_for_room() -> None:
    manifest = workflow(
        [
            steps([step("use", "use", withItems=[1, 2]), step("long", "long")]),
            leaf("use", synchronization=BEAM),
            leaf("long"),
        ],
        parallelism=2,
    )
    for restart in (False, True):
        platform = Platform(manifest, newest_first=False, restart=restart).start()
        assert len(platform.queue) == 2
        platform.go_on()
        assert platform.most_open == 2 and platform.state.phase is NodePhase.SUCCEEDED


def test_a_lock_granted_while_the_run_is_suspended_is_used_when_it_goes_on() -> None:
    for restart in (False, True):
        platform = Platform(THREE, restart=restart).start()
        platform.feed(Signal(platform.now, SignalKind.SUSPEND))
        platform.finish_one()
        assert platform.queue == []
        platform.feed(Signal(platform.now, SignalKind.RESUME))
        assert platform.go_on().state.phase is NodePhase.SUCCEEDED
        assert len(platform.opened) == 3


def test_a_stop_ends_waiting_nodes_and_leaves_every_queue() -> None:
    for kind, strategy in ((SignalKind.STOP, "Stop"), (SignalKind.TERMINATE, "Terminate")):
        platform = Platform(THREE).start()
        platform.feed(Signal(platform.now, kind))
        waiting = node(platform, "wf[0].use(2:3)")
        assert (waiting.phase.value, waiting.message) == ("Failed", f"Stopped with strategy '{strategy}'")
        assert node(platform, "wf[0].use(0:1)").message == f"workflow shutdown with strategy: {strategy}"
        assert len(platform.cancelled) == 1 and platform.opened and platform.state.finished
        assert platform.desk.table.idle()


def test_the_runs_deadline_ends_waiting_nodes_too() -> None:
    platform = Platform({**THREE, "spec": {**THREE["spec"], "activeDeadlineSeconds": 5}}).start()
    platform.now += 6_000
    platform.feed(Tick(platform.now, "run:deadline"))
    waiting = node(platform, "wf[0].use(2:3)")
    assert (waiting.phase.value, waiting.message) == ("Failed", "Step exceeded its deadline")
    assert platform.desk.table.idle()


def test_a_retried_composite_takes_its_lock_again_before_its_children_go_on() -> None:
    manifest = workflow(
        [steps([step("in", "in")]), steps([step("a", "work")], name="in", synchronization=BEAM), leaf("work")]
    )
    bad = [True]
    for restart in (False, True):
        bad[0] = True
        platform = Platform(manifest, lambda _: failed() if bad[0] else done(), restart=restart).run()
        assert platform.state.phase is NodePhase.FAILED
        bad[0] = False
        platform.desk.table.request("somebody", [MUTEX])
        platform.feed(Signal(platform.now, SignalKind.RETRY))
        assert platform.queue == [] and node(platform, "wf[0].in").message == WAITING
        for wish in platform.desk.table.release("somebody"):
            platform.feed(granted(wish.holder, platform.now))
        assert platform.go_on().state.phase is NodePhase.SUCCEEDED
        assert platform.desk.table.idle()


def test_a_retried_composite_that_cannot_be_executed_errs_and_gives_its_lock_back() -> None:
    unknown = {"parameters": [{"name": "o", "valueFrom": {"parameter": "{{steps.a.outputs.parameters.nothing}}"}}]}
    for gate in ({"synchronization": BEAM}, {"memoize": memoized("k")}):
        manifest = workflow(
            [
                steps([step("one", "in", continueOn={"failed": True})], [step("two", "locked")]),
                steps([step("a", "guarded")], name="in"),
                steps([step("a", "work")], name="guarded", outputs=unknown, retryStrategy={"limit": 2}, **gate),
                leaf("work"),
                leaf("locked", synchronization=BEAM),
            ]
        )
        for restart in (False, True):
            platform = Platform(manifest, restart=restart).run()
            guarded = node(platform, "wf[0].one[0].a")
            assert (guarded.type.value, guarded.phase) == ("Retry", NodePhase.ERROR)
            assert guarded.message and guarded.message in node(platform, "wf[0].one").message
            assert platform.state.phase is NodePhase.SUCCEEDED and platform.desk.table.idle()


def test_a_retry_runs_again_what_was_open_when_the_deadline_ended_the_run() -> None:
    guarded = steps([step("a", "work", hooks={"exit": {"template": "note"}})], name="in", synchronization=BEAM)
    manifest = workflow([steps([step("in", "in")]), guarded, leaf("work"), leaf("note")], activeDeadlineSeconds=5)
    for restart in (False, True):
        platform = Platform(manifest, restart=restart).start()
        platform.finish_one()
        assert node(platform, "wf[0].in[0].a.onExit").phase is NodePhase.PENDING
        platform.now += 6_000
        platform.feed(Tick(platform.now, "run:deadline"))
        assert platform.state.finished and platform.state.phase is NodePhase.FAILED and platform.queue == []
        platform.feed(Signal(platform.now, SignalKind.RETRY))
        assert [task.spec.template for task in platform.queue] == ["note"]
        assert platform.go_on().state.phase is NodePhase.SUCCEEDED


def test_items_that_wait_for_a_lock_and_have_hooks_end_with_a_shutdown() -> None:
    told = {"told": {"template": "note", "expression": "true"}}
    farewell = {"exit": {"template": "note"}}
    for hooks, limits, fields in ((told, {"parallelism": 2}, {}), (farewell, {}, {"failFast": True, "parallelism": 2})):
        uses = [step("use", "use", withItems=[1, 2, 3], hooks=hooks)]
        for main in (steps(uses, **fields), {"name": "main", "dag": {"tasks": uses}, **fields}):
            for kind in (SignalKind.STOP, SignalKind.TERMINATE):
                for restart in (False, True):
                    manifest = workflow([main, leaf("use", synchronization=BEAM), leaf("note")], **limits)
                    platform = Platform(manifest, restart=restart).start()
                    platform.finish_one()
                    platform.finish_one()
                    platform.feed(Signal(platform.now, kind))
                    assert platform.go_on().state.phase is NodePhase.FAILED and platform.desk.table.idle()


def test_a_hook_held_back_by_its_template_waits_quietly_while_the_run_has_room() -> None:
    uses = [step("use", "use", withItems=[1, 2, 3], hooks={"exit": {"template": "note"}})]
    mains = ((steps(uses, parallelism=2), 6), ({"name": "main", "dag": {"tasks": uses}, "parallelism": 2}, 4))
    for main, want_opened in mains:
        platform = Platform(workflow([main, leaf("use"), leaf("note")], parallelism=9)).run()
        assert platform.state.phase is NodePhase.SUCCEEDED and len(platform.opened) == want_opened


# --- the run's own locks -----------------------------------------------------------------------------------------

LINE = workflow(
    [steps([step("a", "work")]), leaf("work")],
    synchronization={"mutexes": [{"name": "beam-{{workflow.parameters.line}}"}]},
    arguments=arguments(line="7"),
    priority=3,
)
LINE_MUTEX = LockName("ns", LockKind.MUTEX, "beam-7")


def waiting_run(manifest: Any = LINE, lock: LockName = LINE_MUTEX, **options: Any) -> Platform:
    platform = Platform(manifest, **options)
    platform.desk.table.request("somebody", [lock])
    return platform.start()


def let_in(platform: Platform) -> None:
    for wish in platform.desk.table.release("somebody"):
        platform.feed(granted(wish.holder, platform.now))


def test_a_run_waits_for_its_own_lock_pending_and_without_a_node() -> None:
    for restart in (False, True):
        platform = waiting_run(restart=restart)
        [request] = asked(platform, LockRequest)
        assert (request.holder, request.locks, request.priority) == ("", (LINE_MUTEX,), 3)
        assert (platform.state.phase, platform.state.nodes) == (NodePhase.PENDING, {})
        assert platform.run_record.message == "Waiting for ns/Mutex/beam-7 lock. Lock status: 0/1"
        platform.now += 60_000
        let_in(platform)
        assert (platform.state.phase, platform.state.message) == (NodePhase.RUNNING, "")
        assert platform.state.started == platform.now, "its time counts from when it could begin"
        assert platform.go_on().state.phase is NodePhase.SUCCEEDED
        assert platform.desk.table.idle()


def test_a_terminated_run_leaves_the_queue_at_once_and_a_stopped_one_when_its_turn_comes() -> None:
    platform = waiting_run()
    platform.feed(Signal(platform.now, SignalKind.TERMINATE))
    assert (platform.state.phase.value, platform.state.message) == ("Failed", "Stopped with strategy 'Terminate'")
    assert platform.desk.table.release("somebody") == []
    platform = waiting_run()
    platform.feed(Signal(platform.now, SignalKind.STOP))
    assert not platform.state.finished
    let_in(platform)
    assert platform.go_on().state.phase is NodePhase.FAILED and platform.opened == []


def test_a_run_whose_own_semaphore_has_no_size_fails_before_its_first_node() -> None:
    semaphore = {"semaphores": [{"configMapKeyRef": {"name": "limits", "key": "seats"}}]}
    platform = Platform(workflow([leaf("work")], synchronization=semaphore)).run()
    assert platform.state.phase is NodePhase.FAILED and platform.state.nodes == {}
    assert platform.state.message == (
        "Failed to acquire the synchronization lock. failed to initialize semaphore ns/ConfigMap/limits/seats with limit"
    )


def test_a_retried_run_takes_its_own_lock_again() -> None:
    for restart in (False, True):
        bad = [True]
        platform = Platform(LINE, lambda _, bad=bad: failed() if bad[0] else done(), restart=restart).run()
        bad[0] = False
        platform.desk.table.request("somebody", [LINE_MUTEX])
        platform.feed(Signal(platform.now, SignalKind.RETRY))
        assert (platform.state.phase, platform.queue) == (NodePhase.RUNNING, [])
        assert platform.state.message.startswith("Waiting for ns/Mutex/beam-7 lock")
        let_in(platform)
        assert platform.go_on().state.phase is NodePhase.SUCCEEDED and platform.desk.table.idle()


def test_a_node_asking_for_the_mutex_of_its_own_run_is_told_that_it_would_wait_for_ever() -> None:
    platform = Platform(workflow([leaf("use", synchronization=BEAM)], synchronization=BEAM)).run()
    assert platform.state.phase is NodePhase.ERROR
    assert "would wait for ever: ns/Mutex/beam is held by the run" in platform.state.message


# --- memoization -------------------------------------------------------------------------------------------------


def output(name: str = "o") -> dict[str, Any]:
    return {"parameters": [{"name": name, "valueFrom": {"path": "/o"}}]}


TWICE = workflow(
    [steps([step("one", "keep")], [step("two", "keep")]), leaf("keep", memoize=memoized("k-1"), outputs=output())]
)


def test_the_second_node_with_the_same_key_succeeds_with_the_first_ones_outputs() -> None:
    platform = Platform(TWICE, lambda _: done(o="7")).run()
    one, two = node(platform, "wf[0].one"), node(platform, "wf[1].two")
    assert one.record().memoization == {"hit": False, "key": "k-1", "cacheName": "cache"}
    assert two.record().memoization == {"hit": True, "key": "k-1", "cacheName": "cache"}
    assert two.outputs == one.outputs and two.phase is NodePhase.SUCCEEDED
    assert len(platform.opened) == 1


def test_an_entry_that_is_too_old_is_no_hit() -> None:
    manifest = workflow(
        [steps([step("one", "keep")], [step("two", "keep")]), leaf("keep", memoize=memoized("k-1", "1s"))]
    )
    platform = Platform(manifest).start()
    platform.finish_one()
    assert len(platform.opened) == 1, "it is found in the second it was kept"
    platform = Platform(
        workflow(
            [
                steps([step("one", "keep")], [step("gap", "work")], [step("two", "keep")]),
                leaf("keep", memoize=memoized("k-1", "1s")),
                leaf("work"),
            ]
        )
    ).run()
    assert len(platform.opened) == 3


def test_a_failed_node_is_not_kept() -> None:
    manifest = workflow(
        [
            steps(
                [step("one", "keep", continueOn={"failed": True})], [step("two", "keep", continueOn={"failed": True})]
            ),
            leaf("keep", memoize=memoized("bad")),
        ]
    )
    platform = Platform(manifest, lambda _: failed()).run()
    assert len(platform.opened) == 2 and platform.desk.caches == {}


def test_composites_are_kept_with_their_own_outputs() -> None:
    inner = steps([step("a", "work")], name="in", memoize=memoized("in"))
    inner["outputs"] = {"parameters": [{"name": "o", "valueFrom": {"parameter": "{{steps.a.outputs.parameters.o}}"}}]}
    manifest = workflow([steps([step("one", "in")], [step("two", "in")]), inner, leaf("work", outputs=output())])
    platform = Platform(manifest, lambda _: done(o="7")).run()
    two = node(platform, "wf[1].two")
    assert (two.type.value, two.outputs) == ("Steps", {"parameters": [{"name": "o", "value": "7"}]})
    assert platform.state.find("wf[1].two[0]") is None and len(platform.opened) == 1


def test_a_bad_key_and_a_bad_age_fail_the_node_when_it_starts() -> None:
    for memo, reason in (
        (memoized("run 1/a"), "invalid cache key: run 1/a"),
        (memoized("k", "1d"), 'invalid maxAge: time: unknown unit "d" in duration "1d"'),
    ):
        platform = Platform(workflow([steps([step("a", "keep")]), leaf("keep", memoize=memo)])).run()
        found = node(platform, "wf[0].a")
        assert (found.type.value, found.phase.value, found.message) == ("Skipped", "Error", reason)
        assert found.record().memoization is None


def test_a_cache_that_is_another_config_map_is_refused() -> None:
    library = ({"kind": "ConfigMap", "metadata": {"name": "cache"}, "data": {}},)
    platform = Platform(TWICE, run=context(library=library)).run()
    assert "memoization configmap doesn't have workflows.argoproj.io/configmap-type label" in platform.state.message


def test_a_retry_is_found_as_a_whole_and_kept_by_the_attempt_that_succeeded() -> None:
    template = leaf("keep", memoize=memoized("k"), outputs=output(), retryStrategy={"limit": 2})
    manifest = workflow([steps([step("one", "keep")], [step("two", "keep")]), template])
    platform = Platform(manifest, lambda name: failed() if name.endswith("(0)") else done(o="7")).run()
    two = node(platform, "wf[1].two")
    assert (two.type.value, two.children, two.outputs["parameters"][0]["value"]) == ("Retry", (), "7")
    assert node(platform, "wf[0].one(1)").record().memoization["hit"] is False
    assert len(platform.opened) == 2


def test_who_waited_for_a_lock_looks_in_the_cache_once_it_has_it() -> None:
    template = leaf("keep", memoize=memoized("k"), synchronization=BEAM, outputs=output())
    manifest = workflow([steps([step("use", "keep", withItems=[1, 2])]), template])
    for restart in (False, True):
        platform = Platform(manifest, lambda _: done(o="7"), restart=restart).run()
        assert [n.record().memoization["hit"] for n in platform.state.nodes.values() if n.memo] == [False, True]
        assert len(platform.opened) == 1 and platform.desk.table.idle()
        assert len(asked(platform, MemoLookup)) == 2


def test_hooks_see_a_hit_as_succeeded_and_a_miss_as_pending_first() -> None:
    hook = {"seen": {"template": "note", "expression": 'steps.one.status == "Pending"'}}
    manifest = workflow([steps([step("one", "keep", hooks=hook)]), leaf("keep", memoize=memoized("k")), leaf("note")])
    missed = Platform(manifest).run()
    assert missed.state.find("wf[0].one.hooks.seen") is not None
    found = Platform(manifest)
    found.desk.caches = missed.desk.caches
    assert found.run().state.find("wf[0].one.hooks.seen") is None
    assert found.state.phase is NodePhase.SUCCEEDED


# --- how long a node may be Pending ------------------------------------------------------------------------------


def test_a_leaf_that_does_not_run_in_time_fails_its_group_with_timeout() -> None:
    manifest = workflow(
        [steps([step("a", "slow"), step("b", "work")]), leaf("slow", pendingTimeout="10s"), leaf("work")]
    )
    platform = Platform(manifest).start()
    task = platform.queue[0]
    [key] = platform.timers
    platform.now += 10_001
    platform.feed(Tick(platform.now, key))
    found = node(platform, "wf[0].a")
    assert (found.phase.value, found.message) == ("Failed", "timeout")
    assert (node(platform, "wf[0]").message, node(platform, "wf").message) == ("timeout", "timeout")
    assert [c.node_id for c in platform.cancelled][:1] == [task.node_id]


def test_a_leaf_that_runs_is_no_longer_watched() -> None:
    for restart in (False, True):
        platform = Platform(workflow([leaf("slow", pendingTimeout="10s")]), restart=restart).start()
        task = platform.queue[0]
        platform.feed(LeafRunning(platform.now, task.node_id, task.generation))
        assert platform.timers == {}
        platform.feed(Tick(platform.now + 60_000, f"pending:{task.node_id}"))
        assert platform.go_on().state.phase is NodePhase.SUCCEEDED


def test_a_timeout_counts_while_a_node_waits_for_a_lock() -> None:
    manifest = workflow(
        [
            {"name": "main", "dag": {"tasks": [step("a", "hold"), step("b", "late")]}},
            leaf("hold", synchronization=BEAM),
            leaf("late", synchronization=BEAM, timeout="30s"),
        ]
    )
    platform = Platform(manifest).start()
    platform.now += 30_001
    platform.feed(Tick(platform.now, f"pending:{node(platform, 'wf.b').id}"))
    late = node(platform, "wf.b")
    assert (late.phase.value, late.message, late.waiting_for) == ("Failed", "timeout", "")
    assert platform.cancelled == []
    assert platform.go_on().state.phase is NodePhase.FAILED and platform.desk.table.idle()


def test_the_entry_leaf_that_does_not_run_in_time_ends_the_run_as_an_error() -> None:
    platform = Platform(workflow([leaf("slow", pendingTimeout="10s")])).start()
    platform.feed(Tick(platform.now + 10_001, "pending:wf"))
    assert platform.state.phase is NodePhase.ERROR
    assert platform.state.message == "error in entry template execution: timeout"


def test_an_oom_or_platform_end_releases_locks_as_any_other() -> None:
    for kind in (OutcomeKind.OOM, OutcomeKind.PLATFORM, OutcomeKind.CANCELLED):
        platform = Platform(THREE, lambda _, kind=kind: LeafOutcome(kind)).run()  # type: ignore[misc]
        assert len(platform.opened) == 3 and platform.desk.table.idle()
        assert len(asked(platform, LockRelease)) == 3


def test_a_restart_between_a_question_and_its_answer_loses_neither() -> None:
    for manifest in (THREE, TWICE, LINE):
        plain, broken = (
            Platform(manifest, lambda _: done(o="7")).run(),
            Platform(manifest, lambda _: done(o="7"), restart_midway=True).run(),
        )
        assert broken.phases() == plain.phases() and broken.state.finished
        run, nodes = embedded.dump(broken.state)
        assert run == broken.run_record and {n.id: n for n in nodes} == broken.records


# --- daemons that begin while the run is suspended ---------------------------------------------------------------


def test_a_retried_daemon_that_begins_to_serve_while_the_run_is_suspended_is_not_missed() -> None:
    serve = leaf("serve", daemon=True, retryStrategy={"limit": 1})
    for main in (
        steps([step("d", "serve")], [step("b", "work")]),
        {"name": "main", "dag": {"tasks": [step("d", "serve"), step("b", "work", depends="d")]}},
    ):
        for restart in (False, True):
            platform = Platform(workflow([main, serve, leaf("work")]), restart=restart).start()
            platform.feed(Signal(platform.now, SignalKind.SUSPEND))
            platform.finish_one()
            assert [task.spec.template for task in platform.opened] == ["serve"]
            platform.feed(Signal(platform.now, SignalKind.RESUME))
            assert platform.go_on().state.phase is NodePhase.SUCCEEDED
            assert [task.spec.template for task in platform.opened] == ["serve", "work"]
