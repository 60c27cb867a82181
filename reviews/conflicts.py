"""Say why a verb could not be carried out, and show the item as it now stands."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext, gettext_noop

from events.problems import Problem
from events.transitions import TransitionConflict
from reviews.lifecycle import OPEN, Status

STALE = gettext_noop("What was shown is not what is stored. Read it again, then decide.")
GUARDS = {
    "claimed": gettext_noop("{claimed_by} is working on this. Wait for them to release it."),
    "spent": gettext_noop("This approval was consumed at {consumed_at}; it holds once."),
    "answered": gettext_noop("A person answered in the place of the tool. Use the response; do not run it."),
    "reported": gettext_noop("The outcome is already recorded: {outcome}."),
    "voted": gettext_noop("You have voted on this, or somebody voted in your place."),
    "votes": gettext_noop(
        "Others have to approve this before it can be answered. Approve it, and they are asked."
    ),
    "last": gettext_noop("Enough people approved this. What is missing is the answer itself."),
    "unasked": gettext_noop("Nobody has asked for changes, so there is nothing to revise."),
}
GONE = {
    "acknowledged": gettext_noop("These answers were acknowledged, and with that destroyed."),
    "leased": gettext_noop(
        "These answers were revealed a moment ago. Unless acknowledged, they can be had again soon."
    ),
    "purged": gettext_noop("These answers were not fetched in time, and have been destroyed."),
}
DECIDED: dict[str, str] = {
    Status.APPROVED: gettext_noop("This is already approved (by %(by)s)."),
    Status.FULFILLED: gettext_noop("This is already fulfilled (by %(by)s)."),
    Status.REJECTED: gettext_noop("This is already rejected (by %(by)s)."),
}
NOT_YET: dict[str, tuple[str, str]] = {
    Status.APPROVED: ("not_approved", gettext_noop("This has not been approved yet.")),
    Status.FULFILLED: ("not_fulfilled", gettext_noop("This has not been fulfilled yet.")),
    Status.IN_REVIEW: ("not_in_review", gettext_noop("Nobody is reviewing this.")),
}


def conflict(error: TransitionConflict, current: dict[str, Any]) -> Problem:
    """Explain *error* by the guard that failed or by what the item is, as *current* shows it."""
    status = current["status"]
    if error.reason in GONE:
        seconds = str(settings.HITL_REVEAL_SECONDS)
        headers = {"Retry-After": seconds} if error.reason == "leased" else {}
        return Problem(410, error.reason, gettext(GONE[error.reason]), headers=headers, current=current)
    if error.reason in GUARDS:
        code, detail = error.reason, gettext(GUARDS[error.reason]).format_map(current)
    elif error.reason == "stale" or (error.reason and status in OPEN):
        return Problem(412, "stale", gettext(STALE), current=current)
    elif status in OPEN:
        code, why = next(NOT_YET[source] for source in error.transition.sources if source in NOT_YET)
        detail = gettext(why)
    elif status == Status.CANCELLED:
        code, detail = "cancelled", gettext("This was cancelled and can no longer be decided.")
    elif status == Status.EXPIRED:
        code, detail = "expired", gettext("The deadline has passed; this can no longer be decided.")
    elif status == Status.REJECTED and current["resolved_by"] in (None, "system"):
        code, detail = "expired", gettext("The deadline has passed, which here means rejected.")
    else:
        code, detail = "already_decided", gettext(DECIDED[status]) % {"by": current["resolved_by"]}
    return Problem(409, code, detail, current=current)
