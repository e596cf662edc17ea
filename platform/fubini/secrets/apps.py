from __future__ import annotations

from django.apps import AppConfig


class SecretsConfig(AppConfig):
    name = "fubini.secrets"
    label = "fubini_secrets"
    default_auto_field = "django.db.models.BigAutoField"
