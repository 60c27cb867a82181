"""The HTTP routes of runs (contract: Runs)."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.utils.http import content_disposition_header
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import CANCEL, CREATE
from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events.models import Event
from events.multipart import ONE_FILE, OneFileParser, uploaded
from events.openapi import IDEMPOTENCY_KEY, WRITE_ERRORS, describe, page_of, query, ref
from events.problems import invalid, not_found
from events.selectors import stream_of
from events.transitions import TransitionConflict
from interrupts import selectors as interrupts
from interrupts.serializers import document as interrupt_document
from reviews import attachments
from reviews.api import ASKS, DECIDES, HANDED_OUT, READS, decider, idempotency_key, sent
from reviews.conflicts import conflict as item_conflict
from reviews.file_types import TYPES
from reviews.models import DECIDE, Attachment
from reviews.openapi import TIMEOUT
from reviews.paging import page
from reviews.selectors import one, visible_to
from reviews.waiting import timeout_of
from runs import bodies, providers, selectors, serializers, services
from runs.conflicts import conflict
from runs.filters import QuestionFilter, RunFilter
from runs.models import Run
from runs.openapi import ACTIVE_SESSION, FILES, PROVIDERS, QUESTION_FILTERS, RUN_FILTERS, STARTED, STEPS

STEERS = Access(scope=CREATE, permission=DECIDE)
ENDS = Access(scope=CANCEL, permission=DECIDE)
START_ERRORS = (400, 401, 403, 409, 413, 415, 422, 429)
LIST_ERRORS = (400, 401, 403, 429)
WHOLE = ("steps", "checkpoints__interrupt")
FLAGS = ["true", "false", "1", "0"]


class RunViewSet(CallerViewSet):
    """A workflow that stops at checkpoints, waits for people, and goes on."""

    lookup_value_regex = r"[^/]+"
    access = {
        "start": ASKS,
        "start_team": ASKS,
        "list": READS,
        "active": READS,
        "retrieve": READS,
        "status": READS,
        "state": READS,
        "steps": READS,
        "wait": READS,
        "file": READS,
        "approve": DECIDES,
        "pause": STEERS,
        "resume": STEERS,
        "destroy": ENDS,
    }

    # -- Starting -------------------------------------------------------------------------------------

    @describe(
        "Start a run", body=bodies.RUN, answer=STARTED, status=202, errors=START_ERRORS,
        parameters=(IDEMPOTENCY_KEY,),
        description="`events_url` gives its events, from the first. It goes on by itself.",
    )  # fmt: skip
    def start(self, request: Request) -> Response:
        return self._started(request, sent(request, bodies.RUN), gated=True)

    @describe(
        "Start a run, with people or straight through", body=bodies.TEAM_RUN, answer=STARTED, status=202,
        errors=START_ERRORS,
        parameters=(
            query("enable_hitl", "Without it nobody is asked but by policies.", enum=FLAGS),
            query("user_id"), query("session_id"), IDEMPOTENCY_KEY,
        ),
    )  # fmt: skip
    def start_team(self, request: Request) -> Response:
        told = _query(request.query_params, ("enable_hitl", "user_id", "session_id"))
        flag = told.pop("enable_hitl", "false").lower()
        if flag not in FLAGS:
            raise invalid({"enable_hitl": ["Write true or false."]})
        if "run_input" in request.data:
            body = sent(request, bodies.RUN)
        else:
            body = {"run_input": sent(request, bodies.TEAM_RUN)}
        return self._started(request, {**body, **told}, gated=flag in ("true", "1"))

    def _started(self, request: Request, body: dict[str, Any], *, gated: bool) -> Response:
        run, _ = services.start(self.caller, body, key=idempotency_key(request), gated=gated)
        before = Event.objects.values_list("position", flat=True).get(
            subject_id=run.pk, type=services.STARTED
        )
        cursor = f"{stream_of(run.stream).epoch}:{before - 1}"
        prefix = request.path.removesuffix("/run").removesuffix("/teams")  # one of the API's
        root = request.build_absolute_uri(prefix)
        return Response(
            {
                "run_id": run.pk,
                "status": run.status,
                "websocket_url": f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}/ws/agents",
                "events_url": f"{root}/events?after={cursor}",
                "run_url": f"{root}/runs/{run.pk}",
            },
            status=202,
        )

    # -- Reading --------------------------------------------------------------------------------------

    @describe("List runs, newest first", answer=page_of("Run"), errors=LIST_ERRORS, parameters=RUN_FILTERS)
    def list(self, request: Request) -> Response:
        return self._page(request, selectors.runs(self.caller))

    @describe(
        "List the runs that have not ended", answer=page_of("Run"), errors=LIST_ERRORS,
        parameters=RUN_FILTERS,
    )  # fmt: skip
    @action(detail=False)
    def active(self, request: Request) -> Response:
        return self._page(request, selectors.active(self.caller))

    def _page(self, request: Request, rows: Any) -> Response:
        narrowed = RunFilter.narrow(rows, request.query_params)
        found = page(narrowed, request.query_params, request.build_absolute_uri(request.path))
        return Response({**found, "results": [serializers.document(run) for run in found["results"]]})

    @describe("Show a run", answer=ref("Run"))
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(serializers.document(self.find(pk)))

    @describe("Ask how a run stands, and what it waits for", answer=ref("RunStatus"))
    @action(detail=True)
    def status(self, request: Request, pk: str) -> Response:
        return Response(serializers.status(self.find(pk)))

    @describe("Show all of a run: its steps, and what people said", answer=ref("RunState"))
    @action(detail=True)
    def state(self, request: Request, pk: str) -> Response:
        whole = selectors.runs(self.caller).prefetch_related(*WHOLE)
        return Response(serializers.state(one(whole, pk)))

    @describe("Show the steps of a run", answer=STEPS)
    @action(detail=True)
    def steps(self, request: Request, pk: str) -> Response:
        return Response({"results": [serializers.step(row) for row in self.find(pk).steps.all()]})

    @describe(
        "Wait until a run has ended", answer=ref("RunStatus"), errors=(400, 401, 403, 404, 429),
        parameters=(TIMEOUT,),
        description="Holds until it is completed, failed or cancelled, or the time is up.",
    )  # fmt: skip
    @action(detail=True)
    def wait(self, request: Request, pk: str) -> Response:
        timeout_of(request.query_params)  # held where sockets are served: see runs.waiting
        return Response(serializers.status(self.find(pk)))

    @describe(
        "Download a file that a run made", answer={"type": "string", "format": "binary"}, gives="*/*",
        errors=(401, 403, 404, 429, 503),
    )  # fmt: skip
    @action(detail=True, url_path="files/(?P<attachment_id>[^/]+)")
    def file(self, request: Request, pk: str, attachment_id: str) -> HttpResponse:
        made = Attachment.objects.filter(added_by=self.find(pk).pk)
        return _download(one(made, attachment_id))

    # -- Deciding and steering ------------------------------------------------------------------------

    @describe(
        "Answer what a run asks", body=bodies.APPROVE, answer=ref("Run"), errors=WRITE_ERRORS,
        description="The same as answering the interrupt `approval_id`. `edits` are put over what was asked.",
    )  # fmt: skip
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.APPROVE)
        services.decide(
            self.find(pk),
            by=decider(self.caller, body),
            approval_id=body["approval_id"],
            action=body["action"],
            edits=body.get("edits"),
            reason=body.get("reason", ""),
            content_hash=body.get("content_hash", ""),
        )
        return self.shown(pk)

    @describe("Pause a run", body=bodies.REASON, answer=ref("Run"), errors=WRITE_ERRORS)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.REASON)
        services.pause(self.find(pk), by=self.caller, reason=body.get("reason", ""))
        return self.shown(pk)

    @describe(
        "Resume a paused or failed run", body=bodies.REASON, answer=ref("Run"), errors=WRITE_ERRORS,
        description="It never goes past a question that is not answered: that is a 409.",
    )  # fmt: skip
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        sent(request, bodies.REASON)
        services.resume(self.find(pk), by=self.caller)
        return self.shown(pk)

    @describe("Cancel a run", answer=ref("Run"), errors=(401, 403, 404, 409, 429))
    def destroy(self, request: Request, pk: str) -> Response:
        services.cancel(self.find(pk), by=self.caller)
        return self.shown(pk)

    def find(self, pk: str) -> Run:
        """Return the run called *pk*; Problem 404 when the caller may see none."""
        return one(selectors.runs(self.caller), pk)

    def shown(self, pk: str) -> Response:
        return Response(serializers.document(self.find(pk)))

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, TransitionConflict):
            pk = error.subject_id
            if pk.startswith("run_"):
                error = conflict(error, serializers.document(self.find(pk)))
            else:
                row = interrupts.interrupt(self.caller, pk)
                error = item_conflict(error, interrupt_document(vars(row)))
        return super().handle_exception(error)


class QuestionViewSet(CallerViewSet):
    """What runs, and agents in browsers, ask people."""

    access = {"pending": READS, "create": ASKS}

    @describe(
        "List what runs ask, newest first", answer=page_of("Approval"), errors=LIST_ERRORS,
        parameters=QUESTION_FILTERS,
    )  # fmt: skip
    def pending(self, request: Request) -> Response:
        rows = QuestionFilter.narrow(selectors.questions(self.caller), request.query_params)
        found = page(rows, request.query_params, request.build_absolute_uri(request.path))
        return Response({**found, "results": [serializers.question(row) for row in found["results"]]})

    @describe(
        "Ask a person to allow an action in a browser", body=bodies.BROWSER, answer=ref("Interrupt"),
        status=201, also={200: ref("Interrupt")}, errors=(400, 401, 403, 413, 415, 422, 429),
        parameters=(IDEMPOTENCY_KEY,),
        description="An interrupt like any other. Attach a screenshot to it by its `attachments`.",
    )  # fmt: skip
    def create(self, request: Request) -> Response:
        body, key = sent(request, bodies.BROWSER), idempotency_key(request)
        asked, new = services.request_browser_approval(self.caller, body, key=key)
        row = interrupts.interrupt(self.caller, asked.pk)
        return Response(interrupt_document(vars(row)), status=201 if new else 200)


class SessionViewSet(CallerViewSet):
    """A session: its runs under way, what they wait for, and its files."""

    access = {"active": READS, "files": READS, "attach": ASKS, "file": READS}
    parser_classes = [OneFileParser]

    @describe("Give a client back all it needs to go on", answer=ACTIVE_SESSION, errors=(400, 401, 403, 429))
    def active(self, request: Request, session_id: str) -> Response:
        session = _checked(session_id)
        rows = selectors.active(self.caller).filter(session_id=session).order_by("-pk")
        runs = [serializers.state(run) for run in rows.prefetch_related(*WHOLE)[:50]]
        waiting = selectors.questions(self.caller).filter(session_id=session).order_by("-pk")[:50]
        first = runs[0] if runs else {}
        return Response(
            {
                "session_id": session,
                "active": first or None,
                "runs": runs,
                "checkpoint_context": first.get("checkpoint_context"),
                "pending_actions": first.get("pending_actions", []),
                "last_approval": first.get("last_approval"),
                "approvals": [serializers.question(row) for row in waiting],
                "files": self._files(request, session)["results"],
            }
        )

    @describe("List the files of a session, oldest first", answer=FILES, errors=(400, 401, 403, 429))
    def files(self, request: Request, session_id: str) -> Response:
        return Response(self._files(request, _checked(session_id)))

    @describe(
        "Give a session a file, for its runs to use", body=ONE_FILE, takes=OneFileParser.media_type,
        answer=ref("SessionFile"), status=201, errors=(400, 401, 403, 413, 415, 429, 503),
        description=f"One of {', '.join(TYPES)}. Name it in `inputs` by its `reference`.",
    )  # fmt: skip
    def attach(self, request: Request, session_id: str) -> Response:
        session = _checked(session_id)
        added = attachments.attach_to_session(session, by=self.caller, upload=uploaded(request))
        added.refresh_from_db()
        return Response(serializers.file(added, _below(request, session)), status=201)

    @describe(
        "Download a file of a session", answer={"type": "string", "format": "binary"}, gives="*/*",
        errors=(400, 401, 403, 404, 429, 503),
    )  # fmt: skip
    def file(self, request: Request, session_id: str, attachment_id: str) -> HttpResponse:
        rows = {row.pk: row for row in self._rows(_checked(session_id))}
        if (found := rows.get(attachment_id)) is None:
            raise not_found()
        return _download(found)

    def _files(self, request: Request, session: str) -> dict[str, Any]:
        below = _below(request, session)
        return {"results": [serializers.file(row, below) for row in self._rows(session)]}

    def _rows(self, session: str) -> "list[Attachment]":
        """Return the files that the caller may see: an agent those of its own session of that name."""
        names = [self.caller.agent] if self.caller.user is None else self._agents(session)
        return [row for name in names for row in attachments.of_session(name, session)]

    def _agents(self, session: str) -> "list[str]":
        runs = visible_to(self.caller, Run.objects.filter(session_id=session))
        return sorted(set(runs.values_list("agent_id", flat=True)[:200]))


class ProviderViewSet(CallerViewSet):
    """What runs can call."""

    access = {"list": READS}

    @describe("List the providers", answer=PROVIDERS, errors=(401, 403, 429))
    def list(self, request: Request) -> Response:
        return Response({"results": [serializers.provider(found) for found in providers.all_providers()]})


def _download(found: Attachment) -> HttpResponse:
    name = content_disposition_header(True, found.name)
    headers = {**HANDED_OUT, "Content-Disposition": name}
    return HttpResponse(attachments.content_of(found), found.content_type, headers=headers)


def _query(given: QueryDict, names: tuple[str, ...]) -> dict[str, str]:
    told = {name: str(given[name]) for name in given}
    if unknown := set(told) - set(names):
        use = ", ".join(names)
        raise invalid({name: [f"There is no such parameter. Use {use}."] for name in sorted(unknown)})
    if long := [name for name in told if len(told[name]) > 255 or "\x00" in told[name]]:
        raise invalid({name: ["Give up to 255 characters, without NUL."] for name in long})
    return {name: told[name] for name in names if name in told}


def _checked(session_id: str) -> str:
    if "\x00" in session_id or len(session_id) > 255:
        raise invalid({"session_id": ["Give up to 255 characters, without NUL."]})
    return session_id


def _below(request: Request, session: str) -> str:
    return f"{request.path.partition('/sessions/')[0]}/sessions/{session}/files"
