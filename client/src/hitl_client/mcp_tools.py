"""The tools by which a model asks people, over MCP (`hitl mcp`; needs `hitl-client[mcp]`).

None of them decides, and no answer of the model's own user counts as a decision: people decide on the
server, with logins of their own.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from hitl_client.asking import Options
from hitl_client.calls import kind_of
from hitl_client.cli.asking import AsyncAsker, Exit, verdict
from hitl_client.errors import HITLError, InterruptSignal
from hitl_client.models import Decision, Interrupt

LONGEST_WAIT = 45  # seconds; hosts give a call of a tool about 60
POLL_SECONDS = 15

Id = Annotated[str, Field(description="The id that the request returned: int_… or har_….")]
Key = Annotated[
    str | None,
    Field(description="Your own name for this question: asked again with it, the same question is found."),
]
Session = Annotated[str | None, Field(description="What the question belongs to: a conversation, a job.")]
Priority = Annotated[
    Literal["low", "medium", "high", "critical"] | None, Field(description="How urgent it is.")
]
Seconds = Annotated[int | None, Field(description="Seconds until it expires; 24 hours by default.")]
Data = Annotated[dict[str, Any] | None, Field(description="What else a person needs to see, as JSON.")]


@dataclass(frozen=True)
class Answer:
    """What people decided."""

    proceed: Annotated[bool, Field(description="Go on only if this is true.")]
    arguments: Annotated[
        dict[str, Any] | None,
        Field(description="The arguments to use, exactly; people may have edited them."),
    ]
    edited: Annotated[bool, Field(description="Whether the arguments are others than you asked for.")]
    response: Annotated[Any, Field(description="What was entered.")]
    reason: Annotated[str | None, Field(description="Why it was refused.")]
    resolved_by: str | None
    resolved_at: str | None
    spent: Annotated[bool, Field(description="Whether it was used before; then it does not hold again.")]
    secret_fields: Annotated[
        list[str], Field(description="Answers that only a program fetches; they are never shown to you.")
    ]


@dataclass(frozen=True)
class Ticket:
    """How a question stands."""

    id: str
    kind: Annotated[str, Field(description="approval, confirmation, input, feedback, or a type of request.")]
    status: Annotated[
        str,
        Field(
            description="pending or in_review while open; approved, fulfilled, rejected, expired, cancelled."
        ),
    ]
    url: Annotated[str, Field(description="The page where people decide; show it to your user.")]
    decision: Annotated[Answer | None, Field(description="null while it is open: do not go on.")]
    next_poll_s: Annotated[
        int | None, Field(description="Call wait_for_decision within this time; null once it is settled.")
    ]


P = ParamSpec("P")
T = TypeVar("T")


def in_a_sentence(tool: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Make the errors of a tool what the model is told."""

    @functools.wraps(tool)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await tool(*args, **kwargs)
        except (HITLError, ValueError) as error:
            raise ToolError(f"{error}. Do not go on as if this had been approved.") from error

    return told


class Tools:
    """The tools; each returns how the question stands."""

    def __init__(self, hitl: AsyncAsker) -> None:
        self.hitl = hitl

    @in_a_sentence
    async def request_approval(
        self,
        reason: Annotated[str, Field(description="What you want to do and why, for a person to read.")],
        tool_name: Annotated[str | None, Field(description="The tool or command you want to run.")] = None,
        tool_args: Annotated[dict[str, Any] | None, Field(description="Its exact arguments.")] = None,
        args_schema: Annotated[
            dict[str, Any] | None, Field(description="JSON Schema that edited arguments must keep to.")
        ] = None,
        data: Data = None,
        priority: Priority = None,
        expires_in: Seconds = None,
        session_id: Session = None,
        key: Key = None,
    ) -> Ticket:
        """Ask a person for permission, before you act. Returns at once, usually pending.

        Then call wait_for_decision. Do not act while it is pending; go on only if `decision.proceed` is
        true, and with `decision.arguments`, not with yours.
        """
        asked = {"tool_name": tool_name, "tool_args": tool_args, "args_schema": args_schema}
        return await self._ask("approval", reason, data, asked, key, session_id, priority, expires_in)

    @in_a_sentence
    async def request_confirmation(
        self,
        reason: Annotated[str, Field(description="What a person is to say yes or no to.")],
        data: Data = None,
        priority: Priority = None,
        expires_in: Seconds = None,
        session_id: Session = None,
        key: Key = None,
    ) -> Ticket:
        """Ask a person yes or no. Returns at once, usually pending; then call wait_for_decision.

        Only `decision.proceed` true is a yes.
        """
        return await self._ask("confirmation", reason, data, {}, key, session_id, priority, expires_in)

    @in_a_sentence
    async def request_input(
        self,
        reason: Annotated[str, Field(description="What you need to know, for a person to read.")],
        response_schema: Annotated[
            dict[str, Any] | None, Field(description="JSON Schema of the answer; free text without one.")
        ] = None,
        data: Data = None,
        priority: Priority = None,
        expires_in: Seconds = None,
        session_id: Session = None,
        key: Key = None,
    ) -> Ticket:
        """Ask a person for a value. Returns at once, usually pending; then call wait_for_decision.

        What was entered is `decision.response`. Do not make up a value meanwhile. Never ask for secrets
        this way: request_action has fields for them.
        """
        asked = {"response_schema": response_schema}
        return await self._ask("input", reason, data, asked, key, session_id, priority, expires_in)

    @in_a_sentence
    async def request_feedback(
        self,
        subject: Annotated[str, Field(description="What a person is to look at; put the work into `data`.")],
        response_schema: Annotated[
            dict[str, Any] | None, Field(description="JSON Schema of the answer; free text without one.")
        ] = None,
        data: Data = None,
        priority: Priority = None,
        expires_in: Seconds = None,
        session_id: Session = None,
        key: Key = None,
    ) -> Ticket:
        """Ask a person what they think of your work. Returns at once; then call wait_for_decision.

        What they say is `decision.response`, or `decision.reason` where they turn it down. It permits no
        action.
        """
        asked = {"response_schema": response_schema}
        return await self._ask("feedback", subject, data, asked, key, session_id, priority, expires_in)

    @in_a_sentence
    async def request_action(
        self,
        request_type: Annotated[
            Literal[
                "api_key",
                "account_creation",
                "legal_document",
                "payment_authorization",
                "business_setup",
                "strategic_decision",
                "custom",
            ],
            Field(description="What kind of thing it is."),
        ],
        title: Annotated[str, Field(description="What is to be done, in a line.")],
        description: Annotated[str, Field(description="What for, and what has to be observed.")],
        required_fields: Annotated[
            dict[str, Any] | None,
            Field(
                description="What to fill in: name to label, or to {label, type, required, help, pattern, "
                "choices}; type is text, textarea, secret, email, url, number, boolean, date, choice or file."
            ),
        ] = None,
        context: Data = None,
        priority: Priority = None,
        expires_in: Seconds = None,
        session_id: Session = None,
        key: Key = None,
    ) -> Ticket:
        """Ask a person to do something that only people can: make an account, sign, pay, get a key.

        Returns at once, usually pending; then call wait_for_decision. What they filled in is
        `decision.response`. Fields of type secret are never shown to you: a program fetches them.
        """  # fmt: skip
        request = await self.hitl.request_action(
            request_type,
            title,
            description,
            required_fields=required_fields,
            context=context,
            priority=priority,
            expires_in=expires_in,
            session_id=session_id,
            key=key,
            mode="ask",
        )
        return self._ticket(request.item)

    @in_a_sentence
    async def get_request(self, id: Id) -> Ticket:  # noqa: A002 - the name the model sees
        """Say how a question stands, without waiting. While it is pending, nothing is permitted."""
        return self._ticket(await self._find(id))

    @in_a_sentence
    async def wait_for_decision(
        self,
        id: Id,  # noqa: A002 - the name the model sees
        timeout_s: Annotated[
            int, Field(ge=0, le=LONGEST_WAIT, description="How long to wait in this call, in seconds.")
        ] = LONGEST_WAIT,
    ) -> Ticket:
        """Wait until people have decided, 45 seconds a call at most.

        Still pending when it returns: call it again, as often as it takes, or tell your user that it
        waits and stop. People may take hours. Silence is no approval.
        """
        item = await self.hitl.outcome(_checked(id), timeout_s)
        return self._ticket(item or await self._find(id))

    @in_a_sentence
    async def cancel_request(
        self,
        id: Id,  # noqa: A002 - the name the model sees
        reason: Annotated[str | None, Field(description="Why it is no longer needed.")] = None,
    ) -> Ticket:
        """Withdraw a question that is no longer needed. What was decided already stays decided."""
        return self._ticket(await self.hitl.cancel(_checked(id), reason))

    @in_a_sentence
    async def report_outcome(
        self,
        id: Id,  # noqa: A002 - the name the model sees
        outcome: Annotated[
            Literal["started", "succeeded", "failed"],
            Field(description='"started" just before you act, one of the others after.'),
        ],
        arguments: Annotated[
            dict[str, Any] | None,
            Field(description="The arguments you act with: those of the decision, exactly."),
        ] = None,
        result: Annotated[Any, Field(description="What came of it, as JSON; no secrets.")] = None,
    ) -> Ticket:
        """Spend an approval just before you act on it, and say afterwards what came of it.

        Call it with "started" and the arguments before you act: an approval holds once, and for the
        arguments approved only. If that is an error, do not act. Then report "succeeded" or "failed".
        """
        if kind_of(_checked(id)) == "requests":
            raise ToolError("A request is done by people; there is no outcome to report.")
        if outcome == "started":
            return self._ticket(await self.hitl.consume(id, arguments or {}), started=True)
        item = await self._find(id)
        if item["status"] == "approved" and item["response"] is None and item["consumed_at"] is None:
            await self.hitl.consume(id, Decision.of(item).arguments if arguments is None else arguments)
        return self._ticket(await self.hitl.report(id, outcome, result))

    async def _ask(
        self,
        kind: str,
        reason: str,
        data: dict[str, Any] | None,
        asked: dict[str, Any],
        key: str | None,
        session_id: str | None,
        priority: Literal["low", "medium", "high", "critical"] | None,
        expires_in: int | None,
    ) -> Ticket:
        options: Options = {
            "key": key or f"mcp-{uuid.uuid4().hex}",
            "session_id": session_id,
            "priority": priority,
            "expires_in": expires_in,
            "mode": "raise",
        }
        try:
            decision = await self.hitl.ask(kind, reason, data, options, asked)
        except InterruptSignal as signal:
            return self._ticket(signal.interrupt)
        return self._ticket(decision.interrupt)

    async def _find(self, item_id: str) -> Interrupt:
        return await self.hitl.get(_checked(item_id))

    def _ticket(self, item: Interrupt, *, started: bool = False) -> Ticket:
        is_open = item["status"] in ("pending", "in_review")
        return Ticket(
            id=item["id"],
            kind=item.get("type") or item["request_type"],
            status=item["status"],
            url=self.hitl.base_url + item["url"],
            decision=None if is_open else _answer(item, started),
            next_poll_s=POLL_SECONDS if is_open else None,
        )


def _answer(item: Interrupt, started: bool) -> Answer:
    """Return what was decided; to go on is right once, and the call that spends the approval says so too."""
    decision = Decision.of(item)
    spent = bool(item.get("consumed_at"))
    return Answer(
        proceed=verdict(item) is Exit.APPROVED and (started or not spent),
        arguments=decision.arguments if decision.approved else None,
        edited=decision.modifications is not None,
        response=item.get("response_data", decision.response),
        reason=decision.rejection_reason,
        resolved_by=decision.resolved_by,
        resolved_at=decision.resolved_at,
        spent=spent,
        secret_fields=list((item.get("secrets") or {}).get("fields", ())),
    )


def _checked(item_id: str) -> str:
    """Return the id of a question. Raises ToolError for what is none."""
    if not item_id.startswith(("int_", "har_")):
        raise ToolError(f"{item_id!r} is not the id of a question; those begin with int_ or har_.")
    return item_id
