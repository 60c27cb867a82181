"""What Django's own pages call our tables and columns, in the reader's language.

It stands here and not in the models: there, every better word would be a migration.
"""

from django.apps import apps
from django.utils.translation import gettext_lazy as _

TABLES = {
    "agents.Agent": (_("agent"), _("agents")),
    "agents.Key": (_("key"), _("keys")),
    "events.Event": (_("event"), _("events")),
    "reviews.Policy": (_("policy"), _("policies")),
    "reviews.Grant": (_("grant"), _("grants")),
    "reviews.Delegation": (_("delegation"), _("delegations")),
    "interrupts.Interrupt": (_("interrupt"), _("interrupts")),
    "requests_app.ActionRequest": (_("action request"), _("action requests")),
    "requests_app.RequestTemplate": (_("request template"), _("request templates")),
    "requests_app.Probe": (_("probe"), _("probes")),
    "runs.Run": (_("run"), _("runs")),
    "runs.RegisteredModel": (_("registered model"), _("registered models")),
    "runs.ModelInput": (_("model input"), _("model inputs")),
}
COLUMNS = {
    "agents.Agent": {
        "name": _("name"),
        "description": _("description"),
        "owner": _("owner"),
        "is_active": _("is active"),
    },
    "agents.Key": {"label": _("label")},
    "events.Event": {"type": _("type"), "position": _("position"), "id": _("ID"), "hash": _("hash")},
    "requests_app.RequestTemplate": {
        "name": _("name"),
        "request_type": _("request type"),
        "title": _("title"),
        "description": _("description"),
        "required_fields": _("required fields"),
        "checklist": _("checklist"),
        "priority": _("priority"),
        "expires_in_hours": _("expires in hours"),
        "is_active": _("is active"),
    },
    "requests_app.Probe": {
        "name": _("name"),
        "description": _("description"),
        "url": _("URL"),
        "header": _("header"),
        "template": _("template"),
        "expected_status": _("expected status"),
        "is_active": _("is active"),
    },
    "runs.RegisteredModel": {
        "tool": _("tool"),
        "pattern": _("pattern"),
        "title": _("title"),
        "description": _("description"),
    },
    "runs.ModelInput": {
        "name": _("name"),
        "kind": _("kind"),
        "required": _("required"),
        "label": _("label"),
        "help": _("help"),
        "rules": _("rules"),
        "unit": _("unit"),
        "aliases": _("other names"),
        "default": _("default"),
        "position": _("position"),
    },
}


def give() -> None:
    """Give tables and columns their words."""
    for label, (one, many) in TABLES.items():
        table = apps.get_model(label)._meta
        table.verbose_name, table.verbose_name_plural = one, many
    for label, words in COLUMNS.items():
        for name, word in words.items():
            column = apps.get_model(label)._meta.get_field(name)
            column.verbose_name = word
