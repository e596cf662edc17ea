"""Accounts and bookings have numbers as keys, and bookings name their project and run by number; a booking's id stays as `ref`.

Rows are copied into new tables in the order of their ids, and nothing goes before counts and sums were found equal.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from fubini.common.ids import PackedIdField, PackedKeyField, new_id

APP = "fubini_ledger"
ACCOUNT, BOOKING, ENTRY = "fubini_ledger_account", "fubini_ledger_ledgertransaction", "fubini_ledger_ledgerentry"
NEW_ACCOUNT, NEW_BOOKING, NEW_ENTRY = (
    "fubini_ledger_numberedaccount", "fubini_ledger_numberedtransaction", "fubini_ledger_numberedentry",
)  # fmt: skip
OWNER = "fubini_events_eventowner"
SLICE = 1000
SAME = ("kind", "at_ms", "site_id", "pool_id", "note", "actor")


def number(apps, schema_editor):
    run = schema_editor.execute
    for column in ("project_id", "run_id"):
        run(
            f"INSERT INTO {OWNER} (ref) SELECT DISTINCT {column} FROM {BOOKING}"
            f" WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT ref FROM {OWNER})"
        )
    run(
        f"INSERT INTO {NEW_ACCOUNT} (owner, kind, balance_micros)"
        f" SELECT owner, kind, balance_micros FROM {ACCOUNT} ORDER BY id"
    )
    columns = ", ".join(SAME)
    picked = ", ".join(f"b.{name}" for name in SAME)
    run(
        f'INSERT INTO {NEW_BOOKING} (ref, "key", {columns}, of_project_id, of_run_id)'
        f' SELECT b.id, b."key", {picked}, p.id, r.id FROM {BOOKING} b'
        f" LEFT JOIN {OWNER} p ON p.ref = b.project_id LEFT JOIN {OWNER} r ON r.ref = b.run_id ORDER BY b.id"
    )
    run(
        f"INSERT INTO {NEW_ENTRY} (amount_micros, transaction_id, account_id)"
        f" SELECT e.amount_micros, t.id, n.id FROM {ENTRY} e"
        f' JOIN {BOOKING} b ON b.id = e.transaction_id JOIN {NEW_BOOKING} t ON t."key" = b."key"'
        f" JOIN {ACCOUNT} a ON a.id = e.account_id JOIN {NEW_ACCOUNT} n ON n.owner = a.owner AND n.kind = a.kind"
        " ORDER BY e.id"
    )
    _settle(schema_editor)
    for old, new, amount in (
        (ACCOUNT, NEW_ACCOUNT, "balance_micros"),
        (BOOKING, NEW_BOOKING, "at_ms"),
        (ENTRY, NEW_ENTRY, "amount_micros"),
    ):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*), sum({amount}) FROM {old}")
            before = cursor.fetchone()
            cursor.execute(f"SELECT count(*), sum({amount}) FROM {new}")
            if cursor.fetchone() != before:
                raise RuntimeError(f"{old} and its copy differ in rows or sum; nothing was changed")


def name(apps, schema_editor):
    """Back: bookings get their ids again, accounts new ones."""
    accounts = {}
    for row in apps.get_model(APP, "NumberedAccount").objects.order_by("id"):
        accounts[row.pk] = apps.get_model(APP, "Account").objects.create(
            owner=row.owner, kind=row.kind, balance_micros=row.balance_micros
        )
    old, owners = apps.get_model(APP, "LedgerTransaction"), apps.get_model("fubini_events", "EventOwner")
    old_entry, entry = apps.get_model(APP, "LedgerEntry"), apps.get_model(APP, "NumberedEntry")
    for rows in _slices(apps.get_model(APP, "NumberedTransaction")):
        numbers = {n for row in rows for n in (row.of_project_id, row.of_run_id) if n}
        refs = dict(owners.objects.filter(pk__in=numbers).values_list("pk", "ref"))
        old.objects.bulk_create(
            [
                old(
                    id=row.ref, key=row.key, project_id=refs.get(row.of_project_id), run_id=refs.get(row.of_run_id),
                    attempt_id=_attempt(row.key), **{name: getattr(row, name) for name in SAME},
                )
                for row in rows
            ]
        )  # fmt: skip
    for rows in _slices(entry, "transaction"):
        old_entry.objects.bulk_create(
            [
                old_entry(
                    transaction_id=row.transaction.ref, account=accounts[row.account_id], amount_micros=row.amount_micros
                )
                for row in rows
            ]
        )
    _settle(schema_editor)


def _slices(model, *joined):
    last = 0
    while rows := list(model.objects.select_related(*joined).filter(pk__gt=last).order_by("pk")[:SLICE]):
        yield rows
        last = rows[-1].pk


def _attempt(key):
    word, _, rest = key.partition(":")
    return rest.partition(":")[0] if word in ("hold", "extend", "settle") else None


def _settle(schema_editor):
    """PostgreSQL alters no table whose foreign keys are still to be checked."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


def owner():
    return models.ForeignKey(
        "fubini_events.eventowner", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+"
    )


def refers(to, related_name):
    return models.ForeignKey(to, on_delete=django.db.models.deletion.PROTECT, related_name=related_name)


KINDS = [
    ("budget", "Budget"), ("held", "Held"), ("spent", "Spent"), ("loss", "Loss"), ("absorbed", "Absorbed"),
    ("system", "System"),
]  # fmt: skip
NUMBER = ("id", models.BigAutoField(primary_key=True, serialize=False))
ONCE = models.UniqueConstraint(fields=["owner", "kind"], name="account_once")
NEVER_NEGATIVE = models.CheckConstraint(
    condition=~Q(kind__in=["budget", "held"]) | Q(balance_micros__gte=0), name="budget_never_negative"
)


class Migration(migrations.Migration):
    dependencies = [("fubini_ledger", "0004_packed_keys"), ("fubini_events", "0003_owners")]

    operations = [
        migrations.CreateModel(
            name="NumberedAccount",
            fields=[
                NUMBER,
                ("owner", models.CharField(max_length=48)),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("balance_micros", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="NumberedTransaction",
            fields=[
                NUMBER,
                ("ref", PackedIdField(default=new_id, editable=False, max_length=32)),
                ("key", PackedKeyField(max_length=80, unique=True)),
                ("kind", models.CharField(max_length=12)),
                ("at_ms", models.BigIntegerField()),
                ("of_project", owner()),
                ("of_run", owner()),
                ("site_id", PackedIdField(max_length=32, null=True)),
                ("pool_id", PackedIdField(max_length=32, null=True)),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                ("actor", models.CharField(blank=True, default="", max_length=80)),
            ],
        ),
        migrations.CreateModel(
            name="NumberedEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("transaction", refers("fubini_ledger.numberedtransaction", "entries")),
                ("account", refers("fubini_ledger.numberedaccount", "entries")),
                ("amount_micros", models.BigIntegerField()),
            ],
        ),
        migrations.RunPython(number, name),
        migrations.DeleteModel("LedgerEntry"),
        migrations.DeleteModel("LedgerTransaction"),
        migrations.DeleteModel("Account"),
        migrations.RenameModel("NumberedAccount", "Account"),
        migrations.RenameModel("NumberedTransaction", "LedgerTransaction"),
        migrations.RenameModel("NumberedEntry", "LedgerEntry"),
        migrations.AddConstraint("account", ONCE),
        migrations.AddConstraint("account", NEVER_NEGATIVE),
    ]
