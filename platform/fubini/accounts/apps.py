from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "fubini.accounts"
    label = "fubini_accounts"
    default_auto_field = "django.db.models.BigAutoField"
