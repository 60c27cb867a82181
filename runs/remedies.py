"""What can be put right without asking: another spelling, a unit, a type, the only file that was meant.

Where two readings are possible nothing is done, and a person is told which there are. What a person gave is
never replaced; only what is missing, blank or a placeholder of an example is filled.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from runs.attached import PREFIX, Attached, named, newest
from runs.inputs import choices_of, is_blank, is_placeholder, same
from runs.models.registry import InputKind
from runs.requirements import Fix, Input, Requirements

_NAME_CHARACTERS = 100
_SHOWN_CHARACTERS = 200
_LISTED = 5
_EXACT = 2**53
_QUANTITY = re.compile(r"([+-]?\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-zµ%]{0,12})", re.ASCII)
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_SIZES: dict[str, dict[str, int | str]] = {
    "time": {"ms": "0.001", "s": 1, "sec": 1, "seconds": 1, "min": 60, "minutes": 60, "h": 3600},
    "bytes": {"b": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20},
    "share": {"%": "0.01", "percent": "0.01", "ratio": 1},
    "pixels": {"px": 1, "pixels": 1},
    "frequency": {"hz": 1, "khz": 1000},
}
_UNITS = {unit: (of, Fraction(size)) for of, sizes in _SIZES.items() for unit, size in sizes.items()}


@dataclass(slots=True)
class Remedied:
    """Hold the payload as it stands, what was put right, and by field what a person could do.

    ``hints`` are about what was left as it is, ``by_hand`` says how to do what was put right.
    """

    payload: dict[str, Any]
    fixes: list[Fix] = field(default_factory=list)
    hints: dict[str, str] = field(default_factory=dict)
    by_hand: dict[str, str] = field(default_factory=dict)

    def fix(self, name: str, what: str, hint: str, before: Any, after: Any) -> None:
        self.payload[name] = after
        self.fixes.append(Fix(name, what, _short(before), _short(after)))
        self.by_hand[name] = f"{self.by_hand[name]} {hint}" if name in self.by_hand else hint


def remedy(
    requirements: Requirements, payload: Mapping[str, Any], files: Sequence[Attached], *, defaults: bool
) -> Remedied:
    """Return a copy of *payload* with all put right that has one reading, and with *defaults* if so."""
    found = Remedied(dict(payload))
    _rename(found, requirements)
    for given in requirements.inputs:
        if given.name in found.payload:
            _mend(found, given, files)
    _fill_files(found, requirements, files)
    if defaults:
        _fill_defaults(found, requirements)
    return found


# -- Names --------------------------------------------------------------------------------------------


def spelled(name: str) -> str:
    """Return *name* without what people write differently: case, dashes, underscores, spaces."""
    return "".join(filter(str.isalnum, name.casefold()))


def _rename(found: Remedied, requirements: Requirements) -> None:
    right = {given.name for given in requirements.inputs}
    meant = _meant(requirements)
    wrong: dict[str, list[str]] = {}
    for key, value in found.payload.items():
        if key in right or len(key) > _NAME_CHARACTERS or is_blank(value):
            continue
        names = sorted(meant.get(spelled(key), ()))
        if len(names) == 1:
            wrong.setdefault(names[0], []).append(key)
        elif names:
            told = f"{key} could be {_listed(names, 'or')}. Name the one that is meant."
            found.hints |= dict.fromkeys(names, told)
    for name, keys in wrong.items():
        _rename_to(found, name, keys)


def _meant(requirements: Requirements) -> dict[str, set[str]]:
    """Return, by spelling, the names that may be meant; a name stands before what others are also called."""
    own: dict[str, set[str]] = {}
    also: dict[str, set[str]] = {}
    for given in requirements.inputs:
        own.setdefault(spelled(given.name), set()).add(given.name)
        for alias in given.aliases:
            also.setdefault(spelled(alias), set()).add(given.name)
    return {**also, **own}


def _rename_to(found: Remedied, name: str, keys: list[str]) -> None:
    there = found.payload.get(name)
    if not (is_blank(there) or is_placeholder(there)):
        return
    if len(keys) > 1:
        found.hints[name] = f"{_listed(keys, 'and')} could each be {name}. Keep one of them."
    elif is_blank(there) or not is_placeholder(found.payload[keys[0]]):
        value = found.payload.pop(keys[0])
        found.fix(name, f"Renamed {keys[0]} to {name}.", f"Rename {keys[0]} to {name}.", there, value)


# -- Values -------------------------------------------------------------------------------------------


def _mend(found: Remedied, given: Input, files: Sequence[Attached]) -> None:
    before = found.payload[given.name]
    after = mended(given, before, files)
    if not same(before, after):
        told = json.dumps(_short(after), ensure_ascii=False)
        found.fix(given.name, f"Read as {told}.", f"Write {given.name} as {told}.", before, after)


def mended(given: Input, value: Any, files: Sequence[Attached] = ()) -> Any:
    """Return *value* as *given* takes it, where only one such reading is possible; else as it is."""
    if given.kind == InputKind.INTEGER and isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if not isinstance(value, str) or is_blank(value):
        return value
    match given.kind:
        case InputKind.INTEGER | InputKind.NUMBER:
            return _number(given, value)
        case InputKind.BOOLEAN:
            return _BOOLEANS.get(value.strip().lower(), value)
        case InputKind.CHOICE:
            return _choice(given, value)
        case InputKind.TEXT | InputKind.URL:
            return value.strip()
    return _reference(value.strip(), files) if given.is_file else value


def _number(given: Input, value: str) -> Any:
    match = _QUANTITY.fullmatch(value.strip())
    if match is None:
        return value
    number, unit = Fraction(match[1]), match[2].lower()
    if unit and unit != given.unit.lower():
        here, there = _UNITS.get(unit), _UNITS.get(given.unit.lower())
        if here is None or there is None or here[0] != there[0]:
            return value
        number *= here[1] / there[1]
    if abs(number) >= _EXACT:
        return value
    if number.denominator == 1:
        return int(number)
    return float(number) if given.kind == InputKind.NUMBER else value


def _choice(given: Input, value: str) -> Any:
    choices = choices_of(given)
    if value in choices:
        return value
    text = " ".join(value.split()).casefold()
    fitting = [choice for choice in choices if " ".join(str(choice).split()).casefold() == text]
    return fitting[0] if len(fitting) == 1 else value


def _reference(value: str, files: Sequence[Attached]) -> str:
    """Return the reference to the file whose id or whose name alone is given."""
    if value.startswith(PREFIX):
        return value
    fitting = [file for file in files if value in (file.id, file.name)]
    return fitting[0].reference if len(fitting) == 1 else value


# -- What is missing ----------------------------------------------------------------------------------


def _fill_files(found: Remedied, requirements: Requirements, files: Sequence[Attached]) -> None:
    """Take the newest fitting file for each file that is needed; none that two inputs could mean."""
    used = {value for value in found.payload.values() if isinstance(value, str) and value.startswith(PREFIX)}
    free = [file for file in files if file.reference not in used]
    wanted: dict[str, list[Input]] = {}
    for given in requirements.inputs:
        if not (given.is_file and given.required) or replaced_by(given, requirements, found.payload):
            continue
        if file := _file_for(given, found.payload, free):
            wanted.setdefault(file.reference, []).append(given)
    for reference, inputs in wanted.items():
        file = named(reference, free)
        told = file.name if file else reference
        if len(inputs) == 1:
            name = inputs[0].name
            take = f"{told} of this session ({reference})"
            found.fix(name, f"Took {take}.", f"Give {take}.", found.payload.get(name), reference)
        else:
            names = _listed([given.name for given in inputs], "or")
            for given in inputs:
                found.hints[given.name] = f"{told} could be {names}. Say which: {reference}."


def _file_for(given: Input, payload: Mapping[str, Any], free: Sequence[Attached]) -> Attached | None:
    there = payload.get(given.name)
    if is_blank(there):
        return newest(given.kind, free)
    # What stands in the example was given by nobody; it still beats a guess among the agent's own files.
    return newest(given.kind, [file for file in free if file.by_person]) if is_placeholder(there) else None


def _fill_defaults(found: Remedied, requirements: Requirements) -> None:
    """Fill in the defaults of the registry: none for a file, none that conflicts with what is there."""
    needed = {given.name for given in requirements.inputs if given.required}
    for given in requirements.inputs:
        there = found.payload.get(given.name)
        missing = is_blank(there) if given.required else there is None
        if given.default is None or given.is_file or not missing:
            continue
        default = mended(given, given.default)
        others = conflicts_of(given, requirements)
        if not (same(default, there) or others & needed or replaced_by(given, requirements, found.payload)):
            found.fix(given.name, "Took the default.", f"Give {given.name}.", there, default)


def conflicts_of(given: Input, requirements: Requirements) -> set[str]:
    """Return the names that cannot be given beside *given*, whichever of the two says so."""
    others = {other.name for other in requirements.inputs if given.name in other.conflicts_with}
    return {*given.conflicts_with, *others} - {given.name}


def replaced_by(given: Input, requirements: Requirements, payload: Mapping[str, Any]) -> set[str]:
    """Return the names of what was given in place of *given*."""
    return {name for name in conflicts_of(given, requirements) if not is_blank(payload.get(name))}


def _listed(names: list[str], word: str) -> str:
    return f" {word} ".join([*names[:_LISTED], *["…"] * (len(names) > _LISTED)])


def _short(value: Any) -> Any:
    """Return *value* if it can be read at a glance, else its beginning or what it is."""
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…"
    nested = isinstance(value, dict | list) and value
    return f"({type(value).__name__}, {len(value)} parts)" if nested else value
