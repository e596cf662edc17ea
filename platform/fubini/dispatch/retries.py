"""Running failed steps again: what would run, what it would cost, and what the failed attempts advise to change.

Advice stands on measurements of the failed attempt alone: the peak of a step that was killed for memory, the walltime of
one that ran out of it. It is a proposal with its evidence; nothing is changed unless a person asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef

from fubini.common import clock
from fubini.common.errors import Conflict
from fubini.common.figures import size
from fubini.common.saying import ours, say
from fubini.dispatch.quotes import QuoteView, rehearsal_price
from fubini.manifests.import_rules import rules_from
from fubini.runs.engine import SignalKind
from fubini.runs.models import Attempt, Run, RunSignal, Task
from fubini.runs.registry import engine_of
from fubini.runs.signals import run_signal, signal_event

MIB = 1 << 20
STEP_BYTES = 256 * MIB  # proposals are whole steps of this
GROWTH = (3, 2)  # half as much again, of memory and of time
NEAR_LIMIT = (95, 100)  # a step killed (137) with this much of its memory in use was probably killed for it
FAILED_MAX = 2000  # attempts looked at
KILLED = 137


@dataclass(frozen=True, slots=True)
class Advice:
    """What the failed steps of one template say. `measured` and `asked` are bytes or seconds, as `what` says.

    `what` is memory_bytes, walltime_s, or "" where only the manifest or the command can be mended; `proposed` is None
    then. `evidence` is a sentence.
    """

    template: str
    nodes: int
    example: str
    cause: str
    what: str
    asked: int | None
    measured: int | None
    proposed: int | None
    evidence: str


@dataclass(frozen=True, slots=True)
class RetryProposal:
    """Before a retry: whether it fits the run, the quote of what would run, and advice by template."""

    refused: str
    generation: int
    quote: QuoteView | None
    advice: list[Advice] = field(default_factory=list)


def retry_proposal(*, run: Run, payload: Mapping[str, Any]) -> RetryProposal:
    """What a retry with `payload` would do, cost and had better change; writes nothing.

    Raises:
        Conflict: the run has not ended.
    """
    if run.finished_at_ms is None:
        raise Conflict(
            say(
                "Run {name} is {state}.",
                name=run.name,
                state=ours(run.state),
            ),
            next_step="Wait until it has ended, or cancel it, then retry.",
        )
    shell = engine_of(run.engine)
    rehearsal = shell.rehearse_signal(run, signal_event(SignalKind.RETRY, payload, clock.now_ms()))
    return RetryProposal(
        refused=rehearsal.refused,
        generation=run.generation + 1,
        quote=None
        if rehearsal.refused
        else rehearsal_price(run, rehearsal, rules=rules_from(run.manifest.import_rules)),
        advice=advice_of(run),
    )


def run_retry(*, run: Run, actor: str, payload: Mapping[str, Any]) -> RunSignal:
    """Retry a run; the quote it starts with is kept with the generation it leads to.

    Raises:
        Conflict: the run's state does not allow it, or a selector or option does not fit it.
    """
    quote: dict[str, Any] | None = None
    if run.finished_at_ms is not None:
        proposal = retry_proposal(run=run, payload=payload)
        if proposal.refused:
            raise Conflict(
                say("Run {name} cannot be retried so: {refused}.", name=run.name, refused=proposal.refused),
                next_step="Look at its nodes with `fubini run get RUN --nodes` and name them by a selector such as"
                " displayName=NAME, templateName=NAME or phase=Failed.",
            )
        if proposal.quote is not None:
            quote = proposal.quote.kept().to_json()
    return run_signal(run=run, kind="retry", actor=actor, payload=payload, quote=quote)


def advice_of(run: Run) -> list[Advice]:
    """What failed in the run's newest generation of each node, by template and cause; worst first. One query."""
    again = Task.objects.filter(run=run, node_id=OuterRef("task__node_id"), generation__gt=OuterRef("task__generation"))
    newer = Attempt.objects.filter(task=OuterRef("task"), number__gt=OuterRef("number"))
    last = (
        Attempt.objects.filter(~Exists(again), ~Exists(newer), run_id=run.pk, task__state="failed")
        .select_related("task")
        .defer("task__outcome", "task__why_document")
        .order_by("task__generation", "task_id")[:FAILED_MAX]
    )
    groups: dict[tuple[str, str], list[tuple[Task, Attempt]]] = {}
    for attempt in last:
        groups.setdefault((attempt.task.template, _kind(attempt)), []).append((attempt.task, attempt))
    found = [_advice(template, kind, some) for (template, kind), some in groups.items()]
    return sorted(found, key=lambda a: (-a.nodes, a.template, a.what))


def _kind(attempt: Attempt) -> str:
    """oom and walltime as the agent found; a kill close to the memory asked for counts as the former."""
    if attempt.cause in ("oom", "walltime"):
        return attempt.cause
    peak, asked = attempt.peak_memory_bytes or 0, attempt.memory_bytes
    if attempt.exit_code == KILLED and asked and peak * NEAR_LIMIT[1] >= asked * NEAR_LIMIT[0]:
        return "near"
    return attempt.cause or "user"


def _advice(template: str, kind: str, some: Sequence[tuple[Task, Attempt]]) -> Advice:
    def made(what: str, asked: int | None, measured: int | None, proposed: int | None, evidence: str) -> Advice:
        cause = "oom" if kind == "near" else kind
        return Advice(template, len(some), some[0][0].node_id, cause, what, asked, measured, proposed, evidence)

    attempts = [attempt for _, attempt in some]
    if kind in ("oom", "near"):
        worst = max(attempts, key=lambda a: max(a.peak_memory_bytes or 0, a.memory_bytes))
        peak, asked = worst.peak_memory_bytes or 0, worst.memory_bytes
        proposed = memory_proposed(peak, asked)
        said = (
            say("it peaked at {peak} of {asked}", peak=size(peak), asked=size(asked))
            if peak
            else say("it asked for {asked}", asked=size(asked))
        )
        how = ours("was killed for memory" if kind == "oom" else "was killed (exit code 137) near its memory limit")
        return made(
            "memory_bytes",
            asked,
            peak or None,
            proposed,
            say("{how}: {said}. Propose {proposed}.", how=how, said=said, proposed=size(proposed)),
        )
    if kind == "walltime":
        worst = max(attempts, key=lambda a: a.walltime_s)
        deadline = next((t.spec.get("deadline_s") for t, a in some if a is worst), None)
        if deadline is not None and deadline <= worst.walltime_s:
            return made(
                "", deadline, None, None,
                say(
                    "It ran out of the {seconds} s its activeDeadlineSeconds or timeout gives it: change the manifest.",
                    seconds=deadline,
                ),
            )  # fmt: skip
        proposed = -(-worst.walltime_s * GROWTH[0] // GROWTH[1])
        ran = None
        if worst.started_at_ms and worst.finished_at_ms:
            ran = (worst.finished_at_ms - worst.started_at_ms) // 1000
        return made(
            "walltime_s", worst.walltime_s, ran, proposed,
            say(
                "It ran out of its walltime of {seconds} s. Propose {proposed} s.",
                seconds=worst.walltime_s, proposed=proposed,
            ),
        )  # fmt: skip
    last = attempts[-1]
    if last.cause in ("user", ""):
        return made(
            "",
            None,
            None,
            None,
            say("The command itself failed (exit code {code}); its log says why.", code=last.exit_code)
            if last.exit_code is not None
            else "The command itself failed; its log says why.",
        )
    return made(
        "",
        None,
        None,
        None,
        say("It failed by the {cause}, by no fault of the step: run it again as it is.", cause=ours(last.cause)),
    )


def memory_proposed(peak_bytes: int, asked_bytes: int) -> int:
    """Half as much again as the larger of peak and request, in whole steps of 256 MiB."""
    wanted = max(peak_bytes, asked_bytes) * GROWTH[0]
    return -(-wanted // (GROWTH[1] * STEP_BYTES)) * STEP_BYTES
