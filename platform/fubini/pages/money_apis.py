"""REST: a project's money page, statements of accounting months, closing them, and corrections."""

from __future__ import annotations

import hashlib

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import NotFound
from fubini.common.ids import new_id
from fubini.ledger.accounting import books, day_of_date, month_from
from fubini.ledger.months import month_statement, months_close, statement_csv
from fubini.ledger.selectors import budget_of, months_closed
from fubini.ledger.services import correction_book
from fubini.pages import money_serializers as shape
from fubini.pages.money import closed_month, forecast_of, money_of, spend_of
from fubini.pages.prices import price_book
from fubini.projects.authorize import authorize_admin, project_get
from fubini.rest.streaming import streamed
from fubini.rest.views import ApiViews, operation
from fubini.runs.models import Run


class MoneyViews(ApiViews):
    """``/projects/{ref}/money``."""

    @operation(
        "A project's money: balances, spending, what comes, months, prices.",
        query=shape.MoneyQuery,
        reply=shape.MoneyOut,
    )
    def retrieve(self, request: Request, ref: str) -> Response:
        """Days and months are those of the installation's accounting time zone; amounts are micros of its one currency."""
        project = project_get(self.principal, ref, "ledger.read")
        since, until = self.params.get("since"), self.params.get("until")
        found = money_of(
            project,
            from_day=day_of_date(since) if since else None,
            to_day=day_of_date(until) if until else None,
            by=self.params["by"],
            label=self.params.get("label", ""),
        )
        return self.reply(found)

    @operation("What one member's runs cost, by day and by something.", query=shape.SpendQuery, reply=shape.SpendOut)
    def spend(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "ledger.read")
        since, until = self.params.get("since"), self.params.get("until")
        found = spend_of(
            project,
            self.params.get("member", self.principal.actor),
            from_day=day_of_date(since) if since else None,
            to_day=day_of_date(until) if until else None,
            by=self.params["by"],
        )
        return self.reply(found)

    @operation("What the pools that serve a project ask, and what they will ask.", reply=shape.PricesOut)
    def prices(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "ledger.read")
        serving = [price for price in price_book(project).values() if price.serves]
        return self.reply({"currency": books().currency, "prices": serving})

    @operation("What the time ahead costs, and when the money is used up.", reply=shape.ForecastOut)
    def forecast(self, request: Request, ref: str) -> Response:
        return self.reply(forecast_of(project_get(self.principal, ref, "ledger.read")))

    @operation(
        "The statement of one accounting month as CSV; of a closed month it never changes.",
        raw_reply={(200, "text/csv"): OpenApiTypes.STR},
    )
    def statement(self, request: Request, ref: str, month: str) -> StreamingHttpResponse:
        project = project_get(self.principal, ref, "ledger.read")
        found = month_statement(project.pk, month_from(month))
        return StreamingHttpResponse(
            streamed(statement_csv(found)),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{project.slug}-{month}.csv"',
                "X-Statement": "closed" if found.closed is not None else "open",
            },
        )

    @operation(
        "Close accounting months (administrators).", body=shape.CloseBody, reply=shape.MonthOut, many=True, paged=False
    )
    def close(self, request: Request, ref: str) -> Response:
        """The month and every open one before it; those closed already stay as they are. Afterwards nothing is booked into
        them: corrections are entries of the open month."""
        project = project_get(self.principal, ref, "ledger.read")
        authorize_admin(self.principal)
        made = months_close(project_id=project.pk, month=month_from(self.body["month"]), actor=self.principal.actor)
        closed = {row.month for row in made}
        rows = [closed_month(row) for row in months_closed(project.pk, limit=len(made)) if row.month in closed]
        return self.reply(rows)

    @operation(
        "Put right what was charged wrongly, in the open month (administrators).",
        body=shape.CorrectionBody,
        reply=shape.BalancesOut,
    )
    def correct(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "ledger.read")
        authorize_admin(self.principal)
        run_id = self.body.get("run")
        if run_id is not None and not Run.objects.filter(pk=run_id, project=project).exists():
            raise NotFound("The project has no such run.")
        key = request.headers.get("Idempotency-Key")
        correction_book(
            project_id=project.pk,
            amount_micros=self.body["amount_micros"],
            note=self.body["note"],
            actor=self.principal.actor,
            key=hashlib.sha256(f"{self.principal.actor}\0{key}".encode()).hexdigest() if key else new_id(),
            run_id=run_id,
        )
        return self.reply(budget_of(project.pk))
