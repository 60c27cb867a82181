"""Conditions of policies, in CEL, over ``args``, ``agent`` and ``session_id``.

They are compiled when a policy is saved, so that a mistake is shown where it is made. What an agent sends
can still make one fail (a value that is missing, or of another type); :class:`ConditionFailed` then says why,
and a person is asked.
"""

import re
from typing import Any

import cel
import orjson

NAMES = ("args", "agent", "session_id")
FUNCTIONS = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "type", "dyn"),
        *("int", "uint", "double", "string", "bytes", "bool", "duration", "timestamp"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)
LIMIT = 2_000
# What an evaluation may take, in the steps of the worst case. The library cannot be interrupted, and copies
# a list for each element it adds to it: five million steps were at most 30 ms.
STEPS = 5_000_000
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*(\w+)\s*,")
_WHERE = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*?)(?: expecting \{.*)?$", re.M)


class ConditionError(ValueError):
    """An expression is no condition; ``line`` and ``column`` (from 1) say where."""

    def __init__(self, told: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"Line {line}, character {column}: {told}")
        self.line, self.column = line, column


class ConditionFailed(Exception):
    """A condition came to no answer for these arguments; the message says why, and repeats none of them."""


class Condition:
    """Hold a compiled expression.

    Raises:
        ConditionError: it does not compile, or names what is not there.
    """

    def __init__(self, expression: str) -> None:
        if len(expression) > LIMIT:
            raise ConditionError(f"Write at most {LIMIT:,} characters.")
        try:
            self._program = cel.compile(expression)
        except ValueError as error:
            raise _explained(str(error)) from None
        self._depth = len(_MACRO.findall(expression))
        self._length = len(expression)
        self._check_names(expression)

    def holds(self, args: dict[str, Any], agent: str, session_id: str) -> bool:
        """Say whether the condition holds for a call.

        Raises:
            ConditionFailed: the arguments do not fit it, it would run long, or its value is no boolean.
        """
        if self._depth and self._steps(args) > STEPS:
            raise ConditionFailed("The condition would run long over arguments of this size.")
        try:
            found = self._program.execute({"args": args, "agent": agent, "session_id": session_id})
        except KeyError:
            raise ConditionFailed("An argument that the condition reads is missing.") from None
        except TypeError:
            raise ConditionFailed("An argument is of another type than the condition takes.") from None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            raise ConditionFailed("The condition failed over these arguments.") from None
        if not isinstance(found, bool):
            raise ConditionFailed("The condition's value is neither true nor false.")
        return found

    def _steps(self, args: dict[str, Any]) -> int:
        """Return how long the evaluation may take: each macro may go over every value there is."""
        size = len(orjson.dumps(args)) + self._length
        return int((_values(args) + self._length) ** self._depth * size)

    def _check_names(self, expression: str) -> None:
        bound = set(_MACRO.findall(expression))
        for name in self._program.variables():
            if name not in NAMES and name not in bound:
                told = f"There is no “{name}”; a condition reads {', '.join(NAMES)}."
                raise ConditionError(told, *_place(expression, name))
        for name in self._program.functions():
            if name.isidentifier() and not name.startswith("_") and name not in FUNCTIONS:
                raise ConditionError(f"There is no function “{name}”.", *_place(expression, name))


class Unreadable:
    """Stand in for a condition that no longer compiles: it fails, so that a person is asked."""

    def holds(self, *call: Any) -> bool:
        raise ConditionFailed("The condition of this policy cannot be read.")


def _values(value: Any) -> int:
    """Count the values inside *value*, itself included."""
    waiting, count = [value], 0
    while waiting:
        found = waiting.pop()
        count += 1
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
    return count


def _place(expression: str, name: str) -> tuple[int, int]:
    found = re.search(rf"\b{re.escape(name)}\b", expression)
    before = expression[: found.start()] if found else ""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _explained(message: str) -> ConditionError:
    found = _WHERE.search(message)
    if found is None:
        return ConditionError("This is no CEL expression.")
    line, column, told = int(found[1]), int(found[2]), found[3]
    told = told.replace("'<EOF>'", "the end")
    if "Recursion limit" in told:
        told = "It is nested too deeply"
    return ConditionError(f"{told[:1].upper()}{told[1:200]}.", max(line, 1), max(column, 1))
