"""Conditions of policies, in CEL, over ``args``, ``agent`` and ``session_id``.

They are compiled when a policy is saved, so that a mistake is shown where it is made. What an agent sends
can still make one fail (a value that is missing, or of another type); :class:`ConditionFailed` then says why,
and a person is asked.
"""

import re
import time
from contextlib import suppress
from typing import Any

import cel
import orjson
from django.utils.translation import gettext, gettext_noop

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
# The library compiles a regular expression anew for each element that a macro holds against it: one with
# counted letters (\\w{1,64}) takes 50 ms each time.
SECONDS_OF_PATTERNS = 0.25
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*(\w+)\s*,")
_TEXT_OR_COMMENT = re.compile(
    r"""//[^\n]*|[bB]?[rR][bB]?(\"{3}|'{3}|"|')(?s:.)*?\1|[bB]?(\"{3}|'{3}|"|')(?s:\\.|.)*?\2"""
)
_PATTERN = re.compile(r"\bmatches\s*\(\s*(?:\"(\d+)\"\s*\))?")
_WHERE = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*?)(?: expecting \{.*)?$", re.M)


class ConditionError(ValueError):
    """An expression is no condition; ``line`` and ``column`` (from 1) say where."""

    def __init__(self, told: str, line: int = 1, column: int = 1) -> None:
        said = gettext("Line %(line)d, character %(column)d: %(why)s")
        super().__init__(said % {"line": line, "column": column, "why": told})
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
            raise ConditionError(gettext("Write at most %(number)s characters.") % {"number": f"{LIMIT:,}"})
        try:
            self._program = cel.compile(expression)
        except ValueError as error:
            raise _explained(str(error)) from None
        bare, texts = _without_texts(expression)
        self._depth = len(_MACRO.findall(bare))
        self._length = len(expression)
        self._sums, self._listed = bare.count("+"), bare.count(",")
        self._check_names(expression, set(_MACRO.findall(bare)))
        self._patterns_take = _seconds_of_patterns(expression, bare, texts)

    def holds(self, args: dict[str, Any], agent: str, session_id: str) -> bool:
        """Say whether the condition holds for a call.

        Raises:
            ConditionFailed: the arguments do not fit it, it would run long, or its value is no boolean.
        """
        if (self._depth or self._sums or self._patterns_take) and self._is_long(args):
            raise ConditionFailed(gettext_noop("The condition would run long over arguments of this size."))
        try:
            found = self._program.execute({"args": args, "agent": agent, "session_id": session_id})
        except KeyError:
            raise ConditionFailed(gettext_noop("An argument that the condition reads is missing.")) from None
        except TypeError:
            raise ConditionFailed(
                gettext_noop("An argument is of another type than the condition takes.")
            ) from None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            raise ConditionFailed(gettext_noop("The condition failed over these arguments.")) from None
        if not isinstance(found, bool):
            raise ConditionFailed(gettext_noop("The condition's value is neither true nor false."))
        return found

    def _is_long(self, args: dict[str, Any]) -> bool:
        """Say whether the evaluation may take long: each macro may go over every value there is.

        Each sum of texts copies what the sums before it have made.
        """
        values, size = _values(args), len(orjson.dumps(args)) + self._length
        copies = max(self._sums * (self._sums + 1) // 2, 1)
        steps = (values + self._length) ** self._depth * size * copies
        patterns = (values + self._listed) ** self._depth * self._patterns_take
        return bool(steps > STEPS or patterns > SECONDS_OF_PATTERNS)

    def _check_names(self, expression: str, bound: set[str]) -> None:
        for name in self._program.variables():
            if name not in NAMES and name not in bound:
                told = gettext("There is no “%(name)s”; a condition reads %(names)s.")
                told %= {"name": name, "names": ", ".join(NAMES)}
                raise ConditionError(told, *_place(expression, name))
        for name in self._program.functions():
            if name.isidentifier() and not name.startswith("_") and name not in FUNCTIONS:
                told = gettext("There is no function “%(name)s”.") % {"name": name}
                raise ConditionError(told, *_place(expression, name))


class Unreadable:
    """Stand in for a condition that no longer compiles: it fails, so that a person is asked."""

    def holds(self, *call: Any) -> bool:
        raise ConditionFailed(gettext_noop("The condition of this policy cannot be read."))


def _without_texts(expression: str) -> tuple[str, list[str]]:
    """Return *expression* without comments, with ``"0"``, ``"1"``… for its texts; and these, as written."""
    texts: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        if found[0].startswith("//"):
            return ""
        texts.append(found[0])
        return f'"{len(texts) - 1}"'

    return _TEXT_OR_COMMENT.sub(put_aside, expression), texts


def _seconds_of_patterns(expression: str, bare: str, texts: list[str]) -> float:
    """Return how long it takes to compile each regular expression once; none is an agent's to send."""
    seconds = 0.0
    for number in _PATTERN.findall(bare):
        if not number:
            told = gettext("Write the regular expression in quotes, after “matches(”.")
            raise ConditionError(told, *_place(expression, "matches"))
        seconds += _seconds_of(texts[int(number)])
    return seconds


def _seconds_of(pattern: str) -> float:
    program, begun = cel.compile(f'"".matches({pattern})'), time.thread_time()
    with suppress(Exception):  # what is no regular expression fails here as it will over any arguments
        program.execute({})
    return time.thread_time() - begun


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
        return ConditionError(gettext("This is no CEL expression."))
    line, column, told = int(found[1]), int(found[2]), found[3]
    told = told.replace("'<EOF>'", "the end")
    if "Recursion limit" in told:
        told = "It is nested too deeply"
    return ConditionError(f"{told[:1].upper()}{told[1:200]}.", max(line, 1), max(column, 1))
