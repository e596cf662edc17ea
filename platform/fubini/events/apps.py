from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "fubini.events"
    label = "fubini_events"
    default_auto_field = "django.db.models.BigAutoField"
