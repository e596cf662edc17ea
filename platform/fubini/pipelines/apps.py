from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "fubini.pipelines"
    label = "fubini_pipelines"
    default_auto_field = "django.db.models.BigAutoField"
