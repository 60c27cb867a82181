"""Stop mails from within any of them."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from reviews import mailing


@csrf_exempt  # a mail program posts here without a page (RFC 8058); the token says whose mails they are
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, which scanners of mails follow, and stop the mails on POST."""
    whose = mailing.read_stop(token)
    if whose is not None and request.method == "POST":
        mailing.stop(whose)
    context = {
        **admin.site.each_context(request),
        "title": _("Mails"),
        "has_permission": False,
        "is_known": whose is not None,
        "is_stopped": request.method == "POST",
    }
    return TemplateResponse(request, "hitl/mail/stop.html", context, status=200 if whose is not None else 404)
