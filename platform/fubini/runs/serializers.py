"""What the run routes take and give. Times are milliseconds since the epoch (`*_ms`), money integer micros."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.pipelines.serializers import FindingOut, ManifestText, ParameterOut, ParameterValues, Texts
from fubini.rest.serializers import BodySerializer, CommaList, QuerySerializer, ReplySerializer, big
from fubini.runs.engine import NodePhase, NodeType
from fubini.runs.logs import READ_MAX_BYTES, STREAMS, log_tail
from fubini.runs.selectors import generations_of, labels_of, retention_times, warnings_of
from fubini.runs.services import OBJECTIVES, PRIORITIES

RUN_STATES = ["pending", "running", "succeeded", "failed", "error"]
PHASES = [phase.value for phase in NodePhase]
TASK_STATES = ["blocked", "queued", "placed", "running", "succeeded", "failed", "cancelled"]
ATTEMPT_STATES = [
    "leased", "staging", "submitted", "running", "finishing",
    "succeeded", "failed", "cancelled", "preempted", "lost",
]  # fmt: skip
CAUSES = ["user", "oom", "walltime", "preempted", "node", "site", "data", "image"]
ORDERINGS = [
    "-created_at_ms", "created_at_ms", "name", "-name", "job_number", "-job_number", "settled_micros", "-settled_micros",
]  # fmt: skip
TAIL_LINES = 20
COST_MAX = 2**53 - 1
FINAL_MAX = 1_000  # final artifacts in one answer


class Labels(Texts):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=50, value_max=120, **kwargs)


# --- runs ---


class RunFilter(QuerySerializer):
    project = serializers.CharField(required=False, max_length=64, help_text="Slug or id; default: all you can see.")
    state = CommaList(RUN_STATES, required=False, help_text=f"Some of {', '.join(RUN_STATES)}, by commas.")
    phase = CommaList(PHASES, required=False, help_text=f"Some of {', '.join(PHASES)}, by commas.")
    label = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(max_length=200),
        required=False,
        max_length=10,
        help_text="key=value or key; repeat it for more, all must hold.",
    )
    search = serializers.CharField(required=False, max_length=120, help_text="Part of a name, or a job number.")
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    submitted_by = serializers.CharField(required=False, max_length=80)
    pipeline = serializers.CharField(required=False, max_length=32, help_text="A pipeline's id.")
    parent_run = serializers.CharField(required=False, max_length=32, help_text="Only runs made by steps of this run.")
    ordering = serializers.ChoiceField(choices=ORDERINGS, default="-created_at_ms")


class RunSubmit(BodySerializer):
    project = serializers.CharField(max_length=64)
    manifest = ManifestText(required=False, help_text="The manifest's text; or name a `pipeline`.")
    pipeline = serializers.CharField(max_length=63, required=False, help_text="A pipeline's name or id.")
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, help_text="Default: newest.")
    name = serializers.CharField(max_length=120, allow_blank=True, default="")
    parameters = ParameterValues(default=dict)
    labels = Labels(default=dict)
    max_cost_micros = big(min_value=0, max_value=COST_MAX, allow_null=True, required=False)
    objective = serializers.ChoiceField(choices=OBJECTIVES, allow_blank=True, default="")
    priority = serializers.ChoiceField(choices=PRIORITIES, default="normal")
    reuse = serializers.CharField(
        max_length=64,
        allow_blank=True,
        default="",
        help_text="Take over the results of finished steps with the same inputs: `any` of the project, or a run's id.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("manifest" in attrs) == ("pipeline" in attrs):
            raise serializers.ValidationError("Give either `manifest` or `pipeline`.", code="either")
        if "version" in attrs and "pipeline" not in attrs:
            raise serializers.ValidationError(
                {"version": "A version is of a `pipeline`; there is none."}, code="either"
            )
        return attrs


class RunChange(BodySerializer):
    name = serializers.CharField(max_length=120, required=False)
    labels = Labels(required=False, help_text="Replaces all labels.")
    max_cost_micros = big(
        min_value=0, max_value=COST_MAX, allow_null=True, required=False, help_text="null takes the limit away."
    )


class SignalAsk(BodySerializer):
    """Nothing to say: the address says it."""


class ResumeAsk(BodySerializer):
    selector = serializers.CharField(
        max_length=1000,
        allow_blank=True,
        default="",
        help_text="Which suspended nodes, for example displayName=approve.",
    )
    outputs = ParameterValues(default=dict, help_text="Values for the node's supplied output parameters.")
    message = serializers.CharField(max_length=1000, allow_blank=True, default="")


class StopAsk(BodySerializer):
    selector = serializers.CharField(
        max_length=1000, allow_blank=True, default="", help_text="End only these suspended nodes, as Failed."
    )
    message = serializers.CharField(max_length=1000, allow_blank=True, default="")


class SetAsk(BodySerializer):
    """At least one of `outputs`, `message` and `phase`."""

    selector = serializers.CharField(max_length=1000, help_text="Which suspended nodes, such as displayName=approve.")
    outputs = ParameterValues(default=dict, help_text="Values for supplied output parameters; the nodes go on waiting.")
    message = serializers.CharField(max_length=1000, allow_blank=True, default="")
    phase = serializers.ChoiceField(
        choices=["Succeeded", "Failed", "Error"], allow_blank=True, default="", help_text="End the nodes so."
    )


class SignalOut(ReplySerializer):
    """What a person asked of a run, and what became of it."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    actor = serializers.CharField()
    at_ms = serializers.IntegerField()
    handled_at_ms = serializers.IntegerField(allow_null=True, help_text="null: the engine has not taken it up yet.")
    refused = serializers.CharField(help_text="Why it could not be done; then nothing has changed.")
    payload = serializers.JSONField(help_text="What was asked for.")


class RetryAsk(BodySerializer):
    selector = serializers.CharField(
        max_length=1000,
        allow_blank=True,
        default="",
        help_text="Nodes, for example templateName=train,phase!=Succeeded; by displayName, templateName, name, id, phase.",
    )
    restart_successful = serializers.BooleanField(
        default=False, help_text="Run the selected again even if they succeeded."
    )
    parameters = ParameterValues(default=dict)
    memory_bytes = big(min_value=1, max_value=COST_MAX, allow_null=True, required=False)
    walltime_s = serializers.IntegerField(min_value=1, max_value=366 * 86_400, allow_null=True, required=False)
    image = serializers.CharField(max_length=500, allow_blank=True, default="")


class ResubmitAsk(BodySerializer):
    parameters = ParameterValues(default=dict)
    memoized = serializers.BooleanField(
        default=False, help_text="Do not run again what succeeded; the run must have failed."
    )
    name = serializers.CharField(max_length=120, allow_blank=True, default="")


class PipelineRef(ReplySerializer):
    id = serializers.CharField(source="pipeline.pk")
    name = serializers.CharField(source="pipeline.name")
    version = serializers.IntegerField(source="number")


class RunOut(ReplySerializer):
    """A run in a list."""

    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    job_number = serializers.IntegerField()
    name = serializers.CharField()
    engine = serializers.CharField()
    pipeline = PipelineRef(source="pipeline_version", allow_null=True)
    state = serializers.ChoiceField(choices=RUN_STATES)
    phase = serializers.ChoiceField(choices=PHASES)
    message = serializers.CharField()
    shutdown = serializers.CharField(help_text="Stop or Terminate once a person asked for it, else empty.")
    suspended = serializers.BooleanField()
    generation = serializers.IntegerField()
    submitted_by = serializers.CharField()
    objective = serializers.CharField()
    priority = serializers.CharField()
    labels = serializers.SerializerMethodField()
    max_cost_micros = serializers.IntegerField(allow_null=True)
    settled_micros = serializers.IntegerField(help_text="Charged so far.")
    held_micros = serializers.IntegerField(help_text="Set aside for what runs now.")
    steps_total = serializers.IntegerField()
    steps_done = serializers.IntegerField()
    steps_failed = serializers.IntegerField()
    steps_reused = serializers.IntegerField(help_text="Of those done: taken over from an earlier run.")
    saved_micros = serializers.IntegerField(help_text="What those had cost when they ran.")
    created_at_ms = serializers.IntegerField()
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    version = serializers.IntegerField(help_text="Rises when a person changes the run; also in the ETag.")
    resubmit_of = serializers.CharField()
    parent_run = serializers.CharField(source="parent", help_text="The run whose step made this one; empty for most.")
    parent_node = serializers.CharField()

    def get_labels(self, row: Any) -> dict[str, str]:
        return labels_of(row)


class GenerationOut(ReplySerializer):
    """A retry: the generation it led to, and what it changed."""

    generation = serializers.IntegerField()
    at_ms = serializers.IntegerField()
    actor = serializers.CharField()
    changes = serializers.JSONField(
        source="payload",
        help_text="selector, restart_successful, parameters, memory_bytes, walltime_s, image as given.",
    )
    quote = serializers.JSONField(allow_null=True, help_text="Steps and money it was quoted at.")


class RunDetail(RunOut):
    """One run."""

    parameters = serializers.DictField(child=serializers.CharField())
    datasets = serializers.DictField(
        child=serializers.CharField(),
        help_text="Volume claim -> the dataset version it means in this run, retries included.",
    )
    outputs = serializers.JSONField(allow_null=True, help_text="The global outputs, in Argo's shape.")
    quote = serializers.JSONField(allow_null=True)
    warnings = serializers.SerializerMethodField(help_text="What the check of its manifest found and let pass.")
    delete_at_ms = serializers.SerializerMethodField(help_text="When its ttlStrategy deletes it; null: never.")
    logs_delete_at_ms = serializers.SerializerMethodField(
        help_text="When its podGC deletes logs of steps; null: never."
    )
    generations = serializers.SerializerMethodField(
        help_text="Its retries, oldest first: who, when, what they changed."
    )

    @extend_schema_field(FindingOut(many=True))
    def get_warnings(self, row: Any) -> list[dict[str, Any]]:
        return warnings_of(row)

    def get_delete_at_ms(self, row: Any) -> int | None:
        return retention_times(row).get("run")

    def get_logs_delete_at_ms(self, row: Any) -> int | None:
        return retention_times(row).get("logs")

    @extend_schema_field(GenerationOut(many=True))
    def get_generations(self, row: Any) -> list[dict[str, Any]]:
        if not row.generation and row.state not in ("succeeded", "failed", "error"):
            return []
        return [dict(GenerationOut(g).data) for g in generations_of(row)]


class ReuseExampleOut(ReplySerializer):
    name = serializers.CharField()
    why = serializers.CharField()
    job_number = serializers.IntegerField(allow_null=True, help_text="Of the run the result comes from.")
    node_name = serializers.CharField()
    run = serializers.CharField(default="", help_text="That run's id; empty where nothing is taken over.")


class ReuseRowOut(ReplySerializer):
    template = serializers.CharField()
    verdict = serializers.ChoiceField(
        choices=["reused", "runs", "later"], help_text="later: decided when its inputs are known."
    )
    count = serializers.IntegerField()
    saved_micros = serializers.IntegerField()
    saved_ms = serializers.IntegerField()
    examples = ReuseExampleOut(many=True)


class ReusePlanOut(ReplySerializer):
    """What is reused, what runs and why, and the money saved."""

    mode = serializers.CharField(help_text="any or run; empty: nothing is reused.")
    run_id = serializers.CharField()
    reused = serializers.IntegerField()
    runs = serializers.IntegerField()
    later = serializers.IntegerField()
    saved_micros = serializers.IntegerField(help_text="What the reused steps cost when they ran.")
    saved_ms = serializers.IntegerField()
    open_ended = serializers.BooleanField(help_text="How many steps there are depends on results.")
    rows = ReuseRowOut(many=True)


class RunReuseOut(ReplySerializer):
    """A run's reuse: what it was told at its submit, and what came of it so far."""

    planned = ReusePlanOut(allow_null=True)
    now = ReusePlanOut()


class ReusedOut(ReplySerializer):
    """Where a node's result comes from."""

    run = serializers.CharField()
    job_number = serializers.IntegerField()
    run_name = serializers.CharField()
    node = serializers.CharField()
    node_name = serializers.CharField()
    task = serializers.CharField()
    attempt = serializers.CharField()
    cost_micros = serializers.IntegerField(help_text="What it cost when it ran.")


class ManifestOut(ReplySerializer):
    text = serializers.CharField()
    warnings = FindingOut(many=True)
    parameters = ParameterOut(many=True)


# --- nodes ---


class NodeFilter(QuerySerializer):
    phase = CommaList(PHASES, required=False)
    type = CommaList([kind.value for kind in NodeType], required=False)
    template = serializers.CharField(required=False, max_length=256)
    search = serializers.CharField(required=False, max_length=200, help_text="Part of a display name.")
    boundary = serializers.CharField(required=False, max_length=200, help_text="Only what this node contains.")


class NodeOut(ReplySerializer):
    node_id = serializers.CharField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    type = serializers.CharField()
    phase = serializers.CharField(help_text="Empty while the node has none yet.")
    generation = serializers.IntegerField()
    boundary_id = serializers.CharField()
    template_name = serializers.CharField()
    message = serializers.CharField()
    parents = serializers.ListField(child=serializers.CharField(), help_text="The edges, kept with the child.")
    inputs = serializers.JSONField(allow_null=True)
    outputs = serializers.JSONField(allow_null=True)
    template_ref = serializers.SerializerMethodField(help_text="Where the template is, when it is not in the manifest.")
    node_flag = serializers.SerializerMethodField(
        help_text="hooked: started by a hook; retried: a try of a Retry node."
    )
    waiting_for = serializers.SerializerMethodField(help_text="The lock it waits for, as Argo names it; or empty.")
    memoization = serializers.SerializerMethodField(help_text="{hit, key, cacheName} of a step with memoize, or null.")
    daemoned = serializers.SerializerMethodField(help_text="It goes on beside what follows it.")
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    reused_from = serializers.SerializerMethodField(help_text="The step of another run whose result it is, or null.")

    child_run = serializers.SerializerMethodField(help_text="The run this step made or reads; empty for most.")

    def get_child_run(self, row: Any) -> str:
        return str(self.context.get("children", {}).get((row.node_id, row.generation), ""))

    @extend_schema_field(ReusedOut(allow_null=True))
    def get_reused_from(self, row: Any) -> dict[str, Any] | None:
        came = self.context.get("reused", {}).get((row.node_id, row.generation))
        return None if came is None else dict(ReusedOut(came).data)

    def get_waiting_for(self, row: Any) -> str:
        return str(row.extra.get("waiting_for", ""))

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_memoization(self, row: Any) -> dict[str, Any] | None:
        return row.extra.get("memoization")  # type: ignore[no-any-return]

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_template_ref(self, row: Any) -> dict[str, Any] | None:
        return row.extra.get("template_ref")  # type: ignore[no-any-return]

    @extend_schema_field(serializers.DictField(child=serializers.BooleanField()))
    def get_node_flag(self, row: Any) -> dict[str, bool]:
        return row.extra.get("node_flag") or {}

    def get_daemoned(self, row: Any) -> bool:
        return bool((row.extra.get("private") or {}).get("daemoned"))


class NodeCountOut(ReplySerializer):
    template = serializers.CharField()
    type = serializers.CharField()
    phase = serializers.CharField()
    count = serializers.IntegerField()
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)


class GraphNodeOut(ReplySerializer):
    """A node as a picture needs it; the columns from `task` on are a leaf's."""

    id = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=[kind.value for kind in NodeType])
    phase = serializers.ChoiceField(choices=PHASES)
    template = serializers.CharField()
    boundary = serializers.CharField()
    parents = serializers.ListField(child=serializers.CharField())
    message = serializers.CharField()
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    task = serializers.CharField(help_text="The task's id; empty where the node is no leaf.")
    task_state = serializers.ChoiceField(choices=["", *TASK_STATES])
    queued_at_ms = serializers.IntegerField(allow_null=True)
    waits_for = serializers.CharField(help_text="The binding reason's code while it waits.")
    attempts = serializers.IntegerField()
    site = serializers.CharField()
    pool = serializers.CharField()
    simulated = serializers.BooleanField(help_text="The accelerator class there is declared, not real.")
    leased_at_ms = serializers.IntegerField(allow_null=True, help_text="Of the newest attempt.")
    running_at_ms = serializers.IntegerField(allow_null=True)
    ended_at_ms = serializers.IntegerField(allow_null=True)
    charged_micros = serializers.IntegerField(help_text="Of all attempts.")


class GraphOut(ReplySerializer):
    total = serializers.IntegerField(help_text="Nodes of the tree.")
    truncated = serializers.BooleanField(help_text="True: `nodes` has only the first; `counts` tell the rest.")
    counts = NodeCountOut(many=True)
    nodes = GraphNodeOut(many=True)


# --- tasks and attempts ---


class AttemptFilter(QuerySerializer):
    state = CommaList(ATTEMPT_STATES, required=False)
    cause = serializers.ChoiceField(choices=CAUSES, required=False)
    site = serializers.CharField(required=False, max_length=48)


class AttemptOut(ReplySerializer):
    """One try of a task at one place."""

    id = serializers.CharField()
    task_id = serializers.CharField()
    number = serializers.IntegerField()
    fence = serializers.IntegerField()
    state = serializers.ChoiceField(choices=ATTEMPT_STATES)
    cause = serializers.CharField(help_text="Whose fault a failure was; empty when it succeeded.")
    message = serializers.CharField()
    site = serializers.CharField(source="site.name")
    pool = serializers.CharField(source="pool.name")
    agent = serializers.CharField(source="agent.name")
    node_group = serializers.CharField(source="node_group.name")
    accelerator = serializers.CharField(source="node_group.accelerator")
    simulated = serializers.BooleanField(
        source="node_group.simulated", help_text="The accelerator class is declared, not real."
    )
    cpu_millis = serializers.IntegerField()
    memory_bytes = serializers.IntegerField()
    devices = serializers.DictField(child=serializers.IntegerField())
    walltime_s = serializers.IntegerField()
    rates = serializers.JSONField(help_text="The prices it was placed under.")
    placement = serializers.JSONField(help_text="Why here, and what else was considered.")
    environment = serializers.JSONField(help_text="What it ran in: fingerprint, hardware, agent version.")
    site_job_id = serializers.CharField()
    exit_code = serializers.IntegerField(allow_null=True)
    cpu_ms = serializers.IntegerField(allow_null=True)
    peak_memory_bytes = serializers.IntegerField(allow_null=True)
    unknown_since_ms = serializers.IntegerField(allow_null=True)
    leased_at_ms = serializers.IntegerField()
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    ended_at_ms = serializers.IntegerField(allow_null=True)
    charged_micros = serializers.SerializerMethodField(help_text="What the project paid.")
    held_micros = serializers.SerializerMethodField(help_text="What is set aside for it now.")
    payer = serializers.SerializerMethodField(help_text="project or site, once it has ended.")

    def get_charged_micros(self, row: Any) -> int:
        hold = getattr(row, "hold_view", None)
        return hold.settled_micros if hold else 0

    def get_held_micros(self, row: Any) -> int:
        hold = getattr(row, "hold_view", None)
        return hold.amount_micros if hold and hold.state == "placed" else 0

    def get_payer(self, row: Any) -> str:
        hold = getattr(row, "hold_view", None)
        return str(hold.payer) if hold else ""


class TaskFilter(QuerySerializer):
    state = CommaList(TASK_STATES, required=False)
    template = serializers.CharField(required=False, max_length=256)
    node = serializers.CharField(required=False, max_length=200, help_text="A node's id.")
    waiting_for = serializers.ChoiceField(
        choices=["budget", "run_budget", "user", "approval", "pause", "fetch"], required=False
    )


class TaskOut(ReplySerializer):
    """One leaf to schedule, with where its newest attempt is."""

    id = serializers.CharField()
    run_id = serializers.CharField()
    node_id = serializers.CharField()
    display_name = serializers.SerializerMethodField()
    generation = serializers.IntegerField()
    template = serializers.CharField()
    state = serializers.ChoiceField(choices=TASK_STATES)
    waiting_for = serializers.ListField(child=serializers.CharField())
    why = serializers.ListField(
        child=serializers.JSONField(), help_text="The last plan's reasons, as codes and figures."
    )
    why_since_ms = serializers.IntegerField(allow_null=True)
    priority = serializers.CharField()
    submitted_by = serializers.CharField()
    infra_failures = serializers.IntegerField()
    preemptions = serializers.IntegerField()
    queued_at_ms = serializers.IntegerField()
    finished_at_ms = serializers.IntegerField(allow_null=True)
    attempts = serializers.SerializerMethodField(help_text="How many there were.")
    site = serializers.SerializerMethodField(help_text="Of the newest attempt; empty before the first.")
    pool = serializers.SerializerMethodField()
    attempt_state = serializers.SerializerMethodField()

    def get_display_name(self, row: Any) -> str:
        names: dict[str, str] = self.context.get("names", {})
        return names.get(row.node_id, str(row.node_id))

    def get_attempts(self, row: Any) -> int:
        return len(row.attempt_rows)

    def get_site(self, row: Any) -> str:
        return str(row.attempt_rows[-1].site.name) if row.attempt_rows else ""

    def get_pool(self, row: Any) -> str:
        return str(row.attempt_rows[-1].pool.name) if row.attempt_rows else ""

    def get_attempt_state(self, row: Any) -> str:
        return str(row.attempt_rows[-1].state) if row.attempt_rows else ""


class TaskDetail(TaskOut):
    """One task with its attempts, what it asked for and, after a failure, the end of what it printed."""

    spec = serializers.JSONField()
    outcome = serializers.JSONField(allow_null=True)
    attempt_list = AttemptOut(many=True, source="attempt_rows")
    log_tail = serializers.SerializerMethodField(help_text=f"After a failure, the last {TAIL_LINES} lines.")

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_log_tail(self, row: Any) -> list[str]:
        ended = [a for a in row.attempt_rows if a.state in ("failed", "lost", "preempted", "cancelled")]
        if row.state != "failed" and not ended:
            return []
        return log_tail(row.run_id, (ended or row.attempt_rows)[-1].pk, lines=TAIL_LINES) if row.attempt_rows else []


# --- logs ---


class LogFilter(QuerySerializer):
    stream = serializers.ChoiceField(choices=STREAMS, required=False, help_text="Default: the one that has most.")
    container = serializers.CharField(
        required=False, max_length=128, help_text="Of a step with several; default: the one whose output is its result."
    )
    attempt = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, help_text="Default: newest.")
    offset = big(min_value=0, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=READ_MAX_BYTES, default=256 * 1024)
    tail = serializers.IntegerField(
        min_value=1, max_value=READ_MAX_BYTES, required=False, help_text="Begin this many bytes before the end instead."
    )
    tail_lines = serializers.IntegerField(
        min_value=1, max_value=1_000_000, required=False, help_text="Begin this many lines before the end instead."
    )
    follow = serializers.IntegerField(
        min_value=0, max_value=25, default=0, help_text="Wait at most this many seconds for more than is there."
    )


class GapOut(ReplySerializer):
    offset = serializers.IntegerField()
    skipped_bytes = serializers.IntegerField()


class LogOut(ReplySerializer):
    attempt_id = serializers.CharField(help_text="Empty before the first attempt.")
    attempt = serializers.IntegerField()
    stream = serializers.CharField()
    streams = serializers.ListField(child=serializers.CharField(), help_text="Those that were written to.")
    container = serializers.CharField(help_text="Empty for a step of one.")
    containers = serializers.ListField(
        child=serializers.CharField(), help_text="All of a step with several, the one whose output is its result first."
    )
    offset = serializers.IntegerField()
    next_offset = serializers.IntegerField(help_text="Go on here.")
    size_bytes = serializers.IntegerField(help_text="Kept so far.")
    text = serializers.CharField(help_text="UTF-8; what is not is shown as replacement characters.")
    gaps = GapOut(many=True)
    eof = serializers.BooleanField(help_text="Nothing more will come: the attempt has ended and this is its end.")


# --- events, artifacts, outputs, costs ---


class EventFilter(QuerySerializer):
    topic = CommaList(["run", "node", "task", "attempt", "lease", "hold"], required=False)


class EventOut(ReplySerializer):
    id = serializers.IntegerField()
    at_ms = serializers.IntegerField()
    topic = serializers.CharField()
    kind = serializers.CharField()
    entity_id = serializers.CharField()
    generation = serializers.IntegerField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    actor = serializers.CharField()
    data = serializers.JSONField()  # type: ignore[assignment]


class ArtifactFilter(QuerySerializer):
    node = serializers.CharField(required=False, max_length=200, help_text="A node's id.")
    name = serializers.CharField(required=False, max_length=128)


class OutputsFilter(QuerySerializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=FINAL_MAX, default=200, help_text="How many artifacts to list at most."
    )


class FinalArtifactOut(ReplySerializer):
    name = serializers.CharField()
    key = serializers.CharField()
    node_id = serializers.CharField()
    display_name = serializers.CharField()
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=["global", "entrypoint", "unread"],
        help_text="Why it counts as final; unread: no step of the run read it.",
    )
    size_bytes = serializers.IntegerField()
    files = serializers.IntegerField()


class FinalParameterOut(ReplySerializer):
    name = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]


class OutputsOut(ReplySerializer):
    parameters = FinalParameterOut(many=True)
    artifacts = FinalArtifactOut(many=True)
    truncated = serializers.BooleanField(help_text="There are more final artifacts than `limit`.")


class CostRowOut(ReplySerializer):
    template = serializers.CharField()
    site = serializers.CharField()
    pool = serializers.CharField()
    attempts = serializers.IntegerField()
    failed = serializers.IntegerField()
    wall_ms = serializers.IntegerField()
    cpu_ms = serializers.IntegerField()
    charged_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()
    absorbed_attempts = serializers.IntegerField(help_text="Ended by no fault of the project; the site bore them.")
    simulated = serializers.BooleanField()


class CostsOut(ReplySerializer):
    settled_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()
    max_cost_micros = serializers.IntegerField(allow_null=True)
    rows = CostRowOut(many=True)


class TransferOut(ReplySerializer):
    id = serializers.CharField()
    attempt_id = serializers.CharField()
    site_id = serializers.CharField()
    direction = serializers.CharField()
    state = serializers.CharField()
    files = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    planned_at_ms = serializers.IntegerField()
    ended_at_ms = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
