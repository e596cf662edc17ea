"""Money: append-only double entry in integer micros; the entries of a transaction sum to zero.

A project has three accounts: budget (what it may still spend), held (set aside for attempts) and spent. A site has two:
income (what projects paid) and loss (attempts the project does not pay for). `system` is where top-ups come from.
Account balances are kept beside the entries and are their sum (checked by `services.ledger_check`).
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from fubini.common.ids import IdField, PackedIdField


class Account(models.Model):
    class Kind(models.TextChoices):
        BUDGET = "budget"
        HELD = "held"
        SPENT = "spent"
        LOSS = "loss"
        ABSORBED = "absorbed"
        SYSTEM = "system"

    id = IdField()
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


class LedgerTransaction(models.Model):
    """One booking. `key` makes it happen once ("settle:<attempt>")."""

    id = IdField()
    key = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=12)  # topup, withdraw, hold, extend, settle, release
    at_ms = models.BigIntegerField()
    project_id = PackedIdField(max_length=32, null=True, db_index=True)
    run_id = PackedIdField(max_length=32, null=True, db_index=True)
    attempt_id = PackedIdField(max_length=32, null=True)
    site_id = PackedIdField(max_length=32, null=True)
    pool_id = PackedIdField(max_length=32, null=True)
    note = models.CharField(max_length=200, blank=True, default="")
    actor = models.CharField(max_length=80, blank=True, default="")


class LedgerEntry(models.Model):
    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    amount_micros = models.BigIntegerField()


class Hold(models.Model):
    """Budget set aside for one attempt (its id is the attempt's): placed -> settled | released."""

    id = models.CharField(max_length=32, primary_key=True)
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
