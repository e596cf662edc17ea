"""Reading the ledger: what a project has, what was booked, what each run cost. Amounts are integer micros."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, FilteredRelation, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat

from fubini.ledger.accounting import date_of
from fubini.ledger.models import Account, ClosedMonth, Hold, LedgerEntry, LedgerTransaction, Spend
from fubini.manifests.crons import CRON_LABEL

KINDS = ("topup", "withdraw", "hold", "extend", "settle", "release", "correction")


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A project's three balances: `budget` may still be set aside, `held` is set aside, `spent` is gone."""

    budget_micros: int
    held_micros: int
    spent_micros: int

    @property
    def granted_micros(self) -> int:
        """All that was ever given, less what was taken back."""
        return self.budget_micros + self.held_micros + self.spent_micros


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One booking as the project sees it: the change of each of its three balances."""

    id: str
    at_ms: int
    kind: str
    budget_micros: int
    held_micros: int
    spent_micros: int
    run_id: str | None
    attempt_id: str | None
    site_id: str | None
    pool_id: str | None
    note: str
    actor: str


def _owner(project_id: str) -> str:
    return f"project:{project_id}"


_KINDS = ("budget", "held", "spent")


def budget_of(project_id: str) -> BudgetView:
    """The balances of a project; zeros where nothing was ever booked."""
    found = dict(Account.objects.filter(owner=_owner(project_id)).values_list("kind", "balance_micros"))
    return BudgetView(found.get("budget", 0), found.get("held", 0), found.get("spent", 0))


def balances_of(ref: str) -> dict[str, Any]:
    """In a query over projects, `ref` being their id's column: the columns `budget_view` reads."""
    mine = Account.objects.filter(owner=Concat(Value("project:"), OuterRef(ref)))
    return {f"{kind}_read": Subquery(mine.filter(kind=kind).values("balance_micros")) for kind in _KINDS}


def budget_view(project: Any) -> BudgetView:
    """The balances of a project that was read with `balances_of`."""
    return BudgetView(*(getattr(project, f"{kind}_read") or 0 for kind in _KINDS))


def available_rows(project_ids: Iterable[str]) -> QuerySet[Account, tuple[str, int]]:
    """The rows `availables_from` reads, of those of these projects that have a budget."""
    owners = [f"project:{project_id}" for project_id in project_ids]
    return Account.objects.filter(owner__in=owners, kind="budget").values_list("owner", "balance_micros")


def availables_from(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Unspent, unheld budget in micros by project id."""
    return {owner.removeprefix("project:"): balance for owner, balance in rows}


def budgets_all() -> dict[str, BudgetView]:
    """The balances of every project that has any, by project."""
    found: dict[str, dict[str, int]] = {}
    rows = Account.objects.filter(kind__in=["budget", "held", "spent"]).values_list("owner", "kind", "balance_micros")
    for owner, kind, balance in rows:
        found.setdefault(owner.removeprefix("project:"), {})[kind] = balance
    return {
        project_id: BudgetView(one.get("budget", 0), one.get("held", 0), one.get("spent", 0))
        for project_id, one in found.items()
    }


def bookings_of(
    project_id: str,
    *,
    kind: str = "",
    run_id: str = "",
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> QuerySet[LedgerTransaction]:
    """A project's bookings under filters; `to_ms` is exclusive."""
    found = LedgerTransaction.objects.filter(of_project__ref=project_id)
    if kind:
        found = found.filter(kind=kind)
    if run_id:
        found = found.filter(of_run__ref=run_id)
    if from_ms is not None:
        found = found.filter(at_ms__gte=from_ms)
    if to_ms is not None:
        found = found.filter(at_ms__lt=to_ms)
    return found


def statement_lines(project_id: str, bookings: Iterable[LedgerTransaction]) -> list[StatementLine]:
    """Bookings as lines; one query for all their entries."""
    rows = list(bookings)
    changes: dict[int, dict[str, int]] = {row.pk: {} for row in rows}
    entries = LedgerEntry.objects.filter(transaction__in=rows, account__owner=_owner(project_id)).values_list(
        "transaction_id", "account__kind", "amount_micros"
    )
    for booking_id, kind, amount in entries:
        changes[booking_id][kind] = changes[booking_id].get(kind, 0) + amount
    return [
        StatementLine(
            id=row.ref,
            at_ms=row.at_ms,
            kind=row.kind,
            budget_micros=changes[row.pk].get("budget", 0),
            held_micros=changes[row.pk].get("held", 0),
            spent_micros=changes[row.pk].get("spent", 0),
            run_id=row.run_id,
            attempt_id=row.attempt_id,
            site_id=row.site_id,
            pool_id=row.pool_id,
            note=row.note,
            actor=row.actor,
        )
        for row in rows
    ]


def statement_all(
    project_id: str, bookings: QuerySet[LedgerTransaction], *, slice_rows: int = 500
) -> Iterator[StatementLine]:
    """Every line, oldest first, in slices by key: memory does not grow with the statement."""
    last = 0
    while True:
        rows = list(bookings.filter(pk__gt=last).order_by("pk")[:slice_rows])
        if not rows:
            return
        yield from statement_lines(project_id, rows)
        last = rows[-1].pk


def costs_by_run(project_id: str) -> QuerySet[Any]:
    """One dict a run: `run_id`, `spent_micros`, `attempts` (settled bookings), `first_at_ms`, `last_at_ms`."""
    spent = Q(entries__account__owner=_owner(project_id), entries__account__kind="spent")
    found: Any = (
        LedgerTransaction.objects.filter(of_project__ref=project_id, of_run__isnull=False)
        .values(run_id=F("of_run__ref"))
        .annotate(
            spent_micros=Coalesce(Sum("entries__amount_micros", filter=spent), 0),
            attempts=Count("pk", filter=Q(kind="settle"), distinct=True),
            first_at_ms=Min("at_ms"),
            last_at_ms=Max("at_ms"),
        )
    )
    return found  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What a project spent in one accounting day. `lost_micros` of it went to failed and cancelled work; `scheduled_micros`
    of it to runs that schedules made; `absorbed_micros`, beside it, is what sites bore."""

    day: int
    spent_micros: int = 0
    lost_micros: int = 0
    scheduled_micros: int = 0
    absorbed_micros: int = 0
    held_micros: int = 0  # what had been set aside for the attempts that were charged

    @property
    def date(self) -> str:
        """The day as people write it."""
        return date_of(self.day).isoformat()


def spent_by_day(
    project_id: str, *, from_day: int, to_day: int | None = None, member: str = ""
) -> dict[int, DaySpend]:
    """Days with any spending, by their number (see `accounting`); `to_day` is exclusive. One query.

    Args:
        member: whose runs alone are counted, as `submitted_by` names them; "": everybody's.
    """
    rows = Spend.objects.filter(project_id=project_id, day__gte=from_day)
    if to_day is not None:
        rows = rows.filter(day__lt=to_day)
    if member:
        rows = rows.filter(run__submitted_by=member)
    micros = Coalesce(Sum("spent_micros"), 0)
    scheduled = Q(run__labels__key=CRON_LABEL)  # at most one label of a key, so it multiplies nothing
    found = (
        rows.annotate(by_cron=FilteredRelation("run__labels", condition=scheduled))
        .values("day")
        .annotate(
            spent=micros,
            lost=Coalesce(Sum("spent_micros", filter=Q(outcome__in=LOST)), 0),
            scheduled=Coalesce(Sum("spent_micros", filter=Q(by_cron__isnull=False)), 0),
            absorbed=Coalesce(Sum("absorbed_micros"), 0),
            held=Coalesce(Sum("held_micros", filter=~Q(outcome="lost")), 0),
        )
    )
    return {
        row["day"]: DaySpend(row["day"], row["spent"], row["lost"], row["scheduled"], row["absorbed"], row["held"])
        for row in found
    }


BY = {
    "step": "step",
    "pipeline": "run__pipeline_version__pipeline__name",
    "pool": "pool_id",
    "member": "run__submitted_by",
    "run": "run_id",
    "label": "run__labels__value",
}
LOST = ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class SpendRow:
    """What one value of a dimension cost; `name` is "" where the money belongs to none (a correction, an unsaved
    pipeline)."""

    name: str
    spent_micros: int
    lost_micros: int
    absorbed_micros: int
    attempts: int


def spent_by(
    project_id: str, by: str, *, from_day: int, to_day: int, label: str = "", member: str = "", limit: int = 50
) -> tuple[list[SpendRow], bool]:
    """Spending by one of `BY`, the dearest first, and whether there are more than `limit`. One query.

    Args:
        label: with `by` "label": whose values; runs without it are left out.
        member: whose runs alone are counted; "": everybody's.
    """
    rows = Spend.objects.filter(project_id=project_id, day__gte=from_day, day__lt=to_day)
    if member:
        rows = rows.filter(run__submitted_by=member)
    if by == "label":
        rows = rows.filter(run__labels__key=label)
    found = list(
        rows.annotate(name=F(BY[by]))
        .values("name")
        .annotate(
            spent=Coalesce(Sum("spent_micros"), 0),
            lost=Coalesce(Sum("spent_micros", filter=Q(outcome__in=LOST)), 0),
            absorbed=Coalesce(Sum("absorbed_micros"), 0),
            count=Coalesce(Sum("attempts"), 0),
        )
        .order_by("-spent", "-absorbed", "name")[: limit + 1]
    )
    made = [SpendRow(r["name"] or "", r["spent"], r["lost"], r["absorbed"], r["count"]) for r in found[:limit]]
    return made, len(found) > limit


def spent_in_pool(pool_id: str, *, from_day: int, to_day: int) -> int:
    """What all projects paid for steps in a pool on accounting days, `to_day` not among them."""
    rows = Spend.objects.filter(pool_id=pool_id, day__gte=from_day, day__lt=to_day)
    total: int | None = rows.aggregate(total=Sum("spent_micros"))["total"]
    return total or 0


@dataclass(frozen=True, slots=True)
class ClosedView:
    month: int
    closed_at_ms: int
    closed_by: str
    digest: str
    currency: str
    zone: str
    opening_micros: dict[str, int]
    closing_micros: dict[str, int]


def months_closed(project_id: str, *, limit: int = 24) -> list[ClosedView]:
    """Closed months, newest first."""
    return [
        ClosedView(
            row.month, row.closed_at_ms, row.closed_by, row.digest, row.currency, row.zone, row.opening_micros,
            row.closing_micros,
        )
        for row in ClosedMonth.objects.filter(project_id=project_id).order_by("-month")[:limit]
    ]  # fmt: skip


def held_by_run(run_ids: Iterable[str]) -> dict[str, int]:
    """What is held for each run now."""
    rows = Hold.objects.filter(run_id__in=list(run_ids), state="placed").values_list("run_id")
    return dict(rows.annotate(held=Sum("amount_micros")))


def placed_amount_of(ref: str) -> Subquery:
    """In a query over attempts: what is set aside for the one whose id is in the column `ref`; null where nothing is."""
    return Subquery(Hold.objects.filter(pk=OuterRef(ref), state="placed").values("amount_micros")[:1])


@dataclass(frozen=True, slots=True)
class HoldView:
    """What an attempt costs: `amount` set aside, `settled` charged to the project; `payer` once it has ended."""

    state: str
    amount_micros: int
    settled_micros: int
    payer: str


def holds_of(attempt_ids: Iterable[str]) -> dict[str, HoldView]:
    """The holds of some attempts, by attempt."""
    return _hold_views(Hold.objects.filter(pk__in=list(attempt_ids)))


def holds_of_runs(run_ids: Iterable[str]) -> dict[str, HoldView]:
    """The holds of all attempts of some runs, by attempt."""
    return _hold_views(Hold.objects.filter(run_id__in=list(run_ids)))


def _hold_views(rows: QuerySet[Hold]) -> dict[str, HoldView]:
    found = rows.values_list("pk", "state", "amount_micros", "settled_micros", "payer")
    return {pk: HoldView(state, amount, settled, payer) for pk, state, amount, settled, payer in found}
