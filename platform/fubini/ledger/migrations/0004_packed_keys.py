"""Accounts, bookings and holds have keys of 16 bytes on SQLite; what is stored is carried over."""

import fubini.common.ids
from django.db import migrations


from fubini.common.ids import PackedKeyField, ids_pack, keys_pack


def rewrite(apps, schema_editor, *, back=False):
    for model in ("Account", "LedgerTransaction", "Hold"):
        keys_pack(apps, schema_editor, "fubini_ledger", model, back=back)
    ids_pack(schema_editor, "fubini_ledger_ledgertransaction", ["key"], back=back, field=PackedKeyField)


def pack(apps, schema_editor):
    rewrite(apps, schema_editor)


def unpack(apps, schema_editor):
    rewrite(apps, schema_editor, back=True)


class Migration(migrations.Migration):
    dependencies = [
        ("fubini_ledger", "0003_spending_and_months"),
    ]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="id",
            field=fubini.common.ids.PackedIdField(
                default=fubini.common.ids.new_id, editable=False, max_length=32, primary_key=True, serialize=False
            ),
        ),
        migrations.AlterField(
            model_name="hold",
            name="id",
            field=fubini.common.ids.PackedIdField(max_length=32, primary_key=True, serialize=False),
        ),
        migrations.AlterField(
            model_name="ledgertransaction",
            name="id",
            field=fubini.common.ids.PackedIdField(
                default=fubini.common.ids.new_id, editable=False, max_length=32, primary_key=True, serialize=False
            ),
        ),
        migrations.AlterField(
            model_name="ledgertransaction",
            name="key",
            field=fubini.common.ids.PackedKeyField(max_length=80, unique=True),
        ),
        migrations.RunPython(pack, unpack),
    ]
