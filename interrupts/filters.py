"""What a list of interrupts can be narrowed by."""

from django.db.models import Q, QuerySet
from django_filters import CharFilter, ChoiceFilter

from interrupts.lifecycle import DECISIONS
from interrupts.models import Interrupt
from reviews.filters import ItemFilter
from reviews.lifecycle import Status

STATUSES = (Status.PENDING, Status.APPROVED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED)


class InterruptFilter(ItemFilter):
    """The contract's filters; any other parameter is refused."""

    status = ChoiceFilter(choices=[(status, status) for status in STATUSES], method="by_status")
    agent_name = CharFilter()
    type = ChoiceFilter(field_name="kind", choices=[(kind, kind) for kind in DECISIONS])
    tool_name = CharFilter()
    batch_id = CharFilter()

    class Meta:
        model = Interrupt
        fields: list[str] = []

    def search(self, rows: QuerySet[Interrupt], name: str, value: str) -> QuerySet[Interrupt]:
        return rows.filter(Q(title__icontains=value) | Q(tool_name__icontains=value) | Q(pk=value))
