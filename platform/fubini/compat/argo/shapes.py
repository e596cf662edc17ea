"""Our rows as Argo's objects. Pure: rows in, JSON-able data out.

A run is a Workflow whose status is rendered from its nodes' rows: nodes by id, children derived from the edges that are
kept with the child. Times are RFC 3339 in whole seconds, as Argo's are. `resourceVersion` rises with every change.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fubini.crons.due import coming, plan_of
from fubini.crons.models import Cron, CronTick
from fubini.crons.selectors import facts_of
from fubini.manifests.crons import CRON_LABEL
from fubini.pipelines.models import PipelineVersion
from fubini.runs.models import Run, RunNode
from fubini.runs.transitions import RUN_ENDED

API_VERSION: Final = "argoproj.io/v1alpha1"
PHASE_LABEL: Final = "workflows.argoproj.io/phase"
COMPLETED_LABEL: Final = "workflows.argoproj.io/completed"
CREATOR_LABEL: Final = "workflows.argoproj.io/creator"
_LEAVES: Final = frozenset({"Pod", "Container", "HTTP", "Plugin"})


def time_of(at_ms: int | None) -> str | None:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at_ms is not None else None


def uid_of(pk: str) -> str:
    """One of our ids as Kubernetes writes a uid, with dashes; clients tell a uid from a name by them."""
    return str(UUID(pk))


def resource_version(run: Run) -> str:
    return str(run.engine_version + run.version)


def workflow_of(
    run: Run, document: Mapping[str, Any], labels: Mapping[str, str], nodes: Sequence[RunNode] | None
) -> dict[str, Any]:
    """A run as a Workflow.

    Args:
        document: the manifest it was submitted with.
        nodes: its tree; None leaves the tree out and says so as Argo says of an offloaded one.
    """
    own: Mapping[str, Any] = document.get("metadata") or {}
    ended = run.state in RUN_ENDED
    metadata: dict[str, Any] = {
        "name": run.name,
        "namespace": run.project.slug,
        "uid": uid_of(run.pk),
        "resourceVersion": resource_version(run),
        "generation": run.generation + 1,
        "creationTimestamp": time_of(run.created_at_ms),
        "labels": {
            **labels,
            CREATOR_LABEL: run.submitted_by.partition(":")[2] or run.submitted_by,
            PHASE_LABEL: run.phase,
            COMPLETED_LABEL: "true" if ended else "false",
        },
    }
    if own.get("generateName") and not own.get("name"):
        metadata["generateName"] = own["generateName"]
    if own.get("annotations"):
        metadata["annotations"] = dict(own["annotations"])
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": metadata,
        "spec": _spec(run, document),
        "status": _status(run, nodes, ended),
    }


def _spec(run: Run, document: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest's spec as it runs: with the values given at submit, held or stopped as it is now."""
    spec: dict[str, Any] = copy.copy(document.get("spec") or {})
    if run.parameters:
        given = dict(run.parameters)
        arguments = dict(spec.get("arguments") or {})
        listed = []
        for parameter in arguments.get("parameters") or []:
            entry = {k: v for k, v in parameter.items() if k != "valueFrom" or parameter["name"] not in given}
            if parameter["name"] in given:
                entry["value"] = given.pop(parameter["name"])
            listed.append(entry)
        arguments["parameters"] = [*listed, *({"name": name, "value": value} for name, value in given.items())]
        spec["arguments"] = arguments
    spec.pop("suspend", None)
    if run.suspended:
        spec["suspend"] = True
    if run.shutdown:
        spec["shutdown"] = run.shutdown
    return spec


def _status(run: Run, nodes: Sequence[RunNode] | None, ended: bool) -> dict[str, Any]:
    # Argo's controller has not seen a workflow that has no phase yet; ours has not heard of the run.
    status: dict[str, Any] = {
        "phase": run.phase if run.engine_version or ended else "",
        "startedAt": time_of(run.started_at_ms),
        "finishedAt": time_of(run.finished_at_ms),
        "progress": f"{run.steps_done}/{run.steps_total}",
        "conditions": [
            {"type": "PodRunning", "status": "False"},
            *([{"type": "Completed", "status": "True"}] if ended else []),
        ],
    }
    if run.message:
        status["message"] = run.message
    if run.outputs:
        status["outputs"] = _io(run.outputs)
    if nodes is None:
        status["offloadNodeStatusVersion"] = f"fnv:{resource_version(run)}"
    elif nodes:
        status["nodes"] = nodes_of(nodes)
    return status


def nodes_of(rows: Sequence[RunNode]) -> dict[str, Any]:
    """A tree as `status.nodes`: by id, in the order the nodes were made."""
    found = {row.node_id: _node(row) for row in rows}
    for row in rows:
        for parent in row.parents:
            if parent in found:
                found[parent].setdefault("children", []).append(row.node_id)
    return found


def _node(row: RunNode) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": row.node_id,
        "name": row.name,
        "displayName": row.display_name,
        "type": row.type,
        "phase": row.phase,
        "startedAt": time_of(row.started_at_ms),
        "finishedAt": time_of(row.finished_at_ms),
    }
    extra = row.extra or {}
    optional = {
        "boundaryID": row.boundary_id,
        "message": row.message,
        "templateName": row.template_name,
        "templateScope": extra.get("template_scope"),
        "templateRef": extra.get("template_ref"),
        "nodeFlag": extra.get("node_flag"),
        "memoizationStatus": extra.get("memoization"),
        "synchronizationStatus": {"waiting": extra["waiting_for"]} if extra.get("waiting_for") else None,
        "inputs": _io(row.inputs),
        "outputs": _io(row.outputs),
    }
    node.update({key: value for key, value in optional.items() if value})
    if (extra.get("private") or {}).get("daemoned"):
        node["daemoned"] = True
    if row.type in _LEAVES:
        node["progress"] = "1/1" if row.phase in ("Succeeded", "Failed", "Error", "Skipped", "Omitted") else "0/1"
    return node


def _io(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Inputs or outputs with each artifact's logical key where Argo has an object store's."""
    found = dict(value or {})
    if found.get("artifacts"):
        found["artifacts"] = [_artifact(entry) for entry in found["artifacts"]]
    return found


def _artifact(entry: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in entry.items() if name != "key"}
    if entry.get("key"):
        kept["s3"] = {"key": entry["key"]}
    return kept


def pod_name(run: Run, node: RunNode) -> str:
    """What Argo calls the pod of a leaf: run, template and the number at the end of the node's id."""
    if node.name == run.name:
        return run.name
    template = str((node.extra or {}).get("template_ref", {}).get("template") or node.template_name)
    prefix = f"{run.name}-{template}" if template and template not in run.name else run.name
    return f"{prefix[:242]}-{node.node_id.rpartition('-')[2]}"


def template_of(version: PipelineVersion, document: Mapping[str, Any]) -> dict[str, Any]:
    """A stored template as a WorkflowTemplate or ClusterWorkflowTemplate."""
    pipeline = version.pipeline
    metadata = {
        **(document.get("metadata") or {}),
        "uid": uid_of(pipeline.pk),
        "resourceVersion": str(version.number),
        "generation": version.number,
        "creationTimestamp": time_of(int(pipeline.created_at.timestamp() * 1000)),
    }
    if version.kind == "WorkflowTemplate":
        metadata["namespace"] = pipeline.project.slug
    return {"apiVersion": API_VERSION, "kind": version.kind, "metadata": metadata, "spec": document.get("spec") or {}}


def cron_of(row: Cron, active: Iterable[CronTick], now_ms: int) -> dict[str, Any]:
    """A schedule as a CronWorkflow with its status."""
    facts = facts_of(row, 0)
    conditions = [{"type": "SubmissionError", "status": "True", "message": row.condition}] if row.condition else []
    going = [tick.run for tick in active if tick.run is not None]
    metadata: dict[str, Any] = {
        **(row.document.get("metadata") or {}),
        "namespace": row.project.slug,
        "uid": uid_of(row.pk),
        "resourceVersion": str(row.version),
        "generation": row.version,
        "creationTimestamp": time_of(row.created_at_ms),
    }
    if not row.suspended and not row.stopped:
        following = coming(plan_of(row.document), facts, now_ms, 1)
        if following:
            annotations = dict(metadata.get("annotations") or {})
            metadata["annotations"] = {**annotations, "fubini.dev/next-run": time_of(following[0])}
    return {
        "apiVersion": API_VERSION,
        "kind": "CronWorkflow",
        "metadata": metadata,
        "spec": {**row.document["spec"], "suspend": row.suspended},
        "status": {
            "active": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "Workflow",
                    "name": run.name,
                    "namespace": row.project.slug,
                    "uid": uid_of(run.pk),
                }
                for run in going
            ],
            "lastScheduledTime": time_of(row.last_at_ms),
            "conditions": conditions,
            "succeeded": row.succeeded,
            "failed": row.failed,
            "phase": "Stopped" if row.stopped else "Active",
        },
    }


__all__ = [
    "API_VERSION", "COMPLETED_LABEL", "CREATOR_LABEL", "CRON_LABEL", "PHASE_LABEL", "cron_of", "nodes_of", "pod_name",
    "resource_version", "template_of", "time_of", "uid_of", "workflow_of",
]  # fmt: skip
