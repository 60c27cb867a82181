"""Set up billing with a key that only a person can get, from a Celery task that never waits.

    celery --app stripe_errand --workdir examples worker      # with HITL_API_KEY and REDIS_URL, as the others
    python examples/stripe_errand.py listen
    python examples/stripe_errand.py start billing-7
    python examples/stripe_errand.py show

The task asks for the key and ends: no worker is held while people think. The listener follows the agent's
events and starts the task again once somebody has answered; the same call then finds its request, and the
key is there. Kill any of them at any moment and start it again: what is due stands in a file (ERRAND_DB), and
the messages only say "look", so that one lost or sent twice does no harm. Without REDIS_URL the commands do
the work themselves.
"""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
from celery import Celery
from hitl_client import HITL, NotApproved, SecretsGone, SecretsLeased, StreamReset

FILE = os.environ.get("ERRAND_DB", "errand.sqlite")
BROKER = os.environ.get("REDIS_URL", "")
STRIPE = os.environ.get("STRIPE_URL", "https://api.stripe.com")
ANSWERED = [f"hitl.request.{how}" for how in ("fulfilled", "rejected", "cancelled", "expired")]
FIELDS = {
    "contact": {"label": "Who looks after the account?", "type": "email"},
    "api_key": {"label": "Restricted key (rk_…)", "type": "secret", "pattern": "(rk|sk)_.+"},
}

hitl = HITL()
app = Celery("stripe_errand", broker=BROKER or "memory://")
app.conf.update(task_always_eager=not BROKER, task_ignore_result=True, task_default_queue="stripe_errand")
app.conf.update(broker_connection_retry_on_startup=True)


@contextmanager
def notebook() -> Iterator[sqlite3.Connection]:
    """Open the file in which everything stands, for one transaction.

    An errand is due while it was woken more often than it had gone to sleep by.
    """
    with closing(sqlite3.connect(FILE, timeout=30)) as db, db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS errand"
            " (workflow TEXT PRIMARY KEY, woken INT DEFAULT 1, slept INT DEFAULT 0, outcome TEXT)"
        )
        db.execute("CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY CHECK (id = 1), cursor TEXT)")
        yield db


@app.task
def carry_on(workflow: str) -> None:
    """Go on from wherever this stands, up to its end or to where a person is needed."""
    with notebook() as db:
        query = "SELECT woken, outcome FROM errand WHERE workflow = ?"
        woken, outcome = db.execute(query, [workflow]).fetchone()
    if outcome:
        return None
    try:
        request = hitl.request_action(
            "api_key",
            "A key for Stripe",
            "Billing needs a restricted key that may read the account.",
            required_fields=FIELDS,
            workflow_id=workflow,
            mode="ask",
        )
        if request.is_open:
            return note("slept", woken, workflow)
        with hitl.secrets(request, wait_timeout=0) as secrets:
            account = httpx.get(f"{STRIPE}/v1/account", auth=(secrets["api_key"], ""), timeout=30)
            account.raise_for_status()
            note("outcome", f"{account.json()['id']}, looked after by {request.data['contact']}", workflow)
    except SecretsLeased:
        pass  # another worker is at it; should it die, the listener comes back to this
    except (NotApproved, SecretsGone) as refusal:
        note("outcome", f"given up: {refusal}", workflow)


def note(column: str, value: object, workflow: str) -> None:
    """Write down how an errand stands, unless it has ended."""
    with notebook() as db:
        query = f"UPDATE errand SET {column} = ? WHERE workflow = ? AND outcome IS NULL"  # noqa: S608 - ours
        db.execute(query, [value, workflow])


def listen() -> None:
    """Wake what was answered; a cursor is noted together with what it stands for, so nothing is missed."""
    while True:
        with notebook() as db:
            [cursor] = db.execute("SELECT max(cursor) FROM place").fetchone()
        try:
            for event in hitl.events(cursor, types=ANSWERED, follow=5):
                wake(event.cursor, str(event.data.get("workflow_id")))
        except StreamReset as reset:  # the server was restored from a backup: look at everything
            wake(reset.cursor, "*")
        start_what_is_due()


def wake(cursor: str | None, workflow: str) -> None:
    """Note that errands have to be looked at, and how far the events were read."""
    with notebook() as db:
        db.execute("UPDATE errand SET woken = woken + 1 WHERE workflow GLOB ?", [workflow])
        db.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", [cursor])
    start_what_is_due()


def start_what_is_due() -> None:
    """Tell the workers; what is being worked on already is told again, which does no harm."""
    with notebook() as db:
        due = db.execute("SELECT workflow FROM errand WHERE outcome IS NULL AND woken > slept").fetchall()
    for (workflow,) in due:
        carry_on.delay(workflow)


def main(*arguments: str) -> None:
    """Obey one of the commands above."""
    match arguments:
        case ["listen"]:
            listen()
        case ["start", workflow]:
            with notebook() as db:
                db.execute("INSERT OR IGNORE INTO errand (workflow) VALUES (?)", [workflow])
            carry_on.delay(workflow)
        case ["show"]:
            with notebook() as db:
                for name, outcome in db.execute("SELECT workflow, outcome FROM errand ORDER BY workflow"):
                    print(f"{name}: {outcome or 'under way'}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
