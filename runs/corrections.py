"""Learn from people: count the values they set inputs to, and offer the frequent ones as defaults.

Nothing is applied unless an administrator accepts it. What is counted is how a model is set, never what it
is given: no files, no texts that a model must have, nothing long, and nothing that could be a secret, an
address or somebody's name for themselves. No row says whose value it was.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from agents.callers import Caller
from events import log
from events.canonical import fingerprint
from events.models import SYSTEM
from events.problems import Problem
from reviews.policy_services import CHANGED
from runs.inputs import is_blank, is_placeholder, same, unfit
from runs.models.registry import Correction, InputKind, ModelInput
from runs.registry import in_force, input_of, known_models
from runs.requirements import Input

OFFERED_FROM = 5
"""How often people have to set a value before it is offered."""
VALUES_AT_MOST = 50
_CHARACTERS = 200
_COUNTED = (InputKind.TEXT, InputKind.NUMBER, InputKind.INTEGER, InputKind.BOOLEAN, InputKind.CHOICE)
_CONTENT = re.compile(r"prompt|text|question|message|caption|lyrics|content|url|mail|user|name$")
_SECRET = re.compile(r"key|token|secret|passw|credential|auth|session|cookie|webhook")
_PRIVATE = re.compile(r"[\n@]|://|[A-Za-z0-9+/]{20,}")


def note(tool: str, model: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Count each described input of *model* that a person set to another value than was suggested."""
    row = in_force(known_models(tool), model)
    if row is None:
        return
    with log.unit_of_work():
        for given in row.inputs.all():
            value = after.get(given.name)
            if not same(before.get(given.name), value) and _is_setting(input_of(given), value):
                _count(given, value)


def offers(tool: str | None = None) -> list[Correction]:
    """Return what people set so often that it could be the default, the most frequent first."""
    often = Correction.objects.filter(count__gte=OFFERED_FROM, dismissed_at=None)
    rows = often.select_related("input__model").order_by("-count", "pk")
    found = rows if tool is None else rows.filter(input__model__tool=tool)
    return [row for row in found if not same(row.value, row.input.default)]


def accept(correction: Correction, by: Caller) -> None:
    """Make the value the default of its input, on the record.

    Raises:
        Problem: 409 when somebody dismissed it, or it was forgotten meanwhile.
    """
    with log.unit_of_work():
        row = _open(correction)
        given = row.input
        if same(given.default, row.value):
            return
        ModelInput.objects.filter(pk=given.pk).update(default=row.value)
        _record(row, by, "default", {"default": given.default}, {"default": row.value})


def dismiss(correction: Correction, by: Caller) -> None:
    """Offer it no more, on the record.

    Raises:
        Problem: 409 as :func:`accept`.
    """
    with log.unit_of_work():
        row = _open(correction)
        Correction.objects.filter(pk=row.pk).update(dismissed_at=Now())
        _record(row, by, "dismissed", {"offered": row.value}, {})


def _is_setting(given: Input, value: Any) -> bool:
    """Say whether *value* is how the model is set, and may be kept."""
    name = given.name.lower()
    if given.kind not in _COUNTED or is_blank(value) or is_placeholder(value) or _SECRET.search(name):
        return False
    if given.kind == InputKind.TEXT and (given.required or _CONTENT.search(name)):
        return False
    if isinstance(value, str) and (len(value) > _CHARACTERS or _PRIVATE.search(value)):
        return False
    return not unfit(given, value)


def _count(given: ModelInput, value: Any) -> None:
    row, is_new = Correction.objects.get_or_create(
        input=given, digest=fingerprint(value), defaults={"value": value}
    )
    Correction.objects.filter(pk=row.pk).update(count=F("count") + 1)
    if is_new:
        _forget_the_rarest(given, row)


def _forget_the_rarest(given: ModelInput, newest: Correction) -> None:
    """Keep fifty values of an input, beside those dismissed; the newest stays, or it could never grow."""
    others = Correction.objects.filter(input=given, dismissed_at=None).exclude(pk=newest.pk)
    others = others.order_by("-count", "-pk")
    rarest = list(others.values_list("pk", flat=True)[VALUES_AT_MOST - 1 :])
    Correction.objects.filter(pk__in=rarest).delete()


def _open(correction: Correction) -> Correction:
    rows = Correction.objects.select_related("input__model").filter(dismissed_at=None)
    if (row := rows.filter(pk=correction.pk).first()) is None:
        raise Problem(409, "correction_gone", "Somebody dismissed this meanwhile, or it was forgotten.")
    return row


def _record(row: Correction, by: Caller, change: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    given = row.input
    told = {
        "tool": given.model.tool,
        "model": given.model.pattern,
        "input": given.name,
        "change": change,
        "before": before,
        "after": after,
    }
    log.record(SYSTEM, CHANGED, f"input_{given.pk}", actor=by.actor, data=told)
