"""uvicorn as this server needs it: by itself (`manage.py serve`) and as gunicorn's worker.

gunicorn hitl_project.asgi:application --worker-class hitl_project.server.Worker
"""

import socket
import sys
from typing import Any

import uvicorn
from django.conf import settings
from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from hitl_project.asgi import application  # first: it sets Django up, which gunicorn has not done yet

from events.hub import close_hubs  # isort: skip

__all__ = ["OPTIONS", "Server", "Worker", "application"]
OPTIONS: dict[str, Any] = {
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "proxy_headers": settings.SECURE_PROXY_SSL_HEADER is not None,  # uvicorn believes any local caller
    "ws_max_size": 64 * 1024,
    "timeout_keep_alive": 75,  # longer than a proxy's: whoever keeps a connection must not find it shut
    "timeout_graceful_shutdown": 5,
}
UNREAD_MILLISECONDS = 20_000


class Server(uvicorn.Server):
    """Serve on sockets that are given; end what waits before uvicorn waits for it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or []:
            _give_up_on_the_unread(listener)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await close_hubs()
        await super().shutdown(sockets)


def _give_up_on_the_unread(listener: socket.socket) -> None:
    """Have the kernel drop peers that stop reading: behind a shut window not even a close reaches them."""
    if hasattr(socket, "TCP_USER_TIMEOUT") and listener.family in (socket.AF_INET, socket.AF_INET6):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)


class Worker(UvicornWorker):  # type: ignore[misc]
    """Be one of gunicorn's processes."""

    CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, **OPTIONS}

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = Server(config=self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
