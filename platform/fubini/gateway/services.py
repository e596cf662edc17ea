"""What a sync means: reports are accepted, what the agent holds is compared with what it should hold.

Both directions are reconciled (rule 3): what the agent claims and the platform does not know is forgotten, what the
platform leased and the agent does not hold is offered again, and what it held and no longer holds without a result is
lost. Every verdict is final for the agent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from fubini.common import clock
from fubini.common.bulk import StaleRow, rows_update
from fubini.common.options import option
from fubini.datasets.services import replicas_apply
from fubini.gateway.specs import exec_specs
from fubini.runs.documents import WITH_DOCUMENTS
from fubini.runs.engine import LeafOutcome, OutcomeKind
from fubini.runs.models import Attempt, Lease
from fubini.runs.results import AttemptEnd, artifact_key, attempts_end
from fubini.runs.selectors import disks_done
from fubini.runs.transitions import ATTEMPT_ENDED, ATTEMPT_LIVE, attempts_move, leases_move, tasks_move
from fubini.sites.models import Agent
from fubini.sites.services import link_measured
from fubini_protocol.v1 import messages as wire

ORDER = {state: rank for rank, state in enumerate(ATTEMPT_LIVE)}
INFRA_CAUSES = frozenset({"node", "site", "data", "image", "preempted"})
RETRIES = 5
LINK_SAMPLE_BYTES = 4 << 20  # fewer bytes since the last measurement wait for company


def sync_handle(agent: Agent, request: wire.SyncRequest) -> wire.SyncReply:
    """Take one sync in: reports first, then the comparison. Retried when rows moved under it."""
    for turn in range(RETRIES):
        try:
            with transaction.atomic():
                return _sync_once(agent, request)
        except StaleRow:
            if turn == RETRIES - 1:
                raise
    raise AssertionError("unreachable")


def _sync_once(agent: Agent, request: wire.SyncRequest) -> wire.SyncReply:
    at_ms = clock.now_ms()
    agent.refresh_from_db(fields=["last_report", "last_sync_at", "session_id", "draining"])
    verdicts = reports_accept(agent, request.reports, at_ms=at_ms)
    if request.cache is not None:
        replicas_apply(
            site_id=agent.site_id,
            added=[(b.sha256, b.size) for b in request.cache.added],
            removed=list(request.cache.removed),
            full=request.cache.full,
        )
    reply, grew = _compare(agent, request, at_ms)
    _facts_note(agent, request, force=grew)
    said = {"verdicts": tuple(verdicts), "server_time_ms": at_ms, "drain": agent.draining}
    if request.disks:
        said["drop_disks"] = tuple(disks_done(request.disks))
    return reply.model_copy(update=said)


def sync_poll(agent: Agent, request: wire.SyncRequest) -> wire.SyncReply:
    """What is there to say now, without taking anything in: for the turns of a long poll."""
    at_ms = clock.now_ms()
    with transaction.atomic():
        reply, _ = _compare(agent, request, at_ms, renew=False)
    return reply.model_copy(update={"server_time_ms": at_ms, "drain": agent.draining})


def has_news(reply: wire.SyncReply) -> bool:
    return bool(
        reply.verdicts
        or reply.start
        or reply.cancel
        or reply.forget
        or reply.cache_resync
        or reply.drop_disks
        or reply.looks
    )


def reports_accept(agent: Agent, reports: Sequence[wire.Report], *, at_ms: int) -> list[wire.Verdict]:
    """Accept each report once; a verdict for each, in the given order."""
    if not reports:
        return []
    wanted = {r.attempt_id for r in reports}
    attempts = {
        a.pk: a
        for a in Attempt.objects.select_for_update(of=("self",))
        .select_related("task", *WITH_DOCUMENTS)
        .filter(pk__in=wanted)
    }
    verdicts: list[wire.Verdict] = []
    latest: dict[str, wire.Report] = {}
    for report in reports:
        attempt = attempts.get(report.attempt_id)
        kind, reason = _verdict(agent, attempt, report)
        verdicts.append(
            wire.Verdict(attempt_id=report.attempt_id, sequence=report.sequence, verdict=kind, reason=reason)
        )
        if kind is wire.VerdictKind.ACCEPTED and attempt is not None:
            newest = latest.get(report.attempt_id)
            if newest is None or report.sequence > newest.sequence:
                latest[report.attempt_id] = report
    moving: dict[str, list[Attempt]] = defaultdict(list)
    noted: list[Attempt] = []
    ends: list[AttemptEnd] = []
    for attempt_id, report in latest.items():
        attempt = attempts[attempt_id]
        attempt.last_sequence = report.sequence
        attempt.unknown_since_ms = None
        state = report.state.value
        if report.is_terminal:
            ends.append(_end_of(attempt, report, at_ms))
        elif ORDER[state] > ORDER[attempt.state]:
            if state == "running":
                attempt.started_at_ms = report.at_ms
            moving[state].append(attempt)
        else:
            noted.append(attempt)
    for state, rows in moving.items():
        attempts_move(rows, state, at_ms=at_ms, fields=["last_sequence", "unknown_since_ms", "started_at_ms"])
        if ORDER[state] >= ORDER["running"]:
            tasks_move(
                [a.task for a in rows if a.task.state == "placed" and a.task.fence == a.fence], "running", at_ms=at_ms
            )
    rows_update(noted, ["last_sequence", "unknown_since_ms"])
    attempts_end(ends, at_ms=at_ms)
    return verdicts


def _verdict(agent: Agent, attempt: Attempt | None, report: wire.Report) -> tuple[wire.VerdictKind, str]:
    kinds = wire.VerdictKind
    if attempt is None or attempt.agent_id != agent.pk or attempt.task_id != report.task_id:
        return kinds.REJECTED, "no such attempt of this agent"
    if report.fence != attempt.fence:
        return kinds.SUPERSEDED, f"the attempt's fence is {attempt.fence}"
    if report.state is wire.AttemptState.UNKNOWN:
        return kinds.REJECTED, "the state is not known to this version"
    if not 0 <= report.sequence < 2**31:
        return kinds.REJECTED, "the sequence is out of range"
    if report.sequence <= attempt.last_sequence:
        return kinds.ALREADY_ACCEPTED, ""
    if attempt.state in ATTEMPT_ENDED:
        return kinds.SUPERSEDED, f"the attempt ended as {attempt.state}"
    return kinds.ACCEPTED, ""


def _end_of(attempt: Attempt, report: wire.Report, at_ms: int) -> AttemptEnd:
    """A terminal report in the platform's words; a report that contradicts itself ends as the site's fault."""
    outcome = report.outcome
    state, cause = report.state.value, report.cause.value if report.cause else ""
    wall_ms = 0
    moved: tuple[int | None, int] = (None, 0)
    if outcome is not None:
        usage = outcome.usage
        attempt.exit_code = outcome.exit_code
        attempt.cpu_ms = max(0, usage.cpu_ms)
        attempt.peak_memory_bytes = max(0, usage.peak_memory_bytes)
        attempt.started_at_ms = outcome.started_ms or attempt.started_at_ms
        attempt.finished_at_ms = outcome.finished_ms or at_ms
        wall_ms = usage.wall_ms
        moved = (max(0, usage.downloaded_bytes), max(0, usage.uploaded_bytes))
    if report.provenance is not None:
        attempt.environment = report.provenance.model_dump(exclude_defaults=True, mode="json")
    if cause == "unknown":
        cause = "site"
    if attempt.task.state == "cancelled" and state in ("failed", "succeeded", "cancelled"):
        # The run gave up on it; the time it used is still paid for by whoever asked for it.
        return AttemptEnd(attempt, "cancelled" if state == "cancelled" else state, "", report.reason, None, {}, wall_ms)
    if state == "succeeded" and (
        outcome is None or outcome.kind is not wire.OutcomeKind.EXITED or outcome.exit_code != 0
    ):
        state, cause = "failed", "site"
    if state == "failed" and not cause:
        cause = "user" if outcome is not None and outcome.kind is wire.OutcomeKind.EXITED else "site"
    if state == "cancelled":
        state, cause = "failed", "site"  # nobody asked for it
    final = state == "succeeded" or (state == "failed" and cause not in INFRA_CAUSES)
    leaf: LeafOutcome | None = None
    artifacts: dict[str, list[dict[str, Any]]] = {}
    if final and outcome is not None:
        artifacts = {a.name: [e.model_dump(exclude={"url"}) for e in a.entries] for a in outcome.artifacts}
        leaf = LeafOutcome(
            kind=OutcomeKind(outcome.kind.value)
            if outcome.kind is not wire.OutcomeKind.UNKNOWN
            else OutcomeKind.PLATFORM,
            exit_code=outcome.exit_code,
            error=outcome.error,
            result=outcome.result,
            parameters=outcome.parameters,
            artifacts={name: artifact_key(attempt.task, name) for name in artifacts},
            started_ms=outcome.started_ms,
            finished_ms=outcome.finished_ms,
            containers=outcome.container_codes,
        )
    elif final:
        leaf = LeafOutcome(
            kind=OutcomeKind.PLATFORM, error=report.reason or f"the agent reported {cause} without an outcome"
        )
    message = report.reason or (outcome.error if outcome else "")
    return AttemptEnd(attempt, state, cause, message, leaf, artifacts, wall_ms, *moved)


def _compare(agent: Agent, request: wire.SyncRequest, at_ms: int, *, renew: bool = True) -> tuple[wire.SyncReply, bool]:
    """The difference between what is held and what should be, and whether the agent took something new.

    With `renew` off nothing is written: that is a look during a long poll, whose `held` is not news.
    """
    held = {h.attempt_id: h for h in request.held}
    reported = {r.attempt_id for r in request.reports}
    live = {
        a.pk: a
        for a in Attempt.objects.filter(agent_id=agent.pk, state__in=ATTEMPT_LIVE)
        .select_related("task", *WITH_DOCUMENTS)
        .order_by("pk")
    }
    leases = {x.pk: x for x in Lease.objects.filter(pk__in=live)}
    start, cancel, forget, extend = [], [], [], []
    newly_held: list[Lease] = []
    renewed: list[Lease] = []
    lost: list[AttemptEnd] = []
    lease_ms = option("LEASE_S") * 1000
    for attempt_id, attempt in live.items():
        lease = leases.get(attempt_id)
        if lease is None:
            continue  # it ended a moment ago, beside this look
        mine = held.get(attempt_id)
        if mine is not None and mine.fence == attempt.fence:
            if lease.state in ("granted", "expired"):
                lease.expires_at_ms = at_ms + lease_ms
                newly_held.append(lease)
            elif lease.expires_at_ms - at_ms < lease_ms * 2 // 3:
                lease.expires_at_ms = at_ms + lease_ms
                renewed.append(lease)
            if attempt.cancel_reason:
                cancel.append(
                    wire.CancelOrder(
                        attempt_id=attempt_id,
                        fence=attempt.fence,
                        reason=attempt.cancel_reason,
                        preempt=attempt.cancel_reason.startswith("preempt"),
                    )
                )
        elif attempt_id in reported:
            continue
        elif lease.state == "granted":
            if attempt.cancel_reason:
                state = "preempted" if attempt.cancel_reason.startswith("preempt") else "cancelled"
                lost.append(AttemptEnd(attempt, state, "", attempt.cancel_reason))
            elif not agent.draining:
                start.append(attempt)
        elif renew and not _older(agent, request):
            lost.append(AttemptEnd(attempt, "lost", "", "the agent no longer holds it and reported no end"))
    for attempt_id, mine in held.items():
        attempt_row = live.get(attempt_id)
        if attempt_row is None and attempt_id not in reported:
            forget.append(attempt_id)
        elif attempt_row is not None and mine.fence != attempt_row.fence:
            cancel.append(wire.CancelOrder(attempt_id=attempt_id, fence=mine.fence, reason="superseded"))
    if renew:
        leases_move(newly_held, "held", at_ms=at_ms, fields=["expires_at_ms"])
        rows_update(renewed, ["expires_at_ms"])
        extend = [
            wire.Extension(attempt_id=x.pk, fence=x.fence, expires_in_s=(x.expires_at_ms - at_ms) / 1000)
            for x in [*newly_held, *renewed]
        ]
        _tasks_lock(lost)
        attempts_end(lost, at_ms=at_ms)
    specs = exec_specs(agent, start)
    reply = wire.SyncReply(
        start=tuple(
            wire.LeaseOffer(
                lease_id=a.pk,
                attempt_id=a.pk,
                task_id=a.task_id,
                fence=a.fence,
                expires_in_s=max(1.0, (leases[a.pk].expires_at_ms - at_ms) / 1000),
                spec=specs[a.pk],
            )
            for a in start
        ),
        cancel=tuple(cancel),
        forget=tuple(forget),
        extend=tuple(extend),
    )
    return reply, bool(newly_held)


def _tasks_lock(ends: Sequence[AttemptEnd]) -> None:
    if ends:
        fresh = {
            a.pk: a
            for a in Attempt.objects.select_for_update(of=("self",))
            .select_related("task", *WITH_DOCUMENTS)
            .filter(pk__in=[e.attempt.pk for e in ends])
        }
        for end in ends:
            end.attempt = fresh[end.attempt.pk]


def _older(agent: Agent, request: wire.SyncRequest) -> bool:
    """Was a later snapshot of this session's `held` taken in already? Then this one proves no absence."""
    seen = agent.last_report
    return seen.get("session") == request.session_id and int(seen.get("sync_seq", -1)) > request.sync_seq


def _link_note(agent: Agent, request: wire.SyncRequest) -> tuple[dict[str, Any], bool]:
    """What of the agent's transfers was taken in already, and whether this sync added to it.

    The agent's figures rise over its session, so a lost or repeated sync counts nothing twice.
    """
    seen: dict[str, Any] = agent.last_report.get("link") or {}
    if request.link is None:
        return seen, False
    before = seen if seen.get("session") == request.session_id else {"bytes": 0, "ms": 0}
    moved = request.link.downloaded_bytes - before["bytes"]
    busy_ms = request.link.busy_ms - before["ms"]
    if not LINK_SAMPLE_BYTES <= moved < 2**50 or not 0 < busy_ms < 2**40:
        return seen, False
    link_measured(site_id=agent.site_id, moved_bytes=moved, busy_ms=busy_ms)
    taken = {"session": request.session_id, "bytes": request.link.downloaded_bytes, "ms": request.link.busy_ms}
    return taken, True


def _facts_note(agent: Agent, request: wire.SyncRequest, *, force: bool) -> None:
    """Keep what the agent says about itself; the row is written at most once a second unless something changed.

    `force`: it took a lease with this sync, so no older snapshot may prove that lease's absence.
    """
    now = clock.now()
    fields = []
    if agent.session_id != request.session_id:
        agent.session_id, agent.boot_id, agent.version = request.session_id, request.boot_id, request.agent_version
        fields += ["session_id", "boot_id", "version"]
    if request.host is not None:
        agent.hardware = request.host.model_dump(mode="json")
        agent.private_root = request.host.private_root
        fields += ["hardware", "private_root"]
    if request.environments is not None:
        agent.environments = [e.model_dump(mode="json") for e in request.environments]
        fields.append("environments")
    newest = max(request.sync_seq, int(agent.last_report.get("sync_seq", -1))) if not fields else request.sync_seq
    # What this sync does not speak of stands as it was: only some carry the capacity.
    report: dict[str, Any] = {**agent.last_report, "session": request.session_id, "sync_seq": newest}
    report["link"], measured = _link_note(agent, request)
    if request.capacity is not None:
        report |= request.capacity.model_dump(mode="json")
    stale = agent.last_sync_at is None or (now - agent.last_sync_at).total_seconds() > 1
    news = agent.last_report.get("reason") != report.get("reason")
    if fields or stale or force or measured or news:
        agent.last_sync_at = now
        agent.last_report = report
        agent.save(update_fields=[*fields, "last_sync_at", "last_report"])
