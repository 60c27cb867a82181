"""The app where an agent needs something done that only a person can do."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    name = "requests_app"
    verbose_name = "Human action requests"
