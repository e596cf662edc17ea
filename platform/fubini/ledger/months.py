"""Closing accounting months, and the statement of one.

A closed month's statement never changes: closing takes the locks of the project's three balances, so that nobody books
meanwhile, and afterwards everything is booked behind its end (`services`). What was wrong in it is put right by entries of
the open month. The CSV of a month is made from the bookings alone, in a layout that has a number; its digest is kept with
the close, so that anybody can show that a file is the statement.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Min, Sum

from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.errors import Conflict
from fubini.common.options import option
from fubini.common.saying import say
from fubini.events.services import EventDraft, events_append
from fubini.ledger.accounting import Books, books, month_after, month_text
from fubini.ledger.models import Account, ClosedMonth, LedgerEntry, LedgerTransaction
from fubini.ledger.selectors import StatementLine, bookings_of, statement_all
from fubini.ledger.services import accounts_open, project_owner

log = logging.getLogger(__name__)
LAYOUT: Final = 1
BALANCES: Final = ("budget", "held", "spent")
DAY_MS: Final = 86_400_000
COLUMNS: Final = (
    "at", "kind", "budget_micros", "held_micros", "spent_micros", "currency", "run_id", "attempt_id", "site_id", "pool_id",
    "note", "actor", "id",
)  # fmt: skip


class MonthOpen(Conflict):
    code = "month_open"
    title = "The month has not ended yet"


def first_month(project_id: str, calendar: Books) -> int | None:
    """The month of a project's first booking."""
    first = LedgerTransaction.objects.filter(of_project__ref=project_id).aggregate(at=Min("at_ms"))["at"]
    return calendar.month_of(first) if first is not None else None


def months_close(*, project_id: str, month: int, actor: str) -> list[ClosedMonth]:
    """Close a project's months up to `month`; those closed by this call. Closed ones stay as they are.

    Raises:
        MonthOpen: the month has not ended.
    """
    calendar = books()
    if calendar.month_bounds_ms(month)[1] > clock.now_ms():
        raise MonthOpen(
            say("{month_text} has not ended in {zone}.", month_text=month_text(month), zone=calendar.zone),
            next_step="Close it after its end.",
            found=month_text(month),
        )
    made: list[ClosedMonth] = []
    with transaction.atomic():
        accounts_open(project_id)
        # Every booking changes one of these three rows before it asks which month is open.
        list(Account.objects.select_for_update().filter(owner=project_owner(project_id)).order_by("kind"))
        last = ClosedMonth.objects.filter(project_id=project_id).order_by("-month").first()
        following = month_after(last.month) if last is not None else first_month(project_id, calendar)
        while following is not None and following <= month:
            last = _close(project_id, following, last, calendar, actor)
            made.append(last)
            following = month_after(following)
    for closed in made:
        digest_keep(closed)
    return made


def _close(project_id: str, month: int, before: ClosedMonth | None, calendar: Books, actor: str) -> ClosedMonth:
    from_ms, to_ms = calendar.month_bounds_ms(month)
    if before is not None:
        from_ms = before.to_ms  # the zone may have been changed: months join without gap or overlap
    opening = before.closing_micros if before is not None else dict.fromkeys(BALANCES, 0)
    change = _change(project_id, from_ms, to_ms)
    closed = ClosedMonth.objects.create(
        project_id=project_id,
        month=month,
        from_ms=from_ms,
        to_ms=to_ms,
        zone=calendar.zone,
        currency=calendar.currency,
        opening_micros=opening,
        closing_micros={kind: opening[kind] + change[kind] for kind in BALANCES},
        layout=LAYOUT,
        closed_at_ms=clock.now_ms(),
        closed_by=actor[:80],
    )
    data = {"month": month_text(month), "closing_micros": closed.closing_micros}
    audit_append(actor=actor, action="ledger.close", target=f"project:{project_id}", project_id=project_id, data=data)
    events_append(
        [
            EventDraft(
                topic="ledger", kind="ledger.close", entity_id=closed.pk, at_ms=closed.closed_at_ms, project_id=project_id,
                actor=actor, data=data,
            )
        ]
    )  # fmt: skip
    return closed


def _change(project_id: str, from_ms: int, to_ms: int) -> dict[str, int]:
    rows = (
        LedgerEntry.objects.filter(
            account__owner=project_owner(project_id), transaction__at_ms__gte=from_ms, transaction__at_ms__lt=to_ms
        )
        .values_list("account__kind")
        .annotate(total=Sum("amount_micros"))
    )
    return dict.fromkeys(BALANCES, 0) | dict(rows)


def digest_keep(closed: ClosedMonth) -> str:
    """Work out a closed month's digest outside the lock that closed it: a long statement takes a while to read."""
    found = hashlib.sha256()
    for piece in statement_csv(month_of(closed)):
        found.update(piece.encode())
    closed.digest = found.hexdigest()
    ClosedMonth.objects.filter(pk=closed.pk).update(digest=closed.digest)
    return closed.digest


def months_close_due() -> int:
    """Close, by the installation's rule, what ended long enough ago; and work out what digests are missing."""
    done = 0
    if days := option("CLOSE_MONTHS_AFTER_DAYS"):
        calendar = books()
        ended = calendar.month_of(clock.now_ms() - days * DAY_MS)
        month = ended - 89 if ended % 100 == 1 else ended - 1
        done_for = set(ClosedMonth.objects.filter(month__gte=month).values_list("project_id", flat=True))
        owners = list(Account.objects.filter(kind="budget").values_list("owner", flat=True))
        for owner in owners:
            project_id = owner.removeprefix("project:")
            if project_id in done_for:
                continue
            try:
                done += len(months_close(project_id=project_id, month=month, actor="system"))
            except (Conflict, IntegrityError):
                log.exception("the month %s of project %s could not be closed; going on", month, project_id)
    for row in ClosedMonth.objects.filter(digest="")[:100]:
        digest_keep(row)
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthStatement:
    """A month of one project with its balances; `closed` is the close that made it final, None while it is open."""

    project_id: str
    month: int
    from_ms: int
    to_ms: int
    zone: str
    currency: str
    opening: dict[str, int]
    closing: dict[str, int]
    closed: ClosedMonth | None


def month_of(closed: ClosedMonth) -> MonthStatement:
    return MonthStatement(
        project_id=closed.project_id, month=closed.month, from_ms=closed.from_ms, to_ms=closed.to_ms, zone=closed.zone,
        currency=closed.currency, opening=closed.opening_micros, closing=closed.closing_micros, closed=closed,
    )  # fmt: skip


def month_statement(project_id: str, month: int) -> MonthStatement:
    """A month as it was closed, or as it stands."""
    closed = ClosedMonth.objects.filter(project_id=project_id, month=month).first()
    if closed is not None:
        return month_of(closed)
    calendar = books()
    from_ms, to_ms = calendar.month_bounds_ms(month)
    last = ClosedMonth.objects.filter(project_id=project_id, month__lt=month).order_by("-month").first()
    if last is not None:
        from_ms = max(from_ms, last.to_ms)
    before = _change(project_id, last.to_ms if last is not None else 0, from_ms)
    start = last.closing_micros if last is not None else dict.fromkeys(BALANCES, 0)
    opening = {kind: start[kind] + before[kind] for kind in BALANCES}
    change = _change(project_id, from_ms, to_ms)
    return MonthStatement(
        project_id=project_id, month=month, from_ms=from_ms, to_ms=to_ms, zone=calendar.zone, currency=calendar.currency,
        opening=opening, closing={kind: opening[kind] + change[kind] for kind in BALANCES}, closed=None,
    )  # fmt: skip


def statement_csv(month: MonthStatement) -> Iterator[str]:
    """The statement in layout 1, in pieces: balances at the beginning, every booking, balances at the end. Times are in the
    accounting zone. A text that a spreadsheet would take for a formula gets a leading apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerow(_balance(month, "opening", month.from_ms, month.opening))
    bookings = bookings_of(month.project_id, from_ms=month.from_ms, to_ms=month.to_ms)
    for line in statement_all(month.project_id, bookings):
        writer.writerow(_row(month, line))
        if buffer.tell() > 16_384:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    writer.writerow(_balance(month, "closing", month.to_ms, month.closing))
    yield buffer.getvalue()


def _row(month: MonthStatement, line: StatementLine) -> list[Any]:
    values = [
        _local(line.at_ms, month.zone), line.kind, line.budget_micros, line.held_micros, line.spent_micros, month.currency,
        line.run_id or "", line.attempt_id or "", line.site_id or "", line.pool_id or "", line.note, line.actor, line.id,
    ]  # fmt: skip
    return [harmless(value) for value in values]


def _balance(month: MonthStatement, kind: str, at_ms: int, balances: dict[str, int]) -> list[Any]:
    return [_local(at_ms, month.zone), kind, *(balances[k] for k in BALANCES), month.currency, *[""] * 7]


def _local(at_ms: int, zone: str) -> str:
    return clock.from_ms(at_ms).astimezone(ZoneInfo(zone)).isoformat(timespec="milliseconds")


def harmless(value: Any) -> Any:
    """A cell no spreadsheet takes for a formula."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
