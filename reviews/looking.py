"""How long who decides had the page of it open: stamped into its form, signed, and read when it comes back.

It says how much time there was to read, and nothing of whether it was used.
"""

import datetime as dt
import time

from django.core import signing

from agents.callers import Caller

SALT = "reviews.looking"


def stamp(subject: str, by: Caller) -> str:
    """Return the moment, for the form of *subject* that *by* is shown now."""
    return signing.dumps([subject, by.name, time.time()], salt=SALT)


def looked(stamped: str, subject: str, by: Caller) -> dt.timedelta | None:
    """Return how long ago *stamped* was made for the same; None where it was not."""
    try:
        *told, began = signing.loads(stamped, salt=SALT)
    except signing.BadSignature:
        return None
    return dt.timedelta(seconds=max(0, time.time() - began)) if told == [subject, by.name] else None
