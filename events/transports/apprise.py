"""Send a line through one of Apprise's channels, whose address is a person's own choice.

Only the channels below can be made: each was read, speaks HTTP through ``requests`` alone, and those in
``HOSTED`` to hosts that its address cannot choose. Apprise calls ``requests.post``, which makes a session
for each call; in this process that session is ours. So every call of every channel goes where
:mod:`events.destinations` lets it: to the address that was judged, without redirects or proxies of the
environment, for so many seconds and so much of an answer.
"""

import socket
import threading
import time
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, Self

import requests
import requests.api
import structlog
from apprise import AppriseAsset, NotifyType
from apprise.plugins.bark import NotifyBark
from apprise.plugins.base import NotifyBase
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.google_chat import NotifyGoogleChat
from apprise.plugins.gotify import NotifyGotify
from apprise.plugins.join import NotifyJoin
from apprise.plugins.line import NotifyLine
from apprise.plugins.mattermost import NotifyMattermost
from apprise.plugins.nextcloudtalk import NotifyNextcloudTalk
from apprise.plugins.ntfy import NotifyNtfy
from apprise.plugins.pagerduty import NotifyPagerDuty
from apprise.plugins.prowl import NotifyProwl
from apprise.plugins.pushbullet import NotifyPushBullet
from apprise.plugins.pushover import NotifyPushover
from apprise.plugins.rocketchat import NotifyRocketChat
from apprise.plugins.signl4 import NotifySIGNL4
from apprise.plugins.telegram import NotifyTelegram
from apprise.plugins.threema import NotifyThreema
from apprise.plugins.webexteams import NotifyWebexTeams
from apprise.plugins.workflows import NotifyWorkflows
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from events import destinations

HOSTED: dict[str, type[NotifyBase]] = {
    "discord": NotifyDiscord,
    "gchat": NotifyGoogleChat,
    "join": NotifyJoin,
    "line": NotifyLine,
    "pagerduty": NotifyPagerDuty,
    "pbul": NotifyPushBullet,
    "pover": NotifyPushover,
    "prowl": NotifyProwl,
    "signl4": NotifySIGNL4,
    "tgram": NotifyTelegram,
    "threema": NotifyThreema,
    "webex": NotifyWebexTeams,
    "wxteams": NotifyWebexTeams,
}
ANYWHERE: dict[str, type[NotifyBase]] = {
    "bark": NotifyBark,
    "barks": NotifyBark,
    "gotify": NotifyGotify,
    "gotifys": NotifyGotify,
    "json": NotifyJSON,
    "jsons": NotifyJSON,
    "mmost": NotifyMattermost,
    "mmosts": NotifyMattermost,
    "nctalk": NotifyNextcloudTalk,
    "nctalks": NotifyNextcloudTalk,
    "ntfy": NotifyNtfy,
    "ntfys": NotifyNtfy,
    "rocket": NotifyRocketChat,
    "rockets": NotifyRocketChat,
    "workflow": NotifyWorkflows,
    "workflows": NotifyWorkflows,
}
"""Whose address names a host: offered where ``HITL_APPRISE_SCHEMES`` says so, and judged like a webhook's."""
SCHEMES = HOSTED | ANYWHERE

SECONDS, ANSWER_BYTES = 10.0, 64 * 1024
_ASSET = AppriseAsset(
    app_id="HITL", app_desc="Human in the loop", app_url="", http_redirects=False, storage_mode="memory"
)
log = structlog.get_logger(__name__)


class Unusable(Exception):
    """The address is not one of a channel that can be used."""


def scheme_of(url: str) -> str:
    """Return which channel *url* is of."""
    scheme, mark, _rest = url.strip().partition("://")
    return scheme.lower() if mark else ""


def read(url: str) -> Any:
    """Return what sends to *url*.

    Raises:
        Unusable: see there.
    """
    plugin = SCHEMES.get(scheme_of(url))
    try:
        parts = plugin.parse_url(url.strip()) if plugin else None
        if plugin is None or not parts:
            raise Unusable
        found = plugin(**{**parts, "asset": _ASSET})
    except Unusable:
        raise
    except Exception:  # a parser of many formats fails in as many ways, and may name the address
        raise Unusable from None
    # What its address may ask for is ours to say: how often, how long, and that certificates are read.
    found.redirects, found.verify_certificate, found.retry = False, True, 0
    found.socket_connect_timeout = found.socket_read_timeout = SECONDS
    found.throttle = _never_wait  # type: ignore[method-assign]
    return found


def send(url: str, title: str, body: str) -> str:
    """Send to *url*; return why it was not taken, in words that do not repeat the address."""
    try:
        channel = read(url)
    except Unusable:
        return "not usable"
    with _Call() as call:
        try:
            is_taken = channel.notify(title=title, body=body, notify_type=NotifyType.INFO)
        except destinations.Refused as problem:
            return str(problem)
        except Exception as problem:  # it is others' code: whatever it says may hold the address
            return call.problem or type(problem).__name__
    return "" if is_taken else call.problem or "not taken"


def _never_wait(*args: Any, **options: Any) -> None:
    """Pace nothing: who is told how often is decided before anything is sent."""


class _Call:
    """Be one message under way: until when, what was answered, and the sockets that end with it."""

    def __init__(self) -> None:
        self.ends_at = time.monotonic() + SECONDS
        self.problem = ""
        self._watched: list[tuple[threading.Timer, socket.socket]] = []

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *args: object) -> None:
        _current.reset(self._token)
        for timer, watched in self._watched:
            timer.cancel()
            watched.close()

    @property
    def left(self) -> float:
        return self.ends_at - time.monotonic()

    def watch(self, connected: socket.socket) -> None:
        """Cut *connected* when time is up: who sends a byte at a time never runs into a timeout."""
        watched = connected.dup()
        timer = threading.Timer(max(0.0, self.left), _cut, [watched])
        timer.daemon = True
        timer.start()
        self._watched.append((timer, watched))


_current: ContextVar[_Call | None] = ContextVar("apprise_call", default=None)


def _cut(watched: socket.socket) -> None:
    try:
        watched.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return


# -- The way out ----------------------------------------------------------------------------------------


def _connected(scheme: str, host: str, port: int) -> socket.socket:
    """Connect to the address that was judged."""
    call = _current.get() or _Call()
    try:
        address = destinations.judged(scheme, host, port)[0]
    except destinations.Refused as problem:
        call.problem = str(problem)
        raise
    if call.left <= 0:
        raise TimeoutError
    found = socket.create_connection((str(address), port), timeout=call.left)
    call.watch(found)
    return found


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected("http", self.host, self.port)


class _Encrypted(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected("https", self.host, self.port or 443)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}


class _Session(requests.Session):
    """Make every call as it has to be made, whatever the channel or its address says."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        told: dict[str, Any] = {
            "stream": True,
            "allow_redirects": False,
            "verify": True,
            "cert": None,
            "proxies": {},  # of the environment none
        }
        answer = super().send(request, **{**options, **told, "timeout": SECONDS})
        if call := _current.get():
            call.problem = "" if 200 <= answer.status_code < 300 else f"answered {answer.status_code}"
        answer._content = _beginning(answer)  # of a body that may have no end
        answer.close()
        return answer


def _beginning(answer: requests.Response) -> bytes:
    try:
        return bytes(answer.raw.read(ANSWER_BYTES, decode_content=True))
    except (HTTPError, OSError, ValueError):
        return b""


requests.api.sessions = SimpleNamespace(Session=_Session)  # type: ignore[attr-defined, assignment]
