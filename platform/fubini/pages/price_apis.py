"""REST: price books for administrators: all pools' at once, a new version's difference, CSV in and out."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.pages import prices
from fubini.projects.authorize import authorize_admin
from fubini.rest.pagination import CursorPages
from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation
from fubini.sites import pricecsv
from fubini.sites.models import Pool
from fubini.sites.prices import Rates
from fubini.sites.selectors import pool_find, site_find
from fubini.sites.serializers import PriceCreate, PriceOut

CSV_MAX = 512 * 1024


class PriceVersionOut(PriceOut):
    state = serializers.ChoiceField(
        choices=["now", "next", "past", "replaced"],
        help_text="now: in force; next: begins later; replaced: by another of the same beginning.",
    )

    def to_representation(self, instance: prices.VersionView) -> dict[str, object]:
        return {**PriceOut(instance.price).data, "state": instance.state}


class PriceBookOut(ReplySerializer):
    pool_id = serializers.CharField(source="pool.pk")
    site = serializers.CharField(source="pool.site.name")
    pool = serializers.CharField(source="pool.name")
    versions = PriceVersionOut(many=True, help_text="Latest beginning first; none: the pool is free.")
    more = serializers.IntegerField(help_text="Older versions that are not listed; the CSV has them.")


class PriceBooksQuery(QuerySerializer):
    site = serializers.CharField(max_length=64, required=False, help_text="A site's name or id.")


class RateChangeOut(ReplySerializer):
    rate = serializers.CharField(help_text="A rate's field, or `device:NAME`.")
    before_micros = serializers.IntegerField()
    after_micros = serializers.IntegerField()
    permille = serializers.IntegerField(allow_null=True, help_text="Thousandths of before; null: it was nothing.")


class PriceBasisOut(ReplySerializer):
    month = serializers.CharField()
    running = serializers.BooleanField(help_text="The month has not ended: the one before it had no use.")
    from_ms = serializers.IntegerField()
    to_ms = serializers.IntegerField()
    whole = serializers.BooleanField(help_text="False: only attempts from `from_ms` on are counted.")
    attempts = serializers.IntegerField(help_text="That ended in it and that projects pay for.")
    core_ms = serializers.IntegerField(help_text="Cores times milliseconds.")
    gib_ms = serializers.IntegerField(help_text="GiB of memory times milliseconds.")
    device_ms = serializers.DictField(child=serializers.IntegerField())
    booked_micros = serializers.IntegerField(help_text="What the ledger booked for the pool in that month.")


class PricePreviewOut(ReplySerializer):
    site = serializers.CharField()
    pool = serializers.CharField()
    line = serializers.IntegerField(allow_null=True, help_text="Of the CSV.")
    valid_from = serializers.DateTimeField(allow_null=True, help_text="Null: now.")
    changes = RateChangeOut(many=True, help_text="Beside the version that is in force when it begins.")
    cost_now_micros = serializers.IntegerField(help_text="Of that month's use, under that version.")
    cost_then_micros = serializers.IntegerField(help_text="Of the same use, under the new one.")
    basis = PriceBasisOut()


class PriceLoad(BodySerializer):
    csv = serializers.CharField(max_length=CSV_MAX, trim_whitespace=False)
    check = serializers.BooleanField(default=False, help_text="Say what would change, and make nothing.")


class PriceBookViews(ApiViews):
    """``/admin/prices`` and what belongs to it."""

    @operation("Price books of all pools (administrators).", query=PriceBooksQuery, reply=PriceBookOut, many=True)
    def list(self, request: Request) -> Response:
        authorize_admin(self.principal)
        found = Pool.objects.select_related("site")
        if ref := self.params.get("site"):
            found = found.filter(site=site_find(self.principal, ref))
        pages = CursorPages()
        rows = pages.paginate(found, request, ("site__preference", "site__name", "name"))
        return pages.reply(PriceBookOut(prices.books_of(rows), many=True, context=self.get_serializer_context()).data)

    @operation(
        "All versions of all price books as CSV (administrators).", raw_reply={(200, "text/csv"): OpenApiTypes.STR}
    )
    def csv(self, request: Request) -> StreamingHttpResponse:
        authorize_admin(self.principal)
        return StreamingHttpResponse(
            pricecsv.write(prices.csv_lines()),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="prices.csv"'},
        )

    @operation(
        "Add the new versions of a CSV, all or none (administrators).",
        body=PriceLoad, reply=PricePreviewOut, many=True, paged=False,
    )  # fmt: skip
    def load(self, request: Request) -> Response:
        """Lines without a version are new; errors come with line and column. The answer says what each changes."""
        authorize_admin(self.principal)
        text, check = self.body["csv"], self.body["check"]
        return self.reply(prices.prices_load(text=text, actor=self.principal.actor, check=check))

    @operation("What a new version would change (administrators).", body=PriceCreate, reply=PricePreviewOut, reads=True)
    def preview(self, request: Request, id: str) -> Response:
        """In percent, and what the last month's use would have cost. Nothing is made."""
        pool = pool_find(self.principal, id)
        authorize_admin(self.principal)
        body = dict(self.body)
        valid_from = body.pop("valid_from", None)
        return self.reply(prices.preview(pool, Rates(**body), valid_from))
