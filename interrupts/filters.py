"""What a list of interrupts can be narrowed by."""

from django.db.models import Q, QuerySet
from django_filters import CharFilter, ChoiceFilter, TypedChoiceFilter

from interrupts.lifecycle import DECISIONS
from interrupts.models import Interrupt
from reviews.bodies import priority_of
from reviews.filters import MomentFilter, StrictFilterSet
from reviews.lifecycle import Status
from reviews.models import Priority
from reviews.selectors import having_status, is_open

STATUSES = (Status.PENDING, Status.APPROVED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED)


class InterruptFilter(StrictFilterSet):
    """The contract's filters; any other parameter is refused."""

    session_id = CharFilter()
    agent_name = CharFilter()
    status = ChoiceFilter(choices=[(status, status) for status in STATUSES], method="by_status")
    type = ChoiceFilter(field_name="kind", choices=[(kind, kind) for kind in DECISIONS])
    priority = TypedChoiceFilter(
        choices=[(name, name) for name in (*Priority.labels, "urgent")], coerce=priority_of, empty_value=None
    )
    tool_name = CharFilter()
    run_id = CharFilter()
    batch_id = CharFilter()
    key = CharFilter(field_name="idempotency_key")
    pending_only = TypedChoiceFilter(
        choices=[(word, word) for word in ("true", "false", "1", "0")],
        coerce=lambda word: word in ("true", "1"),
        empty_value=None,
        method="open_only",
    )
    created_after = MomentFilter(field_name="created_at", lookup_expr="gt")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
    q = CharFilter(method="search")

    class Meta:
        model = Interrupt
        fields: list[str] = []

    def by_status(self, rows: QuerySet[Interrupt], name: str, value: str) -> QuerySet[Interrupt]:
        return rows.filter(having_status(value))

    def open_only(self, rows: QuerySet[Interrupt], name: str, value: bool) -> QuerySet[Interrupt]:
        return rows.filter(is_open()) if value else rows

    def search(self, rows: QuerySet[Interrupt], name: str, value: str) -> QuerySet[Interrupt]:
        return rows.filter(Q(title__icontains=value) | Q(tool_name__icontains=value) | Q(pk=value))
