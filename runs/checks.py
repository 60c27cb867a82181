"""What is looked at before a payload is sent: each check finds issues, in the order of the checkpoints.

Execution approval has none of its own: it passes when nothing blocks.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.attached import PREFIX, Attached, kind_of, named, unusable
from runs.inputs import is_blank, is_placeholder, unfit, wanted
from runs.models.registry import InputKind
from runs.remedies import replaced_by
from runs.requirements import Check, Fix, Input, Issue, Requirements, Severity

NAME_CHARACTERS = 100
_NAMED_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Subject:
    """Hold what the checks look at."""

    requirements: Requirements
    payload: dict[str, Any]
    files: Sequence[Attached]
    hints: Mapping[str, str]
    model: str

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self.requirements.inputs

    @property
    def given(self) -> list[tuple[Input, Any]]:
        """Return the described inputs that were given, each with its value."""
        values = [(given, self.payload.get(given.name)) for given in self.inputs]
        return [(given, value) for given, value in values if not is_blank(value)]

    @property
    def undescribed(self) -> list[str]:
        known = {given.name for given in self.inputs}
        return [name for name in self.payload if name not in known]

    @property
    def others(self) -> dict[str, Any]:
        """Return what was given and is no input that is described as a file."""
        described = {given.name for given in self.inputs if given.is_file}
        return {name: value for name, value in self.payload.items() if name not in described}

    def hint(self, given: Input) -> str:
        return self.hints.get(given.name) or f"Give {given.name}: {wanted(given)}."


# -- parameter_review ---------------------------------------------------------------------------------


def _parameters(about: Subject) -> Iterator[Issue]:
    for given in about.inputs:
        there = about.payload.get(given.name)
        needed = given.required and not replaced_by(given, about.requirements, about.payload)
        if needed and is_blank(there):
            told = "This is missing." if there is None else "This is blank."
            hint = about.hints.get(given.name) or _perhaps(given, about) or about.hint(given)
            yield Issue(Check.PARAMETER_REVIEW, given.name, told, suggestion=hint, missing=True)


def _perhaps(given: Input, about: Subject) -> str:
    """Ask whether an input that nobody described is a slip of the pen for *given*."""
    names = [name for name in about.undescribed[:_NAMED_AT_MOST] if len(name) <= NAME_CHARACTERS]
    near = difflib.get_close_matches(given.name, names, n=1, cutoff=0.75)
    return f"Is {near[0]} meant to be {given.name}? Then rename it. {about.hint(given)}" if near else ""


# -- input_validation ---------------------------------------------------------------------------------


def _values(about: Subject) -> Iterator[Issue]:
    for given, value in about.given:
        if told := unfit(given, value):
            yield Issue(Check.INPUT_VALIDATION, given.name, told, suggestion=about.hint(given))
        elif is_placeholder(value):
            yield _placeholder(given.name, about.hint(given))
    doubtful = [name for name in about.undescribed if is_placeholder(about.payload[name])]
    for name in doubtful[:_NAMED_AT_MOST]:
        name = name[:NAME_CHARACTERS]
        yield _placeholder(name, f"Give {name} as it is meant, or remove it.")


def _placeholder(name: str, hint: str) -> Issue:
    told = "This reads as a placeholder."
    return Issue(Check.INPUT_VALIDATION, name, told, Severity.WARNING, hint)


def _conflicts(about: Subject) -> Iterator[Issue]:
    pairs = {
        (min(given.name, other), max(given.name, other))
        for given, _ in about.given
        for other in replaced_by(given, about.requirements, about.payload)
    }
    for one, other in sorted(pairs)[:_NAMED_AT_MOST]:
        told, hint = f"{one} and {other} cannot both be given.", f"Remove {one} or {other}."
        yield Issue(Check.INPUT_VALIDATION, one, told, suggestion=hint)


def _unknown_inputs(about: Subject) -> Iterator[Issue]:
    names = about.undescribed if about.requirements.closed else []
    known = [given.name for given in about.inputs]
    for name in names[:_NAMED_AT_MOST]:
        name = name[:NAME_CHARACTERS]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Remove {name}{f', or rename it to {near[0]}' if near else ''}."
        yield Issue(Check.INPUT_VALIDATION, name, "The model takes no such input.", suggestion=hint)
    if (more := len(names) - _NAMED_AT_MOST) > 0:
        told = f"{more} more inputs are none that the model takes."
        yield Issue(Check.INPUT_VALIDATION, "", told, suggestion="Remove them.")


# -- file_validation ----------------------------------------------------------------------------------


def _files(about: Subject) -> Iterator[Issue]:
    for given, value in about.given:
        if given.is_file and isinstance(value, str) and (told := unusable(given, value, about.files)):
            yield Issue(Check.FILE_VALIDATION, given.name, told, suggestion=about.hint(given))
    for name, value in about.others.items():
        if isinstance(value, str) and value.startswith(PREFIX) and named(value, about.files) is None:
            name = name[:NAME_CHARACTERS]
            hint = f"Attach the file for {name} to this session, then name it as attachment:att_…."
            yield Issue(
                Check.FILE_VALIDATION, name, "There is no such file in this session.", suggestion=hint
            )


# -- model_selection ----------------------------------------------------------------------------------


def _model(about: Subject) -> Iterator[Issue]:
    needs = about.requirements
    if not needs.is_known:
        near = f" Is {' or '.join(needs.near)} meant?" if needs.near else ""
        told = "Nobody has described this model, so what it needs was not checked."
        hint = f"Check the inputs yourself, or describe the model in the registry.{near}"
        yield Issue(Check.MODEL_SELECTION, "model", told, Severity.WARNING, hint)
    elif about.model:
        yield from _other_models(about)


def _other_models(about: Subject) -> Iterator[Issue]:
    """Find the files that no input of this model takes; one that takes no files may still pass them on."""
    takes = sorted({given.kind for given in about.inputs if given.is_file})
    fit = {"", InputKind.FILE, *takes}
    plain = {given.name for given in about.inputs if not given.is_file}
    for name, value in about.payload.items():
        kind = kind_of(value, about.files)
        if kind not in fit and name not in plain and InputKind.FILE not in takes:
            told = f"A file of this kind ({kind}) is for another model; takes: {', '.join(takes) or 'none'}."
            hint = f"Choose a model that takes {kind}, or remove {name[:NAME_CHARACTERS]}."
            severity = Severity.ERROR if takes else Severity.WARNING
            yield Issue(Check.MODEL_SELECTION, name[:NAME_CHARACTERS], told, severity, hint)


CHECKS = (_parameters, _values, _conflicts, _unknown_inputs, _files, _model)


def not_put_right(fixes: list[Fix], issues: list[Issue], hints: Mapping[str, str]) -> Iterator[Issue]:
    """Name what would have been put right and blocks nothing."""
    told = {issue.field for issue in issues}
    for fix in fixes:
        if fix.field not in told:
            yield Issue(
                Check.INPUT_VALIDATION,
                fix.field,
                "This is not written as the model takes it.",
                Severity.WARNING,
                hints[fix.field],
            )
