"""The pages of what is over: decisions, the same as a file, how long people took, and how each decides."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.callers import operator
from agents.models import Agent
from events import log
from events.keyset import PLACES
from events.models import SYSTEM
from hitl_project.pages import charts
from hitl_project.pages.chart_file import as_csv as figures_as_csv
from hitl_project.pages.decision_file import as_csv, as_json_lines, off_the_loop
from hitl_project.pages.decisions import PAGE, Filters
from hitl_project.pages.decisions import page as decisions_on
from reviews.models import VIEW
from reviews.oversight import PEOPLE_SHOWN, QUICK_SECONDS, held, people
from reviews.waits import agents, misses, waits

AUDIT = "events.view_event"
FILES = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "jsonl": ("application/x-ndjson", as_json_lines),
}
OFFERED = 200
"""So many names are offered of agents and of people; any other can be typed."""


def decisions(site: Any, request: HttpRequest) -> HttpResponse:
    """Show what has ended, newest first, from the item on that the address names."""
    _must_be_allowed(request)
    filters = Filters(request.GET)
    shown, page = decisions_on(filters.matching, request.GET, PAGE)
    context = {
        **site.each_context(request),
        "title": _("Decisions"),
        "filters": filters,
        "is_filtered": any(filters.cleaned_data.values()) or bool(filters.errors),
        "decisions": shown,
        "older": _link(request, after=shown[-1].item.pk) if shown and page.has_next else "",
        "newer": _link(request, before=shown[0].item.pk) if shown and page.has_previous else "",
        "newest": _link(request),
        "as_lines": _link(request, format="jsonl"),
        "is_paged": any(name in request.GET for name in PLACES),
        "agents": Agent.objects.order_by("name").values_list("name", flat=True)[:OFFERED],
        "people": User.objects.order_by("username").values_list("username", flat=True)[:OFFERED],
        "zone": timezone.get_current_timezone_name(),
    }
    return TemplateResponse(request, "hitl/decisions.html", context)


def export(site: Any, request: HttpRequest) -> StreamingHttpResponse:
    """Send all that the filters match as a file, and record who has taken it along."""
    _must_be_allowed(request)
    wanted = "jsonl" if request.GET.get("format") == "jsonl" else "csv"
    content_type, write = FILES[wanted]
    filters = Filters(request.GET)
    pieces = write(filters.matching)
    asked = {name: str(value) for name, value in filters.cleaned_data.items() if value}
    _exported(request, "decisions", format=wanted, filters=asked)
    response = StreamingHttpResponse(
        off_the_loop(pieces) if isinstance(request, ASGIRequest) else pieces, content_type=content_type
    )
    response["Content-Disposition"] = _attachment("decisions", wanted)
    return response


def response_times(site: Any, request: HttpRequest) -> HttpResponse:
    """Show how long people took, by kind, group, agent and hour, and what came too late."""
    _must_be_allowed(request)
    found, missed = waits(), misses()
    shown = [*charts.of_waits(found), charts.of_agents(agents())] if found else []
    if missed:
        shown.append(charts.of_misses(missed))
    if "csv" in request.GET.getlist("format"):
        return _figures_file(request, "response-times", shown)
    context = {**site.each_context(request), "title": _("Response times"), "charts": shown}
    return TemplateResponse(request, "hitl/response_times.html", context)


def oversight(site: Any, request: HttpRequest) -> HttpResponse:
    """Show how each person decides, to who looks after the record."""
    _must_be_allowed(request, AUDIT)
    found, claims = people(), held()
    shown = charts.of_people(found) if found else []
    if claims:
        shown.append(charts.of_held(claims))
    if "csv" in request.GET.getlist("format"):
        return _figures_file(request, "oversight", shown)
    context = {
        **site.each_context(request),
        "title": _("Oversight"),
        "charts": shown,
        "shown": PEOPLE_SHOWN,
        "seconds": QUICK_SECONDS,
    }
    return TemplateResponse(request, "hitl/oversight.html", context)


def _figures_file(request: HttpRequest, name: str, shown: list[charts.Chart]) -> HttpResponse:
    """Return the figures of the page as a file, and record who has taken them along."""
    _exported(request, name, format="csv")
    response = HttpResponse(figures_as_csv(shown), content_type=FILES["csv"][0])
    response["Content-Disposition"] = _attachment(name, "csv")
    return response


def _exported(request: HttpRequest, what: str, **told: Any) -> None:
    with log.unit_of_work():
        log.record(SYSTEM, "hitl.record.exported", what, actor=operator(request).actor, data=told)


def _attachment(name: str, ending: str) -> str:
    return f'attachment; filename="{name}-{timezone.localdate().isoformat()}.{ending}"'


def _must_be_allowed(request: HttpRequest, permission: str = VIEW) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _link(request: HttpRequest, **place: str) -> str:
    """Return the address of this page with the same filters, from another place on."""
    query = request.GET.copy()
    for name in PLACES:
        query.pop(name, None)
    query.update(place)
    return f"?{query.urlencode()}"
