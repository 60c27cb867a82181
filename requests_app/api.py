"""The HTTP routes of action requests: read the body, call the verb, show it (contract)."""

from functools import partial
from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import CREATE, SECRETS
from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events.openapi import IDEMPOTENCY_KEY, WRITE_ERRORS, describe, ref
from requests_app import asking, bodies, selectors, services
from requests_app.filters import RequestFilter
from requests_app.models import RequestTemplate
from requests_app.openapi import LIST_FILTERS
from requests_app.serializers import COLUMNS, document, template
from reviews.api import (
    DECIDES,
    OPERATES,
    SHARED_ACCESS,
    ItemViewSet,
    decider,
    describe_shared,
    idempotency_key,
    sent,
    verb,
)
from reviews.bodies import CLAIM
from reviews.models import VIEW
from reviews.openapi import TIMEOUT
from reviews.waiting import timeout_of

REVEALS = Access(scope=SECRETS)
ANSWER = ref("ActionRequest")
changes = partial(verb, "ActionRequest")


@describe_shared("ActionRequest", *LIST_FILTERS)
class ActionRequestViewSet(ItemViewSet):
    """An agent needs something done that only a person can do."""

    access = {
        **SHARED_ACCESS,
        "start_review": OPERATES,
        "progress": DECIDES,
        "approve": DECIDES,
        "fulfill": DECIDES,
        "reveal": REVEALS,
        "ack": REVEALS,
    }
    filters = RequestFilter
    columns = COLUMNS
    document = document

    def rows(self) -> Any:
        return selectors.list_requests(self.caller)

    @describe(
        "Ask a person to do something",
        body=bodies.CREATE,
        answer=ANSWER,
        status=201,
        errors=(400, 401, 403, 413, 415, 422, 429),
        parameters=(IDEMPOTENCY_KEY,),
        also={200: ANSWER},
        description="`title` and `description` are needed, unless a `template` says them.",
    )
    def create(self, request: Request) -> Response:
        body = sent(request, bodies.CREATE)
        asked, new = asking.create_request(self.caller, key=idempotency_key(request), **body)
        return Response(document(vars(asked)), status=201) if new else self.shown(asked)

    @describe(
        "Wait until somebody has answered",
        answer=ANSWER,
        errors=(400, 401, 403, 404, 429),
        parameters=(TIMEOUT,),
        description="Holds until it is no longer open or the time is up, then shows it.",
    )
    @action(detail=True)
    def wait(self, request: Request, pk: str) -> Response:
        # As for interrupts: where sockets are served this never gets here (see requests_app.waiting).
        timeout_of(request.query_params)
        return self.shown(self.find(pk))

    @changes("Take it in hand", CLAIM)
    def start_review(self, asked: Any, body: Any) -> None:
        services.start_review(asked, by=self.caller)

    def give_back(self, item: Any) -> None:
        services.release(item, by=self.caller)

    def take_back(self, item: Any, reason: str) -> None:
        services.cancel(item, by=self.caller, reason=reason)

    @changes(
        "Say how far it is",
        bodies.PROGRESS,
        "Ticks off steps of the `checklist`; the agent gets an event with the note.",
    )
    def progress(self, asked: Any, body: Any) -> None:
        services.note_progress(
            asked,
            by=decider(self.caller, body),
            done=body.get("done", []),
            undone=body.get("undone", []),
            note=body.get("note", ""),
        )

    @changes(
        "Agree that it may be fulfilled",
        bodies.APPROVE,
        "Where its policy needs several people. The last of them fulfills it.",
    )
    def approve(self, asked: Any, body: Any) -> None:
        services.approve(
            asked,
            by=decider(self.caller, body, "approved_by"),
            comment=body.get("comment", ""),
            content_hash=body.get("content_hash", ""),
        )

    @changes(
        "Fulfill it",
        bodies.FULFILL,
        "Every required field must be there and valid. Secret answers are sealed, never shown.",
    )
    def fulfill(self, asked: Any, body: Any) -> None:
        services.fulfill(
            asked,
            by=decider(self.caller, body, "fulfilled_by"),
            response_data=body.get("response_data", {}),
            notes=body.get("notes", ""),
            content_hash=body.get("content_hash", ""),
        )

    @changes("Turn it down", bodies.REJECT)
    def reject(self, asked: Any, body: Any) -> None:
        services.reject(
            asked,
            by=decider(self.caller, body, "rejected_by"),
            reason=body["reason"],
            code=body.get("code", "other"),
            content_hash=body.get("content_hash", ""),
        )

    @describe(
        "Fetch the secret answers",
        body=bodies.NOTHING,
        answer=ref("Revealed"),
        errors=(*WRITE_ERRORS, 410),
        description="Only the asking agent's key, with scope `secrets`. Acknowledge before the lease ends.",
    )
    @action(detail=True, methods=["post"])
    def reveal(self, request: Request, pk: str) -> Response:
        sent(request, bodies.NOTHING)
        revealed = services.reveal(self.find(pk), by=self.caller)
        return Response(revealed, headers={"Cache-Control": "no-store"})

    @describe(
        "Acknowledge the secret answers, and have them destroyed",
        body=bodies.NOTHING,
        answer=ANSWER,
        errors=(*WRITE_ERRORS, 410),
    )
    @action(detail=True, methods=["post"])
    def ack(self, request: Request, pk: str) -> Response:
        sent(request, bodies.NOTHING)
        asked = self.find(pk)
        services.acknowledge(asked, by=self.caller)
        return self.shown(asked)


class TemplateViewSet(CallerViewSet):
    """What agents need not write themselves."""

    access = {"list": Access(scope=CREATE, permission=VIEW)}

    @describe(
        "List the templates of requests",
        answer={"type": "object", "properties": {"results": {"type": "array", "items": ref("Template")}}},
        errors=(401, 403, 429),
    )
    def list(self, request: Request) -> Response:
        return Response(
            {"results": [template(row) for row in RequestTemplate.objects.filter(is_active=True)]}
        )
