"""Spending is told by a summary, which is made here of what was settled before; months can be closed."""

from collections import defaultdict

import django.db.models.deletion
from django.db import migrations, models

import fubini.common.ids
from fubini.ledger.accounting import books

SLICE = 500


def summarize(apps, schema_editor):
    """What each ended hold cost, by day, run, step, pool and how its attempt ended."""
    hold_rows = apps.get_model("fubini_ledger", "Hold").objects
    entries = apps.get_model("fubini_ledger", "LedgerEntry").objects
    attempts = apps.get_model("fubini_runs", "Attempt").objects
    spend = apps.get_model("fubini_ledger", "Spend")
    calendar, sums, last = books(), defaultdict(lambda: [0, 0, 0, 0]), ""
    while True:
        holds = list(hold_rows.filter(pk__gt=last).exclude(state="placed").order_by("pk")[:SLICE])
        if not holds:
            break
        last = holds[-1].pk
        ids = [hold.pk for hold in holds]
        facts = {
            pk: (template, pool_id, state)
            for pk, template, pool_id, state in attempts.filter(pk__in=ids).values_list(
                "pk", "task__template", "pool_id", "state"
            )
        }
        borne = dict(
            entries.filter(transaction__key__in=[f"settle:{pk}" for pk in ids], account__kind="loss").values_list(
                "transaction__key", "amount_micros"
            )
        )
        for hold in holds:
            step, pool_id, state = facts.get(hold.pk, ("", "", "succeeded"))
            ended = state if state in ("succeeded", "cancelled") else "failed"
            outcome = "lost" if hold.payer == "site" else ended
            day = calendar.day_of(hold.ended_at_ms or hold.placed_at_ms)
            found = sums[hold.project_id, day, hold.run_id, step, pool_id, outcome]
            found[0] += 1
            found[1] += hold.settled_micros
            found[2] += borne.get(f"settle:{hold.pk}", 0)
            found[3] += hold.amount_micros
    spend.objects.bulk_create(
        [
            spend(
                project_id=project_id, day=day, run_id=run_id, step=step, pool_id=pool_id, outcome=outcome,
                attempts=count, spent_micros=spent, absorbed_micros=absorbed, held_micros=held,
            )
            for (project_id, day, run_id, step, pool_id, outcome), (count, spent, absorbed, held) in sums.items()
        ],
        batch_size=SLICE,
    )  # fmt: skip



class Migration(migrations.Migration):

    dependencies = [
        ('fubini_ledger', '0002_packed_ids'),
        ('fubini_runs', '0012_shared_documents'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClosedMonth',
            fields=[
                ('id', fubini.common.ids.IdField(default=fubini.common.ids.new_id, editable=False, max_length=32, primary_key=True, serialize=False)),
                ('project_id', models.CharField(max_length=32)),
                ('month', models.PositiveIntegerField()),
                ('from_ms', models.BigIntegerField()),
                ('to_ms', models.BigIntegerField()),
                ('zone', models.CharField(max_length=64)),
                ('currency', models.CharField(max_length=16)),
                ('opening_micros', models.JSONField()),
                ('closing_micros', models.JSONField()),
                ('layout', models.PositiveSmallIntegerField(default=1)),
                ('digest', models.CharField(blank=True, default='', max_length=64)),
                ('closed_at_ms', models.BigIntegerField()),
                ('closed_by', models.CharField(max_length=80)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project_id', 'month'), name='closed_month_once')],
            },
        ),
        migrations.CreateModel(
            name='Spend',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('project_id', models.CharField(max_length=32)),
                ('day', models.IntegerField()),
                ('step', models.CharField(blank=True, default='', max_length=256)),
                ('pool_id', models.CharField(blank=True, default='', max_length=32)),
                ('outcome', models.CharField(max_length=10)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('held_micros', models.BigIntegerField(default=0)),
                ('spent_micros', models.BigIntegerField(default=0)),
                ('absorbed_micros', models.BigIntegerField(default=0)),
                ('run', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='fubini_runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project_id', 'day', 'run', 'step', 'pool_id', 'outcome'), name='spend_once')],
            },
        ),
        migrations.RunPython(summarize, migrations.RunPython.noop),
    ]
