"""Hera scripts of our own, submitted by Hera's own client to a running Fubini, beside their YAML submitted over REST.

Each script under `scripts/` defines `w`. Both ways must give the same tree. A script that says `refused = PATH` uses
what is not honoured: then both ways must name that path. One stack serves all; everything is submitted at once.
"""

from __future__ import annotations

import inspect
import os
import runpy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hera.workflows
import pytest
import yaml
from hera.shared import global_config

from tests.hera.trees import tree_of
from tests.support.stack import ENDED, Stack, stack

FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
WITHIN_S = 240
pytestmark = [
    pytest.mark.filterwarnings("ignore:The `json` method is deprecated"),  # of Hera's own client
]


@dataclass
class Both:
    """One script's two ways: run ids, or the refusals' texts."""

    hera: str = ""
    yaml: str = ""
    refused: list[str] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    node_count: int = 0


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with stack() as started:
        yield started


@pytest.fixture(scope="module")
def both(running: Stack) -> dict[str, Both]:
    """Every script submitted twice, and all of it ended."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    # What people set once; the scripts themselves say nothing of a server.
    global_config.host, global_config.token = running.url, running.token
    service = hera.workflows.WorkflowsService(namespace=running.project)
    found: dict[str, Both] = {}
    broken: dict[str, str] = {}
    for name in SCRIPTS:
        try:
            found[name] = submit(running, service, name)
        except Exception as error:
            broken[name] = f"{type(error).__name__}: {error}"
    assert not broken, broken
    waiting = {pk for one in found.values() for pk in (one.hera, one.yaml) if pk}
    until = time.monotonic() + WITHIN_S
    while waiting and time.monotonic() < until:
        waiting = {pk for pk in waiting if running.get(f"runs/{pk}")["state"] not in ENDED}
        time.sleep(0.5)
    slow = {name for name, one in found.items() if {one.hera, one.yaml} & waiting}
    assert not slow, f"did not end: {slow}"
    return found


def submit(running: Stack, service: Any, name: str) -> Both:
    script = runpy.run_path(str(FOLDER / f"{name}.py"))
    one = Both()
    for template in script.get("before", ()):
        template.workflows_service = service
        if not isinstance(template, hera.workflows.ClusterWorkflowTemplate):
            template.namespace = running.project
        template.create()
    workflow = script["w"]
    workflow.workflows_service, workflow.namespace = service, running.project
    text = workflow.to_yaml()
    one.manifest = yaml.safe_load(text)
    if "refused" in script:
        for way in (workflow.create, lambda: running.submit(text)):
            with pytest.raises(Exception) as refusal:
                way()
            one.refused.append(str(refusal.value))
        return one
    made = workflow.create()
    if one.manifest["kind"] == "CronWorkflow":
        from hera.workflows.models import WorkflowSubmitRequest

        assert made.spec.timezone == one.manifest["spec"]["timezone"]
        request = WorkflowSubmitRequest(resource_kind="CronWorkflow", resource_name=made.metadata.name)
        made = service.submit_workflow(request)
        text = yaml.safe_dump(
            {"apiVersion": one.manifest["apiVersion"], "kind": "Workflow", "metadata": {"generateName": "cron-"},
             "spec": one.manifest["spec"]["workflowSpec"]}
        )  # fmt: skip
    one.hera = made.metadata.uid.replace("-", "")
    one.yaml = running.submit(text)
    return one


@pytest.mark.parametrize("name", [n for n in SCRIPTS if not n.startswith("refused_")])
def test_a_hera_script_gives_the_tree_of_its_yaml(name: str, both: dict[str, Both], running: Stack) -> None:
    one = both[name]
    tree, other = tree_of(running, one.hera), tree_of(running, one.yaml)
    assert tree == other
    assert len(tree) > 1
    wants = runpy.run_path(str(FOLDER / f"{name}.py")).get("phase", "Succeeded")
    assert tree[""][0] == wants, tree


@pytest.mark.parametrize("name", [n for n in SCRIPTS if n.startswith("refused_")])
def test_what_is_not_honoured_is_refused_by_its_path_whichever_way_it_comes(name: str, both: dict[str, Both]) -> None:
    path = runpy.run_path(str(FOLDER / f"{name}.py"))["refused"]
    assert len(both[name].refused) == 2
    for said in both[name].refused:
        assert path in said, said


def test_the_manifest_that_is_kept_is_what_hera_sent_field_by_field(both: dict[str, Both], running: Stack) -> None:
    for name in ("dag_diamond", "retry_cause", "artifact_archives"):
        kept = yaml.safe_load(running.get(f"runs/{both[name].hera}/manifest")["text"])
        assert kept["spec"] == both[name].manifest["spec"]


def test_what_hera_s_client_reads_back_is_the_run(both: dict[str, Both], running: Stack) -> None:
    service = hera.workflows.WorkflowsService(host=running.url, token=running.token, namespace=running.project)
    run = running.get(f"runs/{both['loop_param'].hera}")
    found = service.get_workflow(run["name"])
    assert found.status.phase == "Succeeded" and len(found.status.nodes) == len(tree_of(running, run["id"])) - 1
    assert found.metadata.uid.replace("-", "") == run["id"]
    listed = service.list_workflows(label_selector="workflows.argoproj.io/phase=Succeeded")
    assert run["name"] in [w.metadata.name for w in listed.items]
    assert service.get_archived_workflow(found.metadata.uid).metadata.name == run["name"]
    assert service.get_version().version.startswith("v4.") and service.get_info() and service.get_user_info()
    assert "nightly-hera" in [c.metadata.name for c in service.list_cron_workflows().items]
    assert "stored" in [t.metadata.name for t in service.list_workflow_templates().items]
    assert "shared-tools" in [t.metadata.name for t in service.list_cluster_workflow_templates().items]
    artifacts = running.get(f"runs/{both['artifacts'].hera}")
    node = next(n for n in service.get_workflow(artifacts["name"]).status.nodes.values() if n.display_name == "write")
    assert "1\\n2\\n3" in service.get_output_artifact(artifacts["name"], node.id, "numbers")


def test_hera_s_signals_do_what_they_say(running: Stack) -> None:
    from hera.workflows import Container, Step, Steps, Suspend, Workflow
    from hera.workflows.models import (
        WorkflowResubmitRequest,
        WorkflowResumeRequest,
        WorkflowSetRequest,
        WorkflowStopRequest,
        WorkflowSuspendRequest,
        WorkflowTerminateRequest,
    )

    service = hera.workflows.WorkflowsService(host=running.url, token=running.token, namespace=running.project)

    def made() -> str:
        with Workflow(
            generate_name="signals-", entrypoint="main", namespace=running.project, workflows_service=service
        ) as w:
            Suspend(name="ask")
            Container(name="say", image="busybox", command=["echo"], args=["x"])
            with Steps(name="main"):
                Step(name="ask", template="ask")
                Step(name="say", template="say")
        return str(w.create().metadata.name)

    def waiting() -> str:
        name = made()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            nodes = service.get_workflow(name).status.nodes or {}
            if any(n.type == "Suspend" and n.phase == "Running" for n in nodes.values()):
                return name
            time.sleep(0.2)
        raise AssertionError(name)

    def ended(name: str) -> str:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            status = service.get_workflow(name).status
            if status.finished_at is not None:
                return str(status.phase)
            time.sleep(0.2)
        raise AssertionError(name)

    name = waiting()
    assert service.suspend_workflow(name, WorkflowSuspendRequest()).spec.suspend is True
    assert not service.resume_workflow(name, WorkflowResumeRequest()).spec.suspend
    assert ended(name) == "Succeeded"
    name = waiting()
    service.set_workflow(
        name, WorkflowSetRequest(node_field_selector="displayName=ask", phase="Succeeded", message="yes")
    )
    assert ended(name) == "Succeeded"
    name = waiting()
    service.stop_workflow(name, WorkflowStopRequest(message="enough"))
    assert ended(name) == "Failed"
    again = service.resubmit_workflow(name, WorkflowResubmitRequest()).metadata.name
    service.terminate_workflow(again, WorkflowTerminateRequest())
    assert ended(again) == "Failed"
    service.delete_workflow(again)
    with pytest.raises(Exception, match="not found"):
        service.get_workflow(again)


def test_hera_s_retry_runs_again_what_failed(running: Stack, both: dict[str, Both]) -> None:
    from hera.workflows.models import WorkflowRetryRequest

    service = hera.workflows.WorkflowsService(host=running.url, token=running.token, namespace=running.project)
    name = running.get(f"runs/{both['retry_limit'].hera}")["name"]
    assert service.retry_workflow(name, WorkflowRetryRequest()).status.phase in ("Running", "Failed")
    run = running.wait(both["retry_limit"].hera, 60)
    assert (run["state"], run["generation"]) == ("failed", 1)


# What Hera exports and these scripts together must use.
TEMPLATES = {"Container", "Script", "ContainerSet", "Data", "HTTP", "DAG", "Steps", "Suspend", "Resource", "Workflow",
             "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"}  # fmt: skip
FLOW = {"Step", "Task", "Parallel", "Operator", "TaskResult", "RetryStrategy", "RetryPolicy", "script"}
ARTIFACTS = {
    name
    for name, kind in inspect.getmembers(hera.workflows, inspect.isclass)
    if name in hera.workflows.__all__ and name.endswith(("Artifact", "ArchiveStrategy"))
} - {"ArchiveStrategy"}


def test_the_scripts_use_every_template_flow_and_artifact_class_hera_exports() -> None:
    text = "\n".join((FOLDER / f"{name}.py").read_text() for name in SCRIPTS)
    used = {word for word in hera.workflows.__all__ if f"{word}(" in text or f"{word}." in text or f"@{word}" in text}
    assert (TEMPLATES | FLOW | ARTIFACTS) - used == set()
    for word in ("with_items", "with_param", "with_sequence", "LifecycleHook", "on_exit", "when="):
        assert word in text, word
    assert len([n for n in SCRIPTS if not n.startswith("refused_")]) >= 47
