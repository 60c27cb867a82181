"""Be an MCP server, where the package for it is installed."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from hitl_client.cli.asking import Asker, Exit, Usage
from hitl_client.cli.terminal import chat

LOOPBACK = ("127.0.0.1", "localhost", "::1")
NOT_INSTALLED = "hitl mcp needs the package mcp: pip install 'hitl-client[mcp]'"


def serve(hitl: Asker, options: argparse.Namespace) -> Exit:
    """Serve until stdin ends, or until a signal."""
    token = _token(options.token_file)
    if options.http and options.host not in LOOPBACK and not token:
        raise Usage(f"--host {options.host} lets others in: say by --token-file what they have to send")
    try:
        server = importlib.import_module("hitl_client.mcp_server")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("mcp", "mcp_types", "pydantic"):
            raise
        chat(NOT_INSTALLED)
        return Exit.BROKEN
    if options.http:
        server.serve_http(hitl.awaited(), options.host, options.port, token, options.allow_host)
    else:
        server.serve_stdio(hitl.awaited())
    return Exit.APPROVED


def _token(path: str | None) -> str:
    if path is None:
        return ""
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read: {error}") from error
    if not found:
        raise Usage(f"{path} is empty")
    return found
