"""Action requests from code of one's own inside the process, and what serves their lists."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.test import Client

from agents.callers import by_key, of_user
from agents.models import Agent
from requests_app import asking, selectors, services
from reviews.models import Priority, ReviewItem
from reviews.notifying import _open_between
from reviews.selectors import BY_URGENCY, is_open, with_due
from reviews.statistics import statistics
from tests.conftest import Door

BODY = {"request_type": "api_key", "title": "A key for Stripe", "description": "To read invoices."}


def test_verbs_and_reads_are_functions(agent: Door, ann: User) -> None:
    asker, reviewer = by_key(agent.key), of_user(ann)  # type: ignore[attr-defined]
    (done, new), (refused, _) = (
        asking.create_request(asker, **BODY, required_fields={"account": "Account"}, workflow_id=name)
        for name in ("w-1", "w-2")
    )
    assert new
    assert done.pk.startswith("har_")
    assert (done.status, done.priority) == ("pending", Priority.MEDIUM)

    services.fulfill(done, by=reviewer, response_data={"account": "A-1"}, notes="Opened today.")
    services.reject(refused, by=reviewer, reason="One is enough.")

    found = selectors.get_request(asker, done.pk)
    assert found is not None
    assert (found.status, found.response_data, found.notes) == (
        "fulfilled",
        {"account": "A-1"},
        "Opened today.",
    )
    assert selectors.get_request(asker, "har_nowhere") is None
    assert [row.pk for row in selectors.list_requests(asker).filter(workflow_id="w-2")] == [refused.pk]
    figures = statistics(asker)
    assert (figures["total_requests"], figures["pending_requests"]) == (2, 0)
    assert figures["by_status"] == {"fulfilled": 1, "rejected": 1}
    assert figures["by_priority"] == {"medium": 2}
    assert figures["by_type"] == {"api_key": 2}
    assert figures["average_response_time_hours"] >= 0


ITEMS: QuerySet[ReviewItem] = ReviewItem.objects.all()


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (ITEMS.filter(is_open()).order_by("-id"), "item_open_by_id"),
        (_open_between("0" * 26, "Z" * 26)[0][:10], "item_open_by_id"),
        (with_due(ITEMS.filter(is_open())).order_by(*BY_URGENCY), "item_in_order"),
        (ITEMS.filter(agent_name="stripe-agent").order_by("-id"), "item_by_label"),
        (ITEMS.order_by("-id"), "reviewitem_pkey" if connection.vendor == "postgresql" else "autoindex"),
    ],
    ids=["what is open", "what devices were not told", "by priority", "by agent", "by time"],
)
@pytest.mark.django_db
def test_the_lists_of_the_seed_are_read_from_an_index(rows: QuerySet[ReviewItem], index: str) -> None:
    """Ids are ordered in time. A small table would be read whole and sorted, were that not forbidden."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            labels = [f"agent-{number}" for number in range(500)]
            of_agent = Agent.objects.create(name="janitor")
            ITEMS.bulk_create(ReviewItem(id=label, agent=of_agent, agent_name=label, status="cancelled",
                                         kind="custom", resolved_at=Now()) for label in labels)  # fmt: skip
            cursor.execute("ANALYZE reviews_reviewitem")
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = rows.explain()

    assert index in plan, plan
    assert "SORT" not in plan.upper(), plan
    assert "TEMP B-TREE" not in plan, plan


@pytest.mark.django_db
def test_all_routes_of_requests_stand_under_one_heading(client: Client) -> None:
    paths: dict[str, Any] = client.get("/api/v1/schema").json()["paths"]
    routes = {
        f"{verb.upper()} {path.removeprefix('/api/v1/')}": operation["tags"]
        for path, operations in paths.items()
        for verb, operation in operations.items()
    }

    one = "requests/{id}"
    for route in (
        "GET requests", "POST requests", f"GET {one}", f"POST {one}/fulfill", f"POST {one}/reject",
        "GET statistics",
    ):  # fmt: skip
        assert routes[route] == ["HITL"], routes
