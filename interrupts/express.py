"""The two calls that agents make most: asking, and asking how it stands."""

import orjson

from agents.callers import Caller
from agents.calls import Answer, Call
from agents.express import ExpressRoute
from events.http import parse
from events.schema import check
from interrupts import asking, bodies, selectors, serializers
from interrupts.api import InterruptViewSet
from reviews.api import checked_key


def create(caller: Caller, call: Call, groups: dict[str, str]) -> Answer:
    """Do what ``InterruptViewSet.create`` does."""
    body = parse(call.body)
    check(bodies.CREATE, body)
    key = checked_key(call.headers.get("idempotency-key", ""))
    interrupt, new = asking.ask(caller, body, key=key)
    if not new:
        interrupt = selectors.interrupt(caller, interrupt.pk)
    return 201 if new else 200, orjson.dumps(serializers.document(vars(interrupt))), {}


def status(caller: Caller, call: Call, groups: dict[str, str]) -> Answer:
    """Do what ``InterruptViewSet.status`` does."""
    row = selectors.status_row(caller, groups["pk"])
    tag = serializers.etag(row)
    if serializers.is_known(tag, call.headers.get("if-none-match", "")):
        return 304, b"", {"ETag": tag}
    return 200, orjson.dumps(serializers.status(row)), {"ETag": tag, "Cache-Control": "no-cache"}


routes = (
    ExpressRoute("POST", "interrupts", InterruptViewSet.access["create"], create),
    ExpressRoute("GET", r"interrupts/(?P<pk>\w+)/status", InterruptViewSet.access["status"], status),
)
