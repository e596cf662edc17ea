from django.apps import AppConfig


class DispatchConfig(AppConfig):
    name = "fubini.dispatch"
    label = "fubini_dispatch"
    default_auto_field = "django.db.models.BigAutoField"
