"""Call addresses that somebody typed in, and none that leads inside.

A name is resolved here, every address that it has is judged, and the call goes to the one that was judged:
nobody can answer a second question differently. Networks in ``HITL_WEBHOOK_NETWORKS`` are let in, without
encryption too. Redirects are not followed and proxies of the environment not asked.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from events import outbound

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What `is_global` lets through although it leads to somebody else's inside, or to nobody.
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        *("192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16", "5f00::/16", "fec0::/10", "ff00::/8"),
    )
]


class Refused(httpx.TransportError):
    """The address is one that this server does not call."""


class Guarded(httpx.AsyncHTTPTransport):
    """Connect to the address that was judged, under the name that was asked for."""

    def __init__(self) -> None:
        # A connection that is kept could be used again for another name at the same address.
        alone = httpx.Limits(max_keepalive_connections=0)
        super().__init__(verify=outbound.tls(), trust_env=False, limits=alone)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        found = await asyncio.get_running_loop().getaddrinfo(
            host, outbound.port_of(request.url), type=socket.SOCK_STREAM
        )
        addresses = _read(found)
        if reason := _why_not(request.url.scheme, addresses):
            raise Refused(reason)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=str(addresses[0]))
        return await super().handle_async_request(request)


def why_not(url: str) -> str:
    """Say why nothing may be sent to *url* as it resolves now; an empty text when it may."""
    parts = outbound.read(url)
    if parts is None or parts.fragment:
        return _("Write an address like https://api.example.com/hooks/1, without a password.")
    try:
        found = socket.getaddrinfo(parts.host, outbound.port_of(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return _("This host cannot be found.")
    return _why_not(parts.scheme, _read(found))


def judged(scheme: str, host: str, port: int) -> list[Address]:
    """Return the addresses of *host* that may be called now, the one to take first.

    Raises:
        Refused: it is not found, or one of them may not be called.
    """
    try:
        addresses = _read(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        addresses = []
    if reason := _why_not(scheme, addresses):
        raise Refused(reason)
    return addresses


def _why_not(scheme: str, addresses: list[Address]) -> str:
    let_in = [any(address in network for network in settings.HITL_WEBHOOK_NETWORKS) for address in addresses]
    if not addresses:
        return _("This host cannot be found.")
    if not all(named or _is_public(address) for named, address in zip(let_in, addresses, strict=True)):
        return _("This address leads inside: name its network in HITL_WEBHOOK_NETWORKS to allow it.")
    if scheme != "https" and not all(let_in):
        return _("Only https may be used, except to networks in HITL_WEBHOOK_NETWORKS.")
    return ""


def _is_public(address: Address) -> bool:
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _read(found: Iterable[tuple[Any, ...]]) -> list[Address]:
    """Return the addresses that a resolver *found*, those of IPv4 first: not every host has more."""
    # Inside an IPv6 address an IPv4 one may hide, and a zone names an interface of ours.
    read = {ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_rest, sockaddr in found}
    plain = {getattr(address, "ipv4_mapped", None) or address for address in read}
    return sorted(plain, key=lambda address: (address.version, int(address)))
