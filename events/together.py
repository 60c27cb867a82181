"""Let threads that write at the same time share one transaction, and with it one wait for the disk.

Whoever comes while another writes waits for their turn; whose turn it is writes for all who wait.
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import OperationalError, connection

Job = TypeVar("Job")
Result = TypeVar("Result")


class Together(Generic[Job, Result]):
    """Do *work*, which does a list of jobs or none of them, for single jobs from many threads.

    *order* sorts the jobs, so that two processes lock what they share in the same order.
    """

    def __init__(self, work: Callable[[list[Job]], list[Result]], order: Callable[[Job], Any]) -> None:
        self._work, self._order = work, order
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._waiting: list[_Ticket[Job, Result]] = []

    def do(self, job: Job) -> Result:
        """Do *job*; return its result or raise its error, as if it had been done alone."""
        if connection.in_atomic_block:  # part of a larger transaction, which is this thread's own
            return self._work([job])[0]
        mine: _Ticket[Job, Result] = _Ticket(job)
        with self._lock:
            self._waiting.append(mine)
        with self._turn:
            if not mine.done:
                with self._lock:
                    taken, self._waiting = self._waiting, []
                self._carry_out(sorted(taken, key=lambda ticket: self._order(ticket.job)))
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _carry_out(self, tickets: "list[_Ticket[Job, Result]]") -> None:
        try:
            results = self._work([ticket.job for ticket in tickets])
        except BaseException as error:
            alone = len(tickets) == 1
            if alone or isinstance(error, OperationalError) or not isinstance(error, Exception):
                for ticket in tickets:
                    ticket.done, ticket.error = True, error
            else:  # one has spoiled it for the others
                for ticket in tickets:
                    self._carry_out([ticket])
        else:
            for ticket, result in zip(tickets, results, strict=True):
                ticket.done, ticket.result = True, result


class _Ticket(Generic[Job, Result]):
    """Hold a job, and then what came of it."""

    __slots__ = ("done", "error", "job", "result")
    result: Result

    def __init__(self, job: Job) -> None:
        self.job, self.done = job, False
        self.error: BaseException | None = None
