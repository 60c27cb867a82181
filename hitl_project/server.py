"""uvicorn as this server needs it: by itself (`manage.py serve`) and as gunicorn's worker.

    gunicorn hitl_project.asgi:application --worker-class hitl_project.server.Worker
"""

import socket
import sys
from typing import Any

import uvicorn
from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from events.hub import close_hubs

OPTIONS: dict[str, Any] = {
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "ws_max_size": 64 * 1024,
    "timeout_graceful_shutdown": 5,
}
UNREAD_MILLISECONDS = 30_000


class Server(uvicorn.Server):
    """End what waits before uvicorn waits for it, and let go of readers that do not read."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux has it
            return
        # No close reaches a peer whose window is shut: it is the kernel that has to give up. What is set on
        # the listening socket holds for every connection.
        for listener in [listener for server in getattr(self, "servers", []) for listener in server.sockets]:
            if listener.family in (socket.AF_INET, socket.AF_INET6):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await close_hubs()
        await super().shutdown(sockets)


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
