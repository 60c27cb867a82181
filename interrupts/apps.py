"""The app where an agent stops and asks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InterruptsConfig(AppConfig):
    name = "interrupts"
    verbose_name = _("Interrupts")
