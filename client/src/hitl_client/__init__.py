"""An agent asks, a person decides, the agent goes on.

    from hitl_client import HITL

    hitl = HITL()  # HITL_URL, HITL_API_KEY
    decision = hitl.require_approval("Delete it?", tool_name="delete_file", tool_args={"path": path})
    delete_file(**decision.arguments)

    request = hitl.request_action("api_key", "A key for Stripe", "To read invoices.", required_fields={…})
    with hitl.secrets(request) as values: ...

    run = hitl.start_run({"tool": "http", "inputs": {"url": "…"}}, session_id="photos-7")
    run = hitl.wait_run(run.id)

`mode="wait"` stays until a person has decided. `mode="raise"` ends the run with `InterruptSignal`; run it
again after the decision, and the same call finds it (`session`, `durable`). Errors are drawn in
`hitl_client.errors`.
"""

from hitl_client.awaitable import AsyncHITL
from hitl_client.blocking import HITL
from hitl_client.errors import (
    Answered,
    ApprovalSpent,
    ArgumentsChanged,
    Cancelled,
    Denied,
    Expired,
    HITLError,
    InterruptSignal,
    NotApproved,
    ProblemError,
    Rejected,
    SecretsGone,
    SecretsLeased,
    StreamReset,
    Unavailable,
    UnexpectedAnswer,
    WaitTimeout,
)
from hitl_client.models import (
    ActionRequest,
    ActiveSession,
    Decision,
    Event,
    Feedback,
    Interrupt,
    PolicyAnswer,
    Run,
    Secrets,
    Status,
)
from hitl_client.review import Ruling, ToolCall, approved_call
from hitl_client.runs import Completed, Pending, durable, session

__all__ = [
    "HITL",
    "ActionRequest",
    "ActiveSession",
    "Answered",
    "ApprovalSpent",
    "ArgumentsChanged",
    "AsyncHITL",
    "Cancelled",
    "Completed",
    "Decision",
    "Denied",
    "Event",
    "Expired",
    "Feedback",
    "HITLError",
    "Interrupt",
    "InterruptSignal",
    "NotApproved",
    "Pending",
    "PolicyAnswer",
    "ProblemError",
    "Rejected",
    "Ruling",
    "Run",
    "Secrets",
    "SecretsGone",
    "SecretsLeased",
    "Status",
    "StreamReset",
    "ToolCall",
    "Unavailable",
    "UnexpectedAnswer",
    "WaitTimeout",
    "approved_call",
    "durable",
    "session",
]
