"""Moving money: top up, hold, extend, settle, release. Each booking has a key and happens once.

The caller holds a transaction. Budgets are guarded twice: a conditional UPDATE takes the money, and the database's own
CHECK refuses a negative balance. Batch forms book many attempts with one statement an account.

An attempt that ends by node, site, data, image, lost or preempted costs the project nothing: its price is booked to the
site's loss account against `absorbed`, and the hold is released whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import F, Max, Sum

from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.bulk import rows_insert
from fubini.common.errors import Conflict, Invalid
from fubini.common.saying import say
from fubini.events.moves import Entity, legal_moves, rows_create, rows_move
from fubini.events.services import EventDraft, events_append, owners_of
from fubini.ledger.accounting import books
from fubini.ledger.models import Account, ClosedMonth, Hold, LedgerEntry, LedgerTransaction, Spend
from fubini.ledger.selectors import available_rows, availables_from

HOLD = Entity("hold", legal_moves("placed -> settled released"), lambda h: (h.project_id, h.run_id, 0))
CHARGED_CAUSES = frozenset({"", "user", "oom", "walltime"})


class BudgetExhausted(Conflict):
    """The project's budget cannot take the hold; `missing_micros` says by how much."""

    code: ClassVar[str] = "budget"
    title: ClassVar[str] = "The project's budget is used up"


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Money to set aside for one attempt."""

    attempt_id: str
    project_id: str
    run_id: str
    site_id: str
    pool_id: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt's hold ends. `cost_micros` is the price of what it really used, before the cap by the hold; `step`
    (its template) and `pool_id` are what spending is later told by."""

    attempt_id: str
    cost_micros: int
    cause: str = ""
    outcome: str = "succeeded"  # how it ended, as the project sees it: succeeded | failed | cancelled
    step: str = ""
    pool_id: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement booked; `state` is what the hold became."""

    attempt_id: str
    run_id: str
    state: str
    held_micros: int
    charged_micros: int
    absorbed_micros: int


def account_of(owner: str, kind: str) -> Account:
    """The account, opened on first use."""
    return Account.objects.get_or_create(owner=owner, kind=kind)[0]


def project_owner(project_id: str) -> str:
    return f"project:{project_id}"


def accounts_open(project_id: str) -> dict[str, Account]:
    """A project's three accounts by kind."""
    owner = project_owner(project_id)
    found = {a.kind: a for a in Account.objects.filter(owner=owner)}
    for kind in ("budget", "held", "spent"):
        if kind not in found:
            found[kind] = account_of(owner, kind)
    return found


@transaction.atomic
def account_topup(*, project_id: str, amount_micros: int, actor: str, key: str, note: str = "") -> LedgerTransaction:
    """Give a project budget (negative: take unspent budget back). Booked once per `key`.

    Raises:
        Invalid: the amount is zero.
        BudgetExhausted: a withdrawal larger than the unspent, unheld budget.
    """
    if amount_micros == 0:
        raise Invalid(
            "The amount is 0.", next_step="Give a positive amount to add budget, a negative one to take it back."
        )
    again = LedgerTransaction.objects.filter(key=f"topup:{key}").first()
    if again:
        return again
    at_ms = clock.now_ms()
    budget = accounts_open(project_id)["budget"]
    if amount_micros < 0:
        taken = Account.objects.filter(pk=budget.pk, balance_micros__gte=-amount_micros).update(
            balance_micros=F("balance_micros") + amount_micros
        )
        if not taken:
            left = Account.objects.get(pk=budget.pk).balance_micros
            raise BudgetExhausted(
                say(
                    "Only {left} micros are unspent and not held; {what} were to be taken back.",
                    left=left,
                    what=-amount_micros,
                ),
                missing_micros=-amount_micros - left,
            )
    else:
        Account.objects.filter(pk=budget.pk).update(balance_micros=F("balance_micros") + amount_micros)
    system = account_of("system", "system")
    Account.objects.filter(pk=system.pk).update(balance_micros=F("balance_micros") - amount_micros)
    booking = LedgerTransaction.objects.create(
        key=f"topup:{key}",
        kind="topup" if amount_micros > 0 else "withdraw",
        at_ms=max(at_ms, open_from_ms([project_id]).get(project_id, at_ms)),
        of_project_id=owners_of({project_id})[project_id],
        note=note,
        actor=actor,
    )
    rows_insert(
        [
            LedgerEntry(transaction=booking, account=budget, amount_micros=amount_micros),
            LedgerEntry(transaction=booking, account=system, amount_micros=-amount_micros),
        ]
    )
    events_append(
        [
            EventDraft(
                topic="ledger",
                kind="ledger.topup",
                entity_id=booking.ref,
                at_ms=at_ms,
                project_id=project_id,
                actor=actor,
                data={"amount_micros": amount_micros, "note": note},
            )
        ]
    )
    return booking


def holds_place(requests: Sequence[HoldRequest], *, at_ms: int) -> list[str]:
    """Place each hold that its project's budget can take, in the given order; the attempt ids that got one.

    What does not fit is left out, not raised: the caller parks those tasks with the missing figure. The caller tells of
    what was placed in the events of the attempts.
    """
    granted: list[HoldRequest] = []
    by_project: dict[str, list[HoldRequest]] = defaultdict(list)
    for request in requests:
        by_project[request.project_id].append(request)
    for project_id, wanted in by_project.items():
        accounts = accounts_open(project_id)
        budget = Account.objects.select_for_update().get(pk=accounts["budget"].pk)
        left, total = budget.balance_micros, 0
        for request in wanted:
            if request.amount_micros <= left - total:
                total += request.amount_micros
                granted.append(request)
        if total:
            taken = Account.objects.filter(pk=budget.pk, balance_micros__gte=total).update(
                balance_micros=F("balance_micros") - total
            )
            if not taken:
                raise BudgetExhausted(
                    say(
                        "The budget fell below {total} micros while holds were placed.",
                        total=total,
                    ),
                    missing_micros=total,
                )
            Account.objects.filter(pk=accounts["held"].pk).update(balance_micros=F("balance_micros") + total)
    rows_create(
        HOLD,
        [
            Hold(
                id=r.attempt_id,
                project_id=r.project_id,
                run_id=r.run_id,
                site_id=r.site_id,
                amount_micros=r.amount_micros,
                placed_at_ms=at_ms,
            )
            for r in granted
        ],
        at_ms=at_ms,
        told=True,
    )
    _book(
        [
            _Booking(
                f"hold:{r.attempt_id}",
                "hold",
                r.project_id,
                r.run_id,
                r.site_id,
                r.pool_id,
                _project_legs(r.project_id, budget=-r.amount_micros, held=r.amount_micros),
            )
            for r in granted
        ],
        at_ms,
    )
    return [r.attempt_id for r in granted]


def hold_extend(*, attempt_id: str, amount_micros: int, number: int, at_ms: int) -> None:
    """Set more aside for a running attempt; `number` makes each extension happen once.

    Raises:
        BudgetExhausted: the budget cannot take it; nothing is changed.
    """
    hold = Hold.objects.select_for_update().get(pk=attempt_id)
    if hold.state != "placed" or LedgerTransaction.objects.filter(key=f"extend:{attempt_id}:{number}").exists():
        return
    accounts = accounts_open(hold.project_id)
    taken = Account.objects.filter(pk=accounts["budget"].pk, balance_micros__gte=amount_micros).update(
        balance_micros=F("balance_micros") - amount_micros
    )
    if not taken:
        left = Account.objects.get(pk=accounts["budget"].pk).balance_micros
        raise BudgetExhausted(
            say(
                "{amount_micros} micros more are needed, {left} are left.",
                amount_micros=amount_micros,
                left=left,
            ),
            missing_micros=amount_micros - left,
        )
    Account.objects.filter(pk=accounts["held"].pk).update(balance_micros=F("balance_micros") + amount_micros)
    hold.amount_micros += amount_micros
    hold.save(update_fields=["amount_micros"])
    _book(
        [
            _Booking(
                f"extend:{attempt_id}:{number}",
                "extend",
                hold.project_id,
                hold.run_id,
                hold.site_id,
                None,
                _project_legs(hold.project_id, budget=-amount_micros, held=amount_micros),
            )
        ],
        at_ms,
    )
    events_append(
        [
            EventDraft(
                topic="hold",
                kind="hold.extended",
                entity_id=attempt_id,
                at_ms=at_ms,
                project_id=hold.project_id,
                run_id=hold.run_id,
                from_state="placed",
                to_state="placed",
                data={"amount_micros": amount_micros},
            )
        ]
    )


def holds_settle(settlements: Sequence[Settlement], *, at_ms: int) -> list[Settled]:
    """End holds, each once: charge what was used (at most the hold), give the rest back. Ended by a cause that is not the
    project's, the hold is released whole and the cost goes to the site's loss account.

    A settlement whose attempt has no placed hold any more is ignored: it was settled before. The caller tells of what was
    settled in the events of the attempts.
    """
    wanted = {s.attempt_id: s for s in settlements}
    holds = list(Hold.objects.select_for_update().filter(pk__in=wanted, state="placed").order_by("pk"))
    done: list[Settled] = []
    bookings: list[_Booking] = []
    moves: dict[tuple[str, str], int] = defaultdict(int)  # (owner, kind) -> change
    charged_holds: list[Hold] = []
    released_holds: list[Hold] = []
    spends: list[_Spent] = []
    for hold in holds:
        settlement = wanted[hold.pk]
        cost = max(0, min(settlement.cost_micros, hold.amount_micros))
        by_project = settlement.cause in CHARGED_CAUSES
        charge, absorbed = (cost, 0) if by_project else (0, cost)
        owner, site = project_owner(hold.project_id), f"site:{hold.site_id}"
        hold.settled_micros, hold.ended_at_ms = charge, at_ms
        hold.payer = "project" if by_project else "site"
        (charged_holds if by_project else released_holds).append(hold)
        legs = [
            (owner, "held", -hold.amount_micros),
            (owner, "spent", charge),
            (owner, "budget", hold.amount_micros - charge),
        ]
        if absorbed:
            legs += [(site, "loss", absorbed), (site, "absorbed", -absorbed)]
        for leg_owner, kind, amount in legs:
            moves[leg_owner, kind] += amount
        bookings.append(
            _Booking(
                f"settle:{hold.pk}",
                "settle" if by_project else "release",
                hold.project_id,
                hold.run_id,
                hold.site_id,
                None,
                legs,
                settlement.cause,
            )
        )
        outcome = settlement.outcome if by_project else "lost"
        spends.append(
            _Spent(
                hold.project_id, hold.run_id, settlement.step, settlement.pool_id, outcome, charge, absorbed,
                hold.amount_micros,
            )
        )  # fmt: skip
        state = "settled" if by_project else "released"
        done.append(Settled(hold.pk, hold.run_id, state, hold.amount_micros, charge, absorbed))
    for (owner, kind), amount in sorted(moves.items()):
        if amount:
            Account.objects.filter(pk=account_of(owner, kind).pk).update(balance_micros=F("balance_micros") + amount)
    fields = ["settled_micros", "ended_at_ms", "payer"]
    rows_move(HOLD, charged_holds, "settled", at_ms=at_ms, fields=fields, told=True)
    rows_move(HOLD, released_holds, "released", at_ms=at_ms, fields=fields, told=True)
    booked_ms = _book(bookings, at_ms)
    spends_add(spends, booked_ms)
    return done


@dataclass(frozen=True, slots=True)
class _Spent:
    project_id: str
    run_id: str | None
    step: str
    pool_id: str
    outcome: str
    spent_micros: int
    absorbed_micros: int = 0
    held_micros: int = 0
    attempts: int = 1


def spends_add(spends: Iterable[_Spent], booked_ms: Mapping[str, int]) -> None:
    """Add to the summary of spending. The caller has the lock of a balance of each project, so a key is made once."""
    calendar = books()
    sums: dict[tuple[str, int, str | None, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in spends:
        day = calendar.day_of(booked_ms[one.project_id])
        found = sums[one.project_id, day, one.run_id, one.step, one.pool_id, one.outcome]
        found[0] += one.attempts
        found[1] += one.spent_micros
        found[2] += one.absorbed_micros
        found[3] += one.held_micros
    fresh = []
    for key, (attempts, spent, absorbed, held) in sums.items():
        project_id, day, run_id, step, pool_id, outcome = key
        names: dict[str, Any] = {
            "project_id": project_id, "day": day, "run_id": run_id, "step": step, "pool_id": pool_id, "outcome": outcome,
        }  # fmt: skip
        grown = Spend.objects.filter(**names).update(
            attempts=F("attempts") + attempts,
            spent_micros=F("spent_micros") + spent,
            absorbed_micros=F("absorbed_micros") + absorbed,
            held_micros=F("held_micros") + held,
        )
        if not grown:
            fresh.append(
                Spend(**names, attempts=attempts, spent_micros=spent, absorbed_micros=absorbed, held_micros=held)
            )
    rows_insert(fresh)


@transaction.atomic
def correction_book(
    *, project_id: str, amount_micros: int, note: str, actor: str, key: str, run_id: str | None = None
) -> LedgerTransaction:
    """Put right what was charged wrongly, as an entry of its own in the open month: a positive amount is given back to the
    budget, a negative one is charged. What was booked before stays as it is. Booked once per `key`.

    Raises:
        Invalid: the amount is zero, there is no reason, or more is given back than was ever spent.
        BudgetExhausted: the budget cannot take the charge.
    """
    if amount_micros == 0 or not note.strip():
        raise Invalid(
            "A correction has an amount that is not 0, and a reason.",
            next_step="Give back with a positive amount, charge with a negative one, and say why in the note.",
        )
    again = LedgerTransaction.objects.filter(key=f"correction:{key}").first()
    if again:
        return again
    at_ms = clock.now_ms()
    accounts = accounts_open(project_id)
    budget = Account.objects.select_for_update().get(pk=accounts["budget"].pk)
    spent = Account.objects.select_for_update().get(pk=accounts["spent"].pk)
    if amount_micros > spent.balance_micros:
        raise Invalid(
            say(
                "The project has spent {balance_micros} micros in all; {amount_micros} cannot be given back.",
                balance_micros=spent.balance_micros,
                amount_micros=amount_micros,
            ),
            found=amount_micros,
            allowed=spent.balance_micros,
        )
    if budget.balance_micros + amount_micros < 0:
        missing = -(budget.balance_micros + amount_micros)
        raise BudgetExhausted(
            say(
                "{what} micros are to be charged, {balance_micros} are left.",
                what=-amount_micros,
                balance_micros=budget.balance_micros,
            ),
            missing_micros=missing,
        )
    Account.objects.filter(pk=budget.pk).update(balance_micros=F("balance_micros") + amount_micros)
    Account.objects.filter(pk=spent.pk).update(balance_micros=F("balance_micros") - amount_micros)
    legs = _project_legs(project_id, budget=amount_micros, spent=-amount_micros)
    booking = _Booking(f"correction:{key}", "correction", project_id, run_id, None, None, legs, note[:200], actor)
    booked_ms = _book([booking], at_ms)
    spends_add([_Spent(project_id, run_id, "", "", "correction", -amount_micros, attempts=0)], booked_ms)
    data = {"amount_micros": amount_micros, "note": note[:200], "run_id": run_id}
    audit_append(
        actor=actor, action="ledger.correction", target=f"project:{project_id}", project_id=project_id, data=data
    )
    made = LedgerTransaction.objects.get(key=booking.key)
    events_append(
        [
            EventDraft(
                topic="ledger", kind="ledger.correction", entity_id=made.ref, at_ms=at_ms, project_id=project_id,
                run_id=run_id, actor=actor, data=data,
            )
        ]
    )  # fmt: skip
    return made


@dataclass(frozen=True, slots=True)
class _Booking:
    key: str
    kind: str
    project_id: str
    run_id: str | None
    site_id: str | None
    pool_id: str | None
    legs: Iterable[tuple[str, str, int]]  # owner, kind, amount; sums to zero
    note: str = ""
    actor: str = ""


def _project_legs(project_id: str, **amounts: int) -> list[tuple[str, str, int]]:
    return [(project_owner(project_id), kind, amount) for kind, amount in amounts.items()]


def open_from_ms(project_ids: Iterable[str]) -> dict[str, int]:
    """Where each project's open months begin; projects that never closed one are left out."""
    rows = ClosedMonth.objects.filter(project_id__in=set(project_ids)).values_list("project_id")
    return dict(rows.annotate(until=Max("to_ms")))


def _book(bookings: Sequence[_Booking], at_ms: int) -> dict[str, int]:
    """Write transactions and entries; balances are the caller's. A repeated key fails the whole batch.

    Nothing is booked into a closed month: what is late goes to the first moment of the open one. Whoever closes takes the
    locks of all three balances first, and the caller has changed one of them, so neither passes the other.

    Returns:
        When it was booked, by project.
    """
    if not bookings:
        return {}
    opened = open_from_ms(booking.project_id for booking in bookings)
    booked_ms = {b.project_id: max(at_ms, opened.get(b.project_id, at_ms)) for b in bookings}
    accounts: dict[tuple[str, str], Account] = {}
    owners = owners_of({ref for b in bookings for ref in (b.project_id, b.run_id) if ref})
    rows_insert(
        [
            LedgerTransaction(
                key=booking.key,
                kind=booking.kind,
                at_ms=booked_ms[booking.project_id],
                of_project_id=owners[booking.project_id],
                of_run_id=owners[booking.run_id] if booking.run_id else None,
                site_id=booking.site_id,
                pool_id=booking.pool_id,
                note=booking.note,
                actor=booking.actor,
            )
            for booking in bookings
        ]
    )
    numbers = dict(LedgerTransaction.objects.filter(key__in=[b.key for b in bookings]).values_list("key", "pk"))
    entries = []
    for booking in bookings:
        total = 0
        for owner, kind, amount in booking.legs:
            total += amount
            if amount:
                if (owner, kind) not in accounts:
                    accounts[owner, kind] = account_of(owner, kind)
                entries.append(
                    LedgerEntry(
                        transaction_id=numbers[booking.key], account=accounts[owner, kind], amount_micros=amount
                    )
                )
        assert total == 0, f"unbalanced booking {booking.key}"
    rows_insert(entries)
    return booked_ms


def available_by_project(project_ids: Iterable[str]) -> dict[str, int]:
    """Unspent, unheld budget in micros by project id; a project that was never given any is left out."""
    return availables_from(available_rows(project_ids))


def ledger_check() -> dict[str, Any]:
    """Is the ledger exact? `imbalance_micros` sums every way it could be wrong (0 is right):

    entries over all transactions, unbalanced transactions, account balances against their entries, and each project's
    held balance against its placed holds, and each spent balance against the summary of spending.
    """
    total = LedgerEntry.objects.aggregate(s=Sum("amount_micros"))["s"] or 0
    unbalanced = sum(
        abs(row["s"])
        for row in LedgerEntry.objects.values("transaction_id").annotate(s=Sum("amount_micros")).exclude(s=0)
    )
    sums = dict(LedgerEntry.objects.values_list("account_id").annotate(s=Sum("amount_micros")))
    drift = sum(abs(a.balance_micros - sums.get(a.pk, 0)) for a in Account.objects.all())
    placed = dict(Hold.objects.filter(state="placed").values_list("project_id").annotate(s=Sum("amount_micros")))
    held = {a.owner.removeprefix("project:"): a.balance_micros for a in Account.objects.filter(kind="held")}
    holds = sum(abs(held.get(p, 0) - placed.get(p, 0)) for p in held.keys() | placed.keys())
    told = dict(Spend.objects.values_list("project_id").annotate(s=Sum("spent_micros")))
    spent = {a.owner.removeprefix("project:"): a.balance_micros for a in Account.objects.filter(kind="spent")}
    summary = sum(abs(spent.get(p, 0) - told.get(p, 0)) for p in spent.keys() | told.keys())
    return {
        "imbalance_micros": abs(total) + unbalanced + drift + holds + summary,
        "entries_sum": total,
        "unbalanced": unbalanced,
        "balance_drift": drift,
        "holds_drift": holds,
        "spend_drift": summary,
    }
