"""Leaves: from a template to everything the platform needs to run it, and from what came of it to phase and message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import changes, containers, podpatch
from fubini.engines.embedded.environment import Environment
from fubini.engines.embedded.inhouse import http_verdict
from fubini.engines.embedded.process import EngineError, Processed, replace, restore, walk
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.remote import remote_key, remote_source, split_key
from fubini.engines.embedded.scope import VariableScope
from fubini.engines.embedded.secrets import secret_env, secret_files
from fubini.engines.embedded.tree import Node
from fubini.language import durations, quantities, tags
from fubini.language.errors import LanguageError
from fubini.runs.engine import (
    TASK_TYPES,
    ArtifactInput,
    ArtifactOutput,
    CancelTask,
    LeafOutcome,
    NodePhase,
    NodeType,
    OpenTask,
    OutcomeKind,
    ParameterOutput,
    PreferredTerm,
    Requirement,
    TaskSpec,
    VolumeMount,
)

if TYPE_CHECKING:
    from fubini.engines.embedded.frames import Call
    from fubini.engines.embedded.state import State

PREFIX = "fubini.dev/"
MAX_DEADLINE_S = 2**31 - 1
MAX_CACHE_NAME = 253  # characters of a ConfigMap's name, and of a key in it
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME_PATTERN = rf"{_LABEL}(\.{_LABEL})*"
_CACHE_NAME = re.compile(_NAME_PATTERN)
_NAME_RULE = (
    "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'example.com', regex used for validation is '{_NAME_PATTERN}')"
)
_MEMO_HELP = "Please check out this page for help: https://argo-workflows.readthedocs.io/en/latest/memoization/#faqs"
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


def open_leaf(state: State, node: Node, processed: Processed, call: Call) -> str:
    """Ask the platform to run a leaf; -> a message where it cannot even be asked."""
    if state.shutdown and not (state.shutdown == "Stop" and node.on_exit):
        state.mark(node, NodePhase.FAILED, f"workflow shutdown with strategy: {state.shutdown}")
        return ""
    try:
        patch = podpatch.patch_of(_patches(state, processed))
        deadline_s = _deadline(state, node, processed, patch)
        spec = task_spec(state, node, processed, call, deadline_s, patch)
    except (EngineError, LanguageError) as error:
        return error.message
    if deadline_s is not None and deadline_s <= 0:
        state.mark(node, NodePhase.FAILED, "Step exceeded its deadline")
        return ""
    state.command(OpenTask(node.id, node.generation, changes.applied(state, node, spec)))
    return ""


def _patches(state: State, processed: Processed) -> list[str]:
    """The workflow's patch and the template's over it, their variables resolved."""
    scope = VariableScope(state.globals, {**processed.values, "pod.name": processed.locals.get("pod.name", "")})
    shared = state.program.spec.get("podSpecPatch") or ""
    own = processed.template.body.get("podSpecPatch") or ""
    return [replace(shared, scope) if tags.OPEN in shared else shared, processed.leaf(own)]


# --- how long a leaf may be Pending -----------------------------------------------------------------------------

TIMED_OUT = "timeout"


def watch_pending(state: State, node: Node, processed: Processed) -> None:
    """Ask to be woken when the node has been Pending as long as `timeout` or `pendingTimeout` allow.

    Argo looks at the node that a step or task shows: attempts of a retry are not watched.
    """
    body = processed.template.body
    lengths: list[int] = []
    for field in ("timeout", "pendingTimeout"):
        text = processed.sub(body.get(field) or "")
        if text:
            try:
                lengths.append(durations.parse(text))
            except LanguageError:
                continue  # said where the leaf is opened
    if lengths:
        node.watched = True
        state.timer(f"pending:{node.id}", (node.started or state.now) + min(lengths) + 1)


def started(state: State, node: Node) -> None:
    """The leaf runs: it is watched by its own deadline from now on."""
    if node.watched:
        node.watched = False
        state.timer(f"pending:{node.id}", None)


def pending_too_long(state: State, node: Node) -> None:
    """The node's time to start is over."""
    node.watched = False
    if node.phase is not NodePhase.PENDING:
        return
    if node.type in TASK_TYPES and node.gate is None:
        state.command(CancelTask(node.id, node.generation, TIMED_OUT))
    state.mark(node, NodePhase.FAILED, TIMED_OUT, tell=False)
    owner = node.owner
    if owner is not None:
        state.work.append(lambda: owner.timed_out(node))


def _deadline(state: State, node: Node, processed: Processed, patch: podpatch.Patch) -> int | None:
    """Seconds a leaf may run.

    Raises:
        EngineError: the template's timeout leaves no time, or is none; or its deadline is none that a pod may have.
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
    if patch.active_deadline_s is not None:
        limit = patch.active_deadline_s
    if limit is not None and not 1 <= limit <= MAX_DEADLINE_S:
        pod = processed.locals.get("pod.name", node.name)
        raise EngineError(
            f'Pod "{pod}" is invalid: spec.activeDeadlineSeconds: Invalid value: {limit}: '
            f"must be between 1 and {MAX_DEADLINE_S}, inclusive"
        )
    return limit


# --- the specification ------------------------------------------------------------------------------------------


def task_spec(
    state: State, node: Node, processed: Processed, call: Call, deadline_s: int | None, patch: podpatch.Patch
) -> TaskSpec:
    """Everything the platform must know, with no tags left but those that never resolve.

    Raises:
        EngineError: a volume that does not exist, a variable nobody knows, two volumes at one path.
        LanguageError: a quantity or walltime that is none.
    """
    template = processed.template
    body = template.body
    found = containers.bodies(processed)
    principal = containers.roles_of(template).principal
    container = next((c for _, c in found if c.get("name") == principal), found[0][1])
    environment = Environment(state, node, processed)
    mounting = [c for _, c in found if c.get("volumeMounts")]
    volumes = _volumes(state, processed, mounting)
    annotations = _annotations(state, processed)
    walltime = annotations.get("walltime")
    required, preferred = placement(state, processed, patch)
    prefix = state.context.artifact_prefix
    inputs = tuple(_artifact_input(processed.leaf(artifact), prefix) for artifact in processed.artifacts)
    outputs = processed.leaf(template.outputs) if template.outputs else {}
    return TaskSpec(
        template=template.name,
        image=container.get("image") or "",
        argv=(*(container.get("command") or ()), *(container.get("args") or ())),
        source=container.get("source") if body.get("script") is not None else None,
        env=environment.of(container),
        working_dir=container.get("workingDir") or "",
        artifacts_in=inputs,
        artifacts_out=tuple(_artifact_output(a) for a in outputs.get("artifacts") or () if a.get("path")),
        parameters_out=tuple(
            ParameterOutput(p["name"], p["valueFrom"]["path"], p["valueFrom"].get("default"))
            for p in outputs.get("parameters") or ()
            if (p.get("valueFrom") or {}).get("path")
        ),
        volumes=volumes,
        secret_env=secret_env(container),
        secret_files=secret_files(mounting, _known_volumes(state, processed)) if mounting else (),
        capture_result=captured(call),
        resources=podpatch.leaf_resources(found, patch, _pod_resources(state, processed)),
        required=required,
        preferred=preferred,
        deadline_s=deadline_s,
        grace_s=patch.grace_s,
        walltime_s=durations.parse_walltime_s(walltime) if walltime else None,
        annotations=tuple(sorted(annotations.items())),
        containers=containers.container_specs(processed, found, environment),
        daemon=template.is_daemon,
        beside_run=template.is_daemon or any(v.disk for v in volumes) or state.has_daemon_around(node),
    )


def _pod_resources(state: State, processed: Processed) -> Mapping[str, Any]:
    """What a leaf asks for as a whole: the template's word instead of the workflow's."""
    found: Mapping[str, Any] = processed.sub(processed.template.body.get("podResources")) or {}
    return found or state.program.spec.get("podResources") or {}


def captured(call: Call) -> bool:
    """Whether the enclosing template mentions this leaf's result."""
    boundary = call.boundary
    if boundary is None or boundary.frame is None:
        return False
    name = call.slot or call.name.rpartition(".")[2]
    return name in boundary.frame.template.captured


def _artifact_input(artifact: Mapping[str, Any], prefix: str) -> ArtifactInput:
    key, below = artifact.get("key"), ""
    remote = remote_source(artifact) if key is None else None
    stored = artifact.get("s3")
    if key is None and isinstance(stored, Mapping):
        key, below = split_key(stored.get("key") or "")
    if remote is not None:
        key = remote_key(prefix, remote)
    raw = (artifact.get("raw") or {}).get("data") if isinstance(artifact.get("raw"), Mapping) else None
    mode = artifact.get("mode")
    return ArtifactInput(
        name=artifact["name"],
        path=artifact.get("path") or "",
        key=key,
        sub_path="/".join(part for part in (below, artifact.get("subPath") or "") if part),
        raw=raw,
        optional=bool(artifact.get("optional")),
        mode=int(mode) if mode is not None else None,
        remote=remote,
    )


def _artifact_output(artifact: Mapping[str, Any]) -> ArtifactOutput:
    return ArtifactOutput(
        name=artifact["name"],
        path=artifact["path"],
        optional=bool(artifact.get("optional")),
        global_name=artifact.get("globalName"),
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


def _volumes(state: State, processed: Processed, mounting: Sequence[Mapping[str, Any]]) -> tuple[VolumeMount, ...]:
    """Everything the containers of a leaf mount; they share their files, so a path can hold one volume."""
    mounts = [mount for container in mounting for mount in container.get("volumeMounts") or ()]
    if not mounts:
        return ()
    known = _known_volumes(state, processed)
    templates = state.program.spec.get("volumeClaimTemplates") or ()
    disks = {(c.get("metadata") or {}).get("name") or "": _storage(c) for c in templates}
    out: dict[str, VolumeMount] = {}
    for mount in mounts:
        name = mount["name"]
        volume = known.get(name)
        if volume is None and name not in disks:
            raise EngineError(f"volume '{name}' not found in workflow spec")
        if (volume or {}).get("secret") is not None:
            continue  # see `secret_files`
        source = (volume or {}).get("persistentVolumeClaim") or {}
        found = VolumeMount(
            name=name,
            claim=source.get("claimName") or "",
            mount_path=mount.get("mountPath") or "",
            read_only=bool(mount.get("readOnly") or source.get("readOnly")),
            sub_path=mount.get("subPath") or "",
            disk=name if volume is None else "",
            size_bytes=_size(disks[name] if volume is None else (volume.get("emptyDir") or {}).get("sizeLimit")),
            in_memory=((volume or {}).get("emptyDir") or {}).get("medium") == "Memory",
        )
        other = out.get(found.mount_path)
        if other is not None and (other.name, other.sub_path) != (name, found.sub_path):
            raise EngineError(
                f"volumes '{other.name}' and '{name}' are both mounted at {found.mount_path}: the containers of one "
                "step share their files here, so give one of them another path"
            )
        if other is None or other.read_only:  # writable for one container is writable for all
            out[found.mount_path] = found
    return tuple(out.values())


def _storage(claim: Mapping[str, Any]) -> Any:
    """What a volumeClaimTemplate asks for, as it is written."""
    return (((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}).get("storage")


def _size(written: Any) -> int:
    """A quantity of bytes; 0 where none is written.

    Raises:
        LanguageError: not a quantity.
    """
    return quantities.whole(any_string(written) or "0") if written not in (None, "") else 0


def _known_volumes(state: State, processed: Processed) -> dict[str, Mapping[str, Any]]:
    """The workflow's volumes and the template's own, by name."""
    scope = VariableScope(state.globals, processed.values)
    shared = walk(state.program.spec.get("volumes") or [], lambda text: replace(text, scope))
    known: dict[str, Mapping[str, Any]] = {v["name"]: v for v in shared}
    known.update({v["name"]: v for v in processed.sub(processed.template.body.get("volumes") or [])})
    return known


def placement(
    state: State, processed: Processed, patch: podpatch.Patch
) -> tuple[tuple[tuple[Requirement, ...], ...], tuple[PreferredTerm, ...]]:
    """Where a leaf may and would rather run: the template's own conditions, or the workflow's."""
    body, spec = processed.template.body, state.program.spec
    selector = {**(processed.sub(body.get("nodeSelector")) or spec.get("nodeSelector") or {}), **patch.node_selector}
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


def verdict(outcome: LeafOutcome, roles: containers.Roles, *, daemon: bool = False) -> tuple[NodePhase, str]:
    """Argo's phase and message for an outcome.

    Of several containers that failed one is named: init containers before the main ones, those before what could not
    be collected, sidecars last. A daemon must not end by itself, so its success is a failure without a message.
    """
    kind, code = outcome.kind, outcome.exit_code
    if kind in (OutcomeKind.EXITED, OutcomeKind.OUTPUT_ERROR) and outcome.containers:
        said = containers.init_failure(outcome, roles) or containers.main_failure(outcome, roles)
        if said:
            return NodePhase.FAILED, said
        if kind is OutcomeKind.EXITED:
            said = containers.sidecar_failure(outcome, roles)
            if said:
                return NodePhase.FAILED, said
            return (NodePhase.FAILED if daemon else NodePhase.SUCCEEDED), ""
        code = 0
    if kind is OutcomeKind.EXITED:
        if code == 0 or code is None:
            return (NodePhase.FAILED if daemon else NodePhase.SUCCEEDED), ""
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
    """Take over a leaf's outputs, phase and message. Whoever waited for a daemon has been told when it ran."""
    template = state.template_of(node)
    roles = containers.roles_of(template)
    if node.type is NodeType.HTTP:
        phase, message = http_verdict(outcome)
    else:
        phase, message = verdict(outcome, roles, daemon=template is not None and template.is_daemon)
    outputs = leaf_outputs(state, node, outcome, phase)
    code = containers.exit_code(outcome, roles)
    if outcome.kind is not OutcomeKind.INPUT_ERROR and code is not None:
        outputs["exitCode"] = str(code)
    node.outputs = outputs or None
    state.add_global_output(outputs)
    if outcome.started_ms is not None:
        node.started = outcome.started_ms
    if outcome.finished_ms is not None:
        node.finished = outcome.finished_ms
    containers.finish_containers(state, node, template, outcome)
    if node.daemoned:
        state.daemon_died(node, phase, message)
        return
    if phase is NodePhase.SUCCEEDED and node.memo is not None and (refused := unsavable(node.memo)):
        phase, message = NodePhase.ERROR, refused
    state.mark(node, phase, message)


def unsavable(memo: Mapping[str, Any]) -> str:
    """Why a leaf's result cannot be kept in its cache, which Argo finds out with the result in hand; "" where it can."""
    if "key" not in memo or memo.get("hit"):
        return ""
    key, cache = memo["key"], memo["cacheName"]
    if len(cache) > MAX_CACHE_NAME or not _CACHE_NAME.fullmatch(cache):
        why = f'metadata.name: Invalid value: "{cache}": a lowercase RFC 1123 subdomain must consist of {_NAME_RULE}'
        return f'could not save to config map cache: ConfigMap "{cache}" is invalid: {why}'
    if len(key) > MAX_CACHE_NAME:
        why = f'data[{key}]: Invalid value: "{key}": must be no more than {MAX_CACHE_NAME} characters'
        return f'error creating cache entry: ConfigMap "{cache}" is invalid: {why}. {_MEMO_HELP}'
    return ""


def leaf_outputs(state: State, node: Node, outcome: LeafOutcome, phase: NodePhase) -> dict[str, Any]:
    """The declared outputs that are there, in the order of their declaration."""
    out: dict[str, Any] = {}
    if outcome.result is not None:
        out["result"] = outcome.result
    if node.type is NodeType.HTTP:
        return out  # Argo's agent replaces whatever a template declares
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
        if value is None:
            value = parameter.get("value")
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
