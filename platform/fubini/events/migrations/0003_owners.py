"""Events name their project and run by a number; what is stored is carried over."""

import django.db.models.deletion
from django.db import migrations, models

from fubini.common.ids import PackedIdField

EVENT, OWNER = "fubini_events_event", "fubini_events_eventowner"
PAIRS = (("project_id", "of_project_id"), ("run_id", "of_run_id"))


def number(apps, schema_editor):
    for old, _ in PAIRS:
        schema_editor.execute(
            f"INSERT INTO {OWNER} (ref) SELECT DISTINCT {old} FROM {EVENT}"
            f" WHERE {old} IS NOT NULL AND {old} NOT IN (SELECT ref FROM {OWNER})"
        )
    assign = ", ".join(f"{new} = (SELECT id FROM {OWNER} WHERE ref = {EVENT}.{old})" for old, new in PAIRS)
    schema_editor.execute(f"UPDATE {EVENT} SET {assign}")
    _settle(schema_editor)


def name(apps, schema_editor):
    assign = ", ".join(f"{old} = (SELECT ref FROM {OWNER} WHERE id = {EVENT}.{new})" for old, new in PAIRS)
    schema_editor.execute(f"UPDATE {EVENT} SET {assign}")
    _settle(schema_editor)


def _settle(schema_editor):
    """PostgreSQL alters no table whose foreign keys are still to be checked."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


def owner():
    return models.ForeignKey(
        "fubini_events.eventowner",
        null=True,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
    )


class Migration(migrations.Migration):
    dependencies = [("fubini_events", "0002_packed_ids")]

    operations = [
        migrations.CreateModel(
            name="EventOwner",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("ref", PackedIdField(max_length=32, unique=True)),
            ],
        ),
        migrations.AddField("event", "of_project", owner()),
        migrations.AddField("event", "of_run", owner()),
        migrations.RunPython(number, name),
        migrations.RemoveIndex("event", "event_project_seq"),
        migrations.RemoveIndex("event", "event_run"),
        migrations.RemoveField("event", "project_id"),
        migrations.RemoveField("event", "run_id"),
        migrations.AddIndex("event", models.Index(fields=["of_project", "seq"], name="event_of_project")),
        migrations.AddIndex("event", models.Index(fields=["of_run", "id"], name="event_of_run")),
    ]
