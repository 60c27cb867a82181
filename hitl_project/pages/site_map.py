"""The places of the admin in the order in which people think of them, by the words that we use."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from hitl_project.pages.record import AUDIT
from reviews.models import VIEW

_OURS = (
    (
        _("Review"),
        (
            ("reviewitem", _("Inbox")),
            ("interrupt", _("Interrupts")),
            ("actionrequest", _("Human actions")),
            ("run", _("Runs")),
        ),
    ),
    (
        _("Record"),
        (
            ("decisions", _("Decisions")),
            ("response-times", _("Response times")),
            ("oversight", _("Oversight")),
            ("event", _("Events")),
        ),
    ),
    (
        _("Rules"),
        (
            ("policy", _("Policies")),
            ("grant", _("Allowed in advance")),
            ("requesttemplate", _("Templates of requests")),
            ("probe", _("Probes of answers")),
            ("registeredmodel", _("Models")),
        ),
    ),
    (
        _("People and agents"),
        (
            ("user", _("People")),
            ("group", _("Groups and roles")),
            ("delegation", _("Delegations")),
            ("agent", _("Agents")),
            ("key", _("Keys")),
            ("webhook", _("Webhooks")),
            ("delivery", _("Deliveries")),
        ),
    ),
    (_("Machine room"), (("periodictask", _("Scheduled jobs")),)),
)
# What a job's own page leads to.
_PARTS_OF_JOBS = {"clockedschedule", "crontabschedule", "intervalschedule", "solarschedule"}


def places(app_list: list[dict[str, Any]], user: Any) -> list[dict[str, Any]]:
    """Return ``[{name, links: [{name, url}]}]`` of what *user* may open; empty groups are left out.

    What is in *app_list* and has no words here keeps its own, in the last group.
    """
    models = [model for app in app_list for model in app["models"]]
    urls = {model["object_name"].lower(): model["admin_url"] for model in models}
    urls |= _pages(user)
    found: list[dict[str, Any]] = [
        {"name": name, "links": [{"name": word, "url": urls[key]} for key, word in links if urls.get(key)]}
        for name, links in _OURS
    ]
    known = _PARTS_OF_JOBS | {key for _name, links in _OURS for key, _word in links}
    found[-1]["links"] += [
        {"name": model["name"], "url": model["admin_url"]}
        for model in models
        if model["object_name"].lower() not in known and model["admin_url"]
    ]
    return [group for group in found if group["links"]]


def _pages(user: Any) -> dict[str, str]:
    """Return the addresses of what is no model's page, by the names of this module."""
    record = {"oversight": reverse("admin:oversight")} if user.has_perm(AUDIT) else {}
    if not user.has_perm(VIEW):
        return record
    return {
        **record,
        "reviewitem": reverse("admin:inbox"),
        "actionrequest": reverse("admin:human_actions"),
        "decisions": reverse("admin:decisions"),
        "response-times": reverse("admin:response_times"),
    }
