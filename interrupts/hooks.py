"""Where Slack says that somebody clicked."""

import hashlib
from urllib.parse import parse_qs

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from events import once
from events.problems import Problem, not_found
from events.transports import slack as transport
from interrupts import clicks

LIMIT = 64 * 1024
REMEMBERED_SECONDS = 600  # longer than a signature holds
log = structlog.get_logger(__name__)


@csrf_exempt  # there is no session: what Slack signed is who it is
@require_POST
def slack(request: HttpRequest) -> HttpResponse:
    """Take a click; nothing of it is read before it is known that Slack signed it, a moment ago."""
    if not transport.is_on():
        return not_found().response()
    body = request.read(LIMIT + 1)
    if len(body) > LIMIT:
        return Problem(413, "too_large", "The body is too large.").response()
    timestamp, signature = (
        request.headers.get(name, "") for name in ("X-Slack-Request-Timestamp", "X-Slack-Signature")
    )
    if not transport.is_signed(body, timestamp, signature):
        return Problem(401, "unauthenticated", "This is not signed by Slack, or not just now.").response()
    try:
        click = clicks.read(_payload(body))
    except clicks.Malformed:
        return Problem(400, "invalid", "This is not what Slack sends when somebody clicks.").response()
    key = f"slack:click:{hashlib.sha256(signature.encode()).hexdigest()}"
    if click is not None and once.is_first(key, REMEMBERED_SECONDS, otherwise=True):
        _take(click)
    return HttpResponse(status=200)


def _payload(body: bytes) -> str:
    try:
        (found,) = parse_qs(body.decode(), strict_parsing=True, max_num_fields=5)["payload"]
    except (ValueError, LookupError):
        raise clicks.Malformed from None
    return found


def _take(click: clicks.Click) -> None:
    try:
        clicks.take(click)
    except Exception:  # Slack shows a person nothing of a failure but a sign of warning
        log.exception("slack_click_failed")
        transport.whisper(click.response_url, _("That did not work. Decide it on its page, or try again."))
