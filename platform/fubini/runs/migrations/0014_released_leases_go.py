"""Released leases go, as they do from now on when their attempts end; results to reuse are found by their key alone."""

from django.db import migrations, models


def released_go(apps, schema_editor):
    attempts = apps.get_model("fubini_runs", "Attempt").objects.exclude(
        state__in=["leased", "staging", "submitted", "running", "finishing"]
    )
    leases = apps.get_model("fubini_runs", "Lease").objects
    leases.filter(state="released").delete()
    leases.filter(state="expired", pk__in=attempts.values("pk")).delete()


class Migration(migrations.Migration):
    dependencies = [("fubini_runs", "0013_packed_keys")]

    operations = [
        migrations.RunPython(released_go, migrations.RunPython.noop),
        migrations.RemoveIndex("task", "task_reuse"),
        migrations.AddIndex(
            "task",
            models.Index(fields=["reuse_key"], condition=~models.Q(reuse_key=""), name="task_reuse"),
        ),
    ]
