"""The command `hitl`: ask people from a shell, and answer agents from a terminal.

    hitl ask "Deploy?" --wait && ./deploy

The answer goes to stdout, everything else to stderr; `hitl --help` lists the exit codes.
"""

from __future__ import annotations

import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from hitl_client.cli.asking import Exit, Usage
from hitl_client.cli.deciding import Operator
from hitl_client.cli.parser import build
from hitl_client.cli.terminal import chat
from hitl_client.errors import HITLError, ProblemError, Unavailable, UnexpectedAnswer

AGENTS_KEY = "This is an agent's key, and agents never decide. Use a person's own token, made in the admin."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale: an answer is never lost
            stream.reconfigure(errors="backslashreplace")
    try:
        return run(build().parse_args(arguments))
    except Usage as error:
        chat(f"hitl: {error}")
        return Exit.USAGE
    except BrokenPipeError:
        # What is still to be flushed at the end goes nowhere, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE_CLOSED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def run(options: Namespace) -> Exit:
    """Do what was asked for. Raises Usage, BrokenPipeError, KeyboardInterrupt."""
    if "url" not in options:
        found: Exit = options.run(options)
        return found
    try:
        with Operator(options.url, _key(options.api_key_file), retry_for=options.retry_for) as hitl:
            code: Exit = options.run(hitl, options)
            return code
    except (Unavailable, UnexpectedAnswer) as error:
        chat(f"hitl: {error}")
        return Exit.UNAVAILABLE
    except ProblemError as refusal:
        by_an_agent = refusal.status == 403 and "on_behalf" in refusal.detail
        hint = AGENTS_KEY if by_an_agent else ""
        chat(f"hitl: {refusal}\n{hint}".rstrip())
        return Exit.REFUSED
    except (HITLError, ValueError) as error:
        chat(f"hitl: {error}")
        return Exit.REFUSED


def _key(path: str | None) -> str:
    """Read the key. Raises Usage where there is none."""
    try:
        found = os.environ.get("HITL_API_KEY", "") if path is None else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read: {error}") from error
    if not found.strip():
        raise Usage("a key is needed: set HITL_API_KEY, or say --api-key-file")
    return found.strip()
