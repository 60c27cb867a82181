"""What a model needs: what the tables say of it, what its provider publishes, or that nobody knows."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import structlog

from events.schema import SchemaError, admit
from runs.inputs import wanted
from runs.models.registry import InputKind, ModelInput, RegisteredModel
from runs.providers.provider import Provider, ProviderError
from runs.remedies import conflicts_of
from runs.requirements import Input, Requirements

log = structlog.get_logger(__name__)

_INPUTS_AT_MOST = 200
_PROPERTIES_AT_MOST = 200
_TYPES: dict[str, str] = {
    InputKind.NUMBER: "number",
    InputKind.INTEGER: "integer",
    InputKind.BOOLEAN: "boolean",
    InputKind.TEXT: "string",
    InputKind.URL: "string",
    InputKind.IMAGE: "string",
    InputKind.AUDIO: "string",
    InputKind.VIDEO: "string",
    InputKind.FILE: "string",
}


def requirements_of(provider: Provider, model: str) -> Requirements:
    """Return what *model* needs: two queries, and a call where the provider publishes schemas.

    What the tables say stands above what the provider publishes, input by input. A provider that does not
    answer leaves what the tables say.
    """
    rows = known_models(provider.name)
    row = in_force(rows, model)
    published = _published(provider, model)
    if row is None and published is None:
        return Requirements(model=model, near=_near(rows, model))
    described = Requirements(model=model, title=row.title if row else "", is_known=True)
    inputs = [] if row is None else [input_of(given) for given in row.inputs.all()[:_INPUTS_AT_MOST]]
    if published is None:
        return replace(described, inputs=tuple(inputs))
    return replace(
        described,
        title=described.title or published.title,
        inputs=_merged(inputs, published),
        closed=published.closed,
    )


def known_models(tool: str) -> list[RegisteredModel]:
    """Return the models of *tool* that the tables describe."""
    return list(RegisteredModel.objects.filter(tool=tool))


def in_force(rows: Iterable[RegisteredModel], model: str) -> RegisteredModel | None:
    """Return the row with the longest pattern that matches *model*, with or without its ``:version``."""
    name = model.lower()
    names = {name, name.rpartition(":")[0] or name}
    fitting = [row for row in rows if any(fnmatchcase(name, row.pattern.lower()) for name in names)]
    return max(fitting, key=lambda row: len(row.pattern), default=None)


def input_of(row: ModelInput) -> Input:
    """Return what *row* says; JSON that somebody wrote in another form counts as nothing."""
    aliases = row.aliases if isinstance(row.aliases, list) else []
    return Input(
        name=row.name,
        kind=row.kind,
        required=row.required,
        label=row.label,
        help=row.help,
        rules=row.rules if isinstance(row.rules, dict) else {},
        unit=row.unit,
        aliases=tuple(alias for alias in aliases if isinstance(alias, str)),
        default=row.default,
    )


def _published(provider: Provider, model: str) -> Requirements | None:
    try:
        return provider.requirements(model)
    except ProviderError as error:
        log.warning("requirements_unavailable", tool=provider.name, why=str(error)[:300])
    except Exception:  # what a stranger publishes must not keep runs from going on
        log.exception("requirements_unreadable", tool=provider.name)
    return None


def _near(rows: Iterable[RegisteredModel], model: str) -> tuple[str, ...]:
    """Return the described names most like that of *model*."""
    names = {row.pattern.strip("*").lower(): row.title for row in rows if row.pattern.strip("*")}
    found = difflib.get_close_matches(model.lower().rpartition("/")[2].partition(":")[0], names, n=3)
    return tuple(names[name] for name in found)


def _merged(described: list[Input], published: Requirements) -> tuple[Input, ...]:
    """Lay what the tables say over what the provider publishes.

    The provider knows what its inputs are called: an entry that has one of its names as an alias is about
    that input, and one that a closed schema does not have is left out.
    """
    names = {given.name for given in published.inputs}
    table = {}
    for given in described:
        name = next((name for name in (given.name, *given.aliases) if name in names), given.name)
        also = tuple(alias for alias in (given.name, *given.aliases) if alias != name)
        if name in names or not published.closed:
            table[name] = replace(given, name=name, aliases=also)
    first = [_over(table.pop(given.name, None), given) for given in published.inputs[:_INPUTS_AT_MOST]]
    return (*first, *table.values())


def _over(table: Input | None, given: Input) -> Input:
    if table is None:
        return given
    return replace(
        table,
        required=table.required or given.required,
        label=table.label or given.label,
        help=table.help or given.help,
        rules=table.rules or given.rules,
        unit=table.unit or given.unit,
        aliases=tuple(dict.fromkeys((*table.aliases, *given.aliases))),
        default=given.default if table.default is None else table.default,
    )


# -- The form by which a person edits a payload -------------------------------------------------------


def schema_of(requirements: Requirements, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema (2020-12) for *payload* as a person may edit it; one that can be admitted.

    Rules that could not be checked in bounded time are left out; without them, so are the defaults.
    """
    schema = _schema(requirements, payload, rules=True)
    return schema if _is_admitted(schema) else _schema(requirements, payload, rules=False)


def _schema(requirements: Requirements, payload: Mapping[str, Any], *, rules: bool) -> dict[str, Any]:
    properties = {given.name: _property(given, rules=rules) for given in requirements.inputs}
    if not requirements.closed:
        others = [name for name in payload if name not in properties and len(name) <= 100]
        for name in others[: max(0, _PROPERTIES_AT_MOST - len(properties))]:
            properties[name] = {"title": name, **_type_of(payload[name])}
    return {
        "type": "object",
        "properties": properties,
        "required": [given.name for given in requirements.inputs if _always_needed(given, requirements)],
        "additionalProperties": not requirements.closed,
    }


def _always_needed(given: Input, requirements: Requirements) -> bool:
    return given.required and not conflicts_of(given, requirements)


def _property(given: Input, *, rules: bool) -> dict[str, Any]:
    told = {"title": given.label or given.name, "description": wanted(given)}
    typed = {"type": _TYPES[given.kind]} if given.kind in _TYPES else {}
    kept = {name: rule for name, rule in given.rules.items() if name != "conflicts_with"}
    if not rules or given.is_file or not _is_admitted({"properties": {given.name: kept}}):
        kept = {}
    default = {"default": given.default} if rules and given.default is not None else {}
    return {**kept, **typed, **told, **default}


def _type_of(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
    return {}


def _is_admitted(schema: dict[str, Any]) -> bool:
    try:
        admit(schema)
    except (SchemaError, RecursionError, TypeError):  # a TypeError: nested deeper than can be written
        return False
    return True
