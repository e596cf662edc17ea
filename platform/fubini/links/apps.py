from django.apps import AppConfig


class LinksConfig(AppConfig):
    name = "fubini.links"
    label = "fubini_links"
    default_auto_field = "django.db.models.BigAutoField"
