"""What an agent may ask people to do for it, as flows: action requests and their secret answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Unpack

from hitl_client.asking import NOT_APPROVED, QuestionCalls
from hitl_client.calls import path_of
from hitl_client.errors import SecretsLeased
from hitl_client.flows import Call, Flow, Pause
from hitl_client.models import ActionRequest, Decision, Interrupt, Secrets
from hitl_client.questions import Json

LOOK_AGAIN_SECONDS = 5.0


class RequestOptions(TypedDict, total=False):
    """What a request may be given besides its subject; as the options of a question, and `mode="ask"`.

    "ask" returns the request as it stands, open or fulfilled, without waiting: equal calls of one run,
    session or workflow find the same one.
    """

    key: str | None
    session_id: str | None
    run_id: str | None
    agent_id: str | None
    priority: Literal["low", "medium", "high", "critical"] | None
    expires_in: int | None
    metadata: Json | None
    mode: Literal["wait", "raise", "ask"] | None
    wait_timeout: float | None


class ActionCalls(QuestionCalls):
    """The calls of one agent, those about action requests among them."""

    def request_action(
        self,
        request_type: str | None = None,
        title: str | None = None,
        description: str | None = None,
        *,
        required_fields: Json | None = None,
        template: str | None = None,
        checklist: Sequence[str] | None = None,
        context: Json | None = None,
        workflow_id: str | None = None,
        **common: Unpack[RequestOptions],
    ) -> Flow[ActionRequest]:
        """Ask a person to do something; the fulfilled request's `data` holds what they filled in.

        A `template` says what is not given here. Raises Rejected (with `reason` and `code`), Expired or
        Cancelled, ArgumentsChanged when `key` belongs to another request, and what `mode` says.
        """
        asked = {
            "request_type": request_type,
            "title": title,
            "description": description,
            "required_fields": required_fields,
            "template": template,
            "checklist": checklist,
            "context": context,
            "workflow_id": workflow_id,
        }
        item = yield from self.put("requests", asked, common)
        return unrefused(item)

    def templates(self) -> Flow[list[dict[str, Any]]]:
        """Return the templates there are: {name, title, description, required_fields, …}."""
        said = yield from self.send(Call("GET", "request_templates"))
        return list(said["results"])

    def get_request(self, request_id: str) -> Flow[ActionRequest]:
        """Return the request as it stands, whatever became of it."""
        item = yield from self.get(request_id)
        return ActionRequest.of(item)

    def wait_request(self, request_id: str, timeout: float | None = None) -> Flow[ActionRequest | None]:
        """Wait until it is fulfilled; None if it is not after `timeout` seconds. Raises as asking does."""
        item = yield from self.outcome(request_id, timeout)
        return None if item is None else unrefused(item)

    def reveal(self, request_id: str, wait_timeout: float = 0) -> Flow[Secrets]:
        """Return the secret answers, under a lease: `ack` before it ends, or they can be had once more.

        Raises SecretsLeased when another call has them, after `wait_timeout` seconds if given, and
        SecretsGone when they are destroyed.
        """
        deadline = time.monotonic() + wait_timeout
        while True:
            try:
                found = yield from self.send(Call("POST", path_of(request_id, "reveal"), body={}))
            except SecretsLeased:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                yield Pause(min(LOOK_AGAIN_SECONDS, left))
            else:
                return Secrets(found["values"], found["lease_expires_at"])

    def ack(self, request_id: str) -> Flow[Interrupt]:
        """Have the secret answers destroyed: they have arrived."""
        return self.once(request_id, "ack", {}, done="acknowledged")


def unrefused(item: Interrupt) -> ActionRequest:
    """Return a request that is fulfilled or open; raise Rejected, Expired or Cancelled for any other."""
    if refusal := NOT_APPROVED.get(item["status"]):
        raise refusal(Decision.of(item))
    return ActionRequest.of(item)
