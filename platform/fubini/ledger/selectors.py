"""Reading the ledger: what a project has, what was booked, what each run cost. Amounts are integer micros."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from fubini.ledger.models import Account, Hold, LedgerEntry, LedgerTransaction

DAY_MS = 86_400_000
KINDS = ("topup", "withdraw", "hold", "extend", "settle", "release")


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


def budget_of(project_id: str) -> BudgetView:
    """The balances of a project; zeros where nothing was ever booked."""
    found = dict(Account.objects.filter(owner=_owner(project_id)).values_list("kind", "balance_micros"))
    return BudgetView(found.get("budget", 0), found.get("held", 0), found.get("spent", 0))


def bookings_of(
    project_id: str,
    *,
    kind: str = "",
    run_id: str = "",
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> QuerySet[LedgerTransaction]:
    """A project's bookings under filters; `to_ms` is exclusive."""
    found = LedgerTransaction.objects.filter(project_id=project_id)
    if kind:
        found = found.filter(kind=kind)
    if run_id:
        found = found.filter(run_id=run_id)
    if from_ms is not None:
        found = found.filter(at_ms__gte=from_ms)
    if to_ms is not None:
        found = found.filter(at_ms__lt=to_ms)
    return found


def statement_lines(project_id: str, bookings: Iterable[LedgerTransaction]) -> list[StatementLine]:
    """Bookings as lines; one query for all their entries."""
    rows = list(bookings)
    changes: dict[str, dict[str, int]] = {row.pk: {} for row in rows}
    entries = LedgerEntry.objects.filter(transaction__in=rows, account__owner=_owner(project_id)).values_list(
        "transaction_id", "account__kind", "amount_micros"
    )
    for booking_id, kind, amount in entries:
        changes[booking_id][kind] = changes[booking_id].get(kind, 0) + amount
    return [
        StatementLine(
            id=row.pk,
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
    last = ""
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
        LedgerTransaction.objects.filter(project_id=project_id, run_id__isnull=False)
        .values("run_id")
        .annotate(
            spent_micros=Coalesce(Sum("entries__amount_micros", filter=spent), 0),
            attempts=Count("pk", filter=Q(kind="settle"), distinct=True),
            first_at_ms=Min("at_ms"),
            last_at_ms=Max("at_ms"),
        )
    )
    return found  # type: ignore[no-any-return]


def spent_by_day(project_id: str, *, from_ms: int) -> dict[int, int]:
    """What was spent a day from `from_ms` on: days since the epoch (UTC) -> micros."""
    rows = (
        LedgerEntry.objects.filter(
            account__owner=_owner(project_id), account__kind="spent", transaction__at_ms__gte=from_ms
        )
        .annotate(day=F("transaction__at_ms") / DAY_MS)
        .values_list("day")
        .annotate(total=Sum("amount_micros"))
    )
    return dict(rows)


def held_by_run(run_ids: Iterable[str]) -> dict[str, int]:
    """What is held for each run now."""
    rows = Hold.objects.filter(run_id__in=list(run_ids), state="placed").values_list("run_id")
    return dict(rows.annotate(held=Sum("amount_micros")))


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


def holds_of_run(run_id: str) -> dict[str, HoldView]:
    """The holds of all of a run's attempts, by attempt."""
    return _hold_views(Hold.objects.filter(run_id=run_id))


def _hold_views(rows: QuerySet[Hold]) -> dict[str, HoldView]:
    found = rows.values_list("pk", "state", "amount_micros", "settled_micros", "payer")
    return {pk: HoldView(state, amount, settled, payer) for pk, state, amount, settled, payer in found}
