"""The ASGI application: calls that wait, sockets, and everything else by Django."""

import os
import warnings
from typing import Any

from django.core.asgi import get_asgi_application

# WhiteNoise hands over static files as ordinary iterators; they are small, and are sent in one piece.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_project.settings")
django_app = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import re_path

from agents import express
from agents.api import waiting_route as events_route
from agents.sockets import AgentDoor, OperatorDoor
from events.consumers import AgentConsumer, OperatorConsumer
from hitl_project.limits import BodyLimit
from interrupts import express as interrupts
from interrupts.waiting import route as interrupts_route
from requests_app.waiting import route as requests_route
from reviews import evaluation
from runs.waiting import route as runs_route

WAITING = (interrupts_route, requests_route, runs_route, events_route)
hot_and_django = express.asgi(django_app, (*interrupts.routes, *evaluation.routes))


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer what waits without Django's middleware, and pass the rest on."""
    for route in WAITING:
        if (groups := route.match(scope)) is not None:
            await route(scope, receive, send, groups)
            return
    await hot_and_django(scope, receive, send)


async def _nowhere(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Refuse a socket on a path that has none."""
    await send({"type": "websocket.close", "code": 4404})


nowhere: Any = _nowhere
agents: Any = AgentDoor(AgentConsumer.as_asgi())
operators: Any = AllowedHostsOriginValidator(OperatorDoor(OperatorConsumer.as_asgi()))

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(http),
        "websocket": URLRouter(
            [
                re_path(r"^ws/agents/?$", agents),
                re_path(r"^ws/(?:operators|events)/?$", operators),
                re_path(r"", nowhere),
            ]
        ),
    }
)
