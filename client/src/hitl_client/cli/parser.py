"""What can be written behind `hitl`."""

from __future__ import annotations

import argparse
import math
from typing import Any

from hitl_client.cli import asking, completion, deciding, serving

CODES = """\
exit codes of ask, wait and status:
  0  approved (or fulfilled); nothing else is 0
  1  something broke
  2  the command line cannot be meant
  3  rejected
  4  expired: nobody decided in time
  5  cancelled
  6  still undecided
  7  no server there, or no answer from it
  8  the server refused: a bad key, an unknown id, an approval that was spent, …
  9  a person answered in the place of what was to be run: do not run it
130  interrupted; the question stays open

HITL_URL and HITL_API_KEY say where the server is and who calls: an agent's key to ask,
a person's own token to decide. NO_COLOR switches colours off.
"""


def build() -> argparse.ArgumentParser:
    """Return the parser of the whole command; `options.run` is what was asked for."""
    parser = argparse.ArgumentParser(
        prog="hitl",
        description="Ask people from a shell, and answer agents from a terminal.",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", help="the server (default: HITL_URL, then http://127.0.0.1:8000)")
    common.add_argument("--api-key-file", metavar="FILE", help="a file with the key (default: HITL_API_KEY)")
    common.add_argument(
        "--retry-for", metavar="SECONDS", type=seconds, default=30, help="ride out an outage for so long (30)"
    )

    def command(name: str, run: Any, words: str, *, calls: bool = True) -> argparse.ArgumentParser:
        found: argparse.ArgumentParser = commands.add_parser(
            name, help=words, description=words, parents=[common] if calls else [], allow_abbrev=False
        )
        found.set_defaults(run=run)
        return found

    _asking(command)
    _deciding(command)
    serve = command("mcp", serving.serve, "be an MCP server, on stdio or streamable HTTP")
    serve.add_argument("--http", action="store_true", help="serve streamable HTTP instead of stdio")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8765, help="the port; 0 takes a free one (8765)")
    serve.add_argument("--token-file", metavar="FILE", help="have callers send this as Bearer token")
    serve.add_argument(
        "--allow-host", metavar="HOST", action="append", default=[], help="a name callers reach this by"
    )
    shell = command("completion", completion.write, "print the completion of a shell", calls=False)
    shell.add_argument("shell", choices=sorted(completion.SHELLS))
    shell.set_defaults(build=build)
    return parser


def _asking(command: Any) -> None:
    ask = command("ask", asking.ask, "ask a person; exit 0 only if approved")
    ask.add_argument("question")
    ask.add_argument("--wait", action="store_true", help="stay until it is decided")
    ask.add_argument("--type", choices=("approval", "confirmation", "input", "feedback"), default="approval")
    ask.add_argument("--tool", metavar="NAME", help="the tool that is to be run")
    ask.add_argument("--arg", metavar="NAME=TEXT", action="append", default=[], help="or NAME:=JSON")
    ask.add_argument("--args", metavar="JSON", help="all arguments as one object")
    ask.add_argument("--data", metavar="JSON", help="what else a person should see")
    ask.add_argument("--schema", metavar="FILE", help="JSON Schema of the answer")
    ask.add_argument("--session", metavar="ID")
    ask.add_argument("--key", metavar="KEY", help="find the same question again under this name")
    ask.add_argument("--priority", choices=("low", "medium", "high", "critical"))
    ask.add_argument("--expires-in", metavar="SECONDS", type=int, help="how long it may stay open")
    wait = command("wait", asking.wait, "wait for the decision of a question")
    status = command("status", asking.status, "say how a question stands")
    for waits in (ask, wait):
        waits.add_argument("--timeout", metavar="SECONDS", type=seconds, help="wait so long at most")
    cancel = command("cancel", asking.cancel, "withdraw a question")
    cancel.add_argument("--reason")
    for one in (wait, status, cancel):
        one.add_argument("id", metavar="ID")
    for tells in (ask, wait):
        tells.add_argument("--once", action="store_true", help="spend the approval: 0 only the first time")
    for tells in (ask, wait, status):
        tells.add_argument("--json", action="store_true", help="write the answer as one JSON object")
    tail = command("tail", asking.tail, "print events as JSON lines, and go on with each new one")
    tail.add_argument("--after", metavar="CURSOR", help="go on after this event")
    tail.add_argument("--types", metavar="TYPES", action="append", default=[], help="only these, by commas")
    tail.add_argument("--no-follow", action="store_true", help="end when caught up")


def _deciding(command: Any) -> None:
    inbox = command("inbox", deciding.inbox, "list what waits for people, the most urgent first")
    inbox.add_argument("--limit", type=int, default=50, help="how many at most (50)")
    show = command("show", deciding.show_item, "print a whole question")
    for lists in (inbox, show):
        lists.add_argument("--json", action="store_true", help="write JSON")
    approve = command("approve", deciding.approve, "allow it, with a person's own token")
    reject = command("reject", deciding.reject, "refuse it, with a person's own token")
    respond = command("respond", deciding.respond, "answer an input or feedback, with a person's own token")
    for one in (show, approve, reject, respond):
        one.add_argument("id", metavar="ID")
    approve.add_argument("--set", metavar="NAME=TEXT", action="append", default=[], help="or NAME:=JSON")
    approve.add_argument("--args", metavar="JSON", help="all arguments anew, as one object")
    reject.add_argument("--reason", required=True)
    respond.add_argument("value", metavar="VALUE", help="text, or JSON where the schema asks for it")
    for decides in (approve, reject, respond):
        decides.add_argument("--comment", help="for the record")
        decides.add_argument(
            "--hash", metavar="CONTENT_HASH", help="decide only if it still is this question"
        )
        decides.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        decides.add_argument("--json", action="store_true", help="write the item as one JSON object")


def seconds(text: str) -> float:
    """Read a time in seconds, 0 or more."""
    found = float(text)
    if not (0 <= found < math.inf):
        raise ValueError(text)
    return found
