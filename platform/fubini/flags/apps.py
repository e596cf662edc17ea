from django.apps import AppConfig


class FlagsConfig(AppConfig):
    name = "fubini.flags"
    label = "fubini_flags"
    default_auto_field = "django.db.models.BigAutoField"
