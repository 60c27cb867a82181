"""Bound what a schema from a stranger can cost, before anything is checked against it.

References may double the work at every step ("a billion laughs"), in the schema alone or with every level of
the value. So the checks are counted first: those that one value meets (its *closure*: through ``$ref``,
``allOf`` and the like), and from there those that its members meet, level by level.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

INTRICATE = 50_000
"""Most parts of all closures of one schema."""
DEAR = 20_000_000
"""Most checks of one value: some tenths of a second."""

_ONE = ("not", "if", "then", "else")
_LISTS = ("allOf", "anyOf", "oneOf")
_MEMBERS = (
    "items",
    "contains",
    "unevaluatedItems",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
)
_LONGEST_CHAIN = 200
_BACKTRACKS = re.compile(r"\\[1-9k]|\(\?[=!<>]")
_BACKTRACKING = 20_000  # checks that one pattern counts for which may try again and again

Step = tuple[str | int | None, int]


class TooCostly(ValueError):
    """The schema, or the value under it, would take too long to check."""


class Cost:
    """Count the checks that *schema* makes, which is one that compiles.

    Raises:
        TooCostly: its references multiply, or leave the document.
    """

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._nodes: dict[int, Any] = {}
        self._closures: dict[int, tuple[int, Counter[Step]]] = {}
        self._under_way: set[int] = set()
        self._total = 0
        self._anchors = dict(_anchors(schema))
        waiting, seen = [schema], set()
        while waiting:
            node = waiting.pop()
            if id(node) not in seen:
                seen.add(id(node))
                _, steps = self._closure(node)
                waiting += [self._nodes[target] for _, target in steps]

    def of(self, value: Any) -> int:
        """Return how many checks *value* may meet.

        Raises:
            TooCostly: so many that they would take too long.
        """
        depth, leaves = _measure(value)
        checks = leaves * self._below(id(self._root), depth, {})
        if checks > DEAR:
            raise TooCostly("This is too large and too deep for a schema that branches so much.")
        return checks

    def _below(self, node: int, depth: int, known: dict[tuple[int, int], int]) -> int:
        if (node, depth) not in known:
            count, steps = self._closures[node]
            by_name: Counter[str | int | None] = Counter()
            if depth:
                for (name, target), times in steps.items():
                    by_name[name] += times * self._below(target, depth - 1, known)
            everywhere = by_name.pop(None, 0)
            known[node, depth] = min(count + everywhere + max(by_name.values(), default=0), DEAR + 1)
        return known[node, depth]

    def _closure(self, node: Any) -> tuple[int, Counter[Step]]:
        """Return how many checks one value meets at *node*, and which nodes its members meet."""
        self._nodes[id(node)] = node
        if id(node) in self._closures:
            return self._closures[id(node)]
        if not isinstance(node, dict) or id(node) in self._under_way:
            self._closures.setdefault(id(node), (1, Counter()))
            return 1, Counter()
        if len(self._under_way) > _LONGEST_CHAIN:
            raise TooCostly("Its references form too long a chain.")
        self._under_way.add(id(node))
        count, steps = 1 + _size(node), Counter(self._members(node))
        for inner in self._here(node):
            more, further = self._closure(inner)
            count += more
            steps += further
            self._total += 1 + len(further)
            if count > DEAR or self._total > INTRICATE:
                raise TooCostly("Its references lead to too many checks.")
        self._total += 1 + len(steps)
        self._under_way.discard(id(node))
        self._closures[id(node)] = count, steps
        return count, steps

    def _here(self, node: dict[str, Any]) -> Iterator[Any]:
        yield from (node[name] for name in _ONE if name in node)
        for name in _LISTS:
            yield from node.get(name, ())
        yield from node.get("dependentSchemas", {}).values()
        yield from (self._target(node[name]) for name in ("$ref", "$dynamicRef") if name in node)

    def _members(self, node: dict[str, Any]) -> Iterator[Step]:
        yield from ((name, self._known(inner)) for name, inner in node.get("properties", {}).items())
        yield from ((place, self._known(inner)) for place, inner in enumerate(node.get("prefixItems", ())))
        yield from ((None, self._known(inner)) for inner in node.get("patternProperties", {}).values())
        yield from ((None, self._known(node[name])) for name in _MEMBERS if name in node)

    def _known(self, node: Any) -> int:
        self._nodes[id(node)] = node
        return id(node)

    def _target(self, reference: str) -> Any:
        pointer = unquote(reference.removeprefix("#"))
        if reference.startswith("#") and pointer in self._anchors:
            return self._anchors[pointer]
        if not reference.startswith("#") or (pointer and not pointer.startswith("/")):
            raise TooCostly(f"Refer within the schema, as in #/$defs/name, not to {reference[:100]}.")
        found = self._root
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            found = found[int(step)] if isinstance(found, list) else found[step]
        return found


def _anchors(schema: Any) -> Iterator[tuple[str, Any]]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node is not schema and isinstance(node.get("$id"), str):
                raise TooCostly("Only the whole schema may have an $id.")
            yield from (
                (node[name], node)
                for name in ("$anchor", "$dynamicAnchor")
                if isinstance(node.get(name), str)
            )
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _size(node: dict[str, Any]) -> int:
    patterns = [node["pattern"]] if "pattern" in node else []
    patterns += node.get("patternProperties", {})
    return sum(
        (len(node.get("enum", ())), *(_BACKTRACKING if _BACKTRACKS.search(text) else 1 for text in patterns))
    )


def _measure(value: Any) -> tuple[int, int]:
    """Return how deep *value* nests and how many values it holds."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    measured = [_measure(one) for one in inner]
    return (
        1 + max((depth for depth, _ in measured), default=-1),
        1 + sum(count for _, count in measured),
    )
