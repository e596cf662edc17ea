"""Ids in events take half the bytes on SQLite, and numbers that are not given are in no index; what is stored is carried over."""

from django.db import migrations, models

from fubini.common.ids import PackedIdField, ids_pack

STORED = ("fubini_events_event", ("project_id", "run_id", "entity_id"))


def unnumbered_find(apps, schema_editor):
    """Where events are numbered by hand, readers look for those without a number; on SQLite that is all of them."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE INDEX event_unnumbered ON fubini_events_event (id) WHERE seq IS NULL")


def unnumbered_forget(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX event_unnumbered")


class Migration(migrations.Migration):
    dependencies = [("fubini_events", "0001_initial")]

    operations = [
        migrations.AlterField("event", "project_id", PackedIdField(max_length=32, null=True)),
        migrations.AlterField("event", "run_id", PackedIdField(max_length=32, null=True)),
        migrations.AlterField("event", "entity_id", PackedIdField(max_length=80)),
        migrations.RunPython(
            lambda apps, editor: ids_pack(editor, *STORED), lambda apps, editor: ids_pack(editor, *STORED, back=True)
        ),
        migrations.AlterField("event", "seq", models.BigIntegerField(null=True)),
        migrations.AddConstraint(
            "event", models.UniqueConstraint(fields=["seq"], condition=~models.Q(seq=None), name="event_seq_once")
        ),
        migrations.RunPython(unnumbered_find, unnumbered_forget),
    ]
