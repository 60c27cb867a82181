"""Typed, time-ordered identifiers: a prefix that names the kind and a ULID (contract: Identifiers)."""

from ulid import ULID


def new_id(prefix: str) -> str:
    """Return a fresh id such as ``int_01JD…``; ids of one prefix sort by the time they were drawn."""
    return f"{prefix}_{ULID()}"
