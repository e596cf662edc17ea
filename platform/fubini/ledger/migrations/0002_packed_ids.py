"""Ids in bookings and holds take half the bytes on SQLite; what is stored is carried over."""

from django.db import migrations

from fubini.common.ids import PackedIdField, ids_pack

STORED = (
    ("fubini_ledger_ledgertransaction", ("project_id", "run_id", "attempt_id", "site_id", "pool_id")),
    ("fubini_ledger_hold", ("project_id", "run_id", "site_id")),
)


def pack(apps, schema_editor):
    for table, columns in STORED:
        ids_pack(schema_editor, table, columns)


def unpack(apps, schema_editor):
    for table, columns in STORED:
        ids_pack(schema_editor, table, columns, back=True)


class Migration(migrations.Migration):
    dependencies = [("fubini_ledger", "0001_initial")]

    operations = [
        migrations.AlterField(
            "ledgertransaction", "project_id", PackedIdField(max_length=32, null=True, db_index=True)
        ),
        migrations.AlterField("ledgertransaction", "run_id", PackedIdField(max_length=32, null=True, db_index=True)),
        migrations.AlterField("ledgertransaction", "attempt_id", PackedIdField(max_length=32, null=True)),
        migrations.AlterField("ledgertransaction", "site_id", PackedIdField(max_length=32, null=True)),
        migrations.AlterField("ledgertransaction", "pool_id", PackedIdField(max_length=32, null=True)),
        migrations.AlterField("hold", "project_id", PackedIdField(max_length=32)),
        migrations.AlterField("hold", "run_id", PackedIdField(max_length=32, db_index=True)),
        migrations.AlterField("hold", "site_id", PackedIdField(max_length=32)),
        migrations.RunPython(pack, unpack),
    ]
