"""Numbers in words against numbers in arguments: whether what an agent says may be what it would do."""

import re
from collections.abc import Iterator
from typing import Any

from events.untrusted import pretty

_CODES = "EUR|USD|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL"
_PLAIN = r"\d+(?:[.,']\d+|[ \u00a0\u202f]\d{3}(?!\d))*"
_WORDS = r"[kKmM]|[mM]n|[mM]io|[bB]n|thousand|million|billion|%"
# A number that stands by itself, or beside its currency: not part of a name, a time, a path or a version.
_NUMBER = re.compile(
    rf"(?:(?<![\w.,:/#-])|(?<=\b(?:{_CODES})))"
    rf"({_PLAIN})(?:\s?({_WORDS})(?!\w))?(?:(?![\w:/-]|[.,]\d)|(?=(?:{_CODES})\b))"
)
_WHOLE = re.compile(rf"(?:(?:{_CODES}|[$€£¥])\s?)?({_PLAIN})()(?:\s?(?:{_CODES}|[$€£¥]))?")
_MONTHS = r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*"
_DAY = r"\d{1,2}(?:st|nd|rd|th|\.)?"
_DATE = re.compile(rf"(?i)\b(?:{_MONTHS}\.?\s+{_DAY}|{_DAY}\s+{_MONTHS}\.?)(?:,?\s+\d{{4}})?(?![\w,.]*\d)")
# 4.2.0 and 12.01.2026 are no amounts, 1.200.000 is one.
_PARTS, _GROUPS = re.compile(r"\d+(\.\d+){2,}"), re.compile(r"\d{1,3}(\.\d{3})+")
_WRITTEN = re.compile(r"(\d+|\d{1,3}(,\d{2,3})*,\d{3})(\.\d+)?")
_FACTORS = {"k": 1_000, "thousand": 1_000, "bn": 10**9, "billion": 10**9}
_MILLION = 1_000_000
_AT_MOST = 5


def differences(words: str, arguments: Any) -> tuple[list[str], list[str]]:
    """Return the numbers that only *words* have, and those that only *arguments* have.

    Both lists are empty where the two may agree: a difference counts only when each side says something
    that the other does not.
    """
    said, meant = dict(_numbers(_NUMBER, _DATE.sub(" ", words))), dict(_meant(arguments))
    inside = " ".join(_texts(arguments))
    known = {value for values in meant.values() for value in values}
    told = {value for values in said.values() for value in values}
    only_said = [
        text for text, values in said.items() if values.isdisjoint(known) and not _stands_in(text, inside)
    ]
    only_meant = [text for text, values in meant.items() if values.isdisjoint(told)]
    # 100 beside 100000 is the likeliest slip, or trick: then what else differs is noise.
    alike = {_digits(text) for text in only_said} & {_digits(text) for text in only_meant}
    if alike:
        only_said = [text for text in only_said if _digits(text) in alike]
        only_meant = [text for text in only_meant if _digits(text) in alike]
    return (only_said[:_AT_MOST], only_meant[:_AT_MOST]) if only_said and only_meant else ([], [])


def _numbers(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, set[float]]]:
    """Yield each number of a text with every value it may have: ``1,000`` is a thousand, or one."""
    for found in pattern.finditer(text):
        number, word = found[1], (found[2] or "").lower()
        if not _PARTS.fullmatch(number) or _GROUPS.fullmatch(number):
            end = found.end(2) if word else found.end(1)
            yield text[found.start(1) : end], _scaled(_readings(number), word)


def _readings(number: str) -> set[float]:
    plain = re.sub(r"[ '\u00a0\u202f]", "", number)
    swapped = plain.translate(str.maketrans(".,", ",."))
    return {float(text.replace(",", "")) for text in (plain, swapped) if _WRITTEN.fullmatch(text)}


def _scaled(values: set[float], word: str) -> set[float]:
    """Return what *values* are with the word behind them. ``5m`` may be five million, or five minutes."""
    if word == "%":
        return values | {value / 100 for value in values}
    factor = _FACTORS.get(word, _MILLION) if word else 1
    scaled = {round(value * factor, 6) for value in values}
    return values | scaled if word == "m" else scaled


def _meant(value: Any) -> Iterator[tuple[str, set[float]]]:
    match value:
        case bool() | None:
            return
        case int() | float():
            yield pretty(value), {float(value)}
        case str() if len(value) <= 40 and _WHOLE.fullmatch(value):
            for _, values in _numbers(_WHOLE, value):
                yield value, values
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                yield from _meant(inner)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                yield from _texts(inner)


def _stands_in(text: str, words: str) -> bool:
    return re.search(rf"(?<!\d){re.escape(text)}(?!\d)", words) is not None


def _digits(text: str) -> str:
    """Return the digits of a number without the zeros that only say how large it is."""
    return re.sub(r"\D", "", text).strip("0")
