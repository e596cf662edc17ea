from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "fubini.datasets"
    label = "fubini_datasets"
    default_auto_field = "django.db.models.BigAutoField"
