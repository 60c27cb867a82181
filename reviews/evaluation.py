"""Whether a call needs a person: what agents ask before each call, as fast as the status of a question."""

from typing import Any

import orjson

from agents.callers import Caller
from agents.calls import Answer
from agents.calls import Call as HTTPCall
from agents.express import ExpressRoute
from agents.models import CREATE
from agents.permissions import Access
from events.http import parse
from events.schema import check
from reviews import rules
from reviews.models import VIEW
from reviews.policies import Call
from reviews.policy_bodies import EVALUATE
from reviews.policy_serializers import evaluation

EVALUATES = Access(scope=CREATE, permission=VIEW)
FRESH_SECONDS = 30


def evaluate(
    caller: Caller, body: dict[str, Any], known: str
) -> tuple[int, dict[str, Any] | None, dict[str, str]]:
    """Return status, document and headers; *known* is the ``If-None-Match`` of who asks again."""
    call = Call(
        body.get("kind", "approval"),
        body["tool_name"],
        body.get("tool_args", {}),
        caller.agent or body.get("agent", ""),
        body.get("session_id", ""),
    )
    ruling = rules.rule(call)
    # Grants come and go without a new version, so what they may decide is not kept by anybody.
    fresh = 0 if ruling.may_pass else FRESH_SECONDS
    tag = ruling.version if fresh else f"{ruling.version}+grants"  # that no later one is held to be
    headers = {"ETag": f'"{tag}"', "Cache-Control": f"private, max-age={fresh}"}
    if fresh and headers["ETag"] == known.strip():
        return 304, None, headers
    return 200, evaluation(ruling), headers


def _answer(caller: Caller, call: HTTPCall, groups: dict[str, str]) -> Answer:
    body = parse(call.body)
    check(EVALUATE, body)
    status, document, headers = evaluate(caller, body, call.headers.get("if-none-match", ""))
    return status, b"" if document is None else orjson.dumps(document), headers


routes = (ExpressRoute("POST", "policies/evaluate", EVALUATES, _answer),)
