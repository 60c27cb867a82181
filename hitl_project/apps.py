"""The project as an app, for its checks, its commands and its schedules; and the admin site."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate

from hitl_project import schedule, seeds, sessions
from hitl_project.pages import nouns
from runs import seeds as models


class ProjectConfig(AppConfig):
    name = "hitl_project"
    verbose_name = "HITL server"

    def ready(self) -> None:
        from hitl_project import checks  # noqa: F401, PLC0415 - checks register once the apps are loaded

        nouns.give()
        user_logged_in.connect(sessions.begin)
        # Not of this app: Django tells nobody about the migrations of one that has no models.
        post_migrate.connect(schedule.install, sender=apps.get_app_config("django_celery_beat"))
        post_migrate.connect(seeds.install, sender=apps.get_app_config("reviews"))
        post_migrate.connect(models.install, sender=apps.get_app_config("runs"))


class HITLAdminConfig(AdminConfig):
    default_site = "hitl_project.site.HITLAdminSite"
