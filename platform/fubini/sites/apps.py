from django.apps import AppConfig


class SitesConfig(AppConfig):
    name = "fubini.sites"
    label = "fubini_sites"
    default_auto_field = "django.db.models.BigAutoField"
