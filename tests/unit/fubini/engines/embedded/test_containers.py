"""Leaves of several containers and daemons: their nodes, what their codes say, who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fubini.engines.embedded import podpatch
from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from fubini.runs.engine import ContainerKind, LeafOutcome, NodePhase, OutcomeKind, Signal, SignalKind, VolumeMount
from tests.unit.fubini.engines.embedded.support import Platform, arguments, context, done, failed, leaf, workflow


def step(name: str, template: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "template": template, **fields}


def container(name: str, *after: str, **fields: Any) -> dict[str, Any]:
    body = {"name": name, "image": "i", "command": ["run", name], **fields}
    return {**body, "dependencies": list(after)} if after else body


def ended(kind: OutcomeKind = OutcomeKind.EXITED, error: str = "", **codes: int) -> LeafOutcome:
    code = next((c for c in codes.values() if c), 0)
    return LeafOutcome(kind, exit_code=code, error=error, containers=codes)


SET = workflow(
    [
        {
            "name": "set",
            "containerSet": {
                "containers": [container("fetch"), container("main", "fetch"), container("pack", "fetch", "main")]
            },
        }
    ]
)
SIDECARS = workflow(
    [leaf("main", initContainers=[container("prepare")], sidecars=[container("proxy"), container("db")])]
)


@pytest.mark.parametrize("restart", [False, True], ids=["in memory", "restarted after every event"])
def test_a_sets_containers_are_nodes_linked_as_they_wait(restart: bool) -> None:
    platform = Platform(SET, lambda _: ended(fetch=0, main=0, pack=0), restart=restart).run()
    nodes = {node.name: node for node in platform.state.nodes.values()}
    assert {name: [p.name for p in node.parents] for name, node in nodes.items()} == {
        "wf": [],
        "wf.fetch": ["wf"],
        "wf.main": ["wf.fetch"],
        "wf.pack": ["wf.fetch", "wf.main"],
    }
    assert set(platform.phases().values()) == {"Succeeded"}
    assert nodes["wf"].outputs == {"exitCode": "0"}
    spec = platform.opened[0].spec
    assert [(c.name, c.dependencies) for c in spec.containers] == [
        ("fetch", ()),
        ("main", ("fetch",)),
        ("pack", ("fetch", "main")),
    ]
    assert spec.argv == ("run", "main")


def test_what_waits_for_a_failed_container_says_which() -> None:
    platform = Platform(SET, lambda _: ended(fetch=3, main=64, pack=64)).run()
    assert platform.phases() == {"wf": "Failed", "wf.fetch": "Failed", "wf.main": "Error", "wf.pack": "Error"}
    assert platform.messages() == {
        "wf": "fetch: Error (exit code 3)",
        "wf.fetch": "fetch: Error (exit code 3): ",
        "wf.main": 'main: Error (exit code 64): dependency "fetch" exited with non-zero code: 3',
        "wf.pack": 'pack: Error (exit code 64): dependency "fetch" exited with non-zero code: 3',
    }


@pytest.mark.parametrize(
    ("outcome", "want_phase", "want_message"),
    [
        pytest.param(ended(prepare=0, main=0, proxy=143, db=137), "Succeeded", "", id="sidecars ended by us are fine"),
        pytest.param(ended(prepare=0, main=0, proxy=143, db=6), "Failed", "db: Error (exit code 6)", id="one failed"),
        pytest.param(ended(prepare=0, main=2, db=6), "Failed", "main: Error (exit code 2)", id="main comes first"),
        pytest.param(ended(prepare=4), "Failed", "prepare: Error (exit code 4)", id="nothing ran after an init failed"),
        pytest.param(
            ended(OutcomeKind.OUTPUT_ERROR, "no file", prepare=0, main=0, db=6),
            "Error",
            "wait: Error (exit code 64): no file",
            id="outputs come before sidecars",
        ),
    ],
)
def test_one_failed_container_gives_the_leafs_message(outcome: LeafOutcome, want_phase: str, want_message: str) -> None:
    platform = Platform(SIDECARS, lambda _: outcome).run()
    assert (platform.phases()["wf"], platform.messages()["wf"]) == (want_phase, want_message)
    assert len(platform.state.nodes) == 1


def test_a_failed_init_container_leaves_no_exit_code() -> None:
    platform = Platform(SIDECARS, lambda _: ended(prepare=4)).run()
    assert platform.state.nodes[platform.state.find_id("wf")].outputs is None


def test_containers_run_once_their_leaf_runs_and_end_with_a_stop() -> None:
    platform = Platform(SET).start()
    assert platform.phases()["wf.fetch"] == "Pending"
    task = platform.queue[0]
    from fubini.runs.engine import LeafRunning

    platform.feed(LeafRunning(platform.now, task.node_id, task.generation))
    assert platform.phases()["wf.pack"] == "Running"
    platform.feed(Signal(platform.now, SignalKind.STOP))
    assert set(platform.phases().values()) == {"Failed"}
    assert platform.messages()["wf.pack"] == "workflow shutdown with strategy: Stop"


def test_a_retried_set_has_nodes_under_each_attempt() -> None:
    manifest = workflow([{**SET["spec"]["templates"][0], "retryStrategy": {"limit": 1}}])
    codes = {"wf(0)": ended(fetch=0, main=1, pack=64), "wf(1)": ended(fetch=0, main=0, pack=0)}
    platform = Platform(manifest, lambda name: codes[name], restart=True).run()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert platform.phases()["wf(0).main"] == "Failed"
    assert platform.state.nodes[platform.state.find_id("wf(1).main")].flag == {"retried": True}


def test_a_failed_set_is_run_again_whole_by_a_persons_retry() -> None:
    outcomes = iter([ended(fetch=0, main=1, pack=64), ended(fetch=0, main=0, pack=0)])
    platform = Platform(SET, lambda _: next(outcomes)).run()
    platform.feed(Signal(platform.now, SignalKind.RETRY))
    platform.go_on()
    assert [task.generation for task in platform.opened] == [0, 1]
    assert set(platform.phases().values()) == {"Succeeded"}


def test_inner_retries_count_all_runs() -> None:
    body = dict(SET["spec"]["templates"][0]["containerSet"], retryStrategy={"retries": "3", "duration": "1s"})
    spec = Platform(workflow([{"name": "set", "containerSet": body}])).start().opened[0].spec
    assert {(c.runs, c.delay_ms) for c in spec.containers} == {(3, 1000)}


def test_init_containers_and_sidecars_follow_the_main_one_in_the_specification() -> None:
    spec = Platform(SIDECARS).start().opened[0].spec
    assert [(c.name, c.kind) for c in spec.containers] == [
        ("main", ContainerKind.MAIN),
        ("prepare", ContainerKind.INIT),
        ("proxy", ContainerKind.SIDECAR),
        ("db", ContainerKind.SIDECAR),
    ]


# --- daemons ----------------------------------------------------------------------------------------------------


def served(*later: dict[str, Any], **daemon: Any) -> dict[str, Any]:
    ask = [step("ask", "ask", arguments=arguments(at="{{steps.server.ip}}"))]
    return workflow(
        [
            {"name": "main", "steps": [[step("server", "server")], ask, *[[s] for s in later]]},
            leaf("server", daemon=True, **daemon),
            leaf("ask", "at"),
        ]
    )


@pytest.mark.parametrize("restart", [False, True], ids=["in memory", "restarted after every event"])
def test_steps_go_on_once_a_daemon_runs_and_it_ends_with_them(restart: bool) -> None:
    platform = Platform(served(), restart=restart).run()
    assert platform.specs()["ask"].argv == ("run", "127.0.0.1")
    assert platform.phases()["wf[0].server"] == "Succeeded"
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert [c.node_id for c in platform.cancelled] == [platform.serving[0].node_id]


def test_a_daemon_and_all_beside_it_stay_together() -> None:
    manifest = served(step("later", "nested"))
    manifest["spec"]["templates"] += [{"name": "nested", "steps": [[step("deep", "ask", arguments=arguments(at="x"))]]}]
    platform = Platform(manifest).run()
    assert [task.spec.beside_run for task in platform.opened] == [True, True, True]
    assert not Platform(workflow([leaf("main")])).run().opened[0].spec.beside_run


def test_a_daemon_that_dies_later_fails_the_steps_it_served() -> None:
    platform = Platform(served()).start()
    platform.finish_one()
    platform.end_daemon(failed(3))
    platform.go_on()
    assert platform.phases()["wf[0].server"] == platform.phases()["wf[0]"] == "Failed"
    assert platform.state.phase is NodePhase.FAILED
    assert platform.messages()["wf"].startswith("child '")
    assert [task.node_id for task in platform.cancelled] == [platform.state.find_id("wf[1].ask")]


def test_a_daemon_must_not_end_by_itself() -> None:
    platform = Platform(workflow([{"name": "main", "dag": {"tasks": [step("s", "server"), step("t", "ask")]}},
                                  leaf("server", daemon=True), leaf("ask")])).start()  # fmt: skip
    platform.finish_one()
    platform.end_daemon(done())
    assert (platform.phases()["wf.s"], platform.messages()["wf.s"]) == ("Failed", "")


@pytest.mark.parametrize("restart", [False, True], ids=["in memory", "restarted after every event"])
def test_a_dag_waits_for_a_daemon_to_run_and_tries_it_again_when_it_dies(restart: bool) -> None:
    tasks = [step("s", "server"), step("a", "ask", depends="s.Daemoned"), step("b", "ask", depends="a")]
    manifest = workflow(
        [
            {"name": "main", "dag": {"tasks": tasks}},
            leaf("server", daemon=True, retryStrategy={"limit": 2}),
            leaf("ask"),
        ]
    )
    platform = Platform(manifest, restart=restart).start()
    platform.finish_one()
    assert platform.state.nodes[platform.state.find_id("wf.s")].daemoned
    platform.end_daemon(failed(1))
    platform.go_on()
    assert platform.state.phase is NodePhase.SUCCEEDED
    assert platform.phases()["wf.s(0)"] == "Failed"
    assert platform.phases()["wf.s(1)"] == "Succeeded"
    assert platform.phases()["wf.s"] == "Succeeded"


def test_an_entry_template_that_serves_ends_the_run_once_it_does() -> None:
    platform = Platform(workflow([leaf("main", daemon=True)])).run()
    assert platform.phases() == {"wf": "Succeeded"} and platform.state.phase is NodePhase.SUCCEEDED
    assert [c.node_id for c in platform.cancelled][:1] == ["wf"]


def test_a_daemon_that_serves_once_its_template_has_failed_is_left_running_and_ends_with_the_run() -> None:
    # Argo ends the daemons of a template in the pass in which that is over; to one that comes later nobody comes back.
    cached = {"key": "no key", "maxAge": "1h", "cache": {"configMap": {"name": "c"}}}
    main = {"name": "main", "steps": [[step("s", "server"), step("x", "ask")]]}
    templates = [main, leaf("server", daemon=True), leaf("ask", memoize=cached), leaf("note")]
    platform = Platform(workflow(templates, onExit="note")).run()
    server = platform.state.nodes[platform.state.find_id("wf[0].s")]
    assert platform.state.finished and platform.phases()["wf"] == "Failed"
    assert (server.phase, server.daemoned, server.finished) == (NodePhase.RUNNING, True, None)
    assert [task.node_id for task in platform.cancelled] == [server.id]


def test_stop_ends_a_daemon_with_its_template() -> None:
    platform = Platform(served()).start()
    platform.finish_one()
    platform.feed(Signal(platform.now, SignalKind.STOP))
    assert platform.phases()["wf[0].server"] == "Succeeded"
    assert platform.state.phase is NodePhase.FAILED
    assert {c.node_id for c in platform.cancelled} >= {platform.serving[0].node_id}


# --- volumes and resources --------------------------------------------------------------------------------------


def mounted(*mounts: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "main", "container": {"image": "i", "command": ["run"], "volumeMounts": list(mounts)}, **fields}


CLAIM = [{"metadata": {"name": "work"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]


@pytest.mark.parametrize(
    ("strategy", "code", "want_drop"),
    [("", 0, True), ("", 1, False), ("OnWorkflowCompletion", 1, True), ("OnWorkflowSuccess", 1, False)],
)
def test_a_disk_of_the_run_goes_when_its_strategy_says(strategy: str, code: int, want_drop: bool) -> None:
    collect = {"volumeClaimGC": {"strategy": strategy}} if strategy else {}
    template = mounted({"name": "work", "mountPath": "/w", "subPath": "a"})
    platform = Platform(workflow([template], volumeClaimTemplates=CLAIM, **collect), lambda _: failed(code)).run()
    spec = platform.opened[0].spec
    assert spec.volumes == (VolumeMount("work", "", "/w", sub_path="a", disk="work"),)
    assert spec.beside_run
    assert platform.run_record.drop_disks is want_drop


def test_two_volumes_at_one_path_of_a_step_are_an_error() -> None:
    template = mounted(
        {"name": "a", "mountPath": "/w"}, sidecars=[container("s", volumeMounts=[{"name": "b", "mountPath": "/w"}])]
    )
    volumes = [{"name": name, "emptyDir": {}} for name in "ab"]
    platform = Platform(workflow([template], volumes=volumes)).run()
    assert platform.state.phase is NodePhase.ERROR
    assert "both mounted at /w" in platform.messages()["wf"]


def test_mirrored_mounts_are_the_main_containers() -> None:
    template = mounted({"name": "a", "mountPath": "/w"}, sidecars=[container("s", mirrorVolumeMounts=True)])
    spec = Platform(workflow([template], volumes=[{"name": "a", "emptyDir": {}}])).start().opened[0].spec
    assert spec.volumes == (VolumeMount("a", "", "/w"),)


def test_containers_that_run_together_add_up_and_init_containers_do_not() -> None:
    def asking(cpu: str, memory: str) -> dict[str, Any]:
        return {"requests": {"cpu": cpu, "memory": memory}}

    template = leaf(
        "main",
        initContainers=[container("i", resources=asking("3", "1Gi"))],
        sidecars=[container("s", resources=asking("500m", "2Gi"))],
    )
    template["container"]["resources"] = asking("2", "1Gi")
    found = Platform(workflow([template])).start().opened[0].spec.resources
    assert (found.cpu_millis, found.memory_bytes) == (3000, 3 << 30)


def test_resources_of_the_pod_stand_for_its_containers() -> None:
    limits = {"limits": {"cpu": "1", "memory": "512Mi"}}
    own = leaf("own", podResources={"limits": {"cpu": "2"}})
    main = {"name": "main", "steps": [[step("a", "shared"), step("b", "own")]]}
    specs = Platform(workflow([main, leaf("shared"), own], podResources=limits)).run().specs()
    assert (specs["shared"].resources.cpu_millis, specs["shared"].resources.memory_bytes) == (1000, 512 << 20)
    assert (specs["own"].resources.cpu_millis, specs["own"].resources.memory_bytes) == (2000, 0)


def test_a_patch_changes_resources_deadline_and_place() -> None:
    patch = '{"containers":[{"name":"main","resources":{"limits":{"cpu":"{{inputs.parameters.n}}"}}}]}'
    main = {"name": "main", "steps": [[step("a", "work", arguments=arguments(n="3"))]]}
    shared = "activeDeadlineSeconds: 60\nterminationGracePeriodSeconds: 45\nnodeSelector:\n  zone: a\n"
    platform = Platform(workflow([main, leaf("work", "n", podSpecPatch=patch)], podSpecPatch=shared)).run()
    spec = platform.specs()["work"]
    assert (spec.resources.cpu_millis, spec.deadline_s, spec.grace_s) == (3000, 60, 45)
    assert spec.required[0][0].key == "zone"


@pytest.mark.parametrize(
    ("patch", "want"),
    [
        ("containers:\n- name: main\n  securityContext: {runAsUser: 0}\n", "containers[0].securityContext.runAsUser"),
        ("hostNetwork: true", "hostNetwork"),
        ('{"containers":[{"name":"main","resources":{"limits": {{inputs.parameters.r}} }}]}', ""),
        ("tolerations: []", ""),
        ("{{inputs.parameters.patch}}", ""),
    ],
)
def test_fields_of_a_patch_that_mean_nothing_here_are_named(patch: str, want: str) -> None:
    assert podpatch.refused(patch) == want


def test_a_patch_is_refused_at_submit_by_its_path() -> None:
    text = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: a-}
spec:
  entrypoint: main
  templates:
  - name: main
    podSpecPatch: '{"hostNetwork": true}'
    container:
      image: busybox
      command: [env]
      env:
      - {name: A, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
"""
    report = check_manifest(text, supported=SUPPORTED, parameters={})
    assert {(f.path, f.found) for f in report.unsupported} == {
        ("spec.templates[0].podSpecPatch", "hostNetwork"),
        ("spec.templates[0].container.env[0].valueFrom.fieldRef.fieldPath", "spec.nodeName"),
    }


def test_a_patch_that_turns_out_bad_is_the_steps_error() -> None:
    main = {"name": "main", "steps": [[step("a", "work", arguments=arguments(p="hostPID: true"))]]}
    platform = Platform(workflow([main, leaf("work", "p", podSpecPatch="{{inputs.parameters.p}}")])).run()
    assert "hostPID cannot be set here" in platform.messages()["wf[0].a"]


def test_a_grace_no_site_would_wait_for_is_the_steps_error() -> None:
    platform = Platform(workflow([leaf("main", podSpecPatch="terminationGracePeriodSeconds: 86400")])).run()
    assert "terminationGracePeriodSeconds is 86400; 0 to 3600 can be" in platform.messages()["wf"]


# --- environment ------------------------------------------------------------------------------------------------


def test_variables_come_from_maps_and_from_the_leaf_itself() -> None:
    template = leaf("main")
    template["container"] |= {
        "envFrom": [
            {"prefix": "S_", "configMapRef": {"name": "site"}},
            {"configMapRef": {"name": "x", "optional": True}},
        ],
        "env": [
            {"name": "S_b", "value": "own"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "site", "key": "a"}}},
            {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "site", "key": "z", "optional": True}}},
        ],
    }
    library = ({"kind": "ConfigMap", "metadata": {"name": "site"}, "data": {"a": "1", "b": "2"}},)
    spec = Platform(workflow([template]), run=context(library=library)).start().opened[0].spec
    assert dict(spec.env) == {"S_a": "1", "S_b": "own", "POD": "wf", "KEY": "1"}


def test_a_variable_from_a_missing_map_is_an_error() -> None:
    template = leaf("main")
    template["container"]["env"] = [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "a"}}}]
    platform = Platform(workflow([template])).run()
    assert platform.messages()["wf"] == 'configmap "no" not found'


def test_sizes_and_the_medium_of_volumes_are_in_the_specification() -> None:
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("fast", "disk", "work")]
    main = leaf("main")
    main["container"]["volumeMounts"] = mounts
    manifest = workflow([main], volumes=[
        {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}, {"name": "disk", "emptyDir": {}},
    ])  # fmt: skip
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    manifest["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "work"}, "spec": claim}]
    volumes = Platform(manifest).start().opened[0].spec.volumes
    assert [(v.name, v.size_bytes, v.in_memory, v.disk) for v in volumes] == [
        ("fast", 64 << 20, True, ""),
        ("disk", 0, False, ""),
        ("work", 1 << 30, False, "work"),
    ]


def test_a_size_that_is_no_quantity_is_the_steps_error() -> None:
    main = leaf("main")
    main["container"]["volumeMounts"] = [{"name": "w", "mountPath": "/w"}]
    platform = Platform(workflow([main], volumes=[{"name": "w", "emptyDir": {"sizeLimit": "much"}}])).run()
    assert "much" in platform.messages()["wf"]


@pytest.mark.parametrize(
    ("names", "want"),
    [
        (("note", "log"), ""),
        (("log", "log"), 'spec.containers[3].name: Duplicate value: "log"'),
        (("main", "log", "wait"), '[spec.containers[2].name: Duplicate value: "main", '),
    ],
)
def test_containers_that_share_a_name_are_no_pod(names: tuple[str, ...], want: str) -> None:
    work = leaf("work", sidecars=[container(name) for name in names])
    platform = Platform(workflow([{"name": "main", "steps": [[step("a", "work")]]}, work])).start()
    assert platform.phases()["wf[0].a"] == ("Error" if want else "Pending")
    if want:
        assert f" is invalid: {want}" in platform.messages()["wf[0].a"]
        assert platform.opened == [] and platform.state.phase is NodePhase.FAILED
