"""The app of durable runs."""

from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from events import signals
from runs import dispatch


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = _("Runs")

    def ready(self) -> None:
        """Look at a run as soon as its question is answered, whoever answered it and where."""
        for signal in (
            signals.interrupt_approved,
            signals.interrupt_rejected,
            signals.interrupt_cancelled,
            signals.interrupt_expired,
        ):
            signal.connect(_look, dispatch_uid="runs")


def _look(interrupt: Any, **told: Any) -> None:
    if interrupt.run_id.startswith("run_"):
        dispatch.send(interrupt.run_id)
