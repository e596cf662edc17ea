from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "fubini.rest"
    label = "fubini_rest"
    default_auto_field = "django.db.models.BigAutoField"
