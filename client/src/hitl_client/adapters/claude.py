"""Claude Agent SDK and Claude Code: each tool call is put before policies and people by a hook.

    options = ClaudeAgentOptions(hooks=HumanReview(AsyncHITL()).hooks)

The hooks speak in plain dicts, so that the same works as a command in the settings of Claude Code:
`python -m hitl_client.adapters.claude`, which reads an event on stdin and writes the decision on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Unpack

from hitl_client.awaitable import AsyncHITL
from hitl_client.errors import ApprovalSpent, HITLError, InterruptSignal, WaitTimeout
from hitl_client.flows import log
from hitl_client.review import ReviewOptions, ToolCall
from hitl_client.runs import replay_key

Event = Mapping[str, Any]
Hook = Callable[[Event, str | None, Any], Awaitable[dict[str, Any]]]
FOREVER = 365 * 86400.0  # seconds: a hook that is cut off decides nothing, and Claude Code goes on without it
COMMAND_WAITS = 540.0  # seconds: Claude Code cuts off a command after 600


@dataclass(frozen=True)
class Matcher:
    """What the SDK reads of its HookMatcher: a hook that fails blocks the call."""

    hooks: list[Hook]
    matcher: str | None
    timeout: float
    on_failure: Literal["block"] | None


class HumanReview:
    """The hooks of one client. Options are those of `HITL.review`; `matcher` names the tools, `Bash|Write`.

    In mode "wait" a call holds until it is decided. In mode "raise" it is deferred: the run ends with
    `deferred_tool_use` in its result; resume the session once it is decided, and the call is made.
    """

    def __init__(
        self, hitl: AsyncHITL, *, matcher: str | None = None, **options: Unpack[ReviewOptions]
    ) -> None:
        self.hitl = hitl
        self.matcher = matcher
        self.options: ReviewOptions = {
            "allowed_decisions": ["approve", "edit", "reject", "respond"],
            **options,
        }

    @property
    def hooks(self) -> Any:
        """The `hooks` of ClaudeAgentOptions."""
        after = Matcher([self.after], self.matcher, 60.0, None)
        return {
            "PreToolUse": [Matcher([self.before], self.matcher, FOREVER, "block")],
            "PostToolUse": [after],
            "PostToolUseFailure": [after],
        }

    async def before(
        self, event: Event, tool_use_id: str | None = None, context: Any = None
    ) -> dict[str, Any]:
        """Decide about a call that is to be made: a PreToolUse hook. Whatever goes wrong denies it."""
        try:
            return await self._decide(event)
        except InterruptSignal as undecided:
            return verdict("defer", str(undecided))
        except WaitTimeout as undecided:
            return await self._withdraw(undecided)
        except ApprovalSpent:
            return verdict(
                "deny", "This call was approved once, and may have been made. It is not made again."
            )
        except Exception as trouble:
            log.exception("A call of %s could not be reviewed", event.get("tool_name"))
            return verdict("deny", f"This call could not be reviewed, so it was not made: {trouble}")

    async def after(
        self, event: Event, tool_use_id: str | None = None, context: Any = None
    ) -> dict[str, Any]:
        """Report what came of a call: a PostToolUse and PostToolUseFailure hook."""
        try:
            item = await self.hitl.find(self._key(event))
            if item and item["consumed_at"]:
                failed = event["hook_event_name"] != "PostToolUse"
                await self.hitl.report(item["id"], "failed" if failed else "succeeded")
        except (HITLError, KeyError, TypeError) as trouble:  # what the call did is worth more
            log.warning("What came of %s could not be reported (%s)", event.get("tool_use_id"), trouble)
        return {}

    async def can_use_tool(self, tool_name: str, tool_input: dict[str, Any], context: Any) -> Any:
        """Decide about a call for which Claude Code would ask its user: the SDK's `can_use_tool`.

        It always waits. It is not told the session: give `session_id` as an option.
        """
        sdk = importlib.import_module("claude_agent_sdk")  # only here: the command starts without it
        event = {"tool_name": tool_name, "tool_input": tool_input, "tool_use_id": context.tool_use_id}
        answer = (await self.before(event))["hookSpecificOutput"]
        if answer["permissionDecision"] == "allow":
            return sdk.PermissionResultAllow(updated_input=answer["updatedInput"])
        return sdk.PermissionResultDeny(message=answer["permissionDecisionReason"])

    async def _decide(self, event: Event) -> dict[str, Any]:
        call = ToolCall(event["tool_name"], event["tool_input"], id=event["tool_use_id"])
        asked: ReviewOptions = {**self.options, "session_id": self._session(event), "key": self._key(event)}
        [ruling] = await self.hitl.review([call], **asked)
        if not ruling.runs:
            return verdict("deny", ruling.message)
        if ruling.interrupt_id is not None:
            await self.hitl.consume(ruling.interrupt_id, ruling.arguments, ruling.receipt)
        allowed = verdict("allow", "Approved.", updatedInput=ruling.arguments)
        if ruling.decision == "edit":
            told = f"A person changed the arguments of this call to {json.dumps(ruling.arguments)}."
            allowed["hookSpecificOutput"]["additionalContext"] = told
        return allowed

    async def _withdraw(self, undecided: WaitTimeout) -> dict[str, Any]:
        """Deny a call that nobody decided about in time, so that no later approval is for nothing."""
        try:
            await self.hitl.cancel(undecided.interrupt_id, "The agent did not wait any longer.")
        except HITLError as trouble:
            log.warning("%s could not be withdrawn (%s)", undecided.interrupt_id, trouble)
        return verdict("deny", "Nobody decided about this call in time, so it was not made.")

    def _session(self, event: Event) -> str | None:
        return self.options.get("session_id") or event.get("session_id")

    def _key(self, event: Event) -> str:
        """Name a call by its id alone: what is reported about may have been edited."""
        return replay_key(("session", self._session(event) or ""), event["tool_use_id"], event["tool_name"])


def verdict(decision: Literal["allow", "deny", "defer"], reason: str, **more: Any) -> dict[str, Any]:
    """Write a decision as the output of a PreToolUse hook."""
    said = {"hookEventName": "PreToolUse", "permissionDecision": decision, "permissionDecisionReason": reason}
    return {"hookSpecificOutput": {**said, **more}}


async def answer(event: Event, wait: float, unlisted: Literal["ask", "allow"]) -> dict[str, Any]:
    """Answer one event of Claude Code; those that are not about a tool call get an empty answer."""
    async with AsyncHITL() as hitl:
        review = HumanReview(hitl, wait_timeout=wait, unlisted=unlisted)
        match event["hook_event_name"]:
            case "PreToolUse":
                return await review.before(event)
            case "PostToolUse" | "PostToolUseFailure":
                return await review.after(event)
        return {}


def main() -> int:
    """Run as a command hook. Returns 0 with a decision on stdout; 2, which blocks the call, without one."""
    command = argparse.ArgumentParser("python -m hitl_client.adapters.claude", description=__doc__)
    command.add_argument("--wait", type=float, default=COMMAND_WAITS, help="seconds to wait for a decision")
    command.add_argument("--unlisted", choices=["ask", "allow"], default="ask", help="tools without a policy")
    options = command.parse_args()
    try:
        said = asyncio.run(answer(json.load(sys.stdin), options.wait, options.unlisted))
        sys.stdout.write(json.dumps(said) + "\n")
    except BaseException as trouble:  # an interrupt too: any other exit code lets the call through
        sys.stderr.write(f"This call could not be reviewed, so it was not made: {trouble!r}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
