"""What the HTTP routes of every kind of item share."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar, TypeVar

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.callers import Caller
from agents.models import CANCEL, CREATE, ON_BEHALF, READ
from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events.models import SYSTEM
from events.multipart import ONE_FILE, OneFileParser, uploaded
from events.openapi import READ_ERRORS, WRITE_ERRORS, describe, page_of, ref
from events.problems import invalid
from events.schema import check
from events.selectors import history
from events.transitions import TransitionConflict
from reviews import attachments as files
from reviews import bodies, services
from reviews.bodies import Schema
from reviews.conflicts import conflict
from reviews.file_types import TYPES
from reviews.filters import StrictFilterSet
from reviews.models import DECIDE, VIEW, ReviewItem
from reviews.paging import page
from reviews.selectors import one
from reviews.statistics import statistics

ASKS = Access(scope=CREATE)
READS = Access(scope=READ, permission=VIEW)
DECIDES = Access(scope=ON_BEHALF, permission=DECIDE)
OPERATES = Access(permission=DECIDE)
SHARED_ACCESS = {
    "create": ASKS,
    "list": READS,
    "retrieve": READS,
    "wait": READS,
    "reject": DECIDES,
    "cancel": Access(scope=CANCEL, permission=DECIDE),
    "release": OPERATES,
    "reassign": OPERATES,
    "comments": Access(scope=CREATE, permission=VIEW),
    "attachments": Access(scope=CREATE, permission=DECIDE),
    "attachment": READS,
}

KEY_LIMIT = 255
# What agents and people upload is never shown by the browser, nor does anything in it run.
HANDED_OUT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store, private",
}
T = TypeVar("T")


class ItemViewSet(CallerViewSet):
    """Serve one kind of item: read it, comment on it, give it back; conflicts show it as it stands.

    Subclasses name its list's filters and columns and how a row is written, and add its own verbs.
    """

    lookup_value_regex = r"[^/]+"
    filters: ClassVar[type[StrictFilterSet]]
    columns: ClassVar[tuple[str, ...]]
    document: ClassVar[Callable[[Mapping[str, Any]], dict[str, Any]]]

    def rows(self) -> Any:
        """Return the items of this kind that the caller may see."""
        raise NotImplementedError

    def find(self, pk: str) -> Any:
        """Return the item called *pk*; Problem 404 when the caller may see none."""
        return one(self.rows(), pk)

    def current(self, pk: str) -> dict[str, Any]:
        """Return the item as the caller sees it."""
        return type(self).document(vars(self.find(pk)))

    def shown(self, item: ReviewItem) -> Response:
        """Answer with *item* as it now stands."""
        return Response(self.current(item.pk))

    def page(self, request: Request, **fixed: str) -> Response:
        """Answer with one page of the rows that *fixed* and the query narrow."""
        if nul := [name for name, value in fixed.items() if "\x00" in value]:
            raise invalid({name: ["NUL characters are not accepted."] for name in nul})
        rows = self.filters.narrow(self.rows().filter(**fixed), request.query_params)
        url = request.build_absolute_uri(request.path)
        found = page(rows.values(*self.columns), request.query_params, url)
        return Response({**found, "results": [type(self).document(row) for row in found["results"]]})

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, TransitionConflict):
            error = conflict(error, self.current(error.subject_id))
        return super().handle_exception(error)

    def list(self, request: Request) -> Response:
        return self.page(request)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.whole(request, pk))

    def whole(self, request: Request, pk: str) -> dict[str, Any]:
        """Return the item as the caller sees it, with what belongs to it."""
        item, below = self.current(pk), request.path.partition(f"/{pk}")[0]
        attached = files.of_item(pk, f"{below}/{pk}/attachments")
        return {**item, "attachments": attached, "history": history(pk)}

    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        sent(request, bodies.CLAIM)
        item = self.find(pk)
        self.give_back(item)
        return self.shown(item)

    def give_back(self, item: Any) -> None:
        """Release *item*."""
        services.release(item, by=self.caller)

    @action(detail=True, methods=["post"])
    def reassign(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.REASSIGN)
        item = self.find(pk)
        services.reassign(item, by=self.caller, to=user_called("to", body["to"]))
        return self.shown(item)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.CANCEL)
        item = self.find(pk)
        self.take_back(item, body.get("reason", ""))
        return self.shown(item)

    def take_back(self, item: Any, reason: str) -> None:
        """Cancel *item*."""
        raise NotImplementedError

    @action(detail=True, methods=["post"])
    def comments(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.COMMENTS)
        item, reply_to = self.find(pk), body.get("reply_to", "")
        comment = services.comment(item, by=self.caller, body=body["body"], reply_to=reply_to)
        return Response({**self.current(pk), "comment": comment, "history": history(pk)}, status=201)

    @action(detail=True, methods=["post"], parser_classes=[OneFileParser])
    def attachments(self, request: Request, pk: str) -> Response:
        item = self.find(pk)  # before the body is read
        added = files.attach(item, by=self.caller, upload=uploaded(request))
        whole = self.whole(request, pk)
        one_of = {attached["id"]: attached for attached in whole["attachments"]}
        return Response({**whole, "attachment": one_of[added.pk]}, status=201)

    @action(detail=True, url_path="attachments/(?P<attachment_id>[^/]+)")
    def attachment(self, request: Request, pk: str, attachment_id: str) -> HttpResponse:
        found, content = files.read(self.find(pk), attachment_id)
        name = content_disposition_header(True, found.name)
        return HttpResponse(content, found.content_type, headers={**HANDED_OUT, "Content-Disposition": name})


def verb(
    component: str, summary: str, schema: Schema, description: str = ""
) -> Callable[[Callable[..., None]], Any]:
    """Serve a method as ``POST …/{id}/<its name>``: it takes the item and the body, and the item is shown."""

    def route(change: Callable[..., None]) -> Any:
        @wraps(change)
        def view(self: ItemViewSet, request: Request, pk: str) -> Response:
            body = sent(request, schema)
            item = self.find(pk)
            change(self, item, body)
            return self.shown(item)

        answer = ref(component)
        described = describe(
            summary, body=schema, answer=answer, errors=WRITE_ERRORS, description=description
        )
        return described(action(detail=True, methods=["post"])(view))

    return route


def describe_shared(component: str, *filters: Any, retrieve: Any = None) -> Callable[[type[T]], type[T]]:
    """Document the routes that a kind has from :class:`ItemViewSet`, with its own component."""
    answer = ref(component)
    found: Callable[[type[T]], type[T]] = extend_schema_view(
        list=describe(
            "List them, newest first",
            answer=page_of(component),
            errors=(400, 401, 403, 429),
            parameters=filters,
        ),
        retrieve=retrieve or describe("Show one with its history", answer=answer),
        release=describe("Give it back", body=bodies.CLAIM, answer=answer, errors=WRITE_ERRORS),
        reassign=describe(
            "Hand it to somebody else", body=bodies.REASSIGN, answer=answer, errors=WRITE_ERRORS
        ),
        cancel=describe("Take it back", body=bodies.CANCEL, answer=answer, errors=WRITE_ERRORS),
        comments=describe(
            "Comment on it",
            body=bodies.COMMENTS,
            answer=answer,
            status=201,
            errors=WRITE_ERRORS,
            description="The comment is part of `history`.",
        ),
        attachments=describe(
            "Attach a file",
            body=ONE_FILE,
            takes=OneFileParser.media_type,
            answer=answer,
            status=201,
            errors=(*WRITE_ERRORS, 503),
            description=f"One of {', '.join(TYPES)}, by name and by content. The item must be open.",
        ),
        attachment=describe(
            "Download an attachment",
            answer={"type": "string", "format": "binary"},
            gives="*/*",
            errors=(*READ_ERRORS, 503),
        ),
    )
    return found


def sent(request: Request, schema: Schema) -> dict[str, Any]:
    """Return the body of *request*, checked against *schema*."""
    body: dict[str, Any] = request.data if isinstance(request.data, dict) else {}
    check(schema, body)
    return body


def user_called(field: str, name: str) -> User:
    """Return the user that *field* of a body names; Problem 400 when there is none."""
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise invalid({field: ["There is no such person here."]})
    return user


def decider(caller: Caller, body: dict[str, Any], *names: str) -> Caller:
    """Return who decides: the operator who calls, or the user a trusted back end names.

    The user stands in ``user_id``, or in another of *names* that the seed's bodies have.

    Raises:
        Problem: a key with ``on_behalf`` names nobody.
    """
    if caller.user is not None:
        return caller
    user_id = next((body[name].strip() for name in ("user_id", *names) if body.get(name)), "")
    if user_id in ("", SYSTEM):
        raise invalid({"user_id": ["A key that decides for users must say for whom."]})
    return caller.on_behalf_of(user_id)


def idempotency_key(request: Request) -> str:
    """Return the ``Idempotency-Key`` header, checked by :func:`checked_key`."""
    return checked_key(request.META.get("HTTP_IDEMPOTENCY_KEY", ""))


def checked_key(header: str) -> str:
    """Return the key in an ``Idempotency-Key`` *header*.

    Raises:
        Problem: it is longer than 255 characters or not plain ASCII text.
    """
    key = header.strip()
    if len(key) > KEY_LIMIT or not (key.isascii() and key.isprintable()):
        raise invalid({"Idempotency-Key": [f"Send up to {KEY_LIMIT} printable ASCII characters."]})
    return key


class StatisticsViewSet(CallerViewSet):
    """Figures over everything the caller may see."""

    access = {"list": READS}

    @describe("Statistics", answer=ref("Statistics"), errors=(401, 403, 429))
    def list(self, request: Request) -> Response:
        return Response(statistics(self.caller))
