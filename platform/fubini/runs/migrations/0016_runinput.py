import re
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import fubini.common.ids

VERSIONED = re.compile(r"(.+)-v([1-9][0-9]{0,8})")


def fill(apps: Any, schema_editor: Any) -> None:
    """Runs that are there: the dataset versions they were given."""
    runs, inputs = apps.get_model("fubini_runs", "Run"), apps.get_model("fubini_runs", "RunInput")
    rows = runs.objects.exclude(datasets={}).values_list("pk", "datasets")
    found = [
        inputs(run_id=pk, key=f"dataset/{match[1]}@{match[2]}")
        for pk, datasets in rows.iterator(chunk_size=2000)
        for claim in sorted(set(datasets.values()))
        if (match := VERSIONED.fullmatch(claim))
    ]
    inputs.objects.bulk_create(found, batch_size=500)


class Migration(migrations.Migration):
    dependencies = [
        ("fubini_runs", "0015_file_looks"),
    ]

    operations = [
        migrations.CreateModel(
            name="RunInput",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(db_index=True, max_length=500)),
                ("source_run", fubini.common.ids.PackedIdField(blank=True, default="", max_length=32)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="inputs", to="fubini_runs.run"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("source_run", ""), _negated=True),
                        fields=["source_run"],
                        name="run_input_source",
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("run", "key"), name="run_input_once")],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
