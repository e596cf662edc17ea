from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "fubini.runs"
    label = "fubini_runs"
    default_auto_field = "django.db.models.BigAutoField"
