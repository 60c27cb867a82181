"""An agent on the Claude Agent SDK that refunds orders: `MODE FOLDER SESSION`.

In mode "raise" it keeps the session of Claude Code in FOLDER, and goes on with it when it is started again.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, create_sdk_mcp_server, query, tool
from hitl_client import AsyncHITL
from hitl_client.adapters.claude import HumanReview

mode, folder, session = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
kept = folder / "claude-session"
REFUND = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "amount": {"type": "number"}, "express": {"type": "boolean"}},
    "required": ["order", "amount", "express"],
}


def ran(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    with (folder / "ran").open("a") as file:
        file.write(json.dumps([name, arguments]) + "\n")
    return {"content": [{"type": "text", "text": f"{name} done"}]}


@tool("refund", "Refund an order", REFUND)
async def refund(arguments: dict[str, Any]) -> dict[str, Any]:
    if arguments["order"] == "broken":
        return ran("refund", arguments) | {"is_error": True}
    return ran("refund", arguments)


@tool("look_up", "Look up an order", {"order": str})
async def look_up(arguments: dict[str, Any]) -> dict[str, Any]:
    return ran("look_up", arguments)


@tool("close_shop", "Close the shop", {})
async def close_shop(arguments: dict[str, Any]) -> dict[str, Any]:
    return ran("close_shop", arguments)


async def main() -> dict[str, Any]:
    async with AsyncHITL() as hitl:
        review = HumanReview(hitl, mode="raise" if mode == "raise" else "wait", session_id=session)
        asked = {"can_use_tool": review.can_use_tool} if mode == "callback" else {"hooks": review.hooks}
        options = ClaudeAgentOptions(
            mcp_servers={"shop": create_sdk_mcp_server("shop", tools=[refund, look_up, close_shop])},
            setting_sources=[],
            tools=[],
            cwd=folder,
            resume=kept.read_text() if kept.exists() else None,
            **asked,
        )
        messages = query(prompt="Go on." if kept.exists() else "Refund them.", options=options)
        async for message in messages:
            if isinstance(message, ResultMessage):
                kept.write_text(message.session_id)
                deferred = message.deferred_tool_use
                break
        await messages.aclose()
        return {"result": message.result, "deferred": deferred and deferred.id}


print(json.dumps(asyncio.run(main())))
