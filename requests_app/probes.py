"""Ask a service whether an answer works, before it is accepted.

Where an answer may go an administrator says twice: by a :class:`Probe`, and by ``HITL_PROBE_HOSTS``, without
which there are no probes (see :mod:`events.outbound`). The answer stands in a header alone: addresses get
into logs.
"""

import asyncio
from typing import Any

import httpx
from asgiref.sync import async_to_sync
from django.conf import settings
from django.utils.translation import gettext, gettext_noop

from events import outbound
from events.problems import Problem, invalid
from requests_app.fields import Field
from requests_app.models import Probe

SECONDS = 5
PLACE = "{value}"
UNAVAILABLE = gettext_noop(
    "The service that checks this value does not answer, so nothing was stored. Try again in a while;"
    " if that does not help, ask an administrator to look at the probe {name}."
)


def why_not(url: str) -> str:
    """Say why no probe may go to *url*; an empty text when it may."""
    return outbound.why_not(url, settings.HITL_PROBE_HOSTS, "HITL_PROBE_HOSTS")


def check_answers(fields: list[Field], answers: dict[str, Any]) -> None:
    """Hold each of *answers* whose field names a probe against it.

    Raises:
        Problem: 400 that names every field whose answer is refused, or that cannot be checked because its
            probe is not there; 503 ``check_unavailable`` when a service does not answer.
    """
    found = {}
    for field in fields:
        if field.check and field.name in answers and (told := check(field.check, str(answers[field.name]))):
            found[f"response_data.{field.name}"] = [told]
    if found:
        raise invalid(found)


def check(name: str, value: str) -> str:
    """Say why the probe *name* does not pass *value*; an empty text when it does.

    Raises:
        Problem: 503, the service does not answer.
    """
    probe = Probe.objects.filter(name=name, is_active=True).first()
    if probe is None or why_not(probe.url):
        told = gettext("This is checked by the probe %(name)s, which may not be used. Ask an administrator.")
        return told % {"name": name}
    if not outbound.fits_a_header(value):
        return gettext("This has characters that no key has: blanks around it, line ends, accents.")
    status = _ask(probe, value)
    if status == probe.expected_status:
        return ""
    return gettext("The service refused this value (HTTP %(status)s).") % {"status": status}


def _ask(probe: Probe, value: str) -> int:
    client = httpx.AsyncClient(
        verify=outbound.tls(), trust_env=False, follow_redirects=False, timeout=SECONDS
    )
    headers = {probe.header: probe.template.replace(PLACE, value)}
    try:
        return async_to_sync(_status)(client, probe.url, headers)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
        told = gettext(UNAVAILABLE).format(name=probe.name)
        # Without its cause: what a library says of a request may repeat a header.
        raise Problem(503, "check_unavailable", told, headers={"Retry-After": "30"}) from None


async def _status(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> int:
    """Return the status alone; asynchronous because only so the whole of it can be given five seconds."""
    async with asyncio.timeout(SECONDS), client, client.stream("GET", url, headers=headers) as answer:
        return answer.status_code
