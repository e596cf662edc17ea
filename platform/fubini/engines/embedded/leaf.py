"""Leaves: from a template to everything the platform needs to run it, and from what came of it to phase and message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import changes
from fubini.engines.embedded.process import EngineError, Processed, replace, restore
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.scope import VariableScope
from fubini.engines.embedded.tree import Node
from fubini.language import durations, quantities, tags
from fubini.language.errors import LanguageError
from fubini.runs.engine import (
    ArtifactInput,
    ArtifactOutput,
    LeafOutcome,
    NodePhase,
    OpenTask,
    OutcomeKind,
    ParameterOutput,
    PreferredTerm,
    Requirement,
    Resources,
    TaskSpec,
    VolumeMount,
)

if TYPE_CHECKING:
    from fubini.engines.embedded.frames import Call
    from fubini.engines.embedded.state import State

PREFIX = "fubini.dev/"
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


def open_leaf(state: State, node: Node, processed: Processed, call: Call) -> str:
    """Ask the platform to run a leaf; -> a message where it cannot even be asked."""
    if state.shutdown and not (state.shutdown == "Stop" and node.on_exit):
        state.mark(node, NodePhase.FAILED, f"workflow shutdown with strategy: {state.shutdown}")
        return ""
    try:
        deadline_s = _deadline(state, node, processed)
        spec = task_spec(state, processed, call, deadline_s)
    except (EngineError, LanguageError) as error:
        return error.message
    if deadline_s is not None and deadline_s <= 0:
        state.mark(node, NodePhase.FAILED, "Step exceeded its deadline")
        return ""
    state.command(OpenTask(node.id, node.generation, changes.applied(state, node, spec)))
    return ""


def _deadline(state: State, node: Node, processed: Processed) -> int | None:
    """Seconds a leaf may run.

    Raises:
        EngineError: the template's timeout leaves no time, or is none.
    """
    body = processed.template.body
    own = any_string(processed.sub(body.get("activeDeadlineSeconds")))
    limit: int | None = None
    if own is not None:
        try:
            limit = int(own)
        except ValueError:
            raise EngineError(f"value '{own}' cannot be resolved to an int") from None
    if state.deadline is not None and not node.on_exit:
        left = (state.deadline - state.now) // 1000
        limit = left if limit is None else min(limit, left)
        if left <= 0:
            return 0
    timeout = processed.sub(body.get("timeout") or "")
    if timeout:
        try:
            length = durations.parse(timeout)
        except LanguageError as error:
            raise EngineError(
                f"invalid timeout format unable to parse {timeout} as a duration: {error.message}"
            ) from None
        # Argo counts whole seconds from a moment after the node began, and starts nothing for one second.
        left = ((node.started or state.now) + length - state.now - 1) // 1000
        if left <= 1:
            raise EngineError(f"{node.name} exceeded its deadline")
        limit = left if limit is None else min(limit, left)
    return limit


# --- the specification ------------------------------------------------------------------------------------------


def task_spec(state: State, processed: Processed, call: Call, deadline_s: int | None) -> TaskSpec:
    """Everything the platform must know, with no tags left but those that never resolve.

    Raises:
        EngineError: a volume that does not exist.
        LanguageError: a quantity or walltime that is none.
    """
    template = processed.template
    body = template.body
    container = processed.leaf(body.get("container") or body.get("script") or {})
    annotations = _annotations(state, processed)
    walltime = annotations.get("walltime")
    required, preferred = placement(state, processed)
    inputs = tuple(_artifact_input(processed.leaf(artifact)) for artifact in processed.artifacts)
    outputs = processed.leaf(template.outputs) if template.outputs else {}
    return TaskSpec(
        template=template.name,
        image=container.get("image") or "",
        argv=(*(container.get("command") or ()), *(container.get("args") or ())),
        source=container.get("source") if body.get("script") is not None else None,
        env=tuple((e["name"], any_string(e.get("value")) or "") for e in container.get("env") or ()),
        working_dir=container.get("workingDir") or "",
        artifacts_in=inputs,
        artifacts_out=tuple(_artifact_output(a) for a in outputs.get("artifacts") or () if a.get("path")),
        parameters_out=tuple(
            ParameterOutput(p["name"], p["valueFrom"]["path"], p["valueFrom"].get("default"))
            for p in outputs.get("parameters") or ()
            if (p.get("valueFrom") or {}).get("path")
        ),
        volumes=_volumes(state, processed, container),
        capture_result=captured(call),
        resources=resources(container.get("resources") or {}),
        required=required,
        preferred=preferred,
        deadline_s=deadline_s,
        walltime_s=durations.parse_walltime_s(walltime) if walltime else None,
        annotations=tuple(sorted(annotations.items())),
    )


def captured(call: Call) -> bool:
    """Whether the enclosing template mentions this leaf's result."""
    boundary = call.boundary
    if boundary is None or boundary.frame is None:
        return False
    name = call.slot or call.name.rpartition(".")[2]
    return name in boundary.frame.template.captured


def _artifact_input(artifact: Mapping[str, Any]) -> ArtifactInput:
    key = artifact.get("key")
    stored = artifact.get("s3")
    if key is None and isinstance(stored, Mapping):
        key = stored.get("key")
    raw = (artifact.get("raw") or {}).get("data") if isinstance(artifact.get("raw"), Mapping) else None
    mode = artifact.get("mode")
    return ArtifactInput(
        name=artifact["name"],
        path=artifact.get("path") or "",
        key=key,
        sub_path=artifact.get("subPath") or "",
        raw=raw,
        optional=bool(artifact.get("optional")),
        mode=int(mode) if mode is not None else None,
    )


def _artifact_output(artifact: Mapping[str, Any]) -> ArtifactOutput:
    return ArtifactOutput(
        name=artifact["name"],
        path=artifact["path"],
        optional=bool(artifact.get("optional")),
        global_name=artifact.get("globalName"),
    )


def resources(section: Mapping[str, Any]) -> Resources:
    """Requests, or limits where nothing is requested.

    Raises:
        LanguageError: not a quantity.
    """
    if not section:
        return Resources()
    found = {**(section.get("limits") or {}), **(section.get("requests") or {})}
    texts = {name: any_string(value) or "0" for name, value in found.items()}
    devices = tuple(sorted((name, quantities.whole(text)) for name, text in texts.items() if "/" in name))
    default = Resources()
    return Resources(
        cpu_millis=quantities.millis(texts["cpu"]) if "cpu" in texts else default.cpu_millis,
        memory_bytes=quantities.whole(texts["memory"]) if "memory" in texts else 0,
        disk_bytes=quantities.whole(texts["ephemeral-storage"]) if "ephemeral-storage" in texts else 0,
        devices=devices,
    )


def _annotations(state: State, processed: Processed) -> dict[str, str]:
    """`fubini.dev/*` of the workflow, overlaid by the template's; keys without the prefix."""
    shared = state.program.annotations
    own = (processed.template.body.get("metadata") or {}).get("annotations") or {}
    if not shared and not own:
        return {}
    found = dict(shared)
    for key, value in own.items():
        if key.startswith(PREFIX):
            found[key.removeprefix(PREFIX)] = processed.sub(any_string(value) or "")
    return {key: replace(value, VariableScope(state.globals, {})) for key, value in found.items()}


def _volumes(state: State, processed: Processed, container: Mapping[str, Any]) -> tuple[VolumeMount, ...]:
    mounts = container.get("volumeMounts") or ()
    if not mounts:
        return ()
    scope = VariableScope(state.globals, processed.values)
    known: dict[str, Mapping[str, Any]] = {v["name"]: v for v in state.program.spec.get("volumes") or ()}
    known.update({v["name"]: v for v in processed.sub(processed.template.body.get("volumes") or [])})
    for claim in state.program.spec.get("volumeClaimTemplates") or ():
        name = (claim.get("metadata") or {}).get("name") or ""
        known.setdefault(name, {"name": name, "persistentVolumeClaim": {"claimName": f"{state.name}-{name}"}})
    out: list[VolumeMount] = []
    for mount in mounts:
        volume = known.get(mount["name"])
        if volume is None:
            raise EngineError(f"volume '{mount['name']}' not found in workflow spec")
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""
        out.append(
            VolumeMount(
                name=mount["name"],
                claim=replace(claim, scope) if tags.OPEN in claim else claim,
                mount_path=mount.get("mountPath") or "",
                read_only=bool(mount.get("readOnly")),
                sub_path=mount.get("subPath") or "",
            )
        )
    return tuple(out)


def placement(
    state: State, processed: Processed
) -> tuple[tuple[tuple[Requirement, ...], ...], tuple[PreferredTerm, ...]]:
    """Where a leaf may and would rather run: the template's own conditions, or the workflow's."""
    body, spec = processed.template.body, state.program.spec
    selector = processed.sub(body.get("nodeSelector")) or spec.get("nodeSelector") or {}
    affinity = processed.sub(body.get("affinity")) or spec.get("affinity") or {}
    if not selector and not affinity:
        return (), ()
    fixed = tuple(Requirement(key, "In", (any_string(value) or "",)) for key, value in sorted(selector.items()))
    node = affinity.get("nodeAffinity") or {}
    hard = (node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    terms = [fixed + _requirements(term) for term in hard] or ([fixed] if fixed else [])
    soft = node.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    preferred = tuple(
        PreferredTerm(int(term.get("weight") or 1), _requirements(term.get("preference") or {})) for term in soft
    )
    return tuple(terms), preferred


def _requirements(term: Mapping[str, Any]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(e["key"], e["operator"], tuple(any_string(v) or "" for v in e.get("values") or ()))
        for e in term.get("matchExpressions") or ()
    )


# --- what came of it --------------------------------------------------------------------------------------------


def verdict(outcome: LeafOutcome) -> tuple[NodePhase, str]:
    """Argo's phase and message for an outcome."""
    kind, code = outcome.kind, outcome.exit_code
    if kind is OutcomeKind.EXITED:
        if code == 0 or code is None:
            return NodePhase.SUCCEEDED, ""
        return NodePhase.FAILED, outcome.error or f"main: Error (exit code {code})"
    if kind is OutcomeKind.TIMED_OUT:
        return NodePhase.FAILED, outcome.error or DEADLINE_MESSAGE
    if kind is OutcomeKind.OUTPUT_ERROR:
        if code:
            return NodePhase.FAILED, f"main: Error (exit code {code})"
        return NodePhase.ERROR, f"wait: Error (exit code 64): {outcome.error}"
    if kind is OutcomeKind.INPUT_ERROR:
        return NodePhase.ERROR, f"init: Error (exit code 64): {outcome.error}"
    if kind is OutcomeKind.OOM:
        return NodePhase.FAILED, f"main: OOMKilled (exit code {code if code is not None else 137})"
    if kind is OutcomeKind.CANCELLED:
        return NodePhase.FAILED, outcome.error or "the step was cancelled"
    return NodePhase.ERROR, outcome.error or "the platform could not run this step"


def finish_leaf(state: State, node: Node, outcome: LeafOutcome) -> None:
    """Take over a leaf's outputs, phase and message."""
    phase, message = verdict(outcome)
    outputs = leaf_outputs(state, node, outcome, phase)
    if outcome.kind is not OutcomeKind.INPUT_ERROR and outcome.exit_code is not None:
        outputs["exitCode"] = str(outcome.exit_code)
    node.outputs = outputs or None
    state.add_global_output(outputs)
    if outcome.started_ms is not None:
        node.started = outcome.started_ms
    if outcome.finished_ms is not None:
        node.finished = outcome.finished_ms
    state.mark(node, phase, message)


def leaf_outputs(state: State, node: Node, outcome: LeafOutcome, phase: NodePhase) -> dict[str, Any]:
    """The declared outputs that are there, in the order of their declaration."""
    out: dict[str, Any] = {}
    if outcome.result is not None:
        out["result"] = outcome.result
    template = state.template_of(node)
    declared: Mapping[str, Any] = template.outputs if template is not None else {}
    if template is None or not (declared.get("parameters") or declared.get("artifacts")):
        return out
    if outcome.kind in (OutcomeKind.INPUT_ERROR, OutcomeKind.PLATFORM, OutcomeKind.CANCELLED):
        return out
    if template.has_tags and not template.is_plain(declared):
        frame_locals = state.leaf_locals(node, template)
        declared = restore(template, node.inputs, state.globals, frame_locals).sub(declared)
    parameters: list[dict[str, Any]] = []
    for parameter in declared.get("parameters") or ():
        name = parameter["name"]
        value = outcome.parameters.get(name)
        if value is None and phase is NodePhase.SUCCEEDED:
            value = (parameter.get("valueFrom") or {}).get("default")
        entry: dict[str, Any] = {"name": name}
        if value is not None:
            entry["value"] = value
        if parameter.get("globalName"):
            entry["globalName"] = parameter["globalName"]
        parameters.append(entry)
    artifacts: list[dict[str, Any]] = []
    for artifact in declared.get("artifacts") or ():
        key = outcome.artifacts.get(artifact["name"])
        if key is None:
            continue
        entry = {"name": artifact["name"], "key": key}
        if artifact.get("globalName"):
            entry["globalName"] = artifact["globalName"]
        if artifact.get("optional"):
            entry["optional"] = True
        artifacts.append(entry)
    if parameters:
        out["parameters"] = parameters
    if artifacts:
        out["artifacts"] = artifacts
    return out
