"""What a list of action requests can be narrowed by."""

from django.db.models import Q, QuerySet
from django_filters import CharFilter, ChoiceFilter

from requests_app.models import ActionRequest
from reviews.filters import ItemFilter
from reviews.lifecycle import Status
from reviews.models import REQUESTS

STATUSES = tuple(status for status in Status if status != Status.APPROVED)


class RequestFilter(ItemFilter):
    """The contract's filters; any other parameter is refused."""

    status = ChoiceFilter(choices=[(status, status) for status in STATUSES], method="by_status")
    agent_id = CharFilter(field_name="agent_name")
    request_type = ChoiceFilter(field_name="kind", choices=[(kind, kind) for kind in REQUESTS])
    workflow_id = CharFilter()
    assigned_to = CharFilter(field_name="assignee__username")

    class Meta:
        model = ActionRequest
        fields: list[str] = []

    def search(self, rows: QuerySet[ActionRequest], name: str, value: str) -> QuerySet[ActionRequest]:
        return rows.filter(Q(title__icontains=value) | Q(description__icontains=value) | Q(pk=value))
