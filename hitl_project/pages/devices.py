"""What makes the admin an application on a device: manifest, service worker, offline page, and push.

None of what is served here without a login says anything about anybody: the first three are the same for
all, and may be kept by a browser.
"""

import hashlib
from functools import cache

import orjson
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from agents.callers import operator
from events import push
from events.http import BODY_LIMIT, parse
from events.problems import Problem
from reviews import notifying
from reviews.models import VIEW

SESSION = "push_subscription"
SHELL = settings.BASE_DIR / "static" / "hitl"
ICONS = [
    {"src": "hitl/favicon.svg", "sizes": "any", "type": "image/svg+xml"},
    {"src": "hitl/app/icon-192.png", "sizes": "192x192", "type": "image/png"},
    {"src": "hitl/app/icon-512.png", "sizes": "512x512", "type": "image/png"},
    {"src": "hitl/app/maskable-512.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
]


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Answer what an installed application is called, looks like and begins with."""
    home = reverse("admin:index")
    document = {
        "id": home,
        "name": gettext("Human in the loop"),
        "short_name": gettext("Inbox"),
        "description": gettext("What agents ask, and people decide."),
        "start_url": notifying.INBOX,
        "scope": home,
        "display": "standalone",
        "background_color": "#f5f6f8",
        "theme_color": "#3f4fbf",
        "icons": [{**icon, "src": static(icon["src"])} for icon in ICONS],
        "shortcuts": [
            {"name": gettext("Inbox"), "url": notifying.INBOX},
            {"name": gettext("Human actions"), "url": reverse("admin:human_actions")},
        ],
    }
    return HttpResponse(orjson.dumps(document), content_type="application/manifest+json")


@require_safe
@never_cache
def service_worker(request: HttpRequest) -> HttpResponse:
    """Answer the script that shows pushes and the offline page; it changes with the files it keeps."""
    told = {
        "version": _version(),
        "offline": reverse("admin:offline"),
        "home": reverse("admin:index"),
        "files": settings.STATIC_URL,
        "icon": static("hitl/app/icon-192.png"),
        "badge": static("hitl/app/badge-96.png"),
        "title": gettext("A question waits"),
        "open": gettext("Open"),
    }
    script = (SHELL / "js" / "service-worker.js").read_text()
    return HttpResponse(
        f"const TOLD = {orjson.dumps(told).decode()};\n{script}",
        content_type="text/javascript; charset=utf-8",
    )


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Answer the page that is shown where the server cannot be reached; nobody's name is on it."""
    context = {**admin.site.each_context(request), "title": gettext("Offline"), "has_permission": False}
    return TemplateResponse(request, "admin/offline.html", context)


@require_http_methods(["POST", "DELETE"])
def subscriptions(request: HttpRequest) -> HttpResponse:
    """Keep or forget the push subscription of the device that sends it.

    Logging out forgets the one that this session has made.
    """
    caller = operator(request)
    if not caller.has_perm(VIEW):
        raise PermissionDenied
    try:
        body = parse(request.read(BODY_LIMIT + 1))
        if request.method == "DELETE":
            push.unsubscribe(caller.user, body.get("endpoint"))
            return HttpResponse(status=204)
        request.session[SESSION] = push.subscribe(caller.user, body, notifying.present()).pk
    except Problem as problem:
        return problem.response()
    return JsonResponse({"told": True}, status=201)


def forget(request: HttpRequest) -> None:
    """Ring the device no more on which somebody logs out."""
    if request.user.is_authenticated and (made := request.session.get(SESSION)):
        push.forget(request.user, made)


@cache
def _version() -> str:
    """Take the hash of the files of our own, read once a process."""
    found = hashlib.sha256()
    for path in sorted(path for path in SHELL.rglob("*") if path.is_file()):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
