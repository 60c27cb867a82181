"""Django signals for listeners inside the process, sent once the change is committed (contract: Events).

A receiver is called with the subject under its noun (``interrupt``, ``request`` or ``run``), the ``actor``,
and the fields of the event's data. What a receiver raises is logged and hurts nobody else. A process that
dies between commit and signal sends none: what must not be missed reads the event stream.
"""

from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.dispatch import Signal

interrupt_requested = Signal()
interrupt_approved = Signal()
interrupt_rejected = Signal()
interrupt_responded = Signal()
interrupt_cancelled = Signal()
interrupt_expired = Signal()

request_created = Signal()
request_in_review = Signal()
request_fulfilled = Signal()
request_rejected = Signal()
request_cancelled = Signal()
request_expired = Signal()

run_started = Signal()
run_step = Signal()
run_awaiting_human = Signal()
run_paused = Signal()
run_resumed = Signal()
run_completed = Signal()
run_failed = Signal()
run_cancelled = Signal()

log = structlog.get_logger(__name__)

BY_EVENT_TYPE = {
    f"hitl.{name.replace('_', '.', 1)}": signal
    for name, signal in globals().items()
    if isinstance(signal, Signal)
}


def after_commit(event_type: str, subject: Any, actor: str, data: dict[str, Any]) -> None:
    """Send the signal of *event_type*, if it has one that anybody listens to, after the commit."""
    signal = BY_EVENT_TYPE.get(event_type)
    if signal is not None and signal.has_listeners(type(subject)):
        transaction.on_commit(partial(_send, signal, event_type, subject, actor, data))


def _send(signal: Signal, event_type: str, subject: Any, actor: str, data: dict[str, Any]) -> None:
    noun = event_type.split(".")[1]
    for receiver, answer in signal.send_robust(
        sender=type(subject), **{**data, noun: subject, "actor": actor}
    ):
        if isinstance(answer, Exception):
            log.error(
                "signal_receiver_failed", event_type=event_type, receiver=repr(receiver), exc_info=answer
            )
