"""Attempts refer to shared documents instead of repeating them; what older attempts hold is carried over."""

import hashlib
import json

import django.db.models.deletion
from django.db import migrations, models

NAMES = ("environment", "placement", "rates")
SLICE = 500


def carry_over(apps, schema_editor):
    Attempt = apps.get_model("fubini_runs", "Attempt")
    SharedDocument = apps.get_model("fubini_runs", "SharedDocument")
    known: dict[str, int] = {}

    def kept(content):
        if not content:
            return None
        digest = hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
        if digest not in known:
            known[digest] = SharedDocument.objects.create(digest=digest, content=content).pk
        return known[digest]

    last = ""
    while rows := list(Attempt.objects.filter(pk__gt=last).order_by("pk").only("pk", *NAMES)[:SLICE]):
        for row in rows:
            for name in NAMES:
                setattr(row, f"{name}_document_id", kept(getattr(row, name)))
        Attempt.objects.bulk_update(rows, [f"{name}_document" for name in NAMES], batch_size=100)
        last = rows[-1].pk
    _settle(schema_editor)


def carry_back(apps, schema_editor):
    Attempt = apps.get_model("fubini_runs", "Attempt")
    last = ""
    while rows := list(
        Attempt.objects.filter(pk__gt=last).order_by("pk").select_related(*(f"{n}_document" for n in NAMES))[:SLICE]
    ):
        for row in rows:
            for name in NAMES:
                document = getattr(row, f"{name}_document")
                setattr(row, name, document.content if document else {})
        Attempt.objects.bulk_update(rows, NAMES, batch_size=100)
        last = rows[-1].pk
    _settle(schema_editor)


def _settle(schema_editor):
    """PostgreSQL alters no table whose foreign keys are still to be checked."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


def reference():
    return models.ForeignKey(
        null=True,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="fubini_runs.shareddocument",
    )


class Migration(migrations.Migration):
    dependencies = [("fubini_runs", "0011_pages_by_id")]

    operations = [
        migrations.CreateModel(
            name="SharedDocument",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("content", models.JSONField()),
            ],
        ),
        *(migrations.AddField("attempt", f"{name}_document", reference()) for name in NAMES),
        migrations.RunPython(carry_over, carry_back),
        *(migrations.RemoveField("attempt", name) for name in NAMES),
    ]
