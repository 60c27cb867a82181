"""A host of MCP servers with the official SDK: calls the tools that stdin names, one a line.

python mcp_client.py memory|stdio|URL MODE        MODE: legacy, auto or a version of the protocol
"""

import asyncio
import json
import os
import sys
from typing import Any

from hitl_client.cli.asking import AsyncAsker
from hitl_client.mcp_server import make_server
from mcp import Client, StdioServerParameters

COMMAND = [sys.executable, "-m", "hitl_client", "mcp"]


def said(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def main(where: str, mode: str) -> None:
    if where == "memory":
        server: Any = make_server(AsyncAsker())
    elif where == "stdio":
        command, *arguments = json.loads(os.environ.get("MCP_COMMAND", "null")) or COMMAND
        server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    else:
        server = where
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        said(
            protocol=client.protocol_version,
            instructions=client.instructions,
            tools=[tool.model_dump(by_alias=True, mode="json") for tool in tools],
        )
        while line := await asyncio.to_thread(sys.stdin.readline):
            call = json.loads(line)
            result = await client.call_tool(call["tool"], call["arguments"])
            text = "".join(getattr(part, "text", "") for part in result.content)
            said(is_error=result.is_error, found=result.structured_content, text=text)


asyncio.run(main(*sys.argv[1:]))
