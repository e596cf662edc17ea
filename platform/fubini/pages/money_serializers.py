"""Shapes of a project's money page and of its corrections and closes at the REST border."""

from __future__ import annotations

from rest_framework import serializers

from fubini.common import clock
from fubini.ledger.forecast import Window
from fubini.ledger.selectors import BY
from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer

AMOUNT_MAX_MICROS = 10**15


class RangeOut(ReplySerializer):
    low = serializers.IntegerField(help_text="Micros.")
    expected = serializers.IntegerField()
    high = serializers.IntegerField()


class WindowOut(ReplySerializer):
    """What a stretch of time costs, by where the figure comes from."""

    from_at = serializers.SerializerMethodField()
    to_at = serializers.SerializerMethodField()
    committed = RangeOut(help_text="Holds: what runs has used so far, up to all that is set aside for it.")
    scheduled = RangeOut(help_text="Coming ticks of schedules, at what their runs cost so far or were quoted.")
    trend = RangeOut(help_text="What else the pace of past days adds.")
    total = RangeOut()
    ticks = serializers.IntegerField(help_text="Of schedules, in this time.")
    unpriced_ticks = serializers.IntegerField(help_text="Of these, in no figure: nobody knows what they cost.")

    def get_from_at(self, row: Window) -> str:
        return clock.from_ms(row.from_ms).isoformat()

    def get_to_at(self, row: Window) -> str:
        return clock.from_ms(row.to_ms).isoformat()


class RunsOutOut(ReplySerializer):
    earliest = serializers.CharField(allow_null=True, help_text="The accounting day, if all costs its high end.")
    expected = serializers.CharField(allow_null=True, help_text="Null: not within a year.")
    latest = serializers.CharField(allow_null=True)


class BasisOut(ReplySerializer):
    history_days = serializers.IntegerField(help_text="Whole past days the trend is taken from.")
    settled_permille = serializers.IntegerField(help_text="What of a hold was charged in the end, on the average.")
    steps_held = serializers.IntegerField(help_text="Steps with money set aside.")
    schedules = serializers.IntegerField()
    schedules_unpriced = serializers.IntegerField(help_text="That never ran and could not be quoted.")


class ForecastOut(ReplySerializer):
    """What the time ahead costs."""

    currency = serializers.CharField()
    zone = serializers.CharField(help_text="The time zone accounting days and months begin and end in.")
    month = serializers.CharField(help_text="The accounting month now, yyyy-mm.")
    spent_month_micros = serializers.IntegerField(help_text="In this month, so far.")
    funds_micros = serializers.IntegerField(help_text="Not spent yet: the budget and what is held.")
    week = WindowOut(help_text="The seven days from now.")
    month_rest = WindowOut(help_text="From now to the end of the accounting month.")
    next_month = WindowOut(help_text="The accounting month after this one.")
    runs_out = RunsOutOut(source="runs_out_days", help_text="The day on which the money is used up.")
    basis = BasisOut()


class SpendDayOut(ReplySerializer):
    day = serializers.CharField(source="date")
    spent_micros = serializers.IntegerField()
    lost_micros = serializers.IntegerField(help_text="Of this, for work that failed or was cancelled.")
    absorbed_micros = serializers.IntegerField(help_text="What sites bore; in no other figure.")


class SpendRowOut(ReplySerializer):
    name = serializers.CharField(allow_blank=True, help_text="Empty: money that belongs to none of them.")
    spent_micros = serializers.IntegerField()
    lost_micros = serializers.IntegerField()
    absorbed_micros = serializers.IntegerField()
    attempts = serializers.IntegerField()


class MonthOut(ReplySerializer):
    month = serializers.CharField()
    state = serializers.ChoiceField(choices=["running", "open", "closed"])
    closed_at = serializers.CharField(allow_null=True)
    closed_by = serializers.CharField(allow_blank=True)
    digest = serializers.CharField(allow_blank=True, help_text="SHA-256 of the statement's CSV.")
    spent_micros = serializers.IntegerField(allow_null=True, help_text="Of a closed month.")


class BalancesOut(ReplySerializer):
    budget_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()
    spent_micros = serializers.IntegerField()
    granted_micros = serializers.IntegerField()


class NextRateOut(ReplySerializer):
    """The version that follows, and when it begins."""

    valid_from = serializers.DateTimeField()
    version = serializers.IntegerField()
    core_hour_micros = serializers.IntegerField(source="rates.core_hour_micros")
    memory_gib_hour_micros = serializers.IntegerField(source="rates.memory_gib_hour_micros")
    device_hour_micros = serializers.DictField(child=serializers.IntegerField(), source="rates.device_hour_micros")
    start_micros = serializers.IntegerField(source="rates.start_micros")
    egress_gib_micros = serializers.IntegerField(source="rates.egress_gib_micros")


class RateOut(ReplySerializer):
    site = serializers.CharField()
    pool = serializers.CharField()
    valid_from = serializers.DateTimeField(allow_null=True, help_text="Since when; null: the pool is free.")
    next = NextRateOut(allow_null=True, help_text="What it asks from a date on; null: nothing is planned.")
    core_hour_micros = serializers.IntegerField(source="rates.core_hour_micros")
    memory_gib_hour_micros = serializers.IntegerField(source="rates.memory_gib_hour_micros")
    device_hour_micros = serializers.DictField(child=serializers.IntegerField(), source="rates.device_hour_micros")
    start_micros = serializers.IntegerField(source="rates.start_micros")
    egress_gib_micros = serializers.IntegerField(source="rates.egress_gib_micros")
    version = serializers.IntegerField(help_text="0: the pool is free.")


class MoneyOut(ReplySerializer):
    """A project's money page in one answer."""

    currency = serializers.CharField()
    zone = serializers.CharField()
    budget = BalancesOut()
    since = serializers.CharField(source="from_day", help_text="The first day of the period.")
    until = serializers.CharField(source="to_day", help_text="The first day behind it.")
    days = SpendDayOut(many=True)
    by = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    labels = serializers.ListField(child=serializers.CharField(), help_text="Keys to ask by, with `by=label`.")
    rows = SpendRowOut(many=True)
    more = serializers.BooleanField(help_text="There are more rows than these, the dearest.")
    forecast = ForecastOut()
    months = MonthOut(many=True)
    prices = RateOut(many=True)


class MoneyQuery(QuerySerializer):
    since = serializers.DateField(required=False, help_text="The first accounting day; default: thirty days ago.")
    until = serializers.DateField(required=False, help_text="The first day behind it; default: tomorrow.")
    by = serializers.ChoiceField(choices=sorted(BY), required=False, default="step")
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=63, required=False, help_text="With `by=label`: the label's key."
    )


class SpendQuery(QuerySerializer):
    since = serializers.DateField(required=False, help_text="The first accounting day; default: thirty days ago.")
    until = serializers.DateField(required=False, help_text="The first day behind it; default: tomorrow.")
    by = serializers.ChoiceField(choices=["pipeline", "pool", "run", "step"], required=False, default="step")
    member = serializers.CharField(
        max_length=80, required=False, help_text="Whose runs, as `submitted_by` names them (user:ann); default: your own."
    )


class SpendOut(ReplySerializer):
    """What one member's runs cost in a project."""

    currency = serializers.CharField()
    member = serializers.CharField()
    days = SpendDayOut(many=True)
    by = serializers.CharField()
    rows = SpendRowOut(many=True)
    more = serializers.BooleanField(help_text="There are more rows than these, the dearest.")


class PricesOut(ReplySerializer):
    """What the pools that serve a project ask: now, since when, and what comes next."""

    currency = serializers.CharField()
    prices = RateOut(many=True)


class CorrectionBody(BodySerializer):
    amount_micros = serializers.IntegerField(
        min_value=-AMOUNT_MAX_MICROS, max_value=AMOUNT_MAX_MICROS, help_text="Positive: given back. Negative: charged."
    )
    note = serializers.CharField(max_length=200, help_text="Why; shown in the statement.")
    run = serializers.CharField(max_length=32, required=False, help_text="The run it is about, by its id.")


class CloseBody(BodySerializer):
    month = serializers.CharField(max_length=7, help_text="yyyy-mm; it and all months before it are closed.")
