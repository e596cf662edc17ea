"""A project's money in one answer: balances, spending by day and by something, what comes, months, price book.

Gathers the facts the pure forecast (`ledger.forecast`) computes with, and decides what counts as its past: the last
`TREND_DAYS` whole accounting days, or as many as there are since the first spending. Queries: a fixed number, all over
summaries and live rows, whatever the ledger's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db.models import (
    Avg,
    BigIntegerField,
    Case,
    Count,
    F,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Greatest, Least

from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.crons.due import coming, plan_of
from fubini.crons.models import Cron
from fubini.crons.selectors import facts_of
from fubini.language.errors import LanguageError
from fubini.ledger.accounting import Books, books, date_of, month_after, month_days, month_of_day, month_text
from fubini.ledger.forecast import DAY_MS, Committed, Facts, Range, RunsOut, Scheduled, Window, runs_out, window
from fubini.ledger.selectors import (
    BudgetView,
    ClosedView,
    DaySpend,
    SpendRow,
    budget_of,
    months_closed,
    placed_amount_of,
    spent_by,
    spent_by_day,
)
from fubini.pages.prices import PriceView, price_book
from fubini.projects.models import Project
from fubini.runs.models import Attempt, RunLabel
from fubini.runs.transitions import ATTEMPT_LIVE

TREND_DAYS: Final = 28
WEEK_DAYS: Final = 7
TICKS_MAX: Final = 400  # of one schedule; behind them its pace is taken
CRONS_MAX: Final = 200
HOUR_MS: Final = 3_600_000
PERIOD_DAYS_MAX: Final = 400
MONTHS_MAX: Final = 24


@dataclass(frozen=True, slots=True)
class Basis:
    """What a forecast stands on, for people to judge it by."""

    history_days: int
    settled_permille: int
    steps_held: int
    schedules: int
    schedules_unpriced: int


@dataclass(frozen=True, slots=True)
class ForecastView:
    """`week`: the seven days from now. `month_rest`: until the accounting month ends. `next_month`: the one after it."""

    currency: str
    zone: str
    month: str
    week: Window
    month_rest: Window
    next_month: Window
    spent_month_micros: int
    funds_micros: int
    runs_out: RunsOut
    runs_out_days: dict[str, str | None]
    basis: Basis


@dataclass(frozen=True, slots=True)
class MoneyView:
    """The page. `rows` are by `by`; `more`: there are more of them than shown."""

    currency: str
    zone: str
    budget: BudgetView
    from_day: str
    to_day: str  # exclusive
    days: list[DaySpend]
    by: str
    label: str
    labels: list[str]
    rows: list[SpendRow]
    more: bool
    forecast: ForecastView
    months: list[dict[str, Any]]
    prices: list[PriceView] = field(default_factory=list)


def money_of(
    project: Project, *, from_day: int | None = None, to_day: int | None = None, by: str = "step", label: str = ""
) -> MoneyView:
    """A project's money page; without a period, the last thirty accounting days.

    Raises:
        Invalid: the period ends before it begins, or is longer than `PERIOD_DAYS_MAX` days; `by` label without one.
    """
    calendar = books()
    now_ms = clock.now_ms()
    today = calendar.day_of(now_ms)
    since, until = period_of(from_day, to_day, today)
    past = spent_by_day(project.pk, from_day=min(since, history_from(now_ms)))
    budget = budget_of(project.pk)
    labels = label_keys(project) if by == "label" else []
    if by == "label" and not label:
        label = labels[0] if labels else ""
    rows, more = spent_by(project.pk, by, from_day=since, to_day=until, label=label)
    pools = price_book(project)
    if by == "pool":
        rows = [_named(row, pools) for row in rows]
    return MoneyView(
        currency=calendar.currency,
        zone=calendar.zone,
        budget=budget,
        from_day=date_of(since).isoformat(),
        to_day=date_of(until).isoformat(),
        days=[past.get(day, DaySpend(day)) for day in range(since, until)],
        by=by,
        label=label if by == "label" else "",
        labels=labels,
        rows=rows,
        more=more,
        forecast=_forecast(project, budget, past, held_of(project, now_ms), calendar, now_ms),
        months=_months(project, past, calendar, today),
        prices=[price for price in pools.values() if price.serves],
    )


@dataclass(frozen=True, slots=True)
class SpendView:
    """What one member's runs cost, by day and by something."""

    currency: str
    member: str
    days: list[DaySpend]
    by: str
    rows: list[SpendRow]
    more: bool


def spend_of(project: Project, member: str, *, from_day: int | None, to_day: int | None, by: str) -> SpendView:
    """A member's spending in a project; without a period, the last thirty accounting days.

    Raises:
        Invalid: see `period_of`.
    """
    calendar = books()
    since, until = period_of(from_day, to_day, calendar.day_of(clock.now_ms()))
    past = spent_by_day(project.pk, from_day=since, to_day=until, member=member)
    rows, more = spent_by(project.pk, by, from_day=since, to_day=until, member=member)
    if by == "pool":
        pools = price_book(project)
        rows = [_named(row, pools) for row in rows]
    days = [past.get(day, DaySpend(day)) for day in range(since, until)]
    return SpendView(calendar.currency, member, days, by, rows, more)


def period_of(from_day: int | None, to_day: int | None, today: int) -> tuple[int, int]:
    """The first day of a period and the first behind it; what is not given is thirty days up to now.

    Raises:
        Invalid: the period ends before it begins, or is longer than `PERIOD_DAYS_MAX` days.
    """
    until = to_day if to_day is not None else today + 1
    since = from_day if from_day is not None else until - 30
    if not 0 < until - since <= PERIOD_DAYS_MAX:
        raise Invalid(
            say("The period has {until} days.", until=until - since),
            next_step=say(
                "Ask for 1 to {period_days_max} days; `until` is the first day that is not in it.",
                period_days_max=PERIOD_DAYS_MAX,
            ),
            found=until - since,
            allowed=[1, PERIOD_DAYS_MAX],
        )
    return since, until


def forecast_of(
    project: Project,
    budget: BudgetView | None = None,
    past: dict[int, DaySpend] | None = None,
    held: Sequence[HeldUntil] | None = None,
) -> ForecastView:
    """What the time ahead costs, by what is known now.

    Args:
        budget, past, held: what the caller has read already; `past` reaches back to `history_from` at least.
    """
    calendar, now_ms = books(), clock.now_ms()
    if past is None:
        past = spent_by_day(project.pk, from_day=history_from(now_ms))
    if held is None:
        held = held_of(project, now_ms)
    return _forecast(project, budget or budget_of(project.pk), past, held, calendar, now_ms)


def history_from(now_ms: int) -> int:
    """The first day the forecast asks for: of the trend, or of the month."""
    today = books().day_of(now_ms)
    return min(today - TREND_DAYS, month_days(month_of_day(today))[0])


def _forecast(
    project: Project,
    budget: BudgetView,
    past: dict[int, DaySpend],
    held_until: Sequence[HeldUntil],
    calendar: Books,
    now_ms: int,
) -> ForecastView:
    today = calendar.day_of(now_ms)
    month = month_of_day(today)
    month_end = calendar.month_bounds_ms(month)[1]
    next_end = calendar.month_bounds_ms(month_after(month))[1]
    trend = [past[day] for day in range(today - TREND_DAYS, today) if day in past]
    began = min((one.day for one in trend), default=today)
    days = tuple(
        past[day].spent_micros - past[day].scheduled_micros if day in past else 0 for day in range(began, today)
    )
    held = sum(one.held_micros for one in trend)
    settled = min(1000, sum(one.spent_micros for one in trend) * 1000 // held) if held else 1000
    scheduled = _scheduled(project, now_ms, next_end)
    facts = Facts(
        now_ms=now_ms,
        funds_micros=budget.budget_micros + budget.held_micros,
        committed=tuple(Committed(one.hold_micros, one.used_micros, one.until_ms) for one in held_until),
        scheduled=scheduled,
        daily_micros=tuple(max(0, amount) for amount in days),  # a correction may leave a day below nothing
        settled_permille=max(0, settled),
    )
    out = runs_out(facts)
    first = month_days(month)[0]
    return ForecastView(
        currency=calendar.currency,
        zone=calendar.zone,
        month=month_text(month),
        week=window(facts, now_ms, now_ms + WEEK_DAYS * DAY_MS),
        month_rest=window(facts, now_ms, month_end),
        next_month=window(facts, month_end, next_end),
        spent_month_micros=sum(one.spent_micros for day, one in past.items() if first <= day <= today),
        funds_micros=facts.funds_micros,
        runs_out=out,
        runs_out_days={
            name: None if days_on is None else date_of(calendar.day_of(now_ms + days_on * DAY_MS)).isoformat()
            for name, days_on in (("earliest", out.earliest), ("expected", out.expected), ("latest", out.latest))
        },
        basis=Basis(
            history_days=len(days),
            settled_permille=facts.settled_permille,
            steps_held=sum(one.steps for one in held_until),
            schedules=len(scheduled),
            schedules_unpriced=sum(one.cost is None for one in scheduled),
        ),
    )


@dataclass(frozen=True, slots=True)
class HeldUntil:
    """Holds of `steps` live attempts whose walltime is over in the hour that ends then, and what is used of them now."""

    until_ms: int
    hold_micros: int
    used_micros: int
    steps: int


def held_of(project: Project, now_ms: int) -> list[HeldUntil]:
    """A project's holds by the hour in which their attempts' walltime is over, the first one first; one query."""
    rows = with_holds(Attempt.objects.filter(project_id=project.pk, state__in=ATTEMPT_LIVE), project, now_ms)
    found = rows.filter(hold__gt=0).values_list("until").annotate(Sum("hold"), Sum("used"), Count("hold"))
    return [HeldUntil(*row) for row in found.order_by("until")]


def with_holds(rows: QuerySet[Attempt], project: Project, now_ms: int) -> QuerySet[Any]:
    """Attempts with the columns `hold` (micros), `until` (the end of the hour in which its walltime is over) and `used`
    (of the hold by now, to a thousandth of it); null for those of other projects and those nothing is set aside for."""
    length = Greatest(Cast("walltime_s", BigIntegerField()) * 1000, Value(1000))
    over = Greatest(F("leased_at_ms") + length, Value(now_ms + 1))
    past = Least(length, Greatest(Value(now_ms) - F("leased_at_ms"), Value(0)))
    some = Q(hold__gt=0)
    big = BigIntegerField()
    return rows.annotate(
        hold=Case(When(project_id=project.pk, then=placed_amount_of("pk")), default=None, output_field=big),
        until=Case(When(some, then=(over + (HOUR_MS - 1)) / HOUR_MS * HOUR_MS), default=None, output_field=big),
        used=Case(When(some, then=F("hold") * (past * 1000 / length) / 1000), default=None, output_field=big),
    )


def _scheduled(project: Project, now_ms: int, until_ms: int) -> tuple[Scheduled, ...]:
    """A project's live schedules with what one run of each costs: of past runs, else as quoted."""
    ended = Q(ticks__run__state__in=["succeeded", "failed", "error"])
    rows = (
        Cron.objects.filter(project=project, suspended=False, stopped=False, next_at_ms__isnull=False)
        .select_related("project")
        .annotate(
            low=Min("ticks__run__settled_micros", filter=ended),
            mean=Avg("ticks__run__settled_micros", filter=ended),
            high=Max("ticks__run__settled_micros", filter=ended),
        )
        .order_by("name")[:CRONS_MAX]
    )
    found = []
    for row in rows:
        try:
            ticks = tuple(coming(plan_of(row.document), facts_of(row, 0), now_ms, TICKS_MAX))
        except LanguageError:
            continue  # its own page says what is wrong with it
        cut = len(ticks) == TICKS_MAX
        known_until = ticks[-1] + 1 if cut else max(until_ms, ticks[-1] + 1 if ticks else 0)
        span_ms = max(1, ticks[-1] - now_ms) if ticks else 1
        pace = len(ticks) * 1000 * DAY_MS // span_ms if cut else 0
        found.append(Scheduled(row.name, _cost(row), ticks, known_until, pace))
    return tuple(found)


def _cost(row: Any) -> Range | None:
    if row.mean is not None:
        return Range(row.low, min(row.high, max(row.low, int(row.mean))), row.high)
    kept = row.quote or {}
    low, high = kept.get("low"), kept.get("high")
    return Range(low, (low + high) // 2, high) if low is not None and high is not None else None


def _months(project: Project, past: dict[int, DaySpend], calendar: Books, today: int) -> list[dict[str, Any]]:
    """Months there is a statement of, newest first: the open ones behind the last close, then the closed."""
    closed = months_closed(project.pk, limit=MONTHS_MAX)
    this = month_of_day(today)
    months: list[dict[str, Any]] = []
    month = month_after(closed[0].month) if closed else min([this, *(month_of_day(day) for day in past)])
    while month <= this:
        months.append(_month(month_text(month), "running" if month == this else "open"))
        month = month_after(month)
    months.reverse()
    return months + [closed_month(row) for row in closed]


def _month(month: str, state: str) -> dict[str, Any]:
    return {"month": month, "state": state, "closed_at": None, "closed_by": "", "digest": "", "spent_micros": None}


def closed_month(row: ClosedView) -> dict[str, Any]:
    """A closed month as the page lists it."""
    return _month(month_text(row.month), "closed") | {
        "closed_at": clock.from_ms(row.closed_at_ms).isoformat(),
        "closed_by": row.closed_by,
        "digest": row.digest,
        "spent_micros": row.closing_micros["spent"] - row.opening_micros["spent"],
    }


def _named(row: SpendRow, pools: dict[str, PriceView]) -> SpendRow:
    pool = pools.get(row.name)
    return replace(row, name=f"{pool.site}/{pool.pool}") if pool else row


def label_keys(project: Project, limit: int = 50) -> list[str]:
    """The keys runs of the project are labelled with."""
    rows = RunLabel.objects.filter(run__project=project).order_by("key").values_list("key", flat=True)
    return list(rows.distinct()[:limit])
