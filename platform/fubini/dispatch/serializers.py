"""What the routes of planning take and give: quotes and explanations."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from fubini.common.saying import say, told
from fubini.dispatch.explain import RETRY
from fubini.pipelines.serializers import FindingOut, ManifestText, ParameterValues
from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer, SaidField, SaidJSONField
from fubini.runs.serializers.reuse import ReusePlanOut
from fubini.runs.services import OBJECTIVES, PRIORITIES
from fubini_scheduler.quota import LIMITS
from fubini_scheduler.trial import ChangeKind


class QuoteAsk(BodySerializer):
    project = serializers.CharField(max_length=64)
    manifest = ManifestText(required=False, help_text="The manifest's text; or name a `pipeline`.")
    pipeline = serializers.CharField(max_length=63, required=False, help_text="A pipeline's name or id.")
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    parameters = ParameterValues(default=dict)
    objective = serializers.ChoiceField(choices=OBJECTIVES, allow_blank=True, default="")
    priority = serializers.ChoiceField(choices=PRIORITIES, default="normal")
    name = serializers.CharField(
        max_length=120, allow_blank=True, default="", help_text="The run's name, as in a submit."
    )
    reuse = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="As in a submit: `any`, or a run's id."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("manifest" in attrs) == ("pipeline" in attrs):
            raise serializers.ValidationError("Give either `manifest` or `pipeline`.", code="either")
        return attrs


class RangeOut(ReplySerializer):
    """What steps would cost and take, from the low end to the high."""

    money_low_micros = serializers.IntegerField()
    money_high_micros = serializers.IntegerField()
    time_low_s = serializers.IntegerField()
    time_high_s = serializers.IntegerField()


class PoolRangeOut(RangeOut):
    pool = serializers.CharField()
    site = serializers.CharField()
    feasible = serializers.BooleanField()
    reason = SaidField(help_text="Why it cannot run here; empty when it can.")
    wait_s = serializers.IntegerField()
    bytes_to_move = serializers.IntegerField()
    steps = serializers.IntegerField(help_text="How many of the steps the quote's objective would place here.")


class StepRangeOut(ReplySerializer):
    template = serializers.CharField()
    count = serializers.IntegerField()
    count_known = serializers.BooleanField()
    samples = serializers.IntegerField(help_text="Past steps the times come from.")
    pools = PoolRangeOut(many=True)


class ChoiceRangeOut(RangeOut):
    """What an objective would make of it: low as expected, high with every step at the end of its walltime."""

    objective = serializers.ChoiceField(choices=OBJECTIVES)
    pools = serializers.ListField(child=serializers.CharField(), help_text="SITE/POOL, in the order of the steps.")
    left = serializers.IntegerField(help_text="Steps that would not start by themselves; they are not in the figures.")


class WholeRangeOut(RangeOut):
    """What it would come to with every step in this one pool."""

    pool = serializers.CharField()
    site = serializers.CharField()


class SavedRangeOut(RangeOut):
    """What running the steps that are taken over would cost and take now."""


class QuoteOut(RangeOut):
    """Its ranges are those of `objective`."""

    objective = serializers.ChoiceField(choices=OBJECTIVES, help_text="The one asked for; balanced where none was.")
    feasible = serializers.BooleanField(help_text="False: some step fits no pool; see `rows`.")
    bounded = serializers.BooleanField(help_text="False: how many steps there are depends on results; no upper bound.")
    steps = serializers.IntegerField()
    basis = SaidField(help_text="What the figures stand on, as a sentence.")
    available_micros = serializers.IntegerField(allow_null=True, help_text="What the project can still set aside.")
    rows = StepRangeOut(many=True)
    choices = ChoiceRangeOut(many=True, help_text="What each objective would come to; for a retry, that of its run alone.")
    pools = WholeRangeOut(many=True, help_text="Of the pools that can run every step, the cheapest five.")
    warnings = FindingOut(many=True)
    reuse = ReusePlanOut(allow_null=True, help_text="What would be reused; null when that was not asked for.")
    saved = SavedRangeOut(allow_null=True, help_text="With `reuse`: the range of what need not be paid again.")
    token = serializers.CharField(
        help_text="Names this quote in a submit of the same, which keeps it with the run; of a retry's quote empty."
    )


class AdviceOut(ReplySerializer):
    """What the failed steps of one template say about running them again."""

    template = serializers.CharField()
    nodes = serializers.IntegerField(help_text="How many of them failed so.")
    example = serializers.CharField(help_text="One of their node ids.")
    cause = serializers.CharField()
    what = serializers.CharField(
        help_text="memory_bytes or walltime_s; empty where a retry cannot change what is wrong."
    )
    asked = serializers.IntegerField(allow_null=True)
    measured = serializers.IntegerField(allow_null=True)
    proposed = serializers.IntegerField(allow_null=True)
    evidence = serializers.CharField()


class RetryProposalOut(ReplySerializer):
    refused = serializers.CharField(help_text="Why the retry does not fit the run; empty when it does.")
    generation = serializers.IntegerField(help_text="The run's generation it would lead to.")
    quote = QuoteOut(allow_null=True, help_text="Of what would still run, with the changes asked for.")
    advice = AdviceOut(many=True)


class StatusAgentOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    site = serializers.CharField()
    sync_age_ms = serializers.IntegerField(allow_null=True)
    draining = serializers.BooleanField()
    refuses = SaidField(
        help_text="Why it takes no new work (a full disk); empty when it does, or is drained."
    )


class StatusOut(ReplySerializer):
    ready = serializers.BooleanField(help_text="False: dispatch hangs or lags; `problems` says how.")
    cycle_age_ms = serializers.IntegerField(allow_null=True, help_text="Since the last scheduling cycle ended.")
    oldest_event_age_ms = serializers.IntegerField(allow_null=True, help_text="Of the oldest fact no engine has heard.")
    agents = StatusAgentOut(many=True)
    paused = serializers.CharField(help_text="The reason new work is paused everywhere; empty when it is not.")
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    cycle = serializers.JSONField(help_text="Figures of the last cycle.")
    problems = serializers.ListField(child=SaidField())


class WhyOut(ReplySerializer):
    task_id = serializers.CharField()
    node_id = serializers.CharField()
    template = serializers.CharField()
    state = serializers.CharField()
    sentence = SaidField()
    code = serializers.CharField(help_text="The binding reason's code; empty when it does not wait.")
    since_ms = serializers.IntegerField(allow_null=True)
    next_step = SaidField()
    waiting_for = serializers.ListField(child=serializers.CharField())
    reasons = serializers.ListField(child=SaidJSONField(), help_text="Per pool: code, sentence, figures.")
    placement = serializers.JSONField(allow_null=True, help_text="Where it is or was, and what else was considered.")
    mapped = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField(allow_blank=True)),
        help_text="What the project's import rules changed: what (image or node_label), theirs, ours.",
    )


_KINDS = [*(kind.value for kind in ChangeKind), RETRY]


class ChangeOut(ReplySerializer):
    """One change of an option; what `amount` and `word` mean follows from `kind`."""

    kind = serializers.ChoiceField(choices=_KINDS)
    amount = serializers.IntegerField(
        allow_null=True,
        help_text="Micros more (budget, run_limit), milli-cores, bytes, seconds, devices, or a quota's new limit; null: none.",
    )
    word = serializers.CharField(
        allow_blank=True,
        help_text="The objective or priority; of devices, their kind; of a retry, what it changes; of a quota, of what it is"
        " (cores, accelerators, runs, storage, money).",
    )
    pool_id = serializers.CharField(allow_blank=True)
    pool = serializers.CharField(allow_blank=True)
    site = serializers.CharField(allow_blank=True)
    before = serializers.IntegerField(allow_null=True, help_text="What is asked for now; null: it has no such figure.")
    sentence = SaidField()
    allowed = serializers.BooleanField(help_text="You may make it.")
    who = SaidField(allow_blank=True, help_text="Who may, where you may not.")
    people = serializers.ListField(
        child=serializers.CharField(), help_text="Usernames of those of them whom you can see; five at most."
    )
    member = serializers.CharField(allow_blank=True, help_text="Whose quota; empty: the project's own.")


class OptionOut(ReplySerializer):
    changes = ChangeOut(many=True)
    sentence = SaidField()
    pool = serializers.CharField(allow_blank=True, help_text="Where it would start.")
    site = serializers.CharField(allow_blank=True)
    price_micros = serializers.IntegerField(allow_null=True)
    hold_micros = serializers.IntegerField(allow_null=True)
    allowed = serializers.BooleanField(help_text="You may make all of its changes.")


class ExpectedStartOut(ReplySerializer):
    at_ms = serializers.IntegerField(allow_null=True, help_text="Server time; null: no start is in sight.")
    low_ms = serializers.IntegerField(
        allow_null=True, help_text="Eight in ten start between these two; null: not known."
    )
    high_ms = serializers.IntegerField(allow_null=True)
    pool = serializers.CharField(allow_blank=True)
    site = serializers.CharField(allow_blank=True)
    basis = SaidField(help_text="What the figures stand on, as a sentence.")
    checked = serializers.IntegerField(
        help_text="Earlier predictions of this length that were compared with real starts."
    )
    samples = serializers.IntegerField(help_text="Places with measured run times of its template; 0: none.")
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    whole = serializers.BooleanField(help_text="The queue was simulated to this start, not estimated.")


class FailureOut(ReplySerializer):
    cause = serializers.CharField()
    sentence = SaidField()
    whose = serializers.CharField(help_text="step: it is charged; site: the site bears it.")
    exit_code = serializers.IntegerField(allow_null=True)
    log = serializers.ListField(child=serializers.CharField(allow_blank=True), help_text="Its last lines.")
    peak_memory_bytes = serializers.IntegerField(allow_null=True)
    memory_bytes = serializers.IntegerField(help_text="Asked for; 0: nothing was.")
    walltime_s = serializers.IntegerField()
    ran_ms = serializers.IntegerField(allow_null=True)
    attempts = serializers.IntegerField()


class TaskStartOut(ReplySerializer):
    """When a waiting step starts, and what would start it now; what made a failed one fail, and what to change."""

    task_id = serializers.CharField()
    state = serializers.CharField()
    starts_now = serializers.BooleanField(help_text="The next cycle places it as things are.")
    expected = ExpectedStartOut(allow_null=True)
    options = OptionOut(many=True, help_text="Each alone starts it now, or mends it; the smallest first.")
    complete = serializers.BooleanField(help_text="False: the search met its bound, there may be smaller ones.")
    like = serializers.IntegerField(help_text="Waiting steps of its run that ask for the same, itself among them.")
    failure = FailureOut(allow_null=True)
    asked_ms = serializers.IntegerField(
        allow_null=True, help_text="When you last asked those who may for a change of this run, within the hour."
    )


class ChangeAsk(BodySerializer):
    kind = serializers.ChoiceField(choices=_KINDS)
    amount = serializers.IntegerField(min_value=1, max_value=2**53, required=False)
    word = serializers.CharField(max_length=320, required=False, allow_blank=True)
    pool_id = serializers.CharField(max_length=32, required=False, allow_blank=True)
    member = serializers.CharField(max_length=64, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        words = {"objective": OBJECTIVES, "priority": PRIORITIES, "quota": tuple(LIMITS)}.get(attrs["kind"])
        if words is not None and attrs.get("word") not in words:
            raise serializers.ValidationError(
                {"word": told(say("One of {names}.", names=", ".join(words)))}, code="choice"
            )
        return attrs


class ChangesAsk(BodySerializer):
    changes = serializers.ListField(child=ChangeAsk(), min_length=1, max_length=6)
    like = serializers.BooleanField(
        default=True, help_text="Changes of the step hold for all waiting steps of its run that ask for the same."
    )


class AppealAsk(BodySerializer):
    changes = serializers.ListField(child=ChangeAsk(), min_length=1, max_length=6)


class AppealOut(ReplySerializer):
    people = serializers.IntegerField(help_text="How many were told.")
    at_ms = serializers.IntegerField()
    again_at_ms = serializers.IntegerField(help_text="When you may ask for this run again.")


class ChangesOut(ReplySerializer):
    done = serializers.ListField(child=SaidField(), help_text="What was changed, in sentences.")
    tasks = serializers.IntegerField(help_text="Waiting steps that ask for something else now.")


class RunWhyFilter(QuerySerializer):
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="How many tasks to explain.")


class RunWhyGroup(ReplySerializer):
    code = serializers.CharField()
    sentence = SaidField(help_text="Of the task that waits longest.")
    next_step = SaidField()
    tasks = serializers.IntegerField()
    since_ms = serializers.IntegerField(allow_null=True)


class RunWhyOut(ReplySerializer):
    state = serializers.CharField()
    sentence = SaidField()
    waiting = serializers.IntegerField(help_text="Tasks that are ready and not placed.")
    running = serializers.IntegerField()
    groups = RunWhyGroup(many=True, help_text="The reasons, most tasks first.")
    tasks = WhyOut(many=True, help_text="The tasks that wait longest, each with its own reasons.")
