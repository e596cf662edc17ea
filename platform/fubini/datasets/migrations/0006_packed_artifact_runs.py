"""Artifacts name their run in 16 bytes on SQLite, as runs do; what is stored is carried over."""

import fubini.common.ids
from django.db import migrations


from fubini.common.ids import ids_pack

STORED = ("fubini_datasets_artifact", ["run_id"])


def pack(apps, schema_editor):
    ids_pack(schema_editor, *STORED)


def unpack(apps, schema_editor):
    ids_pack(schema_editor, *STORED, back=True)


class Migration(migrations.Migration):
    dependencies = [
        ("fubini_datasets", "0005_version_pins"),
    ]

    operations = [
        migrations.AlterField(
            model_name="artifact",
            name="run_id",
            field=fubini.common.ids.PackedIdField(db_index=True, max_length=32),
        ),
        migrations.RunPython(pack, unpack),
    ]
