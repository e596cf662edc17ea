from django.apps import AppConfig


class CronsConfig(AppConfig):
    name = "fubini.crons"
    label = "fubini_crons"
    default_auto_field = "django.db.models.BigAutoField"
