"""The shop beside the tasks of docs/agents/python.md, in the folder SHOP.

While there is a file `hang`, a payment does not come to its end once it is noted.
"""

import os
import time
from pathlib import Path

orders = {"order-1": 10, "order-2": 20, "order-3": 30}
FOLDER = Path(os.environ["SHOP"])


def pay(order: str, amount: float, *, idempotency_key: str) -> str:
    """Pay, unless it was paid under this key."""
    note = FOLDER / f"paid-{idempotency_key}"
    again = note.exists()
    with (FOLDER / "asked").open("a") as asked:
        asked.write(f"{order} {amount!r} {idempotency_key}\n")
    note.write_text(f"{order} {amount!r}")
    while (FOLDER / "hang").exists() and not again:
        time.sleep(0.1)
    return f"paid {amount!r}"


def saved_cursor() -> str | None:
    place = FOLDER / "cursor"
    return place.read_text() if place.exists() else None


def save_cursor(cursor: str) -> None:
    (FOLDER / "cursor").write_text(cursor)
