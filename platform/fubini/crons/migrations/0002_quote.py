"""What one run of a schedule would cost, kept for forecasts."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fubini_crons', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='cron',
            name='quote',
            field=models.JSONField(null=True),
        ),
    ]
