"""REST: a project's budget, statement (also as CSV) and costs by run. Only administrators give budget."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common import clock
from fubini.common.ids import new_id
from fubini.ledger import selectors
from fubini.ledger.accounting import books
from fubini.ledger.services import account_topup, ledger_check
from fubini.projects.authorize import authorize_admin, project_get
from fubini.rest.pagination import CursorPages
from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer
from fubini.rest.streaming import streamed
from fubini.rest.views import ApiViews, operation

TOPUP_MAX_MICROS = 10**15


class BudgetOut(ReplySerializer):
    budget_micros = serializers.IntegerField(help_text="May still be set aside for steps.")
    held_micros = serializers.IntegerField(help_text="Set aside for steps that run or are about to.")
    spent_micros = serializers.IntegerField()
    granted_micros = serializers.IntegerField(help_text="The three together.")


class BooksOut(ReplySerializer):
    imbalance_micros = serializers.IntegerField(help_text="The sum of everything below; 0 is right.")
    entries_sum = serializers.IntegerField()
    unbalanced = serializers.IntegerField(help_text="Over transactions whose entries do not sum to zero.")
    balance_drift = serializers.IntegerField(help_text="Balances against their entries.")
    holds_drift = serializers.IntegerField(help_text="Held balances against placed holds.")
    spend_drift = serializers.IntegerField(help_text="Spent balances against the summary that spending is told by.")


class TopupBody(BodySerializer):
    amount_micros = serializers.IntegerField(
        min_value=-TOPUP_MAX_MICROS, max_value=TOPUP_MAX_MICROS, help_text="Negative: take unspent budget back."
    )
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class StatementQuery(QuerySerializer):
    kind = serializers.ChoiceField(choices=selectors.KINDS, required=False)
    run = serializers.CharField(max_length=32, required=False, help_text="A run's id.")
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Exclusive.")


class StatementLineOut(ReplySerializer):
    id = serializers.CharField()
    at = serializers.SerializerMethodField()
    kind = serializers.CharField()
    budget_micros = serializers.IntegerField(help_text="Change of the budget.")
    held_micros = serializers.IntegerField(help_text="Change of what is held.")
    spent_micros = serializers.IntegerField(help_text="Change of what is spent.")
    run_id = serializers.CharField(allow_null=True)
    attempt_id = serializers.CharField(allow_null=True)
    site_id = serializers.CharField(allow_null=True)
    pool_id = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    actor = serializers.CharField(allow_blank=True)

    def get_at(self, line: selectors.StatementLine) -> str:
        return clock.from_ms(line.at_ms).isoformat()


class RunCostOut(ReplySerializer):
    run_id = serializers.CharField()
    spent_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()
    attempts = serializers.IntegerField(help_text="Attempts the project paid for.")
    first_at = serializers.SerializerMethodField()
    last_at = serializers.SerializerMethodField()

    def get_first_at(self, row: dict[str, Any]) -> str:
        return clock.from_ms(row["first_at_ms"]).isoformat()

    def get_last_at(self, row: dict[str, Any]) -> str:
        return clock.from_ms(row["last_at_ms"]).isoformat()


def _filters(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": params.get("kind", ""),
        "run_id": params.get("run", ""),
        "from_ms": clock.to_ms(params["since"]) if "since" in params else None,
        "to_ms": clock.to_ms(params["until"]) if "until" in params else None,
    }


class Budget(ApiViews):
    @operation("What a project may still spend, has set aside and has spent.", reply=BudgetOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "budget.read")
        return self.reply(selectors.budget_of(project.pk))

    @operation("Give a project budget, or take unspent budget back (administrators).", body=TopupBody, reply=BudgetOut)
    def topup(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "budget.read")
        authorize_admin(self.principal)
        key = request.headers.get("Idempotency-Key")
        account_topup(
            project_id=project.pk,
            amount_micros=self.body["amount_micros"],
            note=self.body.get("note", ""),
            actor=self.principal.actor,
            key=hashlib.sha256(f"{self.principal.actor}\0{key}".encode()).hexdigest() if key else new_id(),
        )
        return self.reply(selectors.budget_of(project.pk))

    @operation("A project's bookings, newest first.", query=StatementQuery, reply=StatementLineOut, many=True)
    def statement(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "ledger.read")
        pages = CursorPages()
        rows = pages.paginate(selectors.bookings_of(project.pk, **_filters(self.params)), request, ("-id",))
        lines = selectors.statement_lines(project.pk, rows)
        return pages.reply(StatementLineOut(lines, many=True, context=self.get_serializer_context()).data)

    @operation(
        "A project's bookings as CSV, oldest first.",
        query=StatementQuery,
        raw_reply={(200, "text/csv"): OpenApiTypes.STR},
    )
    def statement_csv(self, request: Request, ref: str) -> StreamingHttpResponse:
        project = project_get(self.principal, ref, "ledger.read")
        bookings = selectors.bookings_of(project.pk, **_filters(self.params))
        return StreamingHttpResponse(
            streamed(_csv(selectors.statement_all(project.pk, bookings))),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{project.slug}-ledger.csv"'},
        )

    @operation("What each run cost, newest run first.", reply=RunCostOut, many=True)
    def by_run(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "ledger.read")
        pages = CursorPages()
        rows = pages.paginate(selectors.costs_by_run(project.pk), request, ("-run_id",))
        held = selectors.held_by_run(row["run_id"] for row in rows)
        for row in rows:
            row["held_micros"] = held.get(row["run_id"], 0)
        return pages.reply(RunCostOut(rows, many=True, context=self.get_serializer_context()).data)


_COLUMNS = (
    "at", "kind", "budget_micros", "held_micros", "spent_micros", "currency", "run_id", "attempt_id", "site_id", "pool_id",
    "note", "actor", "id",
)  # fmt: skip


def _csv(lines: Iterator[selectors.StatementLine]) -> Iterator[str]:
    """CSV text in pieces. A text that a spreadsheet would take for a formula gets a leading apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    currency = books().currency
    for line in lines:
        named = {"at": clock.from_ms(line.at_ms).isoformat(), "currency": currency}
        values = [named[name] if name in named else getattr(line, name) for name in _COLUMNS]
        writer.writerow(["'" + v if isinstance(v, str) and v[:1] in "=+-@\t\r" and v else v for v in values])
        if buffer.tell() > 16_384:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


class Books(ApiViews):
    """``/ledger/check``."""

    @operation("Is the whole ledger exact? For administrators.", reply=BooksOut)
    def retrieve(self, request: Request) -> Response:
        """Sums every way it could be wrong; 0 is right."""
        authorize_admin(self.principal)
        return self.reply(ledger_check())
