"""Runs, tasks, attempts and leases have keys of 16 bytes on SQLite, the reasons tasks wait for are shared, and what no query uses is
in no index.

Keys and what refers to them are carried over. The reasons are not: the next plan writes them again.
"""

import django.db.models.deletion
import fubini.common.ids
from django.db import migrations, models


from fubini.common.ids import ids_pack, keys_pack

KEYS = ("Run", "Task", "Attempt")
LOOSE = (("fubini_runs_attempt", ["run_id"]), ("fubini_runs_lease", ["id", "run_id"]))


def rewrite(apps, schema_editor, *, back=False):
    for model in KEYS:
        keys_pack(apps, schema_editor, "fubini_runs", model, back=back)
    for table, columns in LOOSE:
        ids_pack(schema_editor, table, columns, back=back)


def pack(apps, schema_editor):
    rewrite(apps, schema_editor)


def unpack(apps, schema_editor):
    rewrite(apps, schema_editor, back=True)


class Migration(migrations.Migration):
    dependencies = [
        ("fubini_crons", "0001_initial"),
        ("fubini_ledger", "0003_spending_and_months"),
        ("fubini_runs", "0012_shared_documents"),
        ("fubini_sites", "0003_site_owners"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="attempt",
            name="attempt_number_once",
        ),
        migrations.RemoveField(
            model_name="task",
            name="why",
        ),
        migrations.AddField(
            model_name="task",
            name="why_document",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="fubini_runs.shareddocument",
            ),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="agent",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attempts",
                to="fubini_sites.agent",
            ),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="id",
            field=fubini.common.ids.PackedIdField(
                default=fubini.common.ids.new_id, editable=False, max_length=32, primary_key=True, serialize=False
            ),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="run_id",
            field=fubini.common.ids.PackedIdField(max_length=32),
        ),
        migrations.AlterField(
            model_name="lease",
            name="id",
            field=fubini.common.ids.PackedIdField(max_length=32, primary_key=True, serialize=False),
        ),
        migrations.AlterField(
            model_name="lease",
            name="run_id",
            field=fubini.common.ids.PackedIdField(max_length=32),
        ),
        migrations.AlterField(
            model_name="run",
            name="id",
            field=fubini.common.ids.PackedIdField(
                default=fubini.common.ids.new_id, editable=False, max_length=32, primary_key=True, serialize=False
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="id",
            field=fubini.common.ids.PackedIdField(
                default=fubini.common.ids.new_id, editable=False, max_length=32, primary_key=True, serialize=False
            ),
        ),
        migrations.RunPython(pack, unpack),
    ]
