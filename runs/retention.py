"""Which subjects of the record are still there: while they are, what happened to them is kept."""

from collections.abc import Iterable

from reviews.models import ReviewItem
from runs.models import Run


def still_there(subjects: Iterable[str]) -> set[str]:
    """Return those of *subjects* that are items or runs of this database: two queries."""
    ids = list(subjects)
    return {
        pk
        for rows in (ReviewItem, Run)
        for pk in rows._base_manager.filter(pk__in=ids).values_list("pk", flat=True)
    }
