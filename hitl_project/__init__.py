"""Wiring: settings, URLs, ASGI and the clock. No rule of the product lives here."""

from hitl_project.celery import app as celery_app

__all__ = ["celery_app"]
