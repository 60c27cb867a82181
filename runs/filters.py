"""What a list of runs, and one of their questions, can be narrowed by."""

from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter, ChoiceFilter

from interrupts.models import Interrupt
from reviews.filters import MomentFilter, StrictFilterSet
from runs.lifecycle import RunStatus, Step
from runs.models import CheckpointKind, Run


class RunFilter(StrictFilterSet):
    status = ChoiceFilter(choices=RunStatus.choices)
    step = ChoiceFilter(choices=Step.choices)
    session_id = CharFilter()
    user_id = CharFilter()
    tool = CharFilter()
    model = CharFilter()
    key = CharFilter(field_name="idempotency_key")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gt")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Run
        fields: list[str] = []


class QuestionFilter(StrictFilterSet):
    session_id = CharFilter()
    run_id = CharFilter()
    user_id = CharFilter(method="meant_for")
    checkpoint = ChoiceFilter(field_name="checkpoint__kind", choices=CheckpointKind.choices)

    class Meta:
        model = Interrupt
        fields: list[str] = []

    def meant_for(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(metadata__user_id=value)
