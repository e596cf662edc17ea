"""The interpreter over small workflows: order, limits, signals, timers, and what a leaf is told."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.engines.embedded.tree import fnv32a
from fubini.runs.engine import (
    LeafDone,
    LeafOutcome,
    NodePhase,
    OutcomeKind,
    Requirement,
    Signal,
    SignalKind,
    VolumeMount,
)
from tests.unit.fubini.engines.embedded.support import Platform, arguments, context, done, failed, leaf, workflow


def step(name: str, template: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "template": template, **fields}


LOOP = workflow(
    [
        {
            "name": "main",
            "steps": [[step("each", "work", withSequence={"count": 5}, arguments=arguments(n="{{item}}"))]],
        },
        leaf("work", "n"),
    ]
)


def test_a_loop_opens_one_leaf_an_item_with_its_argument() -> None:
    platform = Platform(LOOP).run()
    assert [task.spec.argv for task in platform.opened] == [("run", str(n)) for n in range(5)]
    assert platform.state.phase is NodePhase.SUCCEEDED


def test_every_node_appears_once_in_a_step() -> None:
    platform = Platform(LOOP).run()
    for one in platform.steps:
        ids = [record.id for record in one.nodes]
        assert len(ids) == len(set(ids))


def test_late_and_repeated_outcomes_change_nothing() -> None:
    platform = Platform(LOOP).start()
    task = platform.queue[0]
    platform.finish_one()
    again = platform.feed(LeafDone(platform.now, task.node_id, task.generation, failed()))
    other = platform.feed(LeafDone(platform.now, platform.queue[0].node_id, 7, failed()))
    assert not again.nodes and not other.nodes


# --- limits -----------------------------------------------------------------------------------------------------


def test_a_loop_beyond_the_limit_ends_the_run_before_a_leaf_opens() -> None:
    manifest = workflow(
        [{"name": "main", "steps": [[step("each", "work", withSequence={"count": 500})]]}, leaf("work")]
    )
    platform = Platform(manifest, run=context(max_items=100)).run()
    assert platform.state.phase is NodePhase.FAILED
    assert "500 items" in platform.state.message and "at most 100" in platform.state.message
    assert platform.opened == []


def test_more_nodes_than_allowed_end_the_run_as_an_error_that_names_the_limit() -> None:
    manifest = workflow(
        [
            {"name": "main", "steps": [[step("a", "work")], [step("each", "work", withSequence={"count": 50})]]},
            leaf("work"),
        ]
    )
    platform = Platform(manifest, run=context(max_nodes=20)).run()
    assert platform.state.phase is NodePhase.ERROR
    assert "20 nodes" in platform.state.message
    assert len(platform.opened) == 1


def test_endless_recursion_ends_at_the_depth_limit() -> None:
    manifest = workflow([{"name": "main", "steps": [[step("again", "main")]]}])
    platform = Platform(manifest).run()
    assert platform.state.phase is NodePhase.FAILED
    assert any("Maximum recursion depth" in node.message for node in platform.state.nodes.values())
    assert len(platform.state.nodes) < 250


@pytest.mark.parametrize("where", ["workflow", "template"])
def test_parallelism_holds_leaves_back(where: str) -> None:
    manifest = workflow(
        [
            {
                "name": "main",
                "steps": [[step("each", "work", withSequence={"count": 6})]],
                **({"parallelism": 2} if where == "template" else {}),
            },
            leaf("work"),
        ],
        **({"parallelism": 2} if where == "workflow" else {}),
    )
    for restart in (False, True):
        platform = Platform(manifest, restart=restart).run()
        assert platform.state.phase is NodePhase.SUCCEEDED
        assert len(platform.opened) == 6
        assert platform.most_open == 2


# --- what a leaf is told ----------------------------------------------------------------------------------------


def test_resources_places_volumes_and_annotations_reach_the_task() -> None:
    body = leaf("work", "who")
    body["container"]["resources"] = {
        "requests": {"cpu": "1500m", "memory": "2Gi"},
        "limits": {"cpu": "4", "nvidia.com/gpu": 2},
    }
    body["container"]["volumeMounts"] = [{"name": "data", "mountPath": "/data", "readOnly": True}]
    body["container"]["env"] = [{"name": "WHO", "value": "{{inputs.parameters.who}}"}]
    body["metadata"] = {"annotations": {"fubini.dev/walltime": "01:00:00", "other": "x"}}
    body["nodeSelector"] = {"fubini.dev/site": "hpc"}
    body["affinity"] = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "fubini.dev/accelerator", "operator": "In", "values": ["a", "b"]}]}
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 5,
                    "preference": {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "Exists"}]},
                }
            ],
        }
    }
    manifest = workflow(
        [
            {"name": "main", "steps": [[step("a", "work", arguments=arguments(who="{{workflow.parameters.who}}"))]]},
            body,
        ],
        arguments={"parameters": [{"name": "who", "value": "me"}]},
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "methanol-{{workflow.parameters.who}}"}}],
        metadata={"annotations": {"fubini.dev/priority": "normal", "fubini.dev/input.who": "{}"}},
    )
    spec = Platform(manifest, run=context(parameters={"who": "v1"})).run().specs()["work"]
    assert spec.resources.cpu_millis == 1500
    assert spec.resources.memory_bytes == 2 * 2**30
    assert spec.resources.devices == (("nvidia.com/gpu", 2),)
    assert spec.walltime_s == 3600
    assert spec.annotations == (("priority", "normal"), ("walltime", "01:00:00"))
    assert spec.env == (("WHO", "v1"),)
    assert spec.volumes == (VolumeMount("data", "methanol-v1", "/data", read_only=True),)
    assert spec.required == (
        (
            Requirement("fubini.dev/site", "In", ("hpc",)),
            Requirement("fubini.dev/accelerator", "In", ("a", "b")),
        ),
    )
    assert spec.preferred[0].weight == 5 and spec.preferred[0].requirements[0].op == "Exists"


def test_a_result_is_captured_only_where_the_enclosing_template_mentions_it() -> None:
    manifest = workflow(
        [
            {
                "name": "main",
                "steps": [
                    [step("heard", "work"), step("unheard", "work")],
                    [step("use", "say", arguments=arguments(m="{{steps.heard.outputs.result}}"))],
                ],
            },
            leaf("work"),
            leaf("say", "m"),
        ]
    )
    platform = Platform(manifest, lambda _: done("42")).run()
    captured = [task.spec.capture_result for task in platform.opened]
    assert captured == [True, False, False]
    assert platform.specs()["say"].argv == ("run", "42")


def test_artifacts_are_passed_by_key() -> None:
    maker = leaf("make", outputs={"artifacts": [{"name": "doc", "path": "/tmp/doc"}]})
    taker = leaf("take", inputs={"artifacts": [{"name": "in", "path": "/tmp/in"}]})
    manifest = workflow(
        [
            {
                "name": "main",
                "dag": {
                    "tasks": [
                        step("a", "make"),
                        step(
                            "b",
                            "take",
                            depends="a",
                            arguments={"artifacts": [{"name": "in", "from": "{{tasks.a.outputs.artifacts.doc}}"}]},
                        ),
                    ]
                },
            },
            maker,
            taker,
        ]
    )
    outcome = LeafOutcome(OutcomeKind.EXITED, exit_code=0, artifacts={"doc": "run/a/0/doc"})
    found = Platform(manifest, lambda _: outcome).run().specs()["take"].artifacts_in
    assert [(artifact.name, artifact.path, artifact.key) for artifact in found] == [("in", "/tmp/in", "run/a/0/doc")]


# --- retries, timers, deadlines ---------------------------------------------------------------------------------


def test_a_retry_waits_out_its_backoff() -> None:
    body = leaf("main", retryStrategy={"limit": 3, "backoff": {"duration": "10s", "factor": 2}})
    platform = Platform(workflow([body]), lambda name: done() if name == "wf(2)" else failed())
    platform.start()
    platform.finish_one()
    assert platform.state.nodes[platform.state.find_id("wf")].message == "Backoff for 10 seconds"
    waited = platform.timers[f"retry:{platform.state.find_id('wf')}"] - platform.now
    assert waited == 10_000
    platform.go_on()
    assert platform.phases() == {"wf": "Succeeded", "wf(0)": "Failed", "wf(1)": "Failed", "wf(2)": "Succeeded"}


def test_a_deadline_ends_what_is_open_and_exit_handlers_still_run() -> None:
    manifest = workflow([leaf("main"), leaf("bye")], activeDeadlineSeconds=30, onExit="bye")
    platform = Platform(manifest).start()
    platform.queue.clear()
    platform.go_on()
    assert platform.phases() == {"wf": "Failed", "wf.onExit": "Succeeded"}
    assert platform.cancelled[0].node_id == "wf"
    assert platform.state.phase is NodePhase.FAILED


# --- signals ----------------------------------------------------------------------------------------------------

GATE = workflow(
    [
        {
            "name": "main",
            "steps": [
                [step("ask", "ask")],
                [step("use", "say", arguments=arguments(m="{{steps.ask.outputs.parameters.answer}}"))],
            ],
        },
        {
            "name": "ask",
            "suspend": {},
            "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
        },
        leaf("say", "m"),
    ]
)


@pytest.mark.parametrize("restart", [False, True])
def test_a_person_supplies_an_output(restart: bool) -> None:
    platform = Platform(GATE, restart=restart).run()
    assert "has not been set" in platform.feed(Signal(platform.now, SignalKind.RESUME)).refused
    other = platform.feed(Signal(platform.now, SignalKind.RESUME, selector="displayName=other"))
    assert "no suspend nodes matching" in other.refused and not other.nodes
    platform.feed(Signal(platform.now, SignalKind.RESUME, selector="displayName=ask", outputs={"answer": "yes"}))
    platform.go_on()
    assert platform.specs()["say"].argv == ("run", "yes")
    assert platform.state.phase is NodePhase.SUCCEEDED


@pytest.mark.parametrize("restart", [False, True])
def test_a_retry_goes_on_after_a_suspension_in_which_its_attempt_failed(restart: bool) -> None:
    manifest = workflow(
        [
            {
                "name": "main",
                "dag": {"tasks": [step("a", "work"), step("b", "work"), step("c", "work", depends="a && b")]},
            },
            leaf("work", retryStrategy={"limit": 2}),
        ]
    )
    platform = Platform(manifest, lambda name: failed() if name.endswith("(0)") else done(), restart=restart).start()
    platform.feed(Signal(platform.now, SignalKind.SUSPEND))
    platform.finish_one()
    platform.finish_one()
    assert platform.queue == []
    platform.feed(Signal(platform.now, SignalKind.RESUME))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert len(platform.opened) == 6


@pytest.mark.parametrize("restart", [False, True])
def test_a_suspended_run_lets_leaves_end_and_starts_nothing(restart: bool) -> None:
    manifest = workflow([{"name": "main", "steps": [[step("a", "work")], [step("b", "work")]]}, leaf("work")])
    platform = Platform(manifest, restart=restart).start()
    platform.feed(Signal(platform.now, SignalKind.SUSPEND))
    platform.finish_one()
    assert platform.phases()["wf[0].a"] == "Succeeded" and platform.queue == []
    platform.feed(Signal(platform.now, SignalKind.RESUME))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED and len(platform.opened) == 2


@pytest.mark.parametrize(("kind", "want_exit"), [(SignalKind.STOP, True), (SignalKind.TERMINATE, False)])
def test_stop_runs_exit_handlers_and_terminate_does_not(kind: SignalKind, want_exit: bool) -> None:
    platform = Platform(workflow([leaf("main"), leaf("bye")], onExit="bye")).start()
    platform.feed(Signal(platform.now, kind))
    platform.go_on()
    assert platform.state.phase is NodePhase.FAILED
    assert platform.state.message == f"Stopped with strategy '{kind.value.capitalize()}'"
    assert [task.node_id for task in platform.cancelled] == ["wf"]
    assert ("wf.onExit" in platform.phases()) is want_exit


@pytest.mark.parametrize("restart", [False, True])
def test_retry_runs_failed_leaves_again_with_a_higher_generation(restart: bool) -> None:
    manifest = workflow(
        [{"name": "main", "steps": [[step("a", "work"), step("b", "work")], [step("c", "work")]]}, leaf("work")]
    )
    broken = {"wf[0].b"}
    platform = Platform(manifest, lambda name: failed() if name in broken else done(), restart=restart).run()
    assert platform.state.phase is NodePhase.FAILED
    first = {task.node_id for task in platform.opened}
    broken.clear()
    platform.feed(Signal(platform.now, SignalKind.RETRY))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    again = [(task.node_id in first, task.generation) for task in platform.opened[2:]]
    assert again == [(True, 1), (False, 0)]


def test_a_succeeded_run_is_not_retried_without_saying_what() -> None:
    platform = Platform(LOOP).run()
    assert "restartSuccessful" in platform.feed(Signal(platform.now, SignalKind.RETRY)).refused


@pytest.mark.parametrize(
    ("outcome", "want_phase", "want_message"),
    [
        (LeafOutcome(OutcomeKind.EXITED, exit_code=3), "Failed", "main: Error (exit code 3)"),
        (LeafOutcome(OutcomeKind.OUTPUT_ERROR, exit_code=0, error="x"), "Error", "wait: Error (exit code 64): x"),
        (LeafOutcome(OutcomeKind.INPUT_ERROR, error="x"), "Error", "init: Error (exit code 64): x"),
        (
            LeafOutcome(OutcomeKind.TIMED_OUT, exit_code=143),
            "Failed",
            "Pod was active on the node longer than the specified deadline",
        ),
        (LeafOutcome(OutcomeKind.OOM), "Failed", "main: OOMKilled (exit code 137)"),
        (LeafOutcome(OutcomeKind.PLATFORM, error="no site is left"), "Error", "no site is left"),
    ],
)
def test_outcomes_become_phases_and_messages(outcome: LeafOutcome, want_phase: str, want_message: str) -> None:
    platform = Platform(workflow([leaf("main")]), lambda _: outcome).run()
    node = platform.state.nodes[platform.state.find_id("wf")]
    assert (node.phase.value, node.message) == (want_phase, want_message)


def test_names_with_the_same_hash_are_two_nodes() -> None:
    seen: dict[int, str] = {}
    names: list[str] = []
    for n in range(1_000_000):
        task = f"t{n}-{n}"
        other = seen.setdefault(fnv32a(f"wf.{task}"), task)
        if other != task:
            names = [other, task]
            break
    assert len(names) == 2
    manifest = workflow([{"name": "main", "dag": {"tasks": [step(name, "work") for name in names]}}, leaf("work")])
    for restart in (False, True):
        platform = Platform(manifest, restart=restart).run()
        assert len({task.node_id for task in platform.opened}) == 2
        assert platform.state.phase is NodePhase.SUCCEEDED


def test_a_stop_shows_what_depended_on_a_step_that_waited_for_its_lock() -> None:
    held = leaf("held", synchronization={"mutexes": [{"name": "m"}]})
    tasks = [{"name": "a", "template": "held"}, {"name": "b", "template": "held"}]
    tasks.append({"name": "c", "template": "held", "depends": "b"})
    platform = Platform(workflow([{"name": "main", "dag": {"tasks": tasks}}, held])).start()
    platform.feed(Signal(platform.now, SignalKind.STOP))
    assert platform.phases() == {"wf": "Failed", "wf.a": "Failed", "wf.b": "Failed", "wf.c": "Omitted"}


@pytest.mark.parametrize("kind", [SignalKind.STOP, SignalKind.TERMINATE])
def test_a_shutdown_fails_a_dag_before_the_steps_it_ends_are_looked_at(kind: SignalKind) -> None:
    tasks = [
        {"name": "a", "template": "work"},
        {"name": "b", "template": "work", "depends": "a"},
        {"name": "c", "template": "work", "depends": "a.Failed"},
    ]
    platform = Platform(workflow([{"name": "main", "dag": {"tasks": tasks}}, leaf("work")])).start()
    platform.feed(Signal(platform.now, kind))
    platform.go_on()
    assert platform.phases() == {"wf": "Failed", "wf.a": "Failed"}
    assert platform.state.phase is NodePhase.FAILED


def test_a_dag_task_without_its_lock_goes_on_saying_which_task_it_is() -> None:
    lock = {"semaphores": [{"configMapKeyRef": {"name": "none", "key": "k"}}]}
    tasks = [{"name": "a", "template": "held"}, {"name": "b", "template": "work", "depends": "a.Errored"}]
    main = {"name": "main", "dag": {"tasks": tasks}}
    platform = Platform(workflow([main, leaf("held", synchronization=lock), leaf("work")])).run()
    assert platform.messages()["wf.a"].startswith("task 'wf.a' errored: failed to initialize semaphore")
    assert platform.phases()["wf.b"] == "Succeeded"


def test_a_leaf_hands_on_an_output_whose_value_is_written_down() -> None:
    fixed = leaf("fixed", outputs={"parameters": [{"name": "o", "value": "7"}]})
    use = {"name": "b", "template": "take", "arguments": arguments(v="{{steps.a.outputs.parameters.o}}")}
    main = {"name": "main", "steps": [[{"name": "a", "template": "fixed"}], [use]]}
    platform = Platform(workflow([main, fixed, leaf("take", "v")])).run()
    assert platform.specs()["take"].argv == ("run", "7")


@pytest.mark.parametrize(("first", "want"), [("fails", "Failed"), ("errs", "Error")])
def test_a_task_that_did_not_run_takes_over_the_failure_met_first(first: str, want: str) -> None:
    names = [first, "errs" if first == "fails" else "fails"]
    tasks = [{"name": f"t{n}", "template": name} for n, name in enumerate(names)]
    tasks.append({"name": "z", "template": "fails", "depends": "t0.Succeeded && t1.Succeeded"})
    ends = {"fails": failed(), "errs": LeafOutcome(OutcomeKind.OUTPUT_ERROR, exit_code=0, error="no file")}
    manifest = workflow([{"name": "main", "dag": {"tasks": tasks, "failFast": False}}, leaf("fails"), leaf("errs")])
    platform = Platform(manifest, lambda name: ends[names[int(name[-1])]]).run()
    assert platform.phases()["wf.z"] == "Omitted" and platform.phases()["wf"] == want


def test_an_items_number_is_written_as_its_list_wrote_it() -> None:
    each = step("each", "work", withParam="[-0, 0, 1.50, 12345678901234567890]", arguments=arguments(n="{{item}}"))
    platform = Platform(workflow([{"name": "main", "steps": [[each]]}, leaf("work", "n")])).run()
    written = ["-0", "0", "1.50", "12345678901234567890"]
    assert [task.spec.argv for task in platform.opened] == [("run", text) for text in written]
    assert [f"wf[0].each({n}:{text})" in platform.phases() for n, text in enumerate(written)] == [True] * 4
