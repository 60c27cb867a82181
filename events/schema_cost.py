"""Bound what checking against a stranger's schema can cost, before anything is checked against it.

References can double the work at every step ("a billion laughs"), and one that leads back to itself doubles
it again with every level of the value. So a reference may not lead back, and the parts of the schema, with
every reference written out, times the values to be checked have a limit.
"""

from typing import Any
from urllib.parse import unquote

PARTS_AT_MOST = 20_000
CHECKS_AT_MOST = 20_000_000
"""Some tenths of a second."""

_ELSEWHERE = ("$dynamicRef", "$recursiveRef")


class TooCostly(ValueError):
    """The schema, or the value under it, would take too long to check."""


def parts_of(schema: Any) -> int:
    """Return how many parts *schema* has with every reference written out.

    Raises:
        TooCostly: more than 20,000; or a reference leads back to itself or elsewhere than ``#/…``.
    """
    known: dict[int, int] = {}

    def count(node: Any) -> int:
        if not isinstance(node, dict | list):
            return 1
        if known.get(id(node)) == 0:
            raise TooCostly("A reference leads back to itself; write out as many levels as are needed.")
        if id(node) not in known:
            known[id(node)] = 0  # under way
            inner = node.values() if isinstance(node, dict) else node
            parts = 1 + sum(count(part) for part in inner)
            if isinstance(node, dict):
                parts += sum(count(target) for target in _targets(node, schema))
            known[id(node)] = parts
        return known[id(node)]

    try:
        parts = count(schema)
    except RecursionError:
        raise TooCostly("Its references form too long a chain.") from None
    if parts > PARTS_AT_MOST:
        raise TooCostly(f"With its references written out it has more than {PARTS_AT_MOST:,} parts.")
    return parts


def check_cost(parts: int, value: Any) -> int:
    """Return how many checks *value* may meet under a schema of *parts*.

    Raises:
        TooCostly: more than twenty million.
    """
    checks = parts * _size(value)
    if checks > CHECKS_AT_MOST:
        raise TooCostly("This is too large for so large a schema.")
    return checks


def _targets(node: dict[str, Any], root: Any) -> list[Any]:
    if any(isinstance(node.get(name), str) for name in _ELSEWHERE) or (
        node is not root and isinstance(node.get("$id"), str)
    ):
        raise TooCostly("Refer within the schema, as in #/$defs/name.")
    reference = node.get("$ref")
    return [_target(root, reference)] if isinstance(reference, str) else []


def _target(root: Any, reference: str) -> Any:
    if reference != "#" and not reference.startswith("#/"):
        raise TooCostly(f"Refer within the schema, as in #/$defs/name, not to {reference[:100]}.")
    found = root
    for step in unquote(reference).split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def _size(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_size(part) for part in inner)
