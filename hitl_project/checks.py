"""Explain a setting that cannot work, in a sentence, before the server starts."""

import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connection

from events import outbound
from events.transports import apprise


@register(Tags.security)
def hosts_are_named(app_configs: Any, **kwargs: Any) -> list[Error]:
    """A wildcard would let any site open operators' sockets: their Origin is held against this list."""
    if any(host in ("*", ".") for host in settings.ALLOWED_HOSTS):
        return [
            Error(
                "HITL_ALLOWED_HOSTS contains '*', so every origin could open an operator's socket.",
                hint="Name the hosts, separated by commas: HITL_ALLOWED_HOSTS=hitl.example.com",
                id="hitl.E001",
            )
        ]
    return []


@register(Tags.security)
def secrets_are_long(app_configs: Any, **kwargs: Any) -> list[Error]:
    """A short secret can be guessed."""
    return [
        Error(
            f"{name} has fewer than 32 characters.", hint=f"Unset {name} to have one drawn.", id="hitl.E002"
        )
        for name, value in (
            ("HITL_SECRET_KEY", settings.SECRET_KEY),
            ("HITL_KEY_PEPPER", settings.HITL_KEY_PEPPER),
        )
        if len(value) < 32
    ]


@register(Tags.database)
def processes_can_hear_each_other(app_configs: Any, **kwargs: Any) -> list[Error]:
    """PostgreSQL may serve many processes, SQLite serves one; Redis is what several need between them."""
    if settings.REDIS_URL and connection.vendor == "sqlite":
        return [
            Error(
                "REDIS_URL is set but DATABASE_URL is not: several processes cannot share SQLite well.",
                hint="Set DATABASE_URL=postgresql://…, or unset REDIS_URL for the embedded set-up.",
                id="hitl.E003",
            )
        ]
    return []


@register()
def database_is_known(app_configs: Any, **kwargs: Any) -> list[Error]:
    """The conditional updates and the clock are written for these two."""
    if connection.vendor not in ("postgresql", "sqlite"):
        return [
            Error(
                f"The database {connection.vendor!r} is not supported.",
                hint="Set DATABASE_URL=postgresql://user:password@host/name, or leave it out for SQLite.",
                id="hitl.E004",
            )
        ]
    return []


@register()
def sqlite_is_new_enough(app_configs: Any, **kwargs: Any) -> list[Error]:
    """The statements use RETURNING, which SQLite has had since 2021."""
    if connection.vendor == "sqlite" and sqlite3.sqlite_version_info < (3, 35):
        return [
            Error(
                f"This Python comes with SQLite {sqlite3.sqlite_version}; 3.35 or newer is needed.",
                hint="Use a newer Python, or set DATABASE_URL to a PostgreSQL.",
                id="hitl.E005",
            )
        ]
    return []


@register()
def review_is_on(app_configs: Any, **kwargs: Any) -> list[CheckWarning]:
    """Switched off, approvals are given by nobody: say so at every start."""
    if not settings.HITL_ENABLED:
        return [CheckWarning("HITL_ENABLED is off: approvals and confirmations pass unseen.", id="hitl.W001")]
    return []


@register(Tags.security)
def drawn_keys_are_shared(app_configs: Any, **kwargs: Any) -> list[CheckWarning]:
    """Hosts that do not share the data folder would each draw a key that the others do not know."""
    if settings.EMBEDDED:
        return []
    return [
        CheckWarning(
            f"{name} is not set, so each host draws its own and takes nothing that another sealed or signed.",
            hint=f"Give all processes the same {name}: {HOW_TO_SET[name]}",
            id="hitl.W002",
        )
        for name in settings.HITL_DRAWN
    ]


@register(Tags.security)
def services_have_addresses(app_configs: Any, **kwargs: Any) -> list[Error]:
    """What is called with a key must be reached encrypted."""
    names = ("HITL_OPENAI_URL", "HITL_REPLICATE_URL", "HITL_SLACK_URL")
    told = [outbound.why_no_base(name, getattr(settings, name)) for name in names]
    if settings.HITL_PUBLIC_URL and outbound.read(settings.HITL_PUBLIC_URL) is None:
        told.append("HITL_PUBLIC_URL must be the address by which others reach this server.")
    hint = "Write https, a host and perhaps a path; http for this machine itself alone."
    return [Error(text, hint=hint, id="hitl.E006") for text in told if text]


@register(Tags.security)
def listed_hosts_can_match(app_configs: Any, **kwargs: Any) -> list[CheckWarning]:
    """An entry that is not a host never matches, and who wrote it believes that it does."""
    return [
        CheckWarning(
            f"{name} has {host!r}, which is no host: nothing is sent there.",
            hint="Write hosts as api.example.com or api.example.com:8443, without https:// or a path.",
            id="hitl.W003",
        )
        for name in ("HITL_PROBE_HOSTS", "HITL_RUN_HOSTS", "HITL_PUSH_HOSTS")
        for host in getattr(settings, name)
        if set(host.removeprefix("*." if name == "HITL_PUSH_HOSTS" else "")) & set("/*@?# ")
    ]


@register()
def mails_can_lead_here(app_configs: Any, **kwargs: Any) -> list[CheckWarning]:
    """A mail without the server's address says that something waits, and not where."""
    if not settings.HITL_EMAIL_URL or settings.HITL_PUBLIC_URL:
        return []
    return [
        CheckWarning(
            "HITL_EMAIL_URL is set but HITL_PUBLIC_URL is not: mails have no links.",
            hint="Set HITL_PUBLIC_URL=https://hitl.example.com, as people reach this server.",
            id="hitl.W004",
        )
    ]


@register(Tags.security)
def the_provider_is_known_whole(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Single sign-on with half its settings lets in nobody, or shows a button that fails."""
    told = {name: getattr(settings, name) for name in OF_SSO}
    if not settings.HITL_OIDC_URL:
        return [
            Error(
                f"{name} is set but HITL_OIDC_URL is not, so nobody can log in by it.",
                hint="Set HITL_OIDC_URL to the issuer's address, or unset the others.",
                id="hitl.E007",
            )
            for name, value in told.items()
            if value
        ][:1]
    why = outbound.why_no_base("HITL_OIDC_URL", settings.HITL_OIDC_URL)
    if why or len(settings.HITL_OIDC_URL) > 200:
        why = why or "HITL_OIDC_URL has more than 200 characters."
        hint = "It is what the provider calls its issuer, as https://login.example.com/realms/main."
        return [Error(why, hint=hint, id="hitl.E008")]
    return [
        Error(f"HITL_OIDC_URL is set but {name} is not: {OF_SSO[name]}.", id="hitl.E009")
        for name, value in told.items()
        if not value
    ]


OF_SSO = {
    "HITL_OIDC_CLIENT_ID": "the provider has to know who asks",
    "HITL_OIDC_CLIENT_SECRET": "the provider has to believe it",
    "HITL_OIDC_GROUPS": "without groups that stand for roles nobody gets in",
}


@register()
def slack_is_whole(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A bot that cannot tell who clicks sends nothing; one without the server's address leads nowhere."""
    names = ("HITL_SLACK_TOKEN", "HITL_SLACK_SIGNING_SECRET")
    there = [name for name in names if getattr(settings, name)]
    if not there:
        return []
    if len(there) < len(names):
        (missing,) = set(names) - set(there)
        return [
            Error(
                f"{there[0]} is set but {missing} is not: Slack stays off.",
                hint=f"Set {missing} too: both are on the pages of the app at api.slack.com.",
                id="hitl.E011",
            )
        ]
    if settings.HITL_PUBLIC_URL:
        return []
    return [
        CheckWarning(
            "Slack is set up but HITL_PUBLIC_URL is not: its messages have no links.",
            hint="Set HITL_PUBLIC_URL=https://hitl.example.com, as people and Slack reach this server.",
            id="hitl.W005",
        )
    ]


@register()
def channels_are_known(app_configs: Any, **kwargs: Any) -> list[Error]:
    """A channel that was not read could open files, run programs or call hosts that nobody judged."""
    return [
        Error(
            f"HITL_APPRISE_SCHEMES has {scheme!r}, which is none that this server sends by.",
            hint=f"Choose among {', '.join(sorted(apprise.SCHEMES))}; an empty value switches Apprise off.",
            id="hitl.E010",
        )
        for scheme in settings.HITL_APPRISE_SCHEMES
        if scheme not in apprise.SCHEMES
    ]


HOW_TO_SET = {
    "HITL_DEPLOYMENT_ID": "any text that stays the same as long as the data.",
    "HITL_SECRETS_KEYS": "1:key, a key being 32 random bytes in URL-safe base64.",
    "HITL_RECEIPT_KEYS": "1:key, a key being 32 random bytes in URL-safe base64.",
    "HITL_PUSH_KEY": "32 random bytes in URL-safe base64.",
}
