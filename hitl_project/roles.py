"""The four roles of people, as Django groups made by a migration."""

from typing import Any

VIEW = {
    *(f"reviews.view_{model}" for model in ("reviewitem", "policy", "grant", "delegation")),
    "interrupts.view_interrupt",
    "requests_app.view_actionrequest",
    "runs.view_run",
}
DECIDE = {
    "reviews.decide_reviewitem",
    "reviews.delete_grant",
    *(f"reviews.{verb}_delegation" for verb in ("add", "delete")),
}
AUDIT = {
    *(f"events.view_{model}" for model in ("event", "stream", "joblease", "webhook", "delivery")),
    "agents.view_agent",
}
ADMINISTER = {
    *(f"events.{verb}_webhook" for verb in ("add", "change", "delete")),
    "events.change_delivery",
    *(f"reviews.{verb}_policy" for verb in ("add", "change", "delete")),
    *(f"agents.{verb}_{model}" for verb in ("view", "add", "change") for model in ("agent", "key")),
    *(f"auth.{verb}_{model}" for verb in ("view", "add", "change", "delete") for model in ("user", "group")),
    *(
        f"requests_app.{verb}_{model}"
        for verb in ("view", "add", "change", "delete")
        for model in ("requesttemplate", "probe")
    ),
    *(
        f"runs.{verb}_{model}"
        for verb in ("view", "add", "change", "delete")
        for model in ("registeredmodel", "modelinput")
    ),
    *(f"django_celery_beat.{verb}_periodictask" for verb in ("view", "change")),
}

ROLES = {
    "viewer": VIEW,
    "reviewer": VIEW | DECIDE,
    "auditor": VIEW | AUDIT,
    "administrator": VIEW | DECIDE | AUDIT | ADMINISTER,
}


def make(apps: Any, schema_editor: Any) -> None:
    """Make the groups with their permissions, which Django itself would only add after the last migration."""
    content_types = apps.get_model("contenttypes", "ContentType")
    permissions = apps.get_model("auth", "Permission")
    for role, names in ROLES.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
        for name in sorted(names):
            app, codename = name.split(".")
            verb, model = codename.split("_")
            content_type, _ = content_types.objects.get_or_create(app_label=app, model=model)
            permission, _ = permissions.objects.get_or_create(
                content_type=content_type,
                codename=codename,
                defaults={"name": TITLES.get(codename, f"Can {verb} {model}")},
            )
            group.permissions.add(permission)


TITLES = {"decide_reviewitem": "Can decide what agents ask"}
