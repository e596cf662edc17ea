from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "fubini.projects"
    label = "fubini_projects"
    default_auto_field = "django.db.models.BigAutoField"
