"""Serve everything from one process: pages, API, sockets and, without Redis, the clock."""

import os
import socket
import threading
from argparse import ArgumentParser
from typing import Any

import structlog
import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections
from django_celery_beat.schedulers import DatabaseScheduler

from events import jobs
from hitl_project.celery import app
from hitl_project.server import OPTIONS, Server, application
from runs import leases

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Serve pages, API, sockets and jobs on 127.0.0.1 (PORT, 8000)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"))

    def handle(self, *args: Any, **options: Any) -> None:
        port = str(options["port"])
        if not port.isdigit() or not 0 < int(port) < 65_536:
            raise CommandError(f"PORT must be a number from 1 to 65535, not {port!r}.")
        try:
            listener = socket.create_server((options["host"], int(port)), backlog=2_048)
        except OSError as problem:
            where = f"{options['host']}:{port}"
            raise CommandError(
                f"Nothing can listen on {where} ({problem.strerror}). Set PORT to a free one."
            ) from None
        server = Server(uvicorn.Config(application, **OPTIONS))
        stop = threading.Event()
        clock = threading.Thread(target=_tick, args=[stop], name="clock", daemon=True)
        if settings.EMBEDDED:
            clock.start()
        self.stdout.write(f"  Serving on  http://{options['host']}:{port}   (Ctrl+C stops it)\n")
        self.stdout.flush()
        server.run(sockets=[listener])
        stop.set()
        if clock.is_alive():
            clock.join(timeout=5)


def _tick(stop: threading.Event) -> None:
    """Let the scheduler of django-celery-beat run what is due, here and now (tasks are eager)."""
    app.loader.import_default_modules()  # a task that is not known here would be sent to a broker
    scheduler: DatabaseScheduler | None = None
    pause = 0.0
    while not stop.wait(pause):
        try:
            close_old_connections()
            if scheduler is None:
                jobs.release_all()
                leases.release_all()
                jobs.beat()  # the first scheduled one comes after its interval
                scheduler = DatabaseScheduler(app=app)
            pause = min(scheduler.tick(), 1.0)
        except Exception:  # one failing job or a busy database must not stop the clock
            log.exception("clock_stumbled")
            pause = 1.0
