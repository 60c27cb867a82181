"""What is measured, in order."""

from benchmarks.measures import create, lists, status, sweep, telling

MEASURES = {
    "create": create.measure,
    "status": status.measure,
    "telling": telling.measure,
    "sweep": sweep.measure,
    "lists": lists.measure,
}
