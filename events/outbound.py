"""Say where this server may send something: to hosts that an administrator named, encrypted.

The list is the control: addresses are not resolved and pinned, since a host on it is trusted with what it
is sent. Who calls follows no redirects and takes no proxy from the environment.
"""

import ipaddress
import re
import ssl
from collections.abc import Container
from functools import cache

import httpx

WRITE_AN_ADDRESS = "Write an address like https://api.example.com/v1/account."
fits_a_header = re.compile(r"[!-~]([ -~]*[!-~])?").fullmatch


def why_not(url: str, hosts: Container[str], setting: str) -> str:
    """Say why nothing may be sent to *url*; an empty text when it may.

    *hosts*, from *setting*, has each as ``host``, for any port, or as ``host:port``.
    """
    parts = read(url)
    if parts is None:
        return WRITE_AN_ADDRESS
    host = parts.host.lower()
    in_url = f"[{host}]" if ":" in host else host
    if host not in hosts and f"{in_url}:{port_of(parts)}" not in hosts:
        return f"This host is not in the setting {setting}."
    return why_not_secure(parts)


def why_not_secure(parts: httpx.URL) -> str:
    """Say why what is sent to *parts* could be read on the way; an empty text when it could not."""
    if parts.scheme == "http" and not _is_loopback(parts.host):
        return "Only https may be used, except on this machine itself."
    return ""


def read(url: str) -> httpx.URL | None:
    """Return *url* as what httpx will call, None where that is no plain address of the web."""
    try:
        parts = httpx.URL(url)
        host = parts.host  # of a name with xn-- this is when it is read
    except (httpx.InvalidURL, UnicodeError):
        return None
    is_port = parts.port is None or 0 < parts.port < 65_536
    is_plain = not parts.userinfo and parts.scheme in ("http", "https") and host
    return parts if is_plain and is_port else None


def why_no_base(name: str, url: str) -> str:
    """Say why *url*, from the setting *name*, is no service to rely on; an empty text when it is."""
    parts = read(url)
    if parts is None or parts.query or parts.fragment:
        return f"{name} must be an address like https://api.example.com/v1, without a password or a query."
    told = why_not_secure(parts)
    return f"{name}: {told}" if told else ""


def port_of(parts: httpx.URL) -> int:
    """Return the port that *parts* amounts to."""
    return parts.port or {"http": 80, "https": 443}[parts.scheme]


@cache
def tls() -> ssl.SSLContext:
    """Return the authorities that calls trust, read once."""
    return httpx.create_ssl_context(trust_env=False)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
