"""Make six calls in one turn, four of which people decide; print what ran and what the model was told.

python smolagents_decisions.py SESSION
"""

import json
import sys
import warnings

from hitl_client import HITL
from smolagents import LogLevel, Tool, ToolCallingAgent, tool
from smolagents_model import Scripted

warnings.filterwarnings("ignore", "Function '.*' has decorators other than @tool")
hitl = HITL()
gate = hitl.gate(
    session_id=sys.argv[1],
    report=True,
    on_refusal="return",
    allowed_decisions=["approve", "edit", "reject", "respond"],
)
ran = []


@tool
@gate
def smol_refund(order: str, amount: float, note: dict | None = None) -> str:
    """Pay money back to a customer.

    Args:
        order: Number of the order.
        amount: How much, in euros.
        note: For the books.
    """
    ran.append(["smol_refund", order, amount, note])
    return f"refunded {amount!r} for {order}"


@tool
@gate
def smol_wipe(table: str) -> str:
    """Empty a table.

    Args:
        table: Its name.
    """
    ran.append(["smol_wipe", table])
    return "wiped"


class Look(Tool):
    """A tool that somebody else wrote, gated as it is."""

    name = "smol_look"
    description = "Look up an order."
    inputs = {"order": {"type": "string", "description": "Its number"}}
    output_type = "string"

    def forward(self, order: str) -> str:
        ran.append(["smol_look", order])
        return f"{order} is broken"


look = Look()
look.forward = hitl.gate(tool_name=look.name, session_id=sys.argv[1])(look.forward)
calls = [("smol_refund", {"order": order, "amount": 10}) for order in ("a", "b", "c", "d")]
model = Scripted([*calls, ("smol_wipe", {"table": "users"}), ("smol_look", {"order": "a"})])
agent = ToolCallingAgent(tools=[smol_refund, smol_wipe, look], model=model, verbosity_level=LogLevel.OFF)
answer = agent.run("Refund them all.")
about = smol_refund.description, sorted(smol_refund.inputs), smol_refund.inputs["amount"]["type"]
print(json.dumps({"ran": sorted(ran, key=str), "told": answer, "tool": about}))
