"""Events name by a number what they share with others: topic, kind and states. What is stored is carried over."""

import hashlib
import json

import django.db.models.deletion
from django.db import migrations, models

from fubini.common.ids import PackedIdField

EVENT, KIND = "fubini_events_event", "fubini_events_eventkind"
NAMES = ("topic", "kind", "from_state", "to_state")
SLICE = 500


def share(apps, schema_editor):
    model = apps.get_model("fubini_events", "EventKind")
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {', '.join(NAMES)} FROM {EVENT} ORDER BY {', '.join(NAMES)}")
        found = cursor.fetchall()
    rows = []
    for values in found:
        text = json.dumps([*values, {}], separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        rows.append(model(digest=digest, data={}, **dict(zip(NAMES, values, strict=True))))
    model.objects.bulk_create(rows)
    same = " AND ".join(f"k.{name} = {EVENT}.{name}" for name in NAMES)
    schema_editor.execute(f"UPDATE {EVENT} SET of_kind_id = (SELECT k.id FROM {KIND} k WHERE {same})")
    _settle(schema_editor)


def repeat(apps, schema_editor):
    kinds, events = apps.get_model("fubini_events", "EventKind"), apps.get_model("fubini_events", "Event")
    for kind in kinds.objects.exclude(data={}):
        last = 0
        while rows := list(events.objects.filter(of_kind=kind, pk__gt=last).order_by("pk")[:SLICE]):
            for row in rows:
                row.own_data = {**kind.data, **row.own_data}
            events.objects.bulk_update(rows, ["own_data"])
            last = rows[-1].pk
    assign = ", ".join(f"{name} = (SELECT {name} FROM {KIND} k WHERE k.id = {EVENT}.of_kind_id)" for name in NAMES)
    schema_editor.execute(f"UPDATE {EVENT} SET {assign}")
    _settle(schema_editor)


def _settle(schema_editor):
    """PostgreSQL alters no table whose foreign keys are still to be checked."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


def kind(**options):
    return models.ForeignKey(
        "fubini_events.eventkind",
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("fubini_events", "0003_owners")]

    operations = [
        migrations.CreateModel(
            name="EventKind",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", PackedIdField(max_length=32, unique=True)),
                ("topic", models.CharField(max_length=24)),
                ("kind", models.CharField(max_length=48)),
                ("from_state", models.CharField(blank=True, default="", max_length=16)),
                ("to_state", models.CharField(blank=True, default="", max_length=16)),
                ("data", models.JSONField(default=dict)),
            ],
        ),
        migrations.RenameField("event", "data", "own_data"),
        migrations.AddField("event", "of_kind", kind(null=True)),
        # Going back, columns without a default come first as empty ones.
        migrations.AlterField("event", "topic", models.CharField(default="", max_length=24)),
        migrations.AlterField("event", "kind", models.CharField(default="", max_length=48)),
        migrations.RunPython(share, repeat),
        migrations.AlterField("event", "of_kind", kind()),
        migrations.RemoveField("event", "topic"),
        migrations.RemoveField("event", "kind"),
        migrations.RemoveField("event", "from_state"),
        migrations.RemoveField("event", "to_state"),
    ]
