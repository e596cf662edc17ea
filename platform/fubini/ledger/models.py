"""Money: append-only double entry in integer micros; the entries of a transaction sum to zero.

A project has three accounts: budget (what it may still spend), held (set aside for attempts) and spent. A site has two:
income (what projects paid) and loss (attempts the project does not pay for). `system` is where top-ups come from.
Account balances are kept beside the entries and are their sum (checked by `services.ledger_check`).
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q

from fubini.common.ids import IdField, PackedIdField, PackedKeyField, new_id

ATTEMPT_KEYS = frozenset({"hold", "extend", "settle"})  # the first words of the keys of bookings for an attempt


class Account(models.Model):
    class Kind(models.TextChoices):
        BUDGET = "budget"
        HELD = "held"
        SPENT = "spent"
        LOSS = "loss"
        ABSORBED = "absorbed"
        SYSTEM = "system"

    id = models.BigAutoField(primary_key=True)
    owner = models.CharField(max_length=48)  # "project:<id>", "site:<id>", "system"
    kind = models.CharField(max_length=10, choices=Kind.choices)
    balance_micros = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "kind"], name="account_once"),
            # The last line of defence against an overspent budget: the database itself refuses.
            models.CheckConstraint(
                condition=~Q(kind__in=["budget", "held"]) | Q(balance_micros__gte=0), name="budget_never_negative"
            ),
        ]


def _owner_key() -> Any:
    return models.ForeignKey("fubini_events.EventOwner", null=True, on_delete=models.PROTECT, related_name="+")


class LedgerTransactionManager(models.Manager["LedgerTransaction"]):
    """Reads a booking's project and run with it."""

    def get_queryset(self) -> models.QuerySet[LedgerTransaction]:
        return super().get_queryset().select_related("of_project", "of_run")


class LedgerTransaction(models.Model):
    """One booking. `key` makes it happen once ("settle:<attempt>"); `ref` is its id to people and in events.

    There are several an attempt: what refers to them, and they to project and run, does so by number, as events do.
    """

    id = models.BigAutoField(primary_key=True)
    ref = PackedIdField(max_length=32, default=new_id, editable=False)
    key = PackedKeyField(max_length=80, unique=True)
    kind = models.CharField(max_length=12)  # topup, withdraw, hold, extend, settle, release, correction
    at_ms = models.BigIntegerField()
    of_project = _owner_key()
    of_run = _owner_key()
    site_id = PackedIdField(max_length=32, null=True)
    pool_id = PackedIdField(max_length=32, null=True)
    note = models.CharField(max_length=200, blank=True, default="")
    actor = models.CharField(max_length=80, blank=True, default="")

    objects = LedgerTransactionManager()

    @property
    def project_id(self) -> str | None:
        """The project's id."""
        return self.of_project.ref if self.of_project else None

    @property
    def run_id(self) -> str | None:
        """The run's id."""
        return self.of_run.ref if self.of_run else None

    @property
    def attempt_id(self) -> str | None:
        """The attempt it was booked for, which its key names; None where it was for none."""
        word, _, rest = self.key.partition(":")
        return rest.partition(":")[0] if word in ATTEMPT_KEYS else None


class LedgerEntry(models.Model):
    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    amount_micros = models.BigIntegerField()


class Hold(models.Model):
    """Budget set aside for one attempt (its id is the attempt's): placed -> settled | released."""

    id = PackedIdField(max_length=32, primary_key=True)
    project_id = PackedIdField(max_length=32)
    run_id = PackedIdField(max_length=32, db_index=True)
    site_id = PackedIdField(max_length=32)
    state = models.CharField(max_length=10, default="placed")
    amount_micros = models.BigIntegerField()
    settled_micros = models.BigIntegerField(default=0)
    payer = models.CharField(max_length=8, blank=True, default="")  # project | site, once settled or released
    placed_at_ms = models.BigIntegerField()
    ended_at_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(settled_micros__lte=F("amount_micros")), name="settled_within_hold")
        ]


class Spend(models.Model):
    """What attempts of one step cost in one accounting day, by run, pool and how they ended; written with the settlement.

    The sum over it is the project's spent balance: a summary small enough to group by, whatever the ledger's length.
    `outcome`: succeeded | failed | cancelled | lost (the site bore it) | correction.
    """

    id = models.BigAutoField(primary_key=True)
    project_id = models.CharField(max_length=32)
    day = models.IntegerField()  # see `accounting`
    run = models.ForeignKey(  # not a constraint: the ledger is told ids alone
        "fubini_runs.Run", null=True, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False
    )
    step = models.CharField(max_length=256, blank=True, default="")
    pool_id = models.CharField(max_length=32, blank=True, default="")
    outcome = models.CharField(max_length=10)
    attempts = models.PositiveIntegerField(default=0)
    held_micros = models.BigIntegerField(default=0)  # what had been set aside for them
    spent_micros = models.BigIntegerField(default=0)
    absorbed_micros = models.BigIntegerField(default=0)  # what sites bore; costs the project nothing

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project_id", "day", "run", "step", "pool_id", "outcome"], name="spend_once"
            )
        ]


class ClosedMonth(models.Model):
    """A project's accounting month whose statement is final: nothing is booked before `to_ms` any more.

    `digest` is the SHA-256 of the statement's CSV in layout `layout`, "" while it is being worked out.
    """

    id = IdField()
    project_id = models.CharField(max_length=32)
    month = models.PositiveIntegerField()  # yyyymm
    from_ms = models.BigIntegerField()
    to_ms = models.BigIntegerField()
    zone = models.CharField(max_length=64)
    currency = models.CharField(max_length=16)
    opening_micros = models.JSONField()  # {budget, held, spent}
    closing_micros = models.JSONField()
    layout = models.PositiveSmallIntegerField(default=1)
    digest = models.CharField(max_length=64, blank=True, default="")
    closed_at_ms = models.BigIntegerField()
    closed_by = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project_id", "month"], name="closed_month_once")]
