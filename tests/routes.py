"""Every route of the API, and who may call it; a route that is not here fails the suite."""

import re
from dataclasses import dataclass, field
from typing import Any

VIEWERS = {"vic", "carol", "ann", "ada"}
REVIEWERS = {"ann", "ada"}
AUDITORS = {"carol", "ada"}
ADMINISTRATORS = {"ada"}
NOBODY: set[str] = set()


NEED = {
    "request_type": "api_key",
    "title": "A key",
    "description": "To read.",
    "required_fields": {"key": {"label": "Key", "type": "secret"}},
}
ANSWER = {"response_data": {"key": "sk_1"}}
AWAY = {"substitute": "dan", "starts_at": "2030-07-01T00:00:00Z", "ends_at": "2030-07-15T00:00:00Z"}
CALL = {"tool": "http", "inputs": {"width": 640}}
CLICK = {"run_id": "run123", "action_description": "Click the login button"}
TWO = {"name": "Two", "kind": "request", "require_approval": True, "required_approvals": 2}


@dataclass(frozen=True)
class Route:
    """Say who may: keys by *scope*, people by name. *first* is what a reviewer has done before.

    *policy* is in force before anything is asked.
    """

    call: str
    scope: str
    people: set[str]
    body: dict[str, Any] | None = None
    ok: int = 200
    first: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] | None = None

    @property
    def method(self) -> str:
        return self.call.split(" ")[0]

    @property
    def of_an_item(self) -> bool:
        return bool(re.search("<pk>|<attachment_id>|^POST /approvals$", self.call))


ROUTES = [
    Route("POST /interrupts", "create", NOBODY, {"reason": "x"}, 201),
    Route("POST /interrupts/batch", "create", NOBODY, {"items": [{"reason": "x"}]}, 201),
    Route("GET /interrupts", "read", VIEWERS),
    Route("GET /sessions/<session_id>/interrupts", "read", VIEWERS),
    Route("GET /agents/<agent_name>/interrupts", "read", VIEWERS),
    Route("GET /interrupts/<pk>", "read", VIEWERS),
    Route("GET /interrupts/<pk>/status", "read", VIEWERS),
    Route("GET /interrupts/<pk>/wait", "read", VIEWERS),
    Route("POST /interrupts/<pk>/approve", "on_behalf", REVIEWERS, {"user_id": "u"}),
    Route("POST /interrupts/<pk>/reject", "on_behalf", REVIEWERS, {"user_id": "u"}),
    Route(
        "POST /interrupts/<pk>/respond",
        "on_behalf",
        REVIEWERS,
        {"user_id": "u", "response": 1},
        fields={"type": "input"},
    ),
    Route("POST /approvals", "on_behalf", REVIEWERS, {"user_id": "u", "thread_id": "s", "approved": True}),
    Route("POST /interrupts/<pk>/request_changes", "on_behalf", REVIEWERS, {"user_id": "u", "comment": "x"}),
    Route("POST /interrupts/<pk>/cancel", "cancel", REVIEWERS, {}),
    Route("POST /interrupts/<pk>/claim", "", REVIEWERS, {}),
    Route("POST /interrupts/<pk>/release", "", REVIEWERS, {}),
    Route("POST /interrupts/<pk>/reassign", "", REVIEWERS, {"to": "dan"}),
    Route("POST /interrupts/<pk>/comments", "create", VIEWERS, {"body": "x"}, 201),
    Route("POST /interrupts/<pk>/attachments", "create", REVIEWERS, ok=201),
    Route("GET /interrupts/<pk>/attachments/<attachment_id>", "read", VIEWERS),
    Route("POST /interrupts/<pk>/revise", "create", NOBODY, {"reason": "y"}, first="request_changes"),
    Route("POST /interrupts/<pk>/consume", "create", NOBODY, {"tool_args": {}}, first="approve"),
    Route("POST /interrupts/<pk>/outcome", "create", NOBODY, {"status": "succeeded"}, first="approve"),
    Route("POST /requests", "create", NOBODY, NEED, 201),
    Route("GET /requests", "read", VIEWERS),
    Route("GET /request_templates", "create", VIEWERS),
    Route("GET /requests/<pk>", "read", VIEWERS),
    Route("GET /requests/<pk>/wait", "read", VIEWERS),
    Route("POST /requests/<pk>/start_review", "", REVIEWERS, {}),
    Route("POST /requests/<pk>/release", "", REVIEWERS, {}, first="start_review"),
    Route("POST /requests/<pk>/reassign", "", REVIEWERS, {"to": "dan"}),
    Route("POST /requests/<pk>/approve", "on_behalf", REVIEWERS, {"approved_by": "dan"}, policy=TWO),
    Route("POST /requests/<pk>/progress", "on_behalf", REVIEWERS, {"user_id": "u", "note": "x"}),
    Route("POST /requests/<pk>/fulfill", "on_behalf", REVIEWERS, {"fulfilled_by": "u", **ANSWER}),
    Route("POST /requests/<pk>/reject", "on_behalf", REVIEWERS, {"rejected_by": "u", "reason": "x"}),
    Route("POST /requests/<pk>/cancel", "cancel", REVIEWERS, {}),
    Route("POST /requests/<pk>/comments", "create", VIEWERS, {"body": "x"}, 201),
    Route("POST /requests/<pk>/attachments", "create", REVIEWERS, ok=201),
    Route("GET /requests/<pk>/attachments/<attachment_id>", "read", VIEWERS),
    Route("POST /requests/<pk>/reveal", "secrets", NOBODY, {}, first="fulfill"),
    Route("POST /requests/<pk>/ack", "secrets", NOBODY, {}, first="reveal"),
    Route("POST /policies/evaluate", "create", VIEWERS, {"tool_name": "x"}),
    Route("GET /policies", "", ADMINISTRATORS),
    Route("POST /policies", "", ADMINISTRATORS, {"deny": True}, 201),
    Route("GET /policies/<pk>", "", ADMINISTRATORS),
    Route("PATCH /policies/<pk>", "", ADMINISTRATORS, {"note": "x"}),
    Route("DELETE /policies/<pk>", "", ADMINISTRATORS, ok=204),
    Route("GET /grants", "", VIEWERS),
    Route("DELETE /grants/<pk>", "", REVIEWERS),
    Route("GET /delegations", "", VIEWERS),
    Route("POST /delegations", "", REVIEWERS, AWAY, 201),
    Route("DELETE /delegations/<pk>", "", REVIEWERS, ok=204),
    Route("POST /run", "create", NOBODY, {"run_input": CALL}, 202),
    Route("POST /teams/run", "create", NOBODY, CALL, 202),
    Route("GET /runs", "read", VIEWERS),
    Route("GET /runs/active", "read", VIEWERS),
    Route("GET /runs/<pk>", "read", VIEWERS),
    Route("GET /runs/<pk>/status", "read", VIEWERS),
    Route("GET /runs/<pk>/state", "read", VIEWERS),
    Route("GET /runs/<pk>/steps", "read", VIEWERS),
    Route("GET /runs/<pk>/wait", "read", VIEWERS),
    Route("GET /runs/<pk>/files/<attachment_id>", "read", VIEWERS),
    Route("POST /runs/<pk>/approve", "on_behalf", REVIEWERS, {"user_id": "u", "action": "reject"}),
    Route("POST /runs/<pk>/pause", "create", REVIEWERS, {}),
    Route("POST /runs/<pk>/resume", "create", REVIEWERS, {}, first="pause"),
    Route("DELETE /runs/<pk>", "cancel", REVIEWERS),
    Route("GET /sessions/<session_id>/active", "read", VIEWERS),
    Route("GET /sessions/<session_id>/files", "read", VIEWERS),
    Route("POST /sessions/<session_id>/files", "create", NOBODY, ok=201),
    Route("GET /sessions/<session_id>/files/<attachment_id>", "read", VIEWERS),
    Route("GET /approvals/pending", "read", VIEWERS),
    Route("POST /browser_approvals", "create", NOBODY, CLICK, 201),
    Route("GET /providers", "read", VIEWERS),
    Route("GET /statistics", "read", VIEWERS),
    Route("GET /events", "stream", AUDITORS),
    Route("POST /ws/ticket", "stream", NOBODY, {}, 201),
]
