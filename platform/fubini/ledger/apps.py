from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "fubini.ledger"
    label = "fubini_ledger"
    default_auto_field = "django.db.models.BigAutoField"
