"""Arguments inside arguments: the values that a form has a field for, down to the third name."""

import copy
from collections.abc import Iterator
from typing import Any

from reviews.fields import same
from reviews.presentation import ONE_BY_ONE

DEPTH, NAMES_AT_MOST = 3, 20
Path = tuple[str, ...]


def leaves(values: dict[str, Any], described: dict[str, Any]) -> list[tuple[Path, Any, Any]]:
    """Return each value of *values* with the names that lead to it and its rule in the schema.

    Where that would be a crowd, objects are left whole.
    """
    found = list(_leaves(values, described, ()))
    if len(found) <= ONE_BY_ONE:
        return found
    return [((name,), value, described.get(name)) for name, value in values.items()]


def _leaves(
    values: dict[str, Any], described: dict[str, Any], above: Path
) -> Iterator[tuple[Path, Any, Any]]:
    for name, value in values.items():
        path, rule = (*above, name), described.get(name)
        is_small = isinstance(value, dict) and 0 < len(value) <= NAMES_AT_MOST
        if is_small and len(path) < DEPTH:
            yield from _leaves(value, properties(rule), path)
        else:
            yield path, value, rule


def properties(schema: Any) -> dict[str, Any]:
    """Return the properties that *schema* describes, without those that nothing can be."""
    found = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(found, dict):
        return {}
    return {name: rule for name, rule in found.items() if rule is not False}


def with_values(original: dict[str, Any], values: list[tuple[Path, Any]]) -> dict[str, Any]:
    """Return *original* with each of *values* in its place.

    A value that is the same is passed on as it was, not as a form would write it: 1.0 stays 1.0.
    """
    found = copy.deepcopy(original)
    for path, value in values:
        place = found
        for name in path[:-1]:
            place = place[name]
        if path[-1] not in place or not same(place[path[-1]], value):
            place[path[-1]] = value
    return found
