"""Names of accounts for whom the identity provider sends: as they are called there, and nobody else's."""

import itertools
import re
from typing import Any

from django.contrib.auth.models import User

from events.models import SYSTEM

LONGEST = 100
TAKEN = {SYSTEM, "unknown"}
"""How the record calls the clock, and whom it does not know."""


def free(*wanted: Any) -> str:
    """Return the first of *wanted* that makes a name, with a number where somebody is called so already."""
    cleaned = (re.sub(r"[^\w.+-]", "", str(text or "").partition("@")[0]) for text in wanted)
    name = next((text[:LONGEST] for text in cleaned if text), "person")
    for number in itertools.count(1):
        tried = name if number == 1 else f"{name}-{number}"
        if tried.casefold() not in TAKEN and not User.objects.filter(username__iexact=tried).exists():
            return tried
    raise AssertionError("There is always another number.")
