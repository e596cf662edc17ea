from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "fubini.audit"
    label = "fubini_audit"
    default_auto_field = "django.db.models.BigAutoField"
