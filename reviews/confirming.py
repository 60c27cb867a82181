"""What is critical is allowed by who has lately shown who they are: an open page is not yet a person.

The one rule of it, for pages and for the API with a session. Not for a key: who made it had just shown
themselves, and it has nobody to ask.
"""

from django.conf import settings
from django.utils.translation import gettext as _

from agents import presence
from agents.callers import Caller
from events.problems import Problem
from reviews.models import Priority, ReviewItem

CODE = "confirm_first"


def must_confirm(item: ReviewItem, by: Caller) -> bool:
    """Say whether *by* has to show who they are before they may allow *item*."""
    if not settings.HITL_STEP_UP_MINUTES or item.priority != Priority.CRITICAL or by.shown_at is None:
        return False
    return not presence.is_recent(by.shown_at)


def must_have_confirmed(item: ReviewItem, by: Caller) -> None:
    """Let nobody allow *item* who has to show who they are first.

    Raises:
        Problem: 403 ``confirm_first``.
    """
    if must_confirm(item, by):
        raise Problem(403, CODE, _("This is critical: confirm that it is you, then decide."))
