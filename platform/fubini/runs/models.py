"""Runs, their nodes, tasks, attempts and leases: the rows everything stands on.

Identity: a run node is (run, node_id); a leaf in one generation is one task, unique (run, node_id, generation); an
infrastructure retry is another attempt of it. States and legal moves are in `transitions.py`, the only writer of `state`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models

from fubini.common.compact import CompactJSONField
from fubini.common.ids import IdField, PackedIdField, packed_primary_key


class Run(models.Model):
    id = packed_primary_key()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="runs")
    job_number = models.PositiveBigIntegerField(unique=True)
    name = models.CharField(max_length=120)
    engine = models.CharField(max_length=10, default="embedded")  # embedded | argo | batch
    pipeline_version = models.ForeignKey("fubini_pipelines.PipelineVersion", null=True, on_delete=models.SET_NULL)
    parameters = models.JSONField(default=dict)
    datasets = models.JSONField(default=dict)  # volume claim -> the version it means in this run: see `pins.py`
    state = models.CharField(max_length=10, default="pending")
    phase = models.CharField(max_length=10, default="Pending")
    message = models.TextField(blank=True, default="")
    outputs = models.JSONField(null=True)
    shutdown = models.CharField(max_length=10, blank=True, default="")
    suspended = models.BooleanField(default=False)
    generation = models.IntegerField(default=0)
    submitted_by = models.CharField(max_length=80)
    objective = models.CharField(max_length=10, blank=True, default="")
    priority = models.CharField(max_length=14, default="normal")
    max_cost_micros = models.BigIntegerField(null=True)
    settled_micros = models.BigIntegerField(default=0)
    held_micros = models.BigIntegerField(default=0)
    quote = models.JSONField(null=True)
    steps_total = models.PositiveIntegerField(default=0)
    steps_done = models.PositiveIntegerField(default=0)
    steps_failed = models.PositiveIntegerField(default=0)
    steps_reused = models.PositiveIntegerField(default=0)  # of those done: taken over from another run
    saved_micros = models.BigIntegerField(default=0)  # what those had cost when they ran
    created_at_ms = models.BigIntegerField(db_index=True)
    started_at_ms = models.BigIntegerField(null=True)
    finished_at_ms = models.BigIntegerField(null=True)
    engine_state = models.JSONField(default=dict)  # RunRecord.private
    engine_version = models.PositiveBigIntegerField(default=0)
    engine_failures = models.PositiveSmallIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)
    resubmit_of = models.CharField(max_length=32, blank=True, default="")
    parent = models.CharField(max_length=32, blank=True, default="")  # the run whose step made it
    parent_node = models.CharField(max_length=200, blank=True, default="")
    root = models.CharField(max_length=32, blank=True, default="")  # the run at the top, of which it is below
    depth = models.PositiveSmallIntegerField(default=0)
    reuse = models.JSONField(null=True)  # {"mode": any | run, "run": id, "plan": what a submit was told}; None = off
    deleted_at_ms = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-created_at_ms"], name="run_project_created"),
            models.Index(fields=["state"], name="run_state"),
            models.Index(fields=["parent"], condition=~models.Q(parent=""), name="run_parent"),
            models.Index(fields=["root"], condition=~models.Q(root=""), name="run_root"),
        ]


class RunManifest(models.Model):
    """The manifest a run was submitted with, and the library it may refer to; apart, for lists stay light."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="manifest")
    text = models.TextField()
    document = models.JSONField()
    library = models.JSONField(default=list)
    warnings = models.JSONField(default=list)
    import_rules = models.JSONField(default=dict)  # the project's, as they were at submit


class RunInput(models.Model):
    """What a run read that it did not make, one row a source however many steps read it (see `origin.links`).

    `key` is ``dataset/<name>@<version>``, another run's artifact, or ``run/<id>`` where results were taken over.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="inputs")
    key = models.CharField(max_length=500, db_index=True)
    source_run = PackedIdField(max_length=32, blank=True, default="")  # the run it is of; "" of a dataset

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="run_input_once")]
        indexes = [
            models.Index(fields=["source_run"], condition=~models.Q(source_run=""), name="run_input_source"),
        ]


class RunLabel(models.Model):
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="labels")
    key = models.CharField(max_length=63)
    value = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="run_label_once")]
        indexes = [models.Index(fields=["key", "value"], name="run_label_kv")]


class JobCounter(models.Model):
    """The last `job_number` given out; one row (id 1)."""

    last = models.PositiveBigIntegerField(default=0)


class RunNode(models.Model):
    """A node of the tree as Argo names it (`runs.engine.NodeRecord`); edges are kept with the child."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="nodes")
    node_id = models.CharField(max_length=200)
    name = models.TextField()
    display_name = models.TextField()
    type = models.CharField(max_length=10)
    phase = models.CharField(max_length=10, blank=True, default="")
    generation = models.IntegerField(default=0)
    boundary_id = models.CharField(max_length=200, blank=True, default="")
    template_name = models.CharField(max_length=256, blank=True, default="")
    message = models.TextField(blank=True, default="")
    parents = CompactJSONField(default=list)
    inputs = CompactJSONField(null=True)
    outputs = CompactJSONField(null=True)
    extra = CompactJSONField(default=dict)  # template_ref, template_scope, node_flag, private
    started_at_ms = models.BigIntegerField(null=True)
    finished_at_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node_id"], name="run_node_once")]
        indexes = [
            # What waits for a person; few of all nodes, and looked for on every home page.
            models.Index(
                fields=["run", "started_at_ms"],
                condition=models.Q(type="Suspend", phase="Running"),
                name="run_node_waits",
            )
        ]


class RunTimer(models.Model):
    """A tick the engine asked for."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="timers")
    key = models.CharField(max_length=250)
    at_ms = models.BigIntegerField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="run_timer_once")]


class RunRetention(models.Model):
    """What of an ended run goes at a time: the run itself, or its steps' logs. A retry takes the rows away."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="retention")
    kind = models.CharField(max_length=4)  # run | logs
    at_ms = models.BigIntegerField(db_index=True)
    only_succeeded = models.BooleanField(default=False)  # of logs: those of steps that succeeded

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "kind"], name="run_retention_once")]


class RunSignal(models.Model):
    """A person's action waiting for the engine: stop, terminate, suspend, resume, set, retry.

    `refused` is why the engine could not do it.
    A retry's row stays as the provenance of the generation it led to: what it changed, and what it was quoted at.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="signals")
    kind = models.CharField(max_length=10)
    payload = models.JSONField(default=dict)
    actor = models.CharField(max_length=80)
    at_ms = models.BigIntegerField()
    handled_at_ms = models.BigIntegerField(null=True, db_index=True)
    refused = models.TextField(blank=True, default="")
    generation = models.IntegerField(null=True)  # of a retry: the run's generation it leads to
    quote = models.JSONField(null=True)


class SharedDocument(models.Model):
    """Immutable JSON that many tasks or attempts refer to; `digest` is the SHA-256 of its text (see `documents`)."""

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=64, unique=True)
    content = CompactJSONField()


def _document_key() -> Any:
    return models.ForeignKey(SharedDocument, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)


def _shared(field: str, empty: Callable[[], Any] = dict) -> Any:
    """An attribute that reads a shared document's content (`empty` where there is none) and takes a new content for it."""

    def read(row: Any) -> Any:
        document: SharedDocument | None = getattr(row, field)
        return document.content if document is not None else empty()

    def write(row: Any, content: Any) -> None:
        setattr(row, field, SharedDocument(content=content) if content else None)

    return property(read, write)


class Task(models.Model):
    """One leaf to schedule. `waiting_for` is a set of reasons beside the state; `why` the last plan's reasons."""

    id = packed_primary_key()
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tasks", db_index=False)
    project_id = models.CharField(max_length=32)
    node_id = models.CharField(max_length=200)
    generation = models.IntegerField(default=0)
    kind = models.CharField(
        max_length=10, default="exec"
    )  # exec | allocation; http and data are performed by the platform itself
    group = models.CharField(max_length=64, blank=True, default="")
    index = models.IntegerField(null=True)
    template = models.CharField(max_length=256, blank=True, default="")
    spec = CompactJSONField()
    state = models.CharField(max_length=10, default="queued")
    waiting_for = CompactJSONField(default=list)
    # Thousands wait for the same reasons: a text of its own in each row would make the table several times as large.
    why_document = _document_key()
    why = _shared("why_document", list)
    why_since_ms = models.BigIntegerField(null=True)
    priority = models.CharField(max_length=14, default="normal")
    submitted_by = models.CharField(max_length=80)
    run_as = models.CharField(max_length=64, blank=True, default="")
    not_before_ms = models.BigIntegerField(null=True)
    fence = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=0)
    infra_failures = models.PositiveSmallIntegerField(default=0)
    preemptions = models.PositiveSmallIntegerField(default=0)
    avoid = CompactJSONField(default=list)  # node groups that failed it
    outcome = CompactJSONField(null=True)
    queued_at_ms = models.BigIntegerField()
    finished_at_ms = models.BigIntegerField(null=True)
    child_run = models.CharField(max_length=32, blank=True, default="")  # of kind child: the run it made or reads
    reuse_key = models.CharField(max_length=43, blank=True, default="")  # see `runs.reuse.keys`; "" = never reused
    reuse = CompactJSONField(
        null=True
    )  # {"from": {...}}: its result is another step's; {"why": ...}: it runs all the same
    engine_seen = models.BooleanField(default=True)  # False: the engine has not been told of the latest move

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node_id", "generation"], name="task_once")]
        indexes = [
            models.Index(fields=["run", "id"], name="task_run"),  # a run's tasks are paged by id
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["blocked", "queued", "placed", "running"]),
                name="task_live",
            ),
            models.Index(fields=["engine_seen"], condition=models.Q(engine_seen=False), name="task_unseen"),
            models.Index(fields=["state"], condition=models.Q(kind="child"), name="task_child"),
            models.Index(fields=["reuse_key"], condition=~models.Q(reuse_key=""), name="task_reuse"),
        ]


class RunPlace(models.Model):
    """The agent that a run's disks and daemons are at; made with the first lease that needs one, for good.

    `disks_done`: what the run's volumeClaimTemplates made there may be removed.
    """

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="place")
    agent = models.ForeignKey("fubini_sites.Agent", on_delete=models.PROTECT, related_name="+")
    site = models.ForeignKey("fubini_sites.Site", on_delete=models.PROTECT, related_name="+")
    disks_done = models.BooleanField(default=False)


class TaskHold(models.Model):
    """Who of the platform's own workers performs a task of its kind, and until when it is theirs alone."""

    task = models.OneToOneField(Task, primary_key=True, on_delete=models.CASCADE, related_name="hold")
    holder = models.CharField(max_length=32)
    held_until_ms = models.BigIntegerField()


class TaskDependency(models.Model):
    """`task` may start when `on` ended as `condition` says (afterok, afterany, afternotok, after)."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependencies")
    on = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependents")
    condition = models.CharField(max_length=12, default="afterok")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "on"], name="task_dependency_once")]


class Attempt(models.Model):
    """One try of a task at one site. `expires_at_ms` of its lease is server time.

    Thousands of attempts are placed for the same reasons, at the same prices, in the same environment: these three are
    shared documents behind plain attributes. Contents set here are stored by `documents.documents_keep`.
    """

    id = packed_primary_key()
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    run_id = PackedIdField(max_length=32)
    project_id = models.CharField(max_length=32)
    number = models.PositiveIntegerField()
    fence = models.PositiveIntegerField()
    site = models.ForeignKey("fubini_sites.Site", on_delete=models.PROTECT, related_name="+", db_index=False)
    agent = models.ForeignKey("fubini_sites.Agent", on_delete=models.PROTECT, related_name="attempts", db_index=False)
    pool = models.ForeignKey("fubini_sites.Pool", on_delete=models.PROTECT, related_name="+", db_index=False)
    node_group = models.ForeignKey("fubini_sites.NodeGroup", on_delete=models.PROTECT, related_name="+", db_index=False)
    node_index = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, default="leased")
    cause = models.CharField(max_length=10, blank=True, default="")
    message = models.TextField(blank=True, default="")
    unknown_since_ms = models.BigIntegerField(null=True)
    cancel_reason = models.CharField(max_length=120, blank=True, default="")
    cpu_millis = models.BigIntegerField()
    memory_bytes = models.BigIntegerField()
    devices = CompactJSONField(default=dict)
    walltime_s = models.PositiveIntegerField()
    rates_document = _document_key()
    rates = _shared("rates_document")  # the price version it was placed under
    placement_document = _document_key()
    placement = _shared("placement_document")  # why here, what else was considered, bytes to move
    last_sequence = models.IntegerField(default=-1)
    site_job_id = models.CharField(max_length=64, blank=True, default="")
    environment_document = _document_key()
    environment = _shared("environment_document")  # fingerprint of the image's environment, hardware, agent version
    exit_code = models.IntegerField(null=True)
    cpu_ms = models.BigIntegerField(null=True)
    peak_memory_bytes = models.BigIntegerField(null=True)
    leased_at_ms = models.BigIntegerField()
    started_at_ms = models.BigIntegerField(null=True)
    finished_at_ms = models.BigIntegerField(null=True)
    ended_at_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "fence"], name="attempt_fence_once"
            ),  # and so `number`: it is the fence
        ]
        # Its places are looked up only through a run or an agent; an index for each would be a third of what it takes.
        indexes = [
            models.Index(fields=["run_id", "id"], name="attempt_run"),
            models.Index(
                fields=["agent"],
                condition=models.Q(state__in=["leased", "staging", "submitted", "running", "finishing"]),
                name="attempt_live",
            ),
        ]


class FileLook(models.Model):
    """Somebody waits to see a step's files; `answer` is the agent's. Rows live for seconds (`looks.py`)."""

    id = IdField()
    agent_id = models.CharField(max_length=32)
    attempt_id = models.CharField(max_length=32)
    fence = models.PositiveIntegerField()
    path = models.TextField(blank=True, default="")
    offset = models.BigIntegerField(default=0)
    limit = models.PositiveIntegerField()
    asked_at_ms = models.BigIntegerField()
    told_at_ms = models.BigIntegerField(null=True)
    answer = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["agent_id"], condition=models.Q(answer__isnull=True), name="file_look_open")]


class Lease(models.Model):
    """One agent's time-bounded right to an attempt (its id is the attempt's): granted -> held -> expired | revoked.

    Once the attempt ends the row goes: its event says that the lease was released.
    """

    id = PackedIdField(max_length=32, primary_key=True)
    run_id = PackedIdField(max_length=32)
    agent_id = models.CharField(max_length=32)
    fence = models.PositiveIntegerField()
    state = models.CharField(max_length=10, default="granted")
    granted_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField()
    ended_at_ms = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["agent_id", "state"], condition=models.Q(state__in=["granted", "held"]), name="lease_live"
            ),
        ]


class Lock(models.Model):
    """A mutex or semaphore of a project, named as Argo names it. Made when first asked for, or when given a size.

    `size` is that of a database semaphore, set by people; of one whose size stands in a ConfigMap, the last that could
    be read there.
    """

    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="locks")
    kind = models.CharField(max_length=10)  # Mutex | ConfigMap | Database
    semaphore = models.BooleanField(default=False)
    resource = models.CharField(max_length=400)
    key = models.CharField(max_length=400, blank=True, default="")
    size = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "semaphore", "resource", "key"], name="lock_once")
        ]


class LockClaim(models.Model):
    """One lock that a node, or a run itself (`node_id` ""), holds or waits for; the rows of one wish share `claim`.

    `claim` sorts by the time of asking. `heard` is false while the engine has not been told of a grant.
    """

    id = models.BigAutoField(primary_key=True)
    claim = models.CharField(max_length=32)
    lock = models.ForeignKey(Lock, on_delete=models.CASCADE, related_name="claims")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="lock_claims")
    node_id = models.CharField(max_length=200, blank=True, default="")
    generation = models.IntegerField(default=0)
    position = models.PositiveSmallIntegerField(default=0)  # among the locks of its wish
    priority = models.IntegerField(default=0)
    created_at_ms = models.BigIntegerField()  # the run's
    asked_at_ms = models.BigIntegerField()
    held_at_ms = models.BigIntegerField(null=True)
    heard = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node_id", "lock"], name="lock_claim_once")]
        indexes = [
            models.Index(
                fields=["lock", "-priority", "created_at_ms", "claim"],
                condition=models.Q(held_at_ms=None),
                name="lock_claim_queue",
            ),
            models.Index(fields=["claim"], name="lock_claim_claim"),
            models.Index(fields=["heard"], condition=models.Q(heard=False), name="lock_claim_unheard"),
        ]


class MemoEntry(models.Model):
    """A result kept under a cache's name and a key (`memoize`), for the project's later runs."""

    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="memo_entries")
    cache = models.CharField(max_length=253)
    key = models.CharField(max_length=1000)
    outputs = models.JSONField(default=dict)
    run_id = models.CharField(max_length=32)
    node_id = models.CharField(max_length=200)
    created_at_ms = models.BigIntegerField()
    hit_at_ms = models.BigIntegerField()  # the last time it was found; at first when it was made
    hits = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "cache", "key"], name="memo_entry_once")]


class MemoArtifact(models.Model):
    """An artifact that an entry names: it is kept as long as the entry, also when its run is deleted."""

    entry = models.ForeignKey(MemoEntry, on_delete=models.CASCADE, related_name="artifacts")
    key = models.CharField(max_length=500, db_index=True)
