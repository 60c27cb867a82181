"""Ask and read in a dialect: it is translated at the edge, and the same services do the work.

What a shape carries beyond our fields, and how many were asked at once, stands in ``metadata`` under a name
that no caller may use. Several that were asked at once are read, waited for and answered as one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.callers import Caller
from events.ids import new_id
from events.problems import Problem, invalid
from events.schema import check
from interrupts import asking, bodies, selectors
from interrupts.dialects import Dialect, Item, Unsayable, called
from interrupts.serializers import document
from reviews.lifecycle import OPEN
from reviews.selectors import one, time_left
from reviews.waiting import Sight

MARK = bodies.RESERVED
SHOWN = ("id", "status", "decision", "content_hash", "url")


def ask(by: Caller, name: str, sent: dict[str, Any], *, key: str) -> tuple[dict[str, Any], bool]:
    """Ask what *sent* says in the dialect *name*; return the exchange and whether it is new.

    Raises:
        Problem: 400 where *sent* is none of its shapes, with the place in its own words, and whatever
            :func:`interrupts.asking.ask` raises.
    """
    dialect = called(name)
    check(dialect.shape_of(sent), sent)
    ours, shape = sent.get("hitl", {}), {field: value for field, value in sent.items() if field != "hitl"}
    drafted = dialect.bodies(shape)
    for number, body in enumerate(drafted):
        if twice := sorted(ours.keys() & body.keys()):
            raise invalid({f"hitl.{field}": ["The shape itself says this."] for field in twice})
        mark = {"name": name, "number": number, "of": len(drafted), "kept": body.pop("kept")}
        drafted[number] = {**ours, **body}
        with _placed(dialect, shape, number):
            check(bodies.CREATE, drafted[number])
        drafted[number]["metadata"] = {MARK: mark}
    if len(drafted) == 1:
        with _placed(dialect, shape, 0):
            interrupt, new = asking.ask(by, drafted[0], key=key)
        return read(by, name, interrupt.pk), new
    keys = [f"{key}§{number}" if key else "" for number in range(len(drafted))]
    with _placed(dialect, shape):
        asked = asking.ask_all(by, drafted, keys=keys, batch_id=new_id("bat"))
    return read(by, name, asked[0][0].pk), any(is_new for _, is_new in asked)


@contextmanager
def _placed(dialect: Dialect, shape: dict[str, Any], number: int | None = None) -> Iterator[None]:
    """Name the fields of a problem by their places in the dialect; without *number* they are of a batch."""

    def place(path: str) -> str:
        steps = path.split(".") if number is None else ["items", str(number), *path.split(".")]
        index, field, *below = steps[1:]
        at = dialect.place(shape, int(index), field) or f"hitl.{field}"
        return ".".join([at, *below])[:200]

    try:
        yield
    except Problem as problem:
        if "errors" not in problem.extra:
            raise
        raise invalid({place(path): texts for path, texts in problem.extra["errors"].items()}) from None


def read(by: Caller, name: str, pk: str) -> dict[str, Any]:
    """Return what was asked with the interrupt *pk*, and once all of it is resolved the answer.

    Raises:
        Problem: 404 where the caller may see none, 409 for what the dialect cannot say.
    """
    dialect = called(name)
    return _exchange(dialect, name, _documents(name, _together(by, name, pk)))


def look(by: Caller, pk: str, name: str) -> Sight:
    """Look at all that was asked with the interrupt *pk*: it is open until all of it is resolved."""
    dialect = called(name)
    rows = _together(by, name, pk)
    still = [row for row in rows if row.effective_status in OPEN]
    first = still[0] if still else rows[0]
    left = [row.time_left.total_seconds() for row in still if row.time_left is not None]
    told = _exchange(dialect, name, _documents(name, rows))
    return Sight(first.agent_id, bool(still), min(left, default=None), told, subject=first.pk)


def _together(by: Caller, name: str, pk: str) -> list[Any]:
    """Return the row called *pk*, or all that were asked with it in this dialect, in their order."""
    rows = selectors.interrupts(by).annotate(time_left=time_left())
    found = one(rows, pk)
    mark = _mark(name, found)
    if mark.get("of", 1) == 1:
        return [found]
    batch = rows.filter(batch_id=found.batch_id, agent_id=found.agent_id)
    of_it = sorted(
        (row for row in batch if _mark(name, row)), key=lambda row: int(_mark(name, row)["number"])
    )
    if len(of_it) != mark["of"]:
        raise Problem(
            409, "incomplete", "Some of what was asked with it has been cleaned up. Read each by itself."
        )
    return of_it


def _mark(name: str, row: Any) -> dict[str, Any]:
    mark: dict[str, Any] = row.metadata.get(MARK, {})
    return mark if mark.get("name") == name else {}


def _documents(name: str, rows: list[Any]) -> list[Item]:
    return [{**document(vars(row)), "kept": _mark(name, row).get("kept", {})} for row in rows]


def _exchange(dialect: Dialect, name: str, items: list[Item]) -> dict[str, Any]:
    is_resolved = all(item["is_resolved"] for item in items)
    try:
        request = dialect.request(items)
        answer = dialect.answer(items, request) if is_resolved else None
    except Unsayable as what:
        raise Problem(
            409, "not_in_dialect", f"The dialect {name} has no words for {what}. Read it without a dialect."
        ) from None
    return {
        "id": items[0]["id"],
        "dialect": name,
        "batch_id": items[0]["batch_id"],
        "is_resolved": is_resolved,
        "items": [{field: item[field] for field in SHOWN} for item in items],
        "request": request,
        "answer": answer,
    }
