from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "fubini.gateway"
    label = "fubini_gateway"
    default_auto_field = "django.db.models.BigAutoField"
