"""How much a project or a member of it may use."""

import django.db.models.deletion
import fubini.common.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fubini_projects', '0003_saved_filters'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Quota',
            fields=[
                ('id', fubini.common.ids.IdField(default=fubini.common.ids.new_id, editable=False, max_length=32, primary_key=True, serialize=False)),
                ('cpu_millis', models.BigIntegerField(null=True)),
                ('accelerators', models.PositiveIntegerField(null=True)),
                ('runs', models.PositiveIntegerField(null=True)),
                ('storage_bytes', models.BigIntegerField(null=True)),
                ('month_micros', models.BigIntegerField(null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quotas', to='fubini_projects.project')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'user'), name='quota_once'), models.UniqueConstraint(condition=models.Q(('user', None)), fields=('project',), name='quota_of_a_project_once')],
            },
        ),
    ]
