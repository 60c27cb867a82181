"""The shapes of agents' frameworks, and what they are in our words.

Each module is one dialect, of pure functions. It knows no rows and no HTTP: :mod:`interrupts.exchange` asks
and reads with it. An unknown name in a shape is refused as in our own bodies; what we have no field for is
kept beside the item, in ``metadata``, and comes back as it was.
"""

from typing import Any, Protocol

from events.problems import invalid
from interrupts.dialects import a2a, ag_ui, agent_inbox, langchain, mcp
from interrupts.dialects.words import Item, Unsayable
from reviews.bodies import Schema

__all__ = ["DIALECTS", "Dialect", "Item", "Unsayable", "called"]


class Dialect(Protocol):
    """Be what each module here is."""

    @property
    def SHAPES(self) -> tuple[Schema, ...]:  # noqa: N802 - a constant of the module
        """What may be asked, each with an example."""

    def shape_of(self, sent: dict[str, Any]) -> Schema:
        """Return which of the shapes *sent* means to be."""

    def bodies(self, sent: dict[str, Any]) -> list[dict[str, Any]]:
        """Return our own body of each question in *sent*, with what is kept under ``kept``."""

    def place(self, sent: dict[str, Any], number: int, field: str) -> str | None:
        """Return where *sent* has what is *field* in our body of question *number*."""

    def request(self, items: list[Item]) -> dict[str, Any]:
        """Return what was asked."""

    def answer(self, items: list[Item], request: dict[str, Any]) -> dict[str, Any]:
        """Return what was answered to *request*; all *items* are resolved.

        Raises:
            Unsayable: the dialect has no words for it.
        """


DIALECTS: dict[str, Dialect] = {
    "langchain": langchain,
    "agent-inbox": agent_inbox,
    "ag-ui": ag_ui,
    "mcp": mcp,
    "a2a": a2a,
}


def called(name: str) -> Dialect:
    """Return the dialect of that name; Problem 400 where there is none."""
    if name not in DIALECTS:
        raise invalid({"dialect": [f"There is no such dialect. Use one of {', '.join(DIALECTS)}."]})
    return DIALECTS[name]
