"""Somebody's second factor, as it is in their hand: codes by the clock, and the way through both steps."""

import base64
import hmac
import re
import struct
import time
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

APP, CONFIRM, SECOND_STEP = "/admin/security/app/", "/admin/security/confirm/", "/admin/login/code/"


def code_of(secret: str, shift: int = 0) -> str:
    """Return what an application with *secret* shows now, or *shift* half minutes later (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // 30 + shift)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    place = digest[-1] & 15
    (number,) = struct.unpack(">I", digest[place : place + 4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def enter(user: User, address: str = "192.0.2.1", **data: str) -> tuple[Client, Any]:
    """Give name and password at the front door; return the client and the answer."""
    client = Client(REMOTE_ADDR=address)
    form = {"username": user.username, "password": f"{user.username}-has-a-password", **data}
    return client, client.post("/admin/login/", form)


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def set_up_app(client: Client) -> tuple[str, list[str]]:
    """Set up an application; return its secret and the recovery codes."""
    secret = secret_on(client.get(APP).content.decode())
    done = client.post(APP, {"code": code_of(secret, -1)})
    assert done.status_code == 200, done.headers
    return secret, codes_on(done.content.decode())


def secret_on(page: str) -> str:
    (found,) = re.findall(r'<code id="secret"[^>]*>([A-Z2-7]+)</code>', page)
    return str(found)


def codes_on(page: str) -> list[str]:
    return re.findall(r"<li><code>(\d{10})</code></li>", page)
