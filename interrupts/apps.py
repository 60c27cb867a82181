"""The app where an agent stops and asks."""

from django.apps import AppConfig


class InterruptsConfig(AppConfig):
    name = "interrupts"
    verbose_name = "Interrupts"
