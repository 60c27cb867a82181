"""Get runs to who works on them: Celery's workers, or threads of this process where there is no Redis.

A message says no more than "look at this run", and may be lost: the clock looks for what is due as well.
"""

import queue
import threading
from functools import partial

import structlog
from celery import current_app
from django.conf import settings
from django.db import close_old_connections, transaction

TASK = "runs.tasks.advance_run"
THREADS = 4
MESSAGE_SECONDS = 30
log = structlog.get_logger(__name__)
_waiting: "queue.SimpleQueue[str]" = queue.SimpleQueue()
_named: set[str] = set()
"""What is waiting, so that nothing waits twice, however often the clock finds it."""
_threads: list[threading.Thread] = []
_starting = threading.Lock()


def after_commit(run_id: str) -> None:
    """Have somebody look at the run once the transaction under way has been committed."""
    transaction.on_commit(partial(send, run_id), robust=True)


def send(run_id: str) -> None:
    """Have somebody look at the run; what cannot be sent is found by the clock."""
    with _starting:
        if not _threads:  # on first use, and so after a server has forked its workers
            for number in range(THREADS if settings.EMBEDDED else 1):
                thread = threading.Thread(target=_carry, name=f"runs {number}", daemon=True)
                thread.start()
                _threads.append(thread)
        if run_id not in _named:
            _named.add(run_id)
            _waiting.put(run_id)


def _carry() -> None:
    """Do the work, or hand it to Celery: neither may hold up the request that caused it."""
    while True:
        run_id = _waiting.get()
        _named.discard(run_id)  # before the look: what happens from now on is worth another
        try:
            if settings.EMBEDDED:
                close_old_connections()
                current_app.tasks[TASK].run(run_id)
            else:
                current_app.send_task(TASK, [run_id], retry=False, expires=MESSAGE_SECONDS)
        except Exception as problem:  # whatever it is, others wait behind it
            log.warning("run_not_sent", run_id=run_id, problem=type(problem).__name__)
        finally:
            if settings.EMBEDDED:
                close_old_connections()
