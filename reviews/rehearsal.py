"""Hold what was asked lately against the policies as they would be with another one; nothing is written.

    then    what the item keeps of the policy that was in force when it was asked
    now     what the rules say about the same call, with the policy on trial at its place among them

Two courses are the same where the decision is, and the same people would answer: a policy that only takes
over from another does not show. Grants are left out: they answer what the policies ask.
"""

import datetime as dt
import heapq
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from reviews.models import EVERYBODY, Policy, PolicyDecision, ReviewItem
from reviews.policies import Rule, Verdict, call_of, in_force, judge

DAYS, AT_MOST, SHOWN = 30, 5_000, 100
SECONDS = 10.0
"""How long it may take: a condition over large arguments can be slow, and somebody is waiting."""
ALLOW, ASK, DENY, OTHERS = "allow", "ask", "deny", "others"
"""What became of an item that would go otherwise; the last: the same decision, by other people."""
_COLUMNS = ("kind", "title", "tool_name", "agent", "session_id", "created_at", "policy")


@dataclass(frozen=True, slots=True)
class Line:
    """Be one item that would go otherwise: its terms then and now, each as an item keeps them."""

    item: ReviewItem
    change: str
    then: dict[str, Any]
    now: dict[str, Any]


@dataclass(slots=True)
class Rehearsal:
    """Say what would have gone otherwise.

    ``lines`` are the first hundred of ``counts``. ``elsewhere`` counts what differs for another reason:
    other policies have changed since. ``is_cut`` says that older items of the same days were not looked at.
    """

    looked_at: int = 0
    is_cut: bool = False
    elsewhere: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[Line] = field(default_factory=list)

    @property
    def otherwise(self) -> int:
        return self.counts.total()


def rehearse(policy: Policy) -> Rehearsal:
    """Try *policy*, saved or not, on what was asked in the last thirty days, as if it were active."""
    rules, found = _rules_with(policy), Rehearsal()
    until = time.monotonic() + SECONDS
    for item in asked_lately():
        if found.looked_at == AT_MOST or time.monotonic() > until:
            found.is_cut = True
            break
        found.looked_at += 1
        _compare(found, policy.pk, item, judge(rules, call_of(item)))
    return found


def asked_lately() -> Iterator[ReviewItem]:
    """Return what was asked in the last thirty days, of every kind, newest first, as it is read."""
    since = timezone.now() - dt.timedelta(days=DAYS)
    kinds = [_newest(model, since) for model in ReviewItem.__subclasses__()]
    return heapq.merge(*kinds, key=lambda item: item.created_at, reverse=True)


def _newest(model: type[ReviewItem], since: dt.datetime) -> Iterator[ReviewItem]:
    # By id, which is by time: an index has them in this order, and reading ends at the first that is older.
    rows = model._base_manager.only(*_COLUMNS, model.judged_column).order_by("-pk")[: AT_MOST + 1]
    for item in rows.iterator(chunk_size=500):
        if item.created_at < since:
            return
        yield item


def _rules_with(policy: Policy) -> list[Rule]:
    others = Policy.objects.filter(is_active=True).exclude(pk=policy.pk)
    return [in_force(one) for one in sorted([*others, policy], key=_place)]


def _place(policy: Policy) -> tuple[int, Any, str]:
    made = policy.created_at if isinstance(policy.created_at, dt.datetime) else timezone.now()
    return policy.priority, made, policy.pk


def _compare(found: Rehearsal, trial: str, item: ReviewItem, verdict: Verdict) -> None:
    then, now = item.policy, verdict.terms
    if not (change := _change(then, now)):
        return
    if trial not in (then.get("id"), now.get("id")):
        found.elsewhere += 1
        return
    found.counts[change] += 1
    if len(found.lines) < SHOWN:
        found.lines.append(Line(item, change, then, now))


def _change(then: dict[str, Any], now: dict[str, Any]) -> str:
    """Name what changes from *then* to *now*; empty when nothing does."""
    decided = decision_of(now)
    if decided != decision_of(then):
        return decided
    return OTHERS if decided != DENY and _who(then) != _who(now) else ""


def decision_of(terms: dict[str, Any]) -> str:
    """Return what was decided under *terms*; where there was no policy, nothing had to be asked."""
    return str(terms.get("decision") or PolicyDecision.ALLOW)


def _who(terms: dict[str, Any]) -> list[tuple[list[str], int]]:
    stages: Iterable[dict[str, Any]] = terms.get("stages") or [EVERYBODY]
    return [(sorted(stage["reviewers"]), stage["required_approvals"]) for stage in stages]
