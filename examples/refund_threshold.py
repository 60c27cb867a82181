"""Refund an order; above 100, only if a person says so.

    HITL_API_KEY=hitl_… python examples/refund_threshold.py ORDER AMOUNT

The first run of a large refund stops at the question. Run the same line again once it is decided in the
admin: the refund goes through with the amount that was approved, or says why not.
"""

import sys

from hitl_client import HITL, Completed, NotApproved, Pending, durable

hitl = HITL()


@hitl.gate(
    when=lambda order, amount: amount > 100,
    reason="A large refund needs a manager's approval",
    mode="raise",
)
def refund(order: str, amount: float) -> str:
    """Pay back *amount*; here it only says so."""
    return f"Refunded {amount:.2f} for order {order}."


def main(order: str, amount: str) -> int:
    """Return 0 if refunded, 1 if refused, 3 while it waits for a person."""
    try:
        outcome = durable(lambda: refund(order, float(amount)), run_id=f"refund-{order}")
    except NotApproved as refusal:
        print(f"Not refunded: {refusal}.")
        return 1
    match outcome:
        case Completed(result):
            print(result)
            return 0
        case Pending(interrupt_id=waiting):
            print(f"{waiting} waits for a decision at {hitl.base_url}/admin/; then run this again.")
            return 3


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
