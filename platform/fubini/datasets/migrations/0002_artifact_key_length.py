from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fubini_datasets", "0001_initial")]

    operations = [
        migrations.AlterField("artifact", "key", models.CharField(max_length=500, primary_key=True, serialize=False)),
    ]
