"""A project at a glance: its home page in one answer, whose number of queries does not depend on how much it has.

Decides what comes first: what waits for an answer the asker may give, then late runs, then those that merely wait. Days are
accounting days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, Count, Exists, F, Max, Min, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Concat

from fubini.common import clock
from fubini.dispatch.models import RunOutlook
from fubini.dispatch.outlooks import late_first, verdict_of
from fubini.ledger.accounting import books, date_of
from fubini.ledger.selectors import BudgetView, DaySpend, balances_of, budget_view, spent_by_day
from fubini.pages.money import ForecastView, HeldUntil, forecast_of, history_from, with_holds
from fubini.projects.models import Project
from fubini.runs.models import Attempt, Run, RunNode, RunTimer, Task
from fubini.runs.selectors import runs_listed, runs_of
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini.sites.models import Pause, Pool
from fubini.sites.selectors import pools_of_project

DAYS: Final = 14
ATTENTION_MAX: Final = 10
ASKING_MAX: Final = 100  # steps looked at that wait for a person: several may be of one run
RECENT_MAX: Final = 10
QUARTER_MS: Final = 900_000
_LIVE_STATES: Final = (
    "blocked",
    "queued",
    "placed",
    "running",
)  # in the order of the index `task_live`, or it is not used


@dataclass(frozen=True, slots=True)
class Late:
    """How far a run is past its quote (`already`), or is expected to be at its end; `spent` is None until it was looked at."""

    already: bool
    by_ms: int
    quoted_ms: int
    took_ms: int
    spent: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A step that waits for a person, the one that does so longest; `more` of its run do, too. `may`: the asker may answer."""

    node_id: str
    step: str
    since_ms: int
    more: int
    may: bool


@dataclass(slots=True)
class Attention:
    """A run somebody should look at, and the sentence that says why."""

    run: Run
    code: str
    waiting: int
    since_ms: int | None
    late: Late | None = None
    answer: Answer | None = None


@dataclass(slots=True)
class PoolGlance:
    """What of a pool is in use; `sync_age_ms` of the agent heard of last (None: none ever)."""

    id: str
    name: str
    site: str
    kind: str
    paused_reason: str
    accelerator: str
    simulated: bool
    capacity_cpu_millis: int
    used_cpu_millis: int
    running: int
    sync_age_ms: int | None


@dataclass(slots=True)
class Overview:
    """`days` are dicts {day, succeeded, failed, error, live, spent_micros}, oldest first."""

    budget: BudgetView
    paused: str
    states: dict[str, int]
    days: list[dict[str, Any]]
    attention: list[Attention]
    recent: list[Run]
    pools: list[PoolGlance]
    forecast: ForecastView
    spent_week_micros: int = 0
    waiting: int = 0
    running: int = 0


def standing() -> dict[str, Any]:
    """What is read with the project itself (see `project_get`): its balances, and why all new work is paused."""
    return {
        **balances_of("pk"),
        "paused_everywhere": Subquery(Pause.objects.filter(pk=1).exclude(reason="").values("reason")),
    }


def overview_of(project: Any, *, may_answer: bool = False) -> Overview:
    """All of it, in a number of queries that does not depend on how much there is.

    Args:
        project: read with `standing`.
        may_answer: whether the asker may answer what waits for a person.
    """
    now_ms = clock.now_ms()
    budget = budget_view(project)
    past = spent_by_day(project.pk, from_day=min(history_from(now_ms), first_day(now_ms)))
    states, days = runs_by_day(project, past, now_ms)
    steps = _steps(project)
    attention, recent = _runs(project, steps, may_answer)
    use, held = _use(project, now_ms)
    return Overview(
        budget=budget,
        paused=project.paused_everywhere or project.paused_reason,
        states={state: states.get(state, 0) for state in ("pending", "running", "succeeded", "failed", "error")},
        days=days,
        attention=attention,
        recent=recent,
        pools=_pools(project, use, now_ms),
        forecast=forecast_of(project, budget, past, held),
        spent_week_micros=sum(d["spent_micros"] for d in days[-7:]),
        waiting=sum(one.waiting for one in steps.values()),
        running=sum(one.running for one in steps.values()),
    )


def first_day(now_ms: int) -> int:
    """The first of the days a home page shows."""
    return books().day_of(now_ms) - DAYS + 1


def runs_by_day(
    project: Project, past: dict[int, DaySpend], now_ms: int
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """All runs by state, and those of the last days by day; one query."""
    calendar = books()
    today = calendar.day_of(now_ms)
    first = first_day(now_ms)
    table = {
        day: {"succeeded": 0, "failed": 0, "error": 0, "live": 0, "spent_micros": 0} for day in range(first, today + 1)
    }
    states: dict[str, int] = {}
    # By quarter hours, of which every zone's days are made; what is older is one heap.
    recent = When(created_at_ms__gte=calendar.day_start_ms(first), then=F("created_at_ms") / QUARTER_MS)
    rows = (
        Run.objects.filter(project=project, deleted_at_ms=None)
        .annotate(quarter=Case(recent, default=None))
        .values_list("quarter", "state")
        .annotate(n=Count("pk"))
    )
    for quarter, state, n in rows:
        states[state] = states.get(state, 0) + n
        if quarter is None:
            continue
        counts = table.get(calendar.day_of(quarter * QUARTER_MS))
        if counts is not None:
            counts[state if state in counts else "live"] += n
    for day, found in past.items():
        if day in table:
            table[day]["spent_micros"] += found.spent_micros
    return states, [{"day": date_of(day).isoformat(), **counts} for day, counts in table.items()]


@dataclass(slots=True)
class _Steps:
    """Live steps of one run: since when the one that waits longest does, and for what."""

    waiting: int = 0
    running: int = 0
    since_ms: int | None = None
    code: str = ""


def _steps(project: Project) -> dict[str, _Steps]:
    """Live steps by run, counted where they are; one query."""
    live = Task.objects.filter(project_id=project.pk, run__deleted_at_ms=None)
    rows = (
        live.filter(state__in=_LIVE_STATES)
        .annotate(waits=Q(state__in=["queued", "blocked"]))
        .values_list("run_id", "waits", "why_document__content")
        .annotate(n=Count("pk"), since=Min(Coalesce("why_since_ms", "queued_at_ms")))
    )
    found: dict[str, _Steps] = {}
    for run_id, waits, why, count, since in rows:
        one = found.setdefault(run_id, _Steps())
        if not waits:
            one.running += count
            continue
        one.waiting += count
        if one.since_ms is None or since < one.since_ms:
            one.since_ms, one.code = since, str(why[0].get("code", "")) if why else ""
    return found


def _for_people() -> Any:
    """Steps that wait for a person, the longest waiting first: those with a duration go on by themselves."""
    timer = RunTimer.objects.filter(run=OuterRef("run"), key=Concat(Value("suspend:"), OuterRef("node_id")))
    nodes = RunNode.objects.filter(type="Suspend", phase="Running").exclude(Exists(timer))
    return nodes.order_by("started_at_ms", "id")


def _asked(run: Any, may: bool) -> Answer | None:
    """What a run read with `_runs`' annotations waits for a person to answer."""
    if run.asks_node is None or run.state not in ("pending", "running"):
        return None
    since_ms = run.created_at_ms if run.asks_since_ms is None else run.asks_since_ms
    return Answer(run.asks_node, run.asks_step, since_ms, run.asks - 1, may)


def _runs(project: Project, steps: dict[str, _Steps], may_answer: bool) -> tuple[list[Attention], list[Run]]:
    """The live runs with what holds each back, as `_first` orders them; and the newest runs. One query."""
    mine = runs_of([project.pk])
    since = {run_id: one.since_ms for run_id, one in steps.items() if one.since_ms is not None}
    longest = sorted(since, key=lambda run_id: since[run_id])[:200]
    now_ms = clock.now_ms()
    late = Q(pk__in=late_first(project.pk, now_ms, ATTENTION_MAX))
    asking = _for_people().filter(run__project=project, run__state__in=["pending", "running"], run__deleted_at_ms=None)
    answers = Q(pk__in=asking.values("run_id")[:ASKING_MAX])
    live = runs_of([project.pk], states=["pending", "running"]).filter(
        Q(pk__in=longest) | Q(suspended=True) | late | answers
    )
    newest = mine.order_by("-created_at_ms", "-id")[:RECENT_MAX]
    # By their keys alone: with the project beside them SQLite would look at all its runs. And by one set of keys: asked for this
    # one or that one, PostgreSQL looks at every run there is.
    keys = Run.objects.filter(pk__in=newest.values("pk")).values("pk").union(live.values("pk"))
    asked = _for_people().filter(run=OuterRef("pk"))
    rows = runs_listed(Run.objects.filter(pk__in=keys)).select_related("outlook")
    shown: list[Any] = list(
        rows.annotate(
            asks_node=Subquery(asked.values("node_id")[:1]),
            asks_step=Subquery(asked.values("display_name")[:1]),
            asks_since_ms=Subquery(asked.values("started_at_ms")[:1]),
            asks=Subquery(asked.order_by().values("run").annotate(n=Count("pk")).values("n")),
        )
    )
    answer = {run.pk: asks for run in shown if (asks := _asked(run, may_answer)) is not None}
    lateness = {run.pk: found for run in shown if (found := _late(run, now_ms)) is not None}
    held = [
        Attention(
            run,
            "suspended" if run.suspended else one.code,
            one.waiting,
            run.created_at_ms if one.since_ms is None else one.since_ms,
            lateness.get(run.pk),
            answer.get(run.pk),
        )
        for run in shown
        if run.state in ("pending", "running")
        and (run.suspended or run.pk in since or run.pk in lateness or run.pk in answer)
        for one in [steps.get(run.pk) or _Steps()]
    ]
    attention = sorted(held, key=_first)[:ATTENTION_MAX]
    return attention, sorted(shown, key=lambda run: (run.created_at_ms, run.pk), reverse=True)[:RECENT_MAX]


def _first(one: Attention) -> tuple[int, int, int, str]:
    """First what the asker may answer, the longest waiting; then late runs, the latest of them; then those about to be;
    then those that wait, the longest waiting."""
    if one.answer is not None and one.answer.may:
        return -1, 0, one.answer.since_ms, one.run.pk
    rank = 2 if one.late is None else 0 if one.late.already else 1
    return rank, -one.late.by_ms if one.late else 0, one.since_ms or 0, one.run.pk


def _late(run: Run, now_ms: int) -> Late | None:
    row: RunOutlook | None = getattr(run, "outlook", None)
    found = verdict_of(row, now_ms) if row is not None and run.state in ("pending", "running") else None
    if row is None or found is None:
        return None
    return Late(found.already, found.by_ms, row.quoted_ms or 0, max(0, now_ms - row.begun_ms), row.spent)


def _use(project: Project, now_ms: int) -> tuple[dict[str, tuple[int, int]], list[HeldUntil]]:
    """By pool the cores in use and the steps there, of all projects; and this one's holds. One query, by pool and hour."""
    rows = with_holds(Attempt.objects.filter(state__in=ATTEMPT_LIVE), project, now_ms)
    found = rows.values_list("pool_id", "until").annotate(
        Sum("cpu_millis"), Count("pk"), Sum("hold"), Sum("used"), Count("until")
    )
    use: dict[str, tuple[int, int]] = {}
    held: list[HeldUntil] = []
    for pool_id, until, cpu_millis, count, hold, used, steps in found:
        known = use.get(pool_id, (0, 0))
        use[pool_id] = (known[0] + cpu_millis, known[1] + count)
        if until is not None:
            held.append(HeldUntil(until, hold, used, steps))
    return use, sorted(held, key=lambda one: one.until_ms)


def _pools(project: Project, use: dict[str, tuple[int, int]], now_ms: int) -> list[PoolGlance]:
    """The project's pools with the sums of their groups and the newest word of their agents; one query."""
    groups: Any = Pool.node_groups.through.objects.filter(pool=OuterRef("pk"))
    agents: Any = Pool.agents.through.objects.filter(pool=OuterRef("pk"), agent__revoked_at=None)
    cores = groups.values("pool").annotate(n=Sum(F("nodegroup__nodes") * F("nodegroup__cpu_millis"))).values("n")
    faster = groups.exclude(nodegroup__accelerator="").order_by("nodegroup__name")
    pools = pools_of_project(project).select_related("site").order_by("site__preference", "name")
    rows: Any = pools.annotate(
        cpu_millis=Subquery(cores),
        accelerator=Subquery(faster.values("nodegroup__accelerator")[:1]),
        simulated=Exists(groups.filter(nodegroup__simulated=True)),
        synced_at=Subquery(agents.values("pool").annotate(n=Max("agent__last_sync_at")).values("n")),
    )
    return [
        PoolGlance(
            id=pool.pk,
            name=pool.name,
            site=pool.site.name,
            kind=pool.kind,
            paused_reason=pool.paused_reason,
            accelerator=pool.accelerator or "",
            simulated=pool.simulated,
            capacity_cpu_millis=pool.cpu_millis or 0,
            used_cpu_millis=use.get(pool.pk, (0, 0))[0],
            running=use.get(pool.pk, (0, 0))[1],
            sync_age_ms=now_ms - clock.to_ms(pool.synced_at) if pool.synced_at else None,
        )
        for pool in rows
    ]
