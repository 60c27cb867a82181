"""The HTTP routes of interrupts: read the body, call the verb, show the item (contract: Interrupts)."""

from functools import partial
from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from events.ids import new_id
from events.openapi import IDEMPOTENCY_KEY, WRITE_ERRORS, describe, page_of, ref
from events.problems import invalid
from interrupts import asking, bodies, exchange, selectors, services
from interrupts.filters import InterruptFilter
from interrupts.openapi import ASKED, DIALECT, LIST_FILTERS, TOLD, in_dialect
from interrupts.serializers import COLUMNS, document, etag, is_known, status
from reviews import services as reviews
from reviews.api import (
    ASKS,
    DECIDES,
    OPERATES,
    READS,
    SHARED_ACCESS,
    ItemViewSet,
    decider,
    describe_shared,
    idempotency_key,
    sent,
    verb,
)
from reviews.bodies import CLAIM, OBJECT
from reviews.openapi import TIMEOUT
from reviews.waiting import timeout_of

changes = partial(verb, "Interrupt")
LISTED: Any = {
    "answer": page_of("Interrupt"), "errors": (400, 401, 403, 404, 429), "parameters": LIST_FILTERS
}  # fmt: skip
SHOWN: Any = describe(
    "Show one with its history", answer=TOLD, errors=(400, 401, 403, 404, 409, 429), parameters=(DIALECT,)
)
BATCH = {"type": "object", "properties": {"results": {"type": "array", "items": ref("Interrupt")}}}


def _dialect(request: Request) -> str | None:
    """Return which dialect the call is in, where it is in one."""
    found: str | None = request.query_params.get("dialect")
    return found


@describe_shared("Interrupt", *LIST_FILTERS, retrieve=SHOWN)
class InterruptViewSet(ItemViewSet):
    """An agent stops and asks; a person answers."""

    access = {
        **SHARED_ACCESS,
        "batch": ASKS,
        "of_session": READS,
        "of_agent": READS,
        "status": READS,
        "approve": DECIDES,
        "respond": DECIDES,
        "decide": DECIDES,
        "request_changes": DECIDES,
        "revise": ASKS,
        "consume": ASKS,
        "outcome": ASKS,
        "claim": OPERATES,
    }

    filters = InterruptFilter
    columns = COLUMNS
    document = document

    def rows(self) -> Any:
        return selectors.interrupts(self.caller)

    # -- Asking ---------------------------------------------------------------------------------------

    @describe(
        "Ask a person",
        body=ASKED,
        answer=TOLD,
        status=201,
        errors=(400, 401, 403, 413, 415, 422, 429),
        parameters=(IDEMPOTENCY_KEY, DIALECT),
        also={200: TOLD},
    )
    def create(self, request: Request) -> Response:
        if (dialect := _dialect(request)) is not None:
            body, key = sent(request, OBJECT), idempotency_key(request)
            told, new = exchange.ask(self.caller, dialect, body, key=key)
            return Response(told, status=201 if new else 200)
        body = sent(request, bodies.CREATE)
        interrupt, new = asking.ask(self.caller, body, key=idempotency_key(request))
        return self.shown(interrupt) if not new else Response(document(vars(interrupt)), status=201)

    @describe(
        "Ask up to a hundred things at once, all or none",
        body=bodies.BATCH,
        answer=BATCH,
        status=201,
        also={200: BATCH},
        errors=(400, 401, 403, 413, 415, 422, 429),
        parameters=(IDEMPOTENCY_KEY,),
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        items = sent(request, bodies.BATCH)["items"]
        key = idempotency_key(request)
        # No key of a caller's has this sign: those are ASCII.
        keys = [f"{key}§{number}" if key else "" for number in range(len(items))]
        asked = asking.ask_all(self.caller, items, keys=keys, batch_id=new_id("bat"))
        new = any(is_new for _, is_new in asked)
        shown = [document(vars(interrupt)) for interrupt, _ in asked] if new else [
            self.current(interrupt.pk) for interrupt, _ in asked
        ]  # fmt: skip
        return Response({"batch_id": shown[0]["batch_id"], "results": shown}, status=201 if new else 200)

    # -- Reading --------------------------------------------------------------------------------------

    def retrieve(self, request: Request, pk: str) -> Response:
        dialect = _dialect(request)
        return super().retrieve(request, pk) if dialect is None else self._told(dialect, pk)

    def _told(self, dialect: str, pk: str) -> Response:
        return Response(exchange.read(self.caller, dialect, pk))

    @describe("List the interrupts of a session", **LISTED)
    def of_session(self, request: Request, session_id: str) -> Response:
        return self.page(request, session_id=session_id)

    @describe("List the interrupts of an agent, by the name it gave", **LISTED)
    def of_agent(self, request: Request, agent_name: str) -> Response:
        return self.page(request, agent_name=agent_name)

    @describe(
        "Ask how it stands",
        answer=in_dialect("InterruptStatus"),
        also={304: None},
        errors=(400, 401, 403, 404, 409, 429),
        parameters=(DIALECT,),
        description="Answers an `ETag`; with `If-None-Match` it is 304 until something changes. "
        "In a dialect it answers what the interrupt itself does, without an `ETag`.",
    )
    @action(detail=True)
    def status(self, request: Request, pk: str) -> Response:
        dialect = _dialect(request)
        return self._status(request, pk) if dialect is None else self._told(dialect, pk)

    def _status(self, request: Request, pk: str) -> Response:
        row = selectors.status_row(self.caller, pk)
        tag = etag(row)
        if is_known(tag, request.META.get("HTTP_IF_NONE_MATCH", "")):
            return Response(status=304, headers={"ETag": tag})
        return Response(status(row), headers={"ETag": tag, "Cache-Control": "no-cache"})

    @describe(
        "Wait until it is decided",
        answer=in_dialect("InterruptStatus"),
        errors=(400, 401, 403, 404, 409, 429),
        parameters=(TIMEOUT, DIALECT),
        description="Holds until decided or the time is up, then answers what `status` does.",
    )
    @action(detail=True)
    def wait(self, request: Request, pk: str) -> Response:
        # Where sockets are served this route never gets here (see interrupts.waiting). A worker that has
        # only threads must not hold one: it answers as things stand, and the caller asks again.
        timeout_of(request.query_params, "dialect")
        dialect = _dialect(request)
        return self._status(request, pk) if dialect is None else self._told(dialect, pk)

    # -- Deciding -------------------------------------------------------------------------------------

    @changes("Approve", bodies.APPROVE)
    def approve(self, interrupt: Any, body: Any) -> None:
        services.approve(
            interrupt,
            by=decider(self.caller, body, "approved_by"),
            modifications=body.get("modifications"),
            comment=body.get("comment", ""),
            content_hash=body.get("content_hash", ""),
            grant=body.get("grant", ""),
        )

    @changes("Reject", bodies.REJECT)
    def reject(self, interrupt: Any, body: Any) -> None:
        services.reject(
            interrupt,
            by=decider(self.caller, body, "rejected_by"),
            reason=body.get("reason", ""),
            comment=body.get("comment", ""),
            content_hash=body.get("content_hash", ""),
        )

    @changes("Answer an input or feedback", bodies.RESPOND)
    def respond(self, interrupt: Any, body: Any) -> None:
        services.respond(
            interrupt,
            by=decider(self.caller, body),
            response=body["response"],
            comment=body.get("comment", ""),
            content_hash=body.get("content_hash", ""),
        )

    @describe(
        "Approve or reject by thread", body=bodies.APPROVALS, answer=ref("Interrupt"), errors=WRITE_ERRORS,
        description="`thread_id` is the `session_id` of the interrupt and must match.",
    )  # fmt: skip
    def decide(self, request: Request) -> Response:
        body = sent(request, bodies.APPROVALS)
        interrupt = self.find(body["interrupt_id"])
        if interrupt.session_id != body["thread_id"]:
            raise invalid({"thread_id": ["This is not the session of that interrupt."]})
        by, content_hash = decider(self.caller, body), body.get("content_hash", "")
        if body["approved"]:
            services.approve(interrupt, by=by, content_hash=content_hash)
        else:
            services.reject(interrupt, by=by, reason=body.get("reason", ""), content_hash=content_hash)
        return self.shown(interrupt)

    def take_back(self, item: Any, reason: str) -> None:
        services.cancel(item, by=self.caller, reason=reason)

    @changes(
        "Ask the agent for changes", bodies.REQUEST_CHANGES, "It stays pending; the agent may `revise` it."
    )
    def request_changes(self, interrupt: Any, body: Any) -> None:
        services.request_changes(interrupt, by=decider(self.caller, body), comment=body["comment"])

    # -- After the answer -----------------------------------------------------------------------------

    @changes(
        "Ask again with changes",
        bodies.REVISE,
        "After `request_changes`. Makes revision n+1 with another `content_hash`.",
    )
    def revise(self, interrupt: Any, body: Any) -> None:
        services.revise(interrupt, by=self.caller, **body)

    @changes(
        "Spend the approval",
        bodies.CONSUME,
        "Once, for exactly the arguments approved (`modifications` replace them whole). The same `attempt` "
        "may be sent again until an outcome is recorded.",
    )
    def consume(self, interrupt: Any, body: Any) -> None:
        services.consume(
            interrupt,
            by=self.caller,
            tool_args=body["tool_args"],
            receipt=body.get("receipt"),
            attempt=body.get("attempt", ""),
        )

    @changes("Report what came of it", bodies.OUTCOME)
    def outcome(self, interrupt: Any, body: Any) -> None:
        services.report(interrupt, by=self.caller, outcome=body["status"], result=body.get("result"))

    # -- Working on it --------------------------------------------------------------------------------

    @changes("Take it for ten minutes", CLAIM)
    def claim(self, interrupt: Any, body: Any) -> None:
        reviews.claim(interrupt, by=self.caller)
