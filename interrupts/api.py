"""The HTTP routes of interrupts: read the body, call the verb, show the item (contract: Interrupts)."""

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.callers import Caller
from agents.permissions import Access
from events.ids import new_id
from events.openapi import IDEMPOTENCY_KEY, WRITE_ERRORS, describe, page_of, query, ref
from events.problems import invalid
from events.selectors import history
from interrupts import asking, bodies, selectors, services
from interrupts.filters import InterruptFilter
from interrupts.models import Interrupt
from interrupts.openapi import INTERRUPT_FILTERS, LIST_FILTERS
from interrupts.serializers import COLUMNS, document, etag, status
from reviews import services as reviews
from reviews.api import ASKS, DECIDES, OPERATES, READS, VIEW, ItemViewSet, decider, idempotency_key, sent
from reviews.paging import page
from reviews.waiting import timeout_of


class InterruptViewSet(ItemViewSet):
    """An agent stops and asks; a person answers."""

    access = {
        "create": ASKS,
        "batch": ASKS,
        "list": READS,
        "of_session": READS,
        "of_agent": READS,
        "retrieve": READS,
        "status": READS,
        "wait": READS,
        "approve": DECIDES,
        "reject": DECIDES,
        "respond": DECIDES,
        "decide": DECIDES,
        "cancel": Access(scope="cancel", permission="reviews.decide_reviewitem"),
        "request_changes": DECIDES,
        "revise": ASKS,
        "consume": ASKS,
        "outcome": ASKS,
        "claim": OPERATES,
        "release": OPERATES,
        "comments": Access(scope="create", permission=VIEW),
    }

    def current(self, caller: Caller, pk: str) -> dict[str, Any]:
        return document(vars(selectors.interrupt(caller, pk)))

    # -- Asking ---------------------------------------------------------------------------------------

    @describe(
        "Ask a person",
        body=bodies.CREATE,
        answer=ref("Interrupt"),
        status=201,
        errors=(400, 401, 403, 413, 415, 422, 429),
        parameters=(IDEMPOTENCY_KEY,),
        also={200: ref("Interrupt")},
    )
    def create(self, request: Request) -> Response:
        body = sent(request, bodies.CREATE)
        interrupt, new = asking.ask(self.caller, body, key=idempotency_key(request))
        return self._shown(interrupt, request) if not new else Response(document(vars(interrupt)), status=201)

    @describe(
        "Ask up to a hundred things at once, all or none",
        body=bodies.BATCH,
        answer={"type": "object", "properties": {"results": {"type": "array", "items": ref("Interrupt")}}},
        status=201,
        errors=(400, 401, 403, 413, 415, 422, 429),
        parameters=(IDEMPOTENCY_KEY,),
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        items = sent(request, bodies.BATCH)["items"]
        key = idempotency_key(request)
        keys = [f"{key}#{number}" if key else "" for number in range(len(items))]
        asked = asking.ask_all(self.caller, items, keys=keys, batch_id=new_id("bat"))
        new = any(is_new for _, is_new in asked)
        shown = [document(vars(interrupt)) for interrupt, _ in asked] if new else [
            self.current(self.caller, interrupt.pk) for interrupt, _ in asked
        ]  # fmt: skip
        return Response({"batch_id": shown[0]["batch_id"], "results": shown}, status=201 if new else 200)

    # -- Reading --------------------------------------------------------------------------------------

    @describe(
        "List interrupts", answer=page_of("Interrupt"), errors=(400, 401, 403, 429), parameters=LIST_FILTERS
    )
    def list(self, request: Request) -> Response:
        return self._page(request, {})

    @describe(
        "List the interrupts of a session",
        answer=page_of("Interrupt"),
        errors=(400, 401, 403, 429),
        parameters=INTERRUPT_FILTERS,
    )
    def of_session(self, request: Request, session_id: str) -> Response:
        return self._page(request, {"session_id": session_id})

    @describe(
        "List the interrupts of an agent, by the name it gave",
        answer=page_of("Interrupt"),
        errors=(400, 401, 403, 429),
        parameters=INTERRUPT_FILTERS,
    )
    def of_agent(self, request: Request, agent_name: str) -> Response:
        return self._page(request, {"agent_name": agent_name})

    @describe("Show an interrupt with its history", answer=ref("Interrupt"))
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response({**self.current(self.caller, pk), "history": history(pk)})

    @describe(
        "Ask how it stands",
        answer=ref("InterruptStatus"),
        also={304: None},
        description="Answers an `ETag`; with `If-None-Match` it is 304 until something changes.",
    )
    @action(detail=True)
    def status(self, request: Request, pk: str) -> Response:
        return self._status(request, pk)

    def _status(self, request: Request, pk: str) -> Response:
        row = selectors.status_row(self.caller, pk)
        tag = etag(row)
        if tag in request.META.get("HTTP_IF_NONE_MATCH", ""):
            return Response(status=304, headers={"ETag": tag})
        return Response(status(row), headers={"ETag": tag, "Cache-Control": "no-cache"})

    @describe(
        "Wait until it is decided",
        answer=ref("InterruptStatus"),
        errors=(400, 401, 403, 404, 429),
        parameters=(
            query("timeout", "Seconds to hold at most.", type="integer", minimum=1, maximum=60, default=30),
        ),
        description="Holds until decided or the time is up, then answers what `status` does.",
    )
    @action(detail=True)
    def wait(self, request: Request, pk: str) -> Response:
        # Where sockets are served this route never gets here (see interrupts.waiting). A worker that has
        # only threads must not hold one: it answers as things stand, and the caller asks again.
        timeout_of(request.query_params)
        return self._status(request, pk)

    # -- Deciding -------------------------------------------------------------------------------------

    @describe("Approve", body=bodies.APPROVE, answer=ref("Interrupt"), errors=WRITE_ERRORS)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.APPROVE)
        interrupt = selectors.interrupt(self.caller, pk)
        services.approve(
            interrupt,
            by=decider(self.caller, body),
            modifications=body.get("modifications"),
            comment=body.get("comment", ""),
            content_hash=body.get("content_hash", ""),
        )
        return self._shown(interrupt, request)

    @describe("Reject", body=bodies.REJECT, answer=ref("Interrupt"), errors=WRITE_ERRORS)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.REJECT)
        interrupt = selectors.interrupt(self.caller, pk)
        services.reject(
            interrupt,
            by=decider(self.caller, body),
            reason=body.get("reason", ""),
            comment=body.get("comment", ""),
            content_hash=body.get("content_hash", ""),
        )
        return self._shown(interrupt, request)

    @describe(
        "Answer an input or feedback", body=bodies.RESPOND, answer=ref("Interrupt"), errors=WRITE_ERRORS
    )
    @action(detail=True, methods=["post"])
    def respond(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.RESPOND)
        interrupt = selectors.interrupt(self.caller, pk)
        services.respond(
            interrupt,
            by=decider(self.caller, body),
            response=body["response"],
            comment=body.get("comment", ""),
            content_hash=body.get("content_hash", ""),
        )
        return self._shown(interrupt, request)

    @describe(
        "Approve or reject by thread", body=bodies.APPROVALS, answer=ref("Interrupt"), errors=WRITE_ERRORS,
        description="`thread_id` is the `session_id` of the interrupt and must match.",
    )  # fmt: skip
    def decide(self, request: Request) -> Response:
        body = sent(request, bodies.APPROVALS)
        interrupt = selectors.interrupt(self.caller, body["interrupt_id"])
        if interrupt.session_id != body["thread_id"]:
            raise invalid({"thread_id": ["This is not the session of that interrupt."]})
        by, content_hash = decider(self.caller, body), body.get("content_hash", "")
        if body["approved"]:
            services.approve(interrupt, by=by, content_hash=content_hash)
        else:
            services.reject(interrupt, by=by, reason=body.get("reason", ""), content_hash=content_hash)
        return self._shown(interrupt, request)

    @describe("Take the question back", body=bodies.CANCEL, answer=ref("Interrupt"), errors=WRITE_ERRORS)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.CANCEL)
        interrupt = selectors.interrupt(self.caller, pk)
        services.cancel(interrupt, by=self.caller, reason=body.get("reason", ""))
        return self._shown(interrupt, request)

    @describe(
        "Ask the agent for changes",
        body=bodies.REQUEST_CHANGES,
        answer=ref("Interrupt"),
        errors=WRITE_ERRORS,
        description="It stays pending; the agent may `revise` it.",
    )
    @action(detail=True, methods=["post"])
    def request_changes(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.REQUEST_CHANGES)
        interrupt = selectors.interrupt(self.caller, pk)
        services.request_changes(interrupt, by=decider(self.caller, body), comment=body["comment"])
        return self._shown(interrupt, request)

    # -- After the answer -----------------------------------------------------------------------------

    @describe(
        "Ask again with changes",
        body=bodies.REVISE,
        answer=ref("Interrupt"),
        errors=WRITE_ERRORS,
        description="After `request_changes`. Makes revision n+1 with another `content_hash`.",
    )
    @action(detail=True, methods=["post"])
    def revise(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.REVISE)
        interrupt = selectors.interrupt(self.caller, pk)
        services.revise(interrupt, by=self.caller, **body)
        return self._shown(interrupt, request)

    @describe(
        "Spend the approval",
        body=bodies.CONSUME,
        answer=ref("Interrupt"),
        errors=WRITE_ERRORS,
        description="Once, for exactly the arguments approved (`modifications` replace them whole).",
    )
    @action(detail=True, methods=["post"])
    def consume(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.CONSUME)
        interrupt = selectors.interrupt(self.caller, pk)
        services.consume(interrupt, by=self.caller, tool_args=body["tool_args"])
        return self._shown(interrupt, request)

    @describe("Report what came of it", body=bodies.OUTCOME, answer=ref("Interrupt"), errors=WRITE_ERRORS)
    @action(detail=True, methods=["post"])
    def outcome(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.OUTCOME)
        interrupt = selectors.interrupt(self.caller, pk)
        services.report(interrupt, by=self.caller, outcome=body["status"], result=body.get("result"))
        return self._shown(interrupt, request)

    # -- Working on it --------------------------------------------------------------------------------

    @describe("Take it for ten minutes", body=bodies.CLAIM, answer=ref("Interrupt"), errors=WRITE_ERRORS)
    @action(detail=True, methods=["post"])
    def claim(self, request: Request, pk: str) -> Response:
        sent(request, bodies.CLAIM)
        interrupt = selectors.interrupt(self.caller, pk)
        reviews.claim(interrupt, by=self.caller)
        return self._shown(interrupt, request)

    @describe("Give it back", body=bodies.CLAIM, answer=ref("Interrupt"), errors=WRITE_ERRORS)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        sent(request, bodies.CLAIM)
        interrupt = selectors.interrupt(self.caller, pk)
        reviews.release(interrupt, by=self.caller)
        return self._shown(interrupt, request)

    @describe(
        "Comment on it", body=bodies.COMMENTS, answer=ref("Interrupt"), status=201, errors=WRITE_ERRORS,
        description="The comment is part of `history`.",
    )  # fmt: skip
    @action(detail=True, methods=["post"])
    def comments(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.COMMENTS)
        interrupt = selectors.interrupt(self.caller, pk)
        comment = reviews.comment(interrupt, by=self.caller, body=body["body"])
        shown = {**self.current(self.caller, pk), "comment": comment, "history": history(pk)}
        return Response(shown, status=201)

    # -- Showing --------------------------------------------------------------------------------------

    def _shown(self, interrupt: Interrupt, request: Request) -> Response:
        return Response(self.current(self.caller, interrupt.pk))

    def _page(self, request: Request, fixed: dict[str, str]) -> Response:
        if nul := [name for name, value in fixed.items() if "\x00" in value]:
            raise invalid({name: ["NUL characters are not accepted."] for name in nul})
        rows = selectors.interrupts(self.caller).filter(**fixed)
        rows = InterruptFilter.narrow(rows, request.query_params)
        found = page(rows.values(*COLUMNS), request.query_params, request.build_absolute_uri(request.path))
        return Response({**found, "results": [document(row) for row in found["results"]]})
