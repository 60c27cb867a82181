"""A process with the project loaded, for what is not asked over HTTP: agents, decisions with the moment of
their commit, the sweep. It reads one JSON object a line and answers with one.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_project.settings")
django.setup()

import psycopg
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from agents import callers, keys
from events import log
from events.models import Event, Stream, Tally
from interrupts import selectors, services
from interrupts.models import Interrupt
from reviews import policy_services
from reviews.models import Policy, ReviewItem
from reviews.recount import differences, repair
from reviews.statistics import statistics
from tests.plain_statistics import plain_statistics as plain_figures


def tables() -> dict[str, str]:
    """Name the tables, for statements of the harness."""
    models = {"item": ReviewItem, "interrupt": Interrupt, "event": Event, "stream": Stream, "tally": Tally}
    return {name: model._meta.db_table for name, model in models.items()}


def agents(count: int, prefix: str) -> dict[str, str]:
    """Make *count* agents; return their keys by name."""
    made = {}
    for number in range(count):
        name = f"{prefix}-{number:04}"
        made[name] = keys.create_key(keys.create_agent(name))[1]
    return made


def policies(count: int) -> int:
    """Have *count* policies, each about a tool of its own and with a condition; the last is about ours."""
    by = callers.of_user(operator())
    for policy in Policy.objects.all():
        policy_services.delete_policy(policy, by)
    for number in range(count):
        pattern = "delete_file" if number == count - 1 else f"tool_{number}_*"
        said = {"pattern": pattern, "when": "args.recursive || args.path.startsWith('/srv')"}
        policy_services.create_policy(by, name=f"Policy {number}", priority=number, **said)
    return count


def operator() -> User:
    user, _ = User.objects.get_or_create(username="ann", defaults={"is_superuser": True, "is_staff": True})
    return user


def operator_key() -> str:
    """Return a key that decides as an operator."""
    return keys.create_key(operator())[1]


def operator_cookie() -> str:
    """Return the cookie of a logged-in operator."""
    browser = Client()
    browser.force_login(operator())
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def approve(ids: list[str], pause: float) -> dict[str, float]:
    """Approve *ids*, one every *pause* seconds; return the moment of each commit."""
    by = callers.of_user(operator())
    committed: dict[str, float] = {}
    for pk in ids:
        time.sleep(pause)
        item = selectors.interrupt(by, pk)
        with log.unit_of_work():
            # Registered before the nudge's: the clock starts where the limit's does, after COMMIT.
            transaction.on_commit(lambda pk=pk: committed.__setitem__(pk, time.monotonic()))
            services.approve(item, by=by)
    return committed


def approve_reference(ids: list[list[str]], pause: float) -> dict[str, float]:
    """Do as little as possible for each ``[id, channel]``: two statements and a NOTIFY in a transaction."""
    committed = {}
    with psycopg.connect(os.environ["REFERENCE_URL"]) as connection:
        for pk, channel in ids:
            time.sleep(pause)
            event = json.dumps({"type": "hitl.interrupt.approved", "subject_id": pk}, separators=(",", ":"))
            connection.execute("UPDATE item SET status = 'approved' WHERE id = %s", [pk])
            connection.execute(
                "INSERT INTO event (item, type, data) VALUES (%s, 'approved', %s)", [pk, event]
            )
            connection.execute("SELECT pg_notify('events', %s)", [f"{channel} {event}"])
            connection.commit()
            committed[pk] = time.monotonic()
    return committed


def recount() -> int:
    """Let the tallies be those of the rows; return how many were not."""
    wrong = differences(lambda done: None)
    repair(wrong)
    return len(wrong)


def plain_statistics() -> float:
    """Take the statistics as aggregates over all rows; return the seconds that takes."""
    started = time.perf_counter()
    plain = plain_figures(ReviewItem.objects.all())
    taken = time.perf_counter() - started
    kept = statistics(callers.of_user(operator()))
    for name, value in plain["interrupts"].items():
        if not name.startswith("average"):
            assert kept["interrupts"][name] == value, (name, kept["interrupts"][name], value)
    return taken


def sweep() -> dict[str, float]:
    """Run the sweep of what is overdue."""
    started, cpu = time.monotonic(), time.process_time()
    moved = services.expire_overdue()
    return {"moved": moved, "seconds": time.monotonic() - started, "cpu": time.process_time() - cpu}


VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb
    for verb in (
        tables,
        agents,
        policies,
        operator_key,
        operator_cookie,
        approve,
        approve_reference,
        recount,
        plain_statistics,
        sweep,
    )
}

if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        answer = VERBS[asked.pop("verb")](**asked)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
