"""Know from a session alone when its holder last showed who they are, and whether by more than a password.

What is asked at every page stands in the session, so that it costs no query of its own.
"""

import time
from typing import Any

from django.conf import settings

SHOWN, STRONG = "shown_at", "is_strong"
USUAL_MINUTES = 15
"""How long a confirmation holds for what always needs one, where critical decisions need none."""


def shown(session: Any, *, strongly: bool = False) -> None:
    """Note that its holder has just shown who they are; *strongly* by a second factor."""
    session[SHOWN] = time.time()
    if strongly:
        session[STRONG] = True


def forget(session: Any) -> None:
    """Take nothing as shown, as of somebody whom another site lets in."""
    session.pop(SHOWN, None)
    session.pop(STRONG, None)


def shown_at(session: Any) -> float:
    """Return when that was, in seconds since 1970; 0 where it never was."""
    return float(session.get(SHOWN, 0))


def is_recent(when: float) -> bool:
    """Say whether who showed themselves at *when* need not do so again."""
    return time.time() - when < (settings.HITL_STEP_UP_MINUTES or USUAL_MINUTES) * 60


def is_enough(session: Any) -> bool:
    """Say whether the session may be used at all: where a second factor is required, only after one."""
    return settings.HITL_SECOND_FACTOR != "REQUIRED" or bool(session.get(STRONG))


class NotRecent(Exception):
    """Its holder has to confirm who they are before this can be done."""


def must_be_recent(session: Any) -> None:
    """Go on only where the holder of *session* has lately shown who they are.

    Raises:
        NotRecent: they have not.
    """
    if not is_recent(shown_at(session)):
        raise NotRecent
