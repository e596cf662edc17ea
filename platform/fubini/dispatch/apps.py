from django.apps import AppConfig


class DispatchConfig(AppConfig):
    name = "fubini.dispatch"
    label = "fubini_dispatch"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from fubini.datasets import uses
        from fubini.dispatch import dataset_uses

        for asker in (dataset_uses.runs_using, dataset_uses.pipelines_naming, dataset_uses.schedules_naming):
            uses.register(asker)
