"""What the fake server remembers: items, how they come to be, their events, and policies."""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hitl_client.testing import documents
from hitl_client.testing.documents import NOBODY, Item, check, invalid, iso, refused
from hitl_client.testing.schema import Json

EPOCH = "ep_fake"


@dataclass(frozen=True)
class Policy:
    """A policy: what it decides about the tools that a glob matches, whose arguments `when` accepts."""

    decision: Literal["allow", "ask", "deny"]
    pattern: str
    when: Callable[[Json], object] | None
    name: str
    note: str
    approval_message: str


class Records:
    """The items of one agent, by id, its stream of events, and the policies."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.items: dict[str, Item] = {}
        self.events: list[Json] = []
        self.policies: list[Policy] = []
        self.templates: dict[str, Json] = {}
        self.ahead = dt.timedelta(0)

    @property
    def now(self) -> dt.datetime:
        """The time by the fake server's clock."""
        return dt.datetime.now(dt.UTC) + self.ahead

    def find(self, kind: str, item_id: str) -> Item:
        """Return an item, timed out where that is due; 404 where there is none."""
        item = self.items.get(item_id)
        if item is None or item.is_interrupt != (kind == "interrupts"):
            raise refused(404, "not_found", "There is nothing here that you may see.")
        self.time_out(item)
        return item

    def record(self, item: Item, event: str, actor: str, data: Json) -> None:
        """Write an event of an item."""
        number = len(self.events) + 1
        shared = {"type": f"hitl.{event}", "actor": actor, "occurred_at": iso(self.now), "data": data}
        self.events.append(
            {
                "id": f"evt_{number}",
                "cursor": f"{EPOCH}:{number}",
                "subject_id": item.doc["id"],
                "session_id": item.doc["session_id"],
                "agent": self.agent,
                **shared,
            }
        )
        item.history.append({"id": f"evt_{number}", **shared})

    def move(self, item: Item, event: str, actor: str, data: Json, **changes: Any) -> None:
        """Change an item and write its event."""
        item.doc |= {**changes, "version": item.doc["version"] + 1}
        self.record(item, event, actor, {"status": item.doc["status"], **item.headline, **data})

    def time_out(self, item: Item) -> None:
        """Make an overdue item what silence means for it."""
        if not item.is_open or dt.datetime.fromisoformat(item.doc["expires_at"]) > self.now:
            return
        status = "rejected" if item.doc.get("on_timeout") == "reject" else "expired"
        told = {"rejection_reason": NOBODY, "resolved_by": "system"}
        item.doc |= {"status": status, "resolved_by": "system", "resolved_at": iso(self.now)}
        if status == "rejected":
            item.doc["rejection_reason"] = NOBODY
        item.doc["version"] += 1
        noun = "interrupt" if item.is_interrupt else "request"
        self.record(item, f"{noun}.{status}", "system", {"status": status, **told})
        item.refresh()

    # -- Asking ---------------------------------------------------------------------------------------

    def ask(self, kind: str, said: Json, key: str) -> tuple[Item, bool]:
        """Create what a body asks for, or find what was asked with its key; say whether it is new."""
        schema = documents.INTERRUPT if kind == "interrupts" else documents.REQUEST
        check(schema, said)
        full = self._filled_in(said) if "template" in said else said
        needed = ("request_type", "title", "description") if kind == "requests" else ()
        if missing := [name for name in needed if name not in full]:
            raise invalid({name: ["This field is required."] for name in missing})
        self._check(full)
        if key and (earlier := self._keyed(key, said)):
            return earlier, False
        return self._created(kind, full, said, key), True

    def ask_all(self, said: Json, key: str) -> tuple[list[Item], bool]:
        """Create everything a batch asks for, or nothing; find what was asked with its key."""
        check(documents.BATCH, said)
        bodies = said["items"]
        for number, one in enumerate(bodies):
            self._check(one, f"items.{number}.")
        keys = [f"{key}§{number}" if key else "" for number in range(len(bodies))]
        if key and (earlier := [found for one in keys if (found := self._keyed(one, bodies))]):
            return earlier, False
        batch = f"bat_{len(self.items)}"
        batched = [{**one, "batch_id": one.get("batch_id") or batch} for one in bodies]
        return [
            self._created("interrupts", one, bodies, k) for one, k in zip(batched, keys, strict=True)
        ], True

    def _created(self, kind: str, full: Json, sent: Any, key: str) -> Item:
        prefix, make = ("int", documents.interrupt) if kind == "interrupts" else ("har", documents.request)
        item_id = f"{prefix}_{len(self.items)}"
        item = make(full, item_id=item_id, key=key, agent=self.agent, now=self.now)
        item.sent = sent
        name, arguments = full.get("tool_name", ""), full.get("tool_args", {})
        policy = self.judge(name, arguments) if kind == "interrupts" else None
        if policy is not None:
            item.doc |= {"policy_note": policy.note, "approval_message": policy.approval_message}
            item.doc["policy"] = self._terms(policy)
        item.rehash()
        item.refresh()
        self.items[item_id] = item
        self.record(
            item, "interrupt.requested" if kind == "interrupts" else "request.created", self.actor, item.asked
        )
        if policy is not None and policy.decision == "deny":
            why = f"The policy “{policy.name}” denies this.{' ' if policy.note else ''}{policy.note}"
            by = f"policy {policy.name}"
            told = {"rejection_reason": why, "resolved_by": by}
            self.move(
                item,
                "interrupt.rejected",
                "system",
                told,
                status="rejected",
                resolved_at=iso(self.now),
                **told,
            )
        return item

    def _keyed(self, key: str, sent: Any) -> Item | None:
        earlier = next((item for item in self.items.values() if item.doc["key"] == key), None)
        if earlier is not None and earlier.sent != sent:
            raise refused(
                422, "key_reused", "This Idempotency-Key was used for another body. Take a new one."
            )
        return earlier

    def _filled_in(self, said: Json) -> Json:
        template = self.templates.get(said["template"])
        if template is None:
            there = ", ".join(self.templates)
            raise invalid({"template": [f"There is no such template. There are: {there}."]})
        if "required_fields" in said:
            raise invalid({"required_fields": ["The template says what is asked for; send no fields."]})
        return {**template, **said}

    def _check(self, said: Json, at: str = "") -> None:
        if said.get("args_schema") is not None:
            check(said["args_schema"], said.get("tool_args", {}), f"{at}tool_args")
        if "expires_at" in said:
            try:
                ahead = dt.datetime.fromisoformat(said["expires_at"]) > self.now
            except (TypeError, ValueError):
                ahead = False
            if not ahead or "expires_in" in said:
                raise invalid({f"{at}expires_at": ["The deadline must lie in the future, with a time zone."]})

    @property
    def actor(self) -> str:
        """Who the agent is in the record."""
        return f"agent:{self.agent}"

    # -- Policies -------------------------------------------------------------------------------------

    def judge(self, tool_name: str, arguments: Json) -> Policy | None:
        """Return the first policy that speaks of a call."""
        return next(
            (
                policy
                for policy in self.policies
                if fnmatch.fnmatchcase(tool_name.lower(), policy.pattern.lower())
                and (policy.when is None or policy.when(arguments))
            ),
            None,
        )

    def evaluate(self, said: Json) -> Json:
        """Return what the policies say about a call."""
        check(documents.VERBS["evaluate"], said)
        policy = self.judge(said["tool_name"], said.get("tool_args", {}))
        about = [
            one
            for one in self.policies
            if fnmatch.fnmatchcase(said["tool_name"].lower(), one.pattern.lower())
        ]
        return {
            "decision": policy.decision if policy else "allow",
            "policy": policy.name if policy else None,
            "note": policy.note if policy else "",
            "approval_message": policy.approval_message if policy else "",
            "failure": "",
            "grant": None,
            "depends_on_args": any(one.when for one in about),
            "version": self.version,
        }

    @property
    def version(self) -> str:
        """The state of all policies."""
        return f"{EPOCH}:{len(self.policies)}"

    def _terms(self, policy: Policy) -> Json:
        stages = [{"name": "", "reviewers": [], "required_approvals": 1}]
        number = self.policies.index(policy)
        return {
            "id": f"pol_{number}",
            "name": policy.name,
            "version": 1,
            "decision": policy.decision,
            "stages": stages,
        }
