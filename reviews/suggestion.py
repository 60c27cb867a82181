"""A policy made of an item: what one would say of calls like it, and a condition that fits its arguments."""

import json
import re
from glob import escape
from typing import Any

from django.utils.translation import gettext as _

from events.untrusted import is_unseen, without_unseen
from reviews.conditions import LIMIT, Condition, ConditionError
from reviews.models import PolicyDecision, ReviewItem
from reviews.policies import call_of

_SHORT = 200


def suggestion(item: ReviewItem) -> dict[str, Any]:
    """Return what a policy for calls like *item* would say; all of it may be changed before it is saved."""
    call = call_of(item)
    name = without_unseen(call.name).strip()
    return {
        "name": _("Like: %(title)s") % {"title": without_unseen(call.name or item.title)[:80]},
        "kind": item.kind,
        "pattern": escape(name)[:255] or "*",
        "agent_pattern": escape(call.agent),
        "when": condition_of(call.args),
        "decision": PolicyDecision.ASK,
        "note": _("Made from %(id)s.") % {"id": item.pk},
        "required_approvals": 1,
        "is_active": True,
        "priority": 100,
    }


def condition_of(args: dict[str, Any]) -> str:
    """Return a condition that holds for exactly these flat arguments; nested and long ones are left out."""
    parts: list[str] = []
    for name, value in args.items():
        written = _literal(value)
        if written and len(" &&\n".join([*parts, _member(name)])) + len(written) < LIMIT - 10:
            parts.append(f"{_member(name)} == {written}")
    found = " &&\n".join(parts)
    try:
        Condition(found or "true")
    except ConditionError:
        return ""
    return found


_RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let",
    "loop", "namespace", "null", "package", "return", "true", "var", "void", "while",
})  # fmt: skip


def _member(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name not in _RESERVED
    return f"args.{name}" if plain else f"args[{_quoted(name)}]"


def _literal(value: Any) -> str:
    """Write a JSON scalar as CEL does; empty for what has no short one."""
    match value:
        case None | bool():
            return json.dumps(value)
        case int() if abs(value) < 2**63:
            return str(value)
        case float():
            return repr(value)
        case str() if len(value) <= _SHORT:
            return _quoted(value)
    return ""


def _quoted(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    return "".join(f"\\U{ord(one):08x}" if is_unseen(one) else one for one in written)
