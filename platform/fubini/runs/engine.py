"""The contract between a run's engine and the platform.

Decides the words both sides use: what an engine tells the platform (`Step`: changed nodes, commands, timers)
and what the platform tells an engine (`Event`s, each with its time). Plain frozen data: no Django, no clock, no I/O,
so the embedded interpreter stays pure and the Argo bridge can speak the same words.

Times are integer milliseconds since the epoch (`*_ms`), durations seconds (`*_s`), money never appears here.
A *leaf* is a pod-like node; each leaf in one generation is one platform task, `(run, node_id, generation)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

NodeId = NewType("NodeId", str)


class NodeType(StrEnum):
    """Argo's node types, spelled as Argo spells them."""

    POD = "Pod"
    CONTAINER = "Container"
    STEPS = "Steps"
    STEP_GROUP = "StepGroup"
    DAG = "DAG"
    TASK_GROUP = "TaskGroup"
    RETRY = "Retry"
    SKIPPED = "Skipped"
    SUSPEND = "Suspend"
    HTTP = "HTTP"
    PLUGIN = "Plugin"


#: Nodes that stand for a platform task.
TASK_TYPES = frozenset({NodeType.POD, NodeType.HTTP})


class NodePhase(StrEnum):
    """Argo's phases, of nodes and of the workflow."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    ERROR = "Error"
    OMITTED = "Omitted"


FULFILLED = frozenset({NodePhase.SUCCEEDED, NodePhase.SKIPPED, NodePhase.FAILED, NodePhase.ERROR, NodePhase.OMITTED})


# --- what a leaf needs ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretRef:
    """One key of one of the project's secrets: names only, the value never passes through here."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class HttpHeader:
    """A header; its value is that of `secret` where there is one."""

    name: str
    value: str = ""
    secret: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """Where the platform fetches an input artifact from.

    `kind` is http (`url`), git (`url` is the repository) or s3 (`url` is ``host[:port]``). `archive`: "" unpacks a
    gzipped tar where it is one, as Argo does; none, tar and zip say it. `user` and `password` are basic credentials, or
    S3's access and secret key; `token` is S3's session token.
    """

    kind: str
    url: str
    headers: tuple[HttpHeader, ...] = ()
    revision: str = ""
    branch: str = ""
    depth: int = 0
    refspecs: tuple[str, ...] = ()
    single_branch: bool = False
    bucket: str = ""
    key: str = ""
    region: str = ""
    insecure: bool = False
    user: SecretRef | None = None
    password: SecretRef | None = None
    token: SecretRef | None = None
    archive: str = ""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request the platform makes for an `http` template; its answer's body is the leaf's result."""

    url: str
    method: str = "GET"
    headers: tuple[HttpHeader, ...] = ()
    body: str = ""
    body_base64: str = ""
    insecure: bool = False
    timeout_s: int = 30
    success_condition: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The paths below `below` in what `key` means, put through `transformations` (expressions over ``data``)."""

    key: str
    below: str = ""
    transformations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactInput:
    """One file or directory a leaf reads.

    Exactly one of `key`, `raw` is set, or neither when `optional` and absent. `key` is the logical artifact key
    (``<run>/<node_id>/<generation>/<name>`` or ``dataset/<name>@<version>``); `sub_path` picks inside it. With `remote`
    the platform fetches it under that key, once a run, before the leaf is queued.
    """

    name: str
    path: str
    key: str | None = None
    sub_path: str = ""
    raw: str | None = None
    optional: bool = False
    mode: int | None = None
    remote: RemoteSource | None = None


@dataclass(frozen=True, slots=True)
class ArtifactOutput:
    """One file or directory a leaf must leave behind; absent is an error unless `optional`."""

    name: str
    path: str
    optional: bool = False
    global_name: str | None = None


@dataclass(frozen=True, slots=True)
class ParameterOutput:
    """A small text file read back as a parameter; `default` stands in when the file is missing."""

    name: str
    path: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A place at a path: a dataset (`claim` is its name, ``methanol-v1``), a disk of the run, or else empty scratch.

    `disk` is the name of a volumeClaimTemplate: one directory a run, kept between its leaves. Two mounts of one scratch
    `name` in one leaf show the same directory.
    """

    name: str
    claim: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    disk: str = ""
    size_bytes: int = 0  # the most scratch or a disk may hold; 0 = not limited
    in_memory: bool = False  # scratch of `medium: Memory`


@dataclass(frozen=True, slots=True)
class SecretEnv:
    """A variable from a secret's `key`; with `key` "" every key of the secret, each variable named `prefix` + key."""

    variable: str
    secret: str
    key: str = ""
    prefix: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret's key as a file at `path` below its mount."""

    key: str
    path: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """A secret as read-only files under `mount_path`: `items`, or every key under its own name with `mode`.

    With `sub_path` the one file of that path is what stands at `mount_path`.
    """

    secret: str
    mount_path: str
    items: tuple[SecretFile, ...] = ()
    mode: int = 0o644
    sub_path: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """One `nodeSelector`/`nodeAffinity` condition: `key` `op` `values`; op is In | NotIn | Exists | DoesNotExist."""

    key: str
    op: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreferredTerm:
    """A soft affinity term: all requirements together are worth `weight` (1-100)."""

    weight: int
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Resources:
    """What one leaf asks for. `devices` maps a vendor's extended resource name to a count."""

    cpu_millis: int = 1000
    memory_bytes: int = 0
    disk_bytes: int = 0
    devices: tuple[tuple[str, int], ...] = ()


class ContainerKind(StrEnum):
    """INIT containers run one after the other before all others; SIDECARs beside the MAIN ones, and end with them."""

    INIT = "init"
    MAIN = "main"
    SIDECAR = "sidecar"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One command of a leaf that has several; they share the leaf's files, artifacts and volumes.

    A main container starts when all it depends on have ended with 0; it is run `runs` times at most until it ends
    with 0, `delay_ms` apart.
    """

    name: str
    kind: ContainerKind
    image: str
    argv: tuple[str, ...]
    source: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    dependencies: tuple[str, ...] = ()
    runs: int = 1
    delay_ms: int = 0
    secret_env: tuple[SecretEnv, ...] = ()


@dataclass(frozen=True, slots=True)
class ChildOutput:
    """A parameter read from a child run by a JSONPath; `default` stands in where that finds nothing."""

    name: str
    path: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class ChildRun:
    """A run this leaf makes (`create`) or reads (`get`), and on what it waits: `success` and `failure` are conditions on
    the run as an object; without either, the leaf is done once the run is there."""

    action: str
    manifest: str
    success: str = ""
    failure: str = ""
    outputs: tuple[ChildOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """All the platform must know to run one leaf, fully resolved: no tags are left in it.

    `argv` is command + args. When `source` is not None the agent writes it to a file and appends the file's path to
    `argv`. `env` holds literal pairs only, `secret_env` and `secret_files` names of secrets. `required` is an OR of ANDs
    (nodeSelector is folded into each term; an empty tuple means anywhere). `annotations` are the ``fubini.dev/*`` ones,
    resolved (keys without the prefix). `deadline_s` limits running time (Argo's activeDeadlineSeconds); `walltime_s` is
    what the scheduler reserves. `grace_s` is between SIGTERM and SIGKILL, None = the platform's own.
    `mapped` says what a project's import rules changed: (what, theirs, ours), what being image or node_label; ours is
    "" for a condition that was dropped. Engines leave it empty.

    `containers` is empty for a leaf of one command. Otherwise it holds all of them in the order of the manifest, and
    `argv`, `image`, `env`, `secret_env`, `source` and `working_dir` repeat the one whose result counts (``main``, or a
    set's last).
    With `http` or `listing` the platform performs the leaf itself, on no site, and the rest says nothing.
    A `daemon` is not waited for: it runs until it is cancelled. `beside_run`: it shares a disk or an address with
    other such leaves of its run, so all of them must run on one machine.
    """

    template: str
    image: str
    argv: tuple[str, ...]
    source: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    artifacts_in: tuple[ArtifactInput, ...] = ()
    artifacts_out: tuple[ArtifactOutput, ...] = ()
    parameters_out: tuple[ParameterOutput, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    secret_env: tuple[SecretEnv, ...] = ()
    secret_files: tuple[SecretFiles, ...] = ()
    capture_result: bool = False
    resources: Resources = field(default_factory=Resources)
    required: tuple[tuple[Requirement, ...], ...] = ()
    preferred: tuple[PreferredTerm, ...] = ()
    deadline_s: int | None = None
    grace_s: int | None = None
    walltime_s: int | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    containers: tuple[ContainerSpec, ...] = ()
    daemon: bool = False
    beside_run: bool = False
    http: HttpCall | None = None
    listing: Listing | None = None
    mapped: tuple[tuple[str, str, str], ...] = ()
    child: ChildRun | None = None  # the leaf is a run of its own; nothing else is set then


def principal_of(spec: TaskSpec) -> str:
    """The container whose output is a leaf's result: ``main``, or a set's last; "" for a leaf of one command."""
    mains = [c.name for c in spec.containers if c.kind is ContainerKind.MAIN]
    return "main" if "main" in mains else mains[-1] if mains else ""


# --- what came of a leaf ----------------------------------------------------------------------------------------


class OutcomeKind(StrEnum):
    """How a leaf ended, before the engine turns it into Argo's phase and message."""

    EXITED = "exited"  # the command ended by itself; see exit_code
    TIMED_OUT = "timed_out"  # deadline_s or walltime ran out
    OUTPUT_ERROR = "output_error"  # a declared output is missing or unreadable; `error` says which
    INPUT_ERROR = "input_error"  # an input could not be loaded; the command never ran
    OOM = "oom"  # killed for memory
    PLATFORM = "platform"  # infrastructure retries are used up; `error` says why
    CANCELLED = "cancelled"  # ended by stop, terminate or cancel


@dataclass(frozen=True, slots=True)
class LeafOutcome:
    """A leaf's final, accepted outcome.

    `parameters` are the declared output parameters that could be read; `artifacts` maps each output artifact's name
    to its logical key (optional absent ones are left out). `result` is the captured standard output. `containers` has
    the exit codes of those that ran, of a leaf with several; 143 and 137 are ends by SIGTERM and SIGKILL.
    """

    kind: OutcomeKind
    exit_code: int | None = None
    error: str = ""
    result: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    started_ms: int | None = None
    finished_ms: int | None = None
    containers: Mapping[str, int] = field(default_factory=dict)


# --- events: platform -> engine ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    at_ms: int


@dataclass(frozen=True, slots=True)
class LeafRunning:
    """A leaf's command runs; `address` is where leaves beside it reach what it serves."""

    at_ms: int
    node_id: NodeId
    generation: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class LeafDone:
    at_ms: int
    node_id: NodeId
    generation: int
    outcome: LeafOutcome


class SignalKind(StrEnum):
    STOP = "stop"  # running leaves end, onExit handlers still run
    TERMINATE = "terminate"  # everything ends, no handlers
    SUSPEND = "suspend"
    RESUME = "resume"  # of the run, or of the suspend nodes selected
    RETRY = "retry"  # failed/error -> running; raises the generation of the nodes run again
    SET = "set"  # outputs, message or phase of the suspend nodes selected, which otherwise go on waiting


@dataclass(frozen=True, slots=True)
class Change:
    """What a retry asks for in the place of what the manifest says; None or "" leaves a thing as it is.

    It holds for leaves opened after the retry and until the next one: for those the signal's selector picks, or, where
    it picks none, for every leaf of a template of which a leaf had failed.
    """

    memory_bytes: int | None = None
    walltime_s: int | None = None
    image: str = ""

    def __bool__(self) -> bool:
        return self.memory_bytes is not None or self.walltime_s is not None or bool(self.image)


@dataclass(frozen=True, slots=True)
class Signal:
    """A person's action. `selector` picks nodes (Argo's field selector: displayName=, name=, id=, templateName=, phase=);
    `outputs` are parameters supplied to a resumed suspend node; `message` is shown on it."""

    at_ms: int
    kind: SignalKind
    selector: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    phase: str = ""  # of SET: Succeeded, Failed or Error ends the nodes
    restart_successful: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    change: Change = field(default_factory=Change)


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer the engine asked for has come due."""

    at_ms: int
    key: str


@dataclass(frozen=True, slots=True)
class LockGranted:
    """All locks a `LockRequest` named are the holder's now."""

    at_ms: int
    holder: NodeId
    generation: int


@dataclass(frozen=True, slots=True)
class LockWaiting:
    """The locks are not free; a `LockGranted` follows one day. `lock` is the first that is not, `message` says so."""

    at_ms: int
    holder: NodeId
    generation: int
    lock: str
    message: str


@dataclass(frozen=True, slots=True)
class LockRefused:
    """One of the locks cannot be had at all; `message` says why. Nothing was taken."""

    at_ms: int
    holder: NodeId
    generation: int
    message: str


@dataclass(frozen=True, slots=True)
class MemoAnswer:
    """What the cache has for a `MemoLookup`: outputs (an entry without any has {}), None for a miss, or an error."""

    at_ms: int
    node_id: NodeId
    generation: int
    outputs: Mapping[str, Any] | None
    error: str = ""


Answer = LockGranted | LockWaiting | LockRefused | MemoAnswer
Event = Start | LeafRunning | LeafDone | Signal | Tick | Answer


# --- a step: engine -> platform ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node as it stands after an event; the persistent form of the tree, node by node.

    Edges are stored with the child (`parents`, in the order they were added) so that the record of a fan-out's parent
    does not grow. `outputs` has Argo's shape: {"parameters": [{"name","value"}], "artifacts": [{"name","key"}],
    "result", "exitCode"}; `memoization` is {"hit", "key", "cacheName"}, `waiting_for` the lock a node waits for.
    `private` is the engine's own, JSON-able, bounded; nobody else reads it.
    """

    id: NodeId
    name: str
    display_name: str
    type: NodeType
    phase: NodePhase | None
    generation: int
    boundary_id: NodeId | None = None
    template_name: str = ""
    template_ref: Mapping[str, Any] | None = None
    template_scope: str = ""
    message: str = ""
    parents: tuple[NodeId, ...] = ()
    inputs: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None
    node_flag: Mapping[str, bool] | None = None
    memoization: Mapping[str, Any] | None = None
    waiting_for: str = ""
    started_ms: int | None = None
    finished_ms: int | None = None
    private: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many seconds an ended run is kept (its ttlStrategy) and its steps' logs are (its podGC); None: no limit.

    `logs_of_succeeded` limits the latter to steps that succeeded.
    """

    run_s: int | None = None
    logs_s: int | None = None
    logs_of_succeeded: bool = False


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The run as a whole after an event; bounded in size, rewritten when it changed."""

    phase: NodePhase
    message: str = ""
    outputs: Mapping[str, Any] | None = None
    suspended: bool = False
    shutdown: str = ""  # "" | "Stop" | "Terminate"
    finished: bool = False
    drop_disks: bool = False  # what its volumeClaimTemplates made may go
    keep: Keep | None = None  # once it has ended; None: as long as the installation keeps runs
    private: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A leaf is ready: make the task (idempotent on run, node_id, generation)."""

    node_id: NodeId
    generation: int
    spec: TaskSpec


@dataclass(frozen=True, slots=True)
class CancelTask:
    """End a leaf's task; the engine has decided the node's fate already, a late outcome is dropped."""

    node_id: NodeId
    generation: int
    reason: str


class LockKind(StrEnum):
    """Where a lock's size comes from, spelled as Argo spells it in a lock's name."""

    MUTEX = "Mutex"
    CONFIG_MAP = "ConfigMap"
    DATABASE = "Database"


@dataclass(frozen=True, slots=True)
class LockName:
    """One lock: a mutex, or a semaphore whose size stands in a ConfigMap (`resource`, `key`) or in the database."""

    namespace: str
    kind: LockKind
    resource: str
    key: str = ""
    semaphore: bool = False

    @property
    def text(self) -> str:
        """The name as messages show it."""
        tail = f"/{self.key}" if self.kind is LockKind.CONFIG_MAP else ""
        return f"{self.namespace}/{self.kind.value}/{self.resource}{tail}"


RUN_HOLDER = NodeId("")  # the run itself, where its spec has `synchronization`


@dataclass(frozen=True, slots=True)
class LockRequest:
    """Take all of `locks` for a node, or for the run itself (`RUN_HOLDER`), or queue for them.

    Answered before any other event by `LockGranted`, `LockWaiting` or `LockRefused`; asking again changes nothing.
    """

    holder: NodeId
    generation: int
    locks: tuple[LockName, ...]
    priority: int = 0


@dataclass(frozen=True, slots=True)
class LockRelease:
    """The holder gives back what it holds and leaves every queue; no answer."""

    holder: NodeId
    generation: int


@dataclass(frozen=True, slots=True)
class MemoLookup:
    """Ask a cache for an entry not older than `max_age_ms`; answered before any other event by `MemoAnswer`."""

    node_id: NodeId
    generation: int
    cache: str
    key: str
    max_age_ms: int | None


@dataclass(frozen=True, slots=True)
class MemoSave:
    """Keep a node's outputs in a cache; no answer."""

    node_id: NodeId
    generation: int
    cache: str
    key: str
    outputs: Mapping[str, Any]


Command = OpenTask | CancelTask | LockRequest | LockRelease | MemoLookup | MemoSave


@dataclass(frozen=True, slots=True)
class Timer:
    """Ask for a `Tick(key)` at `at_ms`; None withdraws it. Same key again replaces."""

    key: str
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """Everything one event changed: the nodes (each once, in order of first change), the run, commands, timers.

    A node with no phase has left the tree (a retry removed it); its record keeps only name and generation. `refused`
    says why a `Signal` did not fit the run as it stands now; then nothing has changed.

    A step that ends in a question (`LockRequest`, `MemoLookup`) is not `settled`: it has commands only, and what else
    changed comes with the step that takes the last answer in. Whoever keeps the state keeps the events since the last
    settled step beside the records, or keeps nothing before that step.
    """

    nodes: tuple[NodeRecord, ...] = ()
    run: RunRecord | None = None
    commands: tuple[Command, ...] = ()
    timers: tuple[Timer, ...] = ()
    refused: str = ""
    settled: bool = True


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run brings beside its manifest.

    `parameters` override the manifest's arguments. `library` holds manifests the run may refer to, as parsed YAML
    (WorkflowTemplate, ClusterWorkflowTemplate, ConfigMap), already scoped to the project.
    """

    name: str
    namespace: str
    uid: str
    created_ms: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    library: tuple[Mapping[str, Any], ...] = ()
    artifact_prefix: str = ""  # logical keys are f"{artifact_prefix}/{node_id}/{generation}/{name}"
    max_nodes: int = 50_000
    max_items: int = 50_000
    max_depth: int = 100


# What a rehearsed leaf that was not really looked up leaves: a value that reads as an empty list and can be told from any
# other, and keys that name nothing. A leaf that shows either depends on a result that is not known yet.
UNKNOWN_VALUE = "[\t \t\t \t]"
UNKNOWN_KEY = "rehearsal/"

# Answers for leaves about to open in a rehearsal, each its node's name and specification: what came of it, or None where
# that is not known.
Foresight = Callable[[Sequence[tuple[str, TaskSpec]]], Sequence[LeafOutcome | None]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Leaves by template that have no answer, each with how many there were; `open_ended` when results could make more.

    `refused` says why a rehearsed signal does not fit the run; then there are no leaves. `levels`: template -> how many of
    its leaves open together, once those of the level before have ended; empty: nothing is known of their order.
    """

    leaves: tuple[tuple[TaskSpec, int], ...]
    open_ended: bool
    refused: str = ""
    levels: tuple[Mapping[str, int], ...] = ()
