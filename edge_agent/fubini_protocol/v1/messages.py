"""The messages of protocol v1: join, sync, logs, and the execution spec a lease carries.

Agents only call out:

* ``POST /agent/v1/join`` `JoinRequest` -> `JoinReply`; the one-use token is in the body.
* ``POST /agent/v1/sync`` `SyncRequest` -> `SyncReply`; ``Authorization: Bearer <credential>`` as in all calls below.
* ``POST /agent/v1/logs`` `LogsRequest` -> `LogsReply`.
* ``POST /agent/v1/secrets`` `SecretsRequest` -> `SecretsReply`, for an attempt whose spec says `needs_secrets`: asked when
  it is made ready, and again after a restart; never journalled, and refused once the attempt is over.
* ``POST /agent/v1/files`` `FilesAnswer` -> `FilesTaken`: what a `FilesAsk` of a sync's reply wanted to know of a step's
  working directory. An ask is repeated until it is answered or nobody waits for it; answering twice does no harm.
* blobs: ``GET`` an entry's `url` (signed), or ``GET``/``PUT`` ``<BlobAccess.url>/<sha256>`` with ``Authorization: Bearer
  <BlobAccess.token>``. URLs may be relative to the platform's base URL.

Rules a reader may rely on:

* Everything about an attempt carries (task_id, attempt_id, fence). Ids are opaque text.
* A sync carries the *full* set of attempts the agent holds; the reply is the difference, so a lost message heals. Two
  syncs may be in flight at once (a long poll and one that carries reports); `sync_seq` rises in the order the agent
  took their `held` snapshots, over the whole life of one `session_id`. A reply may repeat what an earlier reply said:
  starting, cancelling and forgetting are idempotent by (attempt_id, fence).
* An attempt enters `held` once the agent has journalled its lease and leaves it when the verdict on its terminal report
  has arrived (or it was forgotten). So: seen in `held` at n, absent at a later n, without a terminal report = lost.
* Reports are at-least-once, de-duplicated by (attempt_id, sequence). Sequences of one attempt rise and may skip: a fast
  step may report only its end, and the platform walks the states between. A terminal report is repeated until it
  gets a verdict, and every verdict is final.
* Durations (`*_s`) are relative to the receipt of the message that carries them; `*_ms` are the sender's wall clock,
  for display.
"""

from __future__ import annotations

import base64
import binascii
from typing import Optional

from pydantic import Field

from fubini_protocol.v1.base import Message, WireEnum

PROTOCOL_VERSION = 1

JOIN_PATH = "/agent/v1/join"
SYNC_PATH = "/agent/v1/sync"
LOGS_PATH = "/agent/v1/logs"
SECRETS_PATH = "/agent/v1/secrets"
FILES_PATH = "/agent/v1/files"

RESULT_MAX_BYTES = 256 * 1024
PARAMETER_MAX_BYTES = 256 * 1024
LOG_STREAM_MAX_BYTES = 10 * 1024 * 1024

Pairs = tuple[tuple[str, str], ...]


# --- enums --------------------------------------------------------------------------------------------------------


class AttemptState(WireEnum):
    LEASED = "leased"  # journalled; waits for its inputs' turn or for a free slot
    STAGING = "staging"
    SUBMITTED = "submitted"  # the site's batch system has it (never with the local driver)
    RUNNING = "running"
    FINISHING = "finishing"  # the command ended; outputs are on their way out
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    LOST = "lost"
    UNKNOWN = "unknown"


TERMINAL_STATES = frozenset(
    {
        AttemptState.SUCCEEDED,
        AttemptState.FAILED,
        AttemptState.CANCELLED,
        AttemptState.PREEMPTED,
        AttemptState.LOST,
    }
)


class Cause(WireEnum):
    """Whose fault a failed attempt was; who pays hangs on it."""

    USER = "user"
    OOM = "oom"
    WALLTIME = "walltime"
    PREEMPTED = "preempted"
    NODE = "node"
    SITE = "site"
    DATA = "data"
    IMAGE = "image"
    UNKNOWN = "unknown"


class OutcomeKind(WireEnum):
    """How an attempt ended; the same words as the platform's engine contract."""

    EXITED = "exited"
    TIMED_OUT = "timed_out"
    OUTPUT_ERROR = "output_error"
    INPUT_ERROR = "input_error"
    OOM = "oom"
    PLATFORM = "platform"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class WorkMode(WireEnum):
    PRIVATE = "private"  # own root: absolute paths work and do not touch the host
    IN_PLACE = "in_place"  # the user's own directory, as a batch system would
    UNKNOWN = "unknown"


class Stream(WireEnum):
    STDOUT = "stdout"
    STDERR = "stderr"
    MAIN = "main"  # both, in the order written, where the driver keeps only one
    UNKNOWN = "unknown"


class ContainerKind(WireEnum):
    INIT = "init"  # one after the other, before all others
    MAIN = "main"
    SIDECAR = "sidecar"  # beside the main ones, ended after them
    UNKNOWN = "unknown"


class VerdictKind(WireEnum):
    ACCEPTED = "accepted"
    ALREADY_ACCEPTED = "already_accepted"
    SUPERSEDED = "superseded"  # a newer fence exists: the attempt is over for this agent
    REJECTED = "rejected"  # makes no sense to the platform; final, the reason is logged
    UNKNOWN = "unknown"


# --- join ---------------------------------------------------------------------------------------------------------


class Device(Message):
    """A kind of accelerator as vendors name it (``nvidia.com/gpu``); `simulated` when it is declared, not found."""

    name: str
    count: int
    model: str = ""
    simulated: bool = False


class Environment(Message):
    """What an image name runs in on this host. `image` is the site file's key (a glob such as ``python:*``).

    `fingerprint` is ``sha256:<hex>`` over interpreter, packages and binaries; it stands for the image digest in cache
    keys.
    """

    image: str
    fingerprint: str
    interpreter: str = ""
    packages: str = ""  # sha256 over the sorted name==version lines
    package_count: int = 0


class HostFacts(Message):
    hostname: str
    machine_id: str  # stable id of the physical machine: agents that share it share its capacity
    boot_id: str = ""
    arch: str = ""
    cores: int = 0
    machine_slots: int = 0  # start slots shared with the machine's other agents; 0 = each agent minds only its own
    memory_bytes: int = 0
    disk_bytes: int = 0
    devices: tuple[Device, ...] = ()
    private_root: bool = False  # the kernel lets us give each step its own root
    container_groups: bool = False  # runs `ExecSpec.containers`
    run_disks: bool = False  # keeps `Volume.disk`
    shared_disks: tuple[str, ...] = ()  # names of `Volume.shared` that the site declares
    cgroups: bool = False
    kernel: str = ""
    python: str = ""


class Offer(Message):
    """What the agent lets the platform use: the host's facts under the caps its operator set."""

    cpu_millis: int
    memory_bytes: int
    disk_bytes: int = 0
    devices: tuple[Device, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    accelerator: str = ""  # the accelerator class label, "" = none
    accelerator_simulated: bool = False
    max_walltime_s: Optional[int] = None


class JoinRequest(Message):
    protocol_version: int
    token: str = Field(repr=False)
    agent_name: str
    acts_as: str = "service"
    agent_version: str = ""
    host: HostFacts
    offer: Offer
    environments: tuple[Environment, ...] = ()


class JoinReply(Message):
    agent_id: str
    credential: str = Field(repr=False)
    site: str = ""
    pool: str = ""
    sync_path: str = SYNC_PATH
    logs_path: str = LOGS_PATH
    lease_s: float = 60.0
    renew_s: float = 20.0
    wait_max_s: float = 25.0
    message: str = ""  # shown to the person who joined


# --- the execution spec -------------------------------------------------------------------------------------------


class Entry(Message):
    """One regular file of an artifact or dataset. `path` is relative, with ``/``; "" for a single-file artifact."""

    path: str = ""
    size: int
    sha256: str
    mode: int = 0o644
    url: str = ""  # signed; "" = ask `ExecSpec.download`


class InputArtifact(Message):
    """A file or directory to put at `path`. Exactly one of `raw` and `entries` is set, or `absent` (optional, missing).

    An artifact is a single file when it has exactly one entry whose path is "", else a directory. `mode` is applied to
    the file (or to the top directory's files when `recurse_mode`).
    """

    name: str
    path: str
    mode: Optional[int] = None
    recurse_mode: bool = False
    raw: Optional[str] = None
    entries: Optional[tuple[Entry, ...]] = None
    absent: bool = False


class OutputArtifact(Message):
    name: str
    path: str
    optional: bool = False


class OutputParameter(Message):
    """A file read back as text; `default` stands in for a missing file (None = missing is an error)."""

    name: str
    path: str
    default: Optional[str] = None


class Volume(Message):
    """A dataset (`entries`), a directory kept between attempts (`disk`, its id), a folder of the site that its file declares
    (`shared`, its name), or else empty scratch, at `mount_path`.

    `sub_path` picks a directory inside a disk, folder or scratch, made when it is missing; two mounts of one scratch `name` show
    the same directory. A disk is made when an attempt first names it and lives until `SyncReply.drop_disks` says its id.
    """

    name: str = ""
    mount_path: str
    read_only: bool = False
    entries: Optional[tuple[Entry, ...]] = None
    disk: str = ""
    shared: str = ""
    sub_path: str = ""
    size_bytes: int = 0  # the most that scratch or a disk may hold; 0 = not limited
    in_memory: bool = False  # scratch that need not outlive the command


class Container(Message):
    """One command of an attempt that has several. They share the attempt's root, artifacts and volumes.

    A main one starts when all in `after` have ended with 0, is not run (code 64) when one of them failed, and is run
    `runs` times at most until it ends with 0, `delay_s` apart.
    """

    name: str
    kind: ContainerKind = ContainerKind.MAIN
    image: str = ""
    argv: tuple[str, ...] = ()
    source: Optional[str] = None
    env: Pairs = ()
    working_dir: str = ""
    after: tuple[str, ...] = ()
    runs: int = 1
    delay_s: float = 0.0


class BlobAccess(Message):
    """Where blobs are read or written: ``<url>/<sha256>`` with the bearer `token`, for one attempt, for `expires_in_s`."""

    url: str
    token: str = Field(default="", repr=False)
    expires_in_s: Optional[float] = None


class DeviceCount(Message):
    name: str
    count: int


class ExecSpec(Message):
    """Everything an agent must know to run one attempt."""

    work_mode: WorkMode = WorkMode.PRIVATE
    run_as: str = ""  # "" or "service" = the agent's own user
    submitted_by: str = ""
    project: str = ""
    run: str = ""
    display_name: str = ""
    image: str = ""
    argv: tuple[str, ...] = ()
    source: Optional[str] = None  # script text: written to a file whose path is appended to argv
    env: Pairs = ()
    working_dir: str = ""
    artifacts_in: tuple[InputArtifact, ...] = ()
    artifacts_out: tuple[OutputArtifact, ...] = ()
    parameters_out: tuple[OutputParameter, ...] = ()
    volumes: tuple[Volume, ...] = ()
    needs_secrets: bool = False  # ask `SECRETS_PATH` before the start; what it prints is masked by what came
    secret_mounts: tuple[str, ...] = ()  # where files of secrets will stand; known early so that paths can be checked
    capture_result: bool = False
    exclusive: bool = False  # must never overlap another attempt: stopped when the lease runs out unrenewed
    cpu_millis: int = 1000
    memory_bytes: int = 0  # 0 = no limit
    disk_bytes: int = 0
    devices: tuple[DeviceCount, ...] = ()
    deadline_s: Optional[float] = None
    walltime_s: Optional[float] = None
    grace_s: float = 10.0  # between SIGTERM and SIGKILL
    log_max_bytes: int = LOG_STREAM_MAX_BYTES
    result_max_bytes: int = RESULT_MAX_BYTES
    parameter_max_bytes: int = PARAMETER_MAX_BYTES
    upload: Optional[BlobAccess] = None
    download: Optional[BlobAccess] = None
    labels: dict[str, str] = Field(default_factory=dict)
    #: Empty = one command. Else all commands; `argv`, `image` and so on repeat `principal`, whose output is the result.
    containers: tuple[Container, ...] = ()
    principal: str = ""


class LeaseOffer(Message):
    """The right to run one attempt. The agent may hold more leases than fit at once: it starts one when it has room."""

    lease_id: str
    attempt_id: str
    task_id: str
    fence: int
    expires_in_s: float
    spec: ExecSpec


# --- sync ---------------------------------------------------------------------------------------------------------


class HeldAttempt(Message):
    """What the keeper says of an attempt, asked for this very sync."""

    attempt_id: str
    task_id: str
    fence: int
    state: AttemptState
    state_since_ms: int = 0
    sequence: int = 0  # the attempt's newest report, sent or not
    keeper_alive: bool = False
    pid: Optional[int] = None
    started_ms: Optional[int] = None
    unknown_since_ms: Optional[int] = None


class ArtifactManifest(Message):
    """An output artifact as it was uploaded; a single file has one entry with path ""."""

    name: str
    entries: tuple[Entry, ...] = ()
    is_directory: bool = False


class Usage(Message):
    cpu_ms: int = 0
    peak_memory_bytes: int = 0
    wall_ms: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    downloaded_bytes: int = 0  # over the network; cache hits are not in it
    uploaded_bytes: int = 0
    staging_ms: int = 0
    finishing_ms: int = 0


class Outcome(Message):
    """How it ended, before the platform decides what that means."""

    kind: OutcomeKind
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    error: str = ""
    result: Optional[str] = None
    parameters: dict[str, str] = Field(default_factory=dict)
    artifacts: tuple[ArtifactManifest, ...] = ()  # optional absent ones are left out
    started_ms: Optional[int] = None
    finished_ms: Optional[int] = None
    usage: Usage = Field(default_factory=Usage)
    container_codes: dict[str, int] = Field(default_factory=dict)  # exit codes, of an attempt that has several


class Provenance(Message):
    """On what an attempt ran, recorded with its result."""

    agent_version: str = ""
    environment_image: str = ""
    environment_fingerprint: str = ""
    hardware: str = ""  # cpu model, or the accelerator's
    hostname: str = ""
    devices: tuple[str, ...] = ()


class Report(Message):
    """A move of one attempt. `outcome` and `provenance` come with terminal states; `cause` with every failed one."""

    sequence: int
    attempt_id: str
    task_id: str
    fence: int
    state: AttemptState
    at_ms: int
    cause: Optional[Cause] = None
    reason: str = ""
    outcome: Optional[Outcome] = None
    provenance: Optional[Provenance] = None

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL_STATES


class CachedBlob(Message):
    sha256: str
    size: int


class CacheReport(Message):
    """Changes of the site cache since the last sync that was answered; `full` when `added` is all there is."""

    full: bool = False
    added: tuple[CachedBlob, ...] = ()
    removed: tuple[str, ...] = ()


class Capacity(Message):
    free_disk_bytes: int = 0
    load_1m_millis: int = 0
    free_memory_bytes: int = 0
    accepting: bool = True  # False = wants no new lease; `reason` says why
    reason: str = ""


class LinkUse(Message):
    """What large blobs brought in over the site's link since the session began. Both figures only rise.

    `busy_ms` is the time during which at least one of them was on its way, so the quotient is the link's rate however
    many shared it. Small blobs are not counted: their time is the network's delay, not its width.
    """

    downloaded_bytes: int = 0
    busy_ms: int = 0


class SyncRequest(Message):
    protocol_version: int
    agent_id: str
    boot_id: str
    session_id: str  # one process life of the agent
    sync_seq: int
    mode: str = "full"
    wait_s: float = 0.0  # how long the platform may hold the answer back while it has nothing to say
    agent_version: str = ""
    held: tuple[HeldAttempt, ...] = ()
    reports: tuple[Report, ...] = ()
    cache: Optional[CacheReport] = None
    capacity: Optional[Capacity] = None
    link: Optional[LinkUse] = None  # with the sync that carries no reports
    host: Optional[HostFacts] = None  # with the first sync of a session, and when it changed
    offer: Optional[Offer] = None
    environments: Optional[tuple[Environment, ...]] = None
    disks: tuple[str, ...] = ()  # kept here and used by no held attempt; with a sync that carries no reports


class Verdict(Message):
    attempt_id: str
    sequence: int
    verdict: VerdictKind
    reason: str = ""


class CancelOrder(Message):
    attempt_id: str
    fence: int
    reason: str = ""
    preempt: bool = False  # the end is reported as preempted instead of cancelled


class Extension(Message):
    attempt_id: str
    fence: int
    expires_in_s: float


class FilesAsk(Message):
    """Somebody looks at a step's files: the directory or the file at `path`, which a step means as its command would.

    Of a file at most `limit` bytes from `offset` on, which counts from the end when it is negative.
    """

    ask_id: str
    attempt_id: str
    fence: int
    path: str = ""
    offset: int = 0
    limit: int = 64 * 1024


class SyncReply(Message):
    server_time_ms: int = 0
    verdicts: tuple[Verdict, ...] = ()
    start: tuple[LeaseOffer, ...] = ()
    cancel: tuple[CancelOrder, ...] = ()
    extend: tuple[Extension, ...] = ()
    forget: tuple[str, ...] = ()  # attempts the platform does not know: stop and drop them, report nothing
    drain: bool = False
    next_sync_s: Optional[float] = None
    drop_disks: tuple[str, ...] = ()  # nobody needs them any more
    cache_resync: bool = False  # the platform lost track: send the full cache next time
    message: str = ""
    looks: tuple[FilesAsk, ...] = ()


# --- logs ---------------------------------------------------------------------------------------------------------


class LogEncoding(WireEnum):
    UTF_8 = "utf-8"
    BASE64 = "base64"
    UNKNOWN = "unknown"


class LogChunk(Message):
    """Bytes of one stream from `offset` on. Build with `LogChunk.of`, read with `content()`.

    `skipped_bytes` > 0 marks a gap: that many bytes after this chunk will never be sent (the stream's limit).
    """

    attempt_id: str
    task_id: str
    fence: int
    stream: Stream
    offset: int
    data: str = ""
    encoding: LogEncoding = LogEncoding.UTF_8
    truncated: bool = False
    skipped_bytes: int = 0
    eof: bool = False
    container: str = ""  # "" = the attempt's only command, or its principal

    @classmethod
    def of(
        cls,
        content: bytes,
        *,
        attempt_id: str,
        task_id: str,
        fence: int,
        stream: Stream,
        offset: int,
        truncated: bool = False,
        skipped_bytes: int = 0,
        eof: bool = False,
        container: str = "",
    ) -> LogChunk:
        """A chunk with `content` as text where it is valid UTF-8, else as base64; either way no byte is changed."""
        try:
            data, encoding = content.decode("utf-8"), LogEncoding.UTF_8
        except UnicodeDecodeError:
            data, encoding = base64.b64encode(content).decode("ascii"), LogEncoding.BASE64
        return cls(
            attempt_id=attempt_id,
            task_id=task_id,
            fence=fence,
            stream=stream,
            offset=offset,
            data=data,
            encoding=encoding,
            truncated=truncated,
            skipped_bytes=skipped_bytes,
            eof=eof,
            container=container,
        )

    def content(self) -> bytes:
        """The bytes.

        Raises:
            ValueError: the encoding is unknown or the base64 text is broken.
        """
        if self.encoding is LogEncoding.UTF_8:
            return self.data.encode("utf-8")
        if self.encoding is LogEncoding.BASE64:
            try:
                return base64.b64decode(self.data, validate=True)
            except binascii.Error as exc:
                raise ValueError(f"log chunk at offset {self.offset} is not base64: {exc}") from exc
        raise ValueError(f"log chunk at offset {self.offset} has an unknown encoding")


class LogsRequest(Message):
    agent_id: str
    session_id: str
    chunks: tuple[LogChunk, ...] = ()


class NextOffset(Message):
    """Where the platform wants the stream to go on. `closed`: it wants no more of it (limit, old fence, unknown)."""

    attempt_id: str
    stream: Stream
    offset: int
    closed: bool = False
    container: str = ""


class LogsReply(Message):
    next: tuple[NextOffset, ...] = ()


# --- secrets ------------------------------------------------------------------------------------------------------


class SecretsRequest(Message):
    """Asked by the agent that holds the lease; the pair names the attempt, the credential the agent."""

    attempt_id: str
    fence: int


class SecretFile(Message):
    """A file at `mount_path`, below it at `path`, or at `mount_path` itself where `path` is ""; `content` is base64."""

    mount_path: str
    path: str = ""
    content: str = Field(repr=False)
    mode: int = 0o600


class ContainerSecrets(Message):
    """Variables of one container of a step that has several."""

    name: str
    env: Pairs = Field(default=(), repr=False)


class SecretsReply(Message):
    """What a step is to be given. `error`: why it cannot have it; the step's own fault, a sentence without values."""

    env: Pairs = Field(default=(), repr=False)
    containers: tuple[ContainerSecrets, ...] = ()
    files: tuple[SecretFile, ...] = ()
    values: tuple[str, ...] = Field(default=(), repr=False)  # base64; all values it was given, for masking
    error: str = ""


# --- files of a step ----------------------------------------------------------------------------------------------


class FileKind(WireEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    INPUT = "input"  # shown to the step at this place and not kept with its own files
    OTHER = "other"  # a device, pipe or socket: never opened
    UNKNOWN = "unknown"


class LookProblem(WireEnum):
    NONE = ""
    GONE = "gone"  # the attempt's files are not here (any more)
    MISSING = "missing"  # nothing is at this path
    REFUSED = "refused"  # it cannot be shown; `text` says why
    UNKNOWN = "unknown"


class FileSeen(Message):
    """One name of a directory, as it lies there: a link is not followed."""

    name: str
    kind: FileKind
    size: int = 0
    modified_ms: int = 0


class FilesAnswer(Message):
    """`entries` of a directory, sorted; or bytes of a file. The values of secrets are hidden in both, byte for byte."""

    ask_id: str
    attempt_id: str
    problem: LookProblem = LookProblem.NONE
    text: str = ""
    path: str = ""  # absolute, in the step's own root
    kind: FileKind = FileKind.UNKNOWN
    entries: tuple[FileSeen, ...] = ()
    truncated: bool = False  # the directory has more
    size: int = 0
    modified_ms: int = 0
    offset: int = 0
    content: str = ""  # base64
    live: bool = False  # the step may still write
    kept_until_ms: Optional[int] = None


class FilesTaken(Message):
    """The answer arrived, whether or not somebody still waits for it."""
