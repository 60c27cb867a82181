"""What people and the agent do to an item, each verb with its event, and what is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from hitl_client.testing import documents
from hitl_client.testing.documents import Item, check, invalid, iso, refused, sha256
from hitl_client.testing.fields import field_of, unfit
from hitl_client.testing.records import Records
from hitl_client.testing.schema import Json

LEASE_SECONDS = 120
FILE_TYPES = {
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
}


class Verbs(Records):
    """The records, and all that can happen to an item."""

    # -- A person's verbs -----------------------------------------------------------------------------

    def decide(self, item: Item, verb: str, by: str, said: Json) -> None:
        """Do as a person: approve, reject, respond, fulfill, request_changes or start_review."""
        self.time_out(item)
        getattr(self, f"_{verb}")(item, by, **said)
        item.refresh()

    def _approve(self, item: Item, by: str, modifications: Json | None = None, comment: str = "") -> None:
        self._must_take(item, "approve" if modifications is None else "edit")
        if modifications is not None and item.doc["args_schema"] is not None:
            check(item.doc["args_schema"], modifications, "modifications")
        self._end(item, "interrupt.approved", "approved", by, {"modifications": modifications}, comment)
        item.receipt = f"e30.e30.{item.doc['id']}"  # of the form of a JWS, and signed by nobody

    def _reject(self, item: Item, by: str, reason: str = "", code: str = "other", comment: str = "") -> None:
        if item.is_interrupt:
            self._must_take(item, "reject")
            self._end(item, "interrupt.rejected", "rejected", by, {"rejection_reason": reason}, comment)
            return
        answer = {"rejection_reason": reason, "rejection_code": code, "rejected_by": by}
        self._end_request(item, "request.rejected", "rejected", by, answer)

    def _respond(self, item: Item, by: str, response: Any, comment: str = "") -> None:
        self._must_take(item, "respond")
        if item.doc["response_schema"] is not None:
            check(item.doc["response_schema"], response, "response")
        if response is None and item.kind in ("approval", "confirmation"):
            raise invalid({"response": ["Answer with something: null would read as an approval."]})
        self._end(item, "interrupt.responded", "approved", by, {"response": response}, comment)

    def _fulfill(self, item: Item, by: str, response_data: Json | None = None, notes: str = "") -> None:
        fields = {name: field_of(told) for name, told in item.doc["required_fields"].items()}
        given = {name: value for name, value in (response_data or {}).items() if value not in (None, "")}
        errors = {
            f"response_data.{name}": ["This was not asked for."] for name in given if name not in fields
        }
        for name, field in fields.items():
            if told := unfit(field, given.get(name), item.files):
                errors[f"response_data.{name}"] = [told]
        if errors:
            raise invalid(errors)
        self._must_be_open(item)
        for name, value in given.items():
            if isinstance(value, bytes):
                given[name] = self.attach(item, f"user:{by}", name, value)["id"]
        secret = {
            name: given.pop(name)
            for name, field in fields.items()
            if field["type"] == "secret" and name in given
        }
        answer = {"response_data": given, "notes": notes, "secret_fields": list(secret), "fulfilled_by": by}
        self._end_request(item, "request.fulfilled", "fulfilled", by, answer)
        item.secrets = secret
        if secret:
            item.doc["secrets"] = {"fields": list(secret), "state": "sealed", "lease_expires_at": None}

    def _start_review(self, item: Item, by: str) -> None:
        self._must_be_open(item)
        lease = iso(self.now + dt.timedelta(minutes=10))
        changes = {"status": "in_review", "assigned_to": by, "claimed_by": by, "claimed_until": lease}
        self.move(item, "request.in_review", f"user:{by}", {"reviewer": by}, **changes)

    def _request_changes(self, item: Item, by: str, comment: str) -> None:
        self._must_be_open(item)
        told = {"comment": comment}
        self.move(item, "item.changes_requested", f"user:{by}", told, changes_requested_at=iso(self.now))

    def expire(self, item: Item) -> None:
        """Have the deadline of an open item pass."""
        self._must_be_open(item)
        item.doc["expires_at"] = iso(self.now)
        self.time_out(item)

    def _must_take(self, item: Item, decision: str) -> None:
        if decision not in item.doc["allowed_decisions"]:
            taken = ", ".join(item.doc["allowed_decisions"])
            told = f"This {item.kind} takes {taken}, and not {decision}."
            raise refused(400, "decision_not_allowed", told)

    def _must_be_open(self, item: Item) -> None:
        if not item.is_open:
            raise self.conflict(item, "")

    def _end(self, item: Item, event: str, status: str, by: str, answer: Json, comment: str) -> None:
        self._must_be_open(item)
        told = {**answer, "comment": comment, "resolved_by": by, "tool_args": item.doc["tool_args"]}
        told |= {"content_hash": item.doc["content_hash"], "policy": {}}
        kept = {name: value if value != "" else None for name, value in answer.items()}
        kept |= {"status": status, "resolved_by": by, "resolved_at": iso(self.now)}
        self.move(item, event, f"user:{by}", told, **kept)

    def _end_request(self, item: Item, event: str, status: str, by: str, told: Json) -> None:
        self._must_be_open(item)
        kept = {name: told[name] for name in told if name in item.doc and not name.endswith("_by")}
        kept |= {"claimed_by": None, "claimed_until": None, "resolved_by": by, "resolved_at": iso(self.now)}
        self.move(item, event, f"user:{by}", {**told, "resolved_by": by, "policy": {}}, status=status, **kept)

    # -- The agent's verbs ----------------------------------------------------------------------------

    def carry_out(self, item: Item, verb: str, said: Json) -> Json | None:
        """Do what the agent asks of an item of its own; return what is answered besides the item."""
        check(documents.VERBS[verb], said)
        answer: Json | None = getattr(self, f"_{verb}")(item, **said)
        item.refresh()
        return answer

    def _cancel(self, item: Item, reason: str = "", user_id: str = "") -> None:
        self._must_be_open(item)
        noun = "interrupt" if item.is_interrupt else "request"
        kept = {"rejection_reason": reason or None, "resolved_by": self.agent, "resolved_at": iso(self.now)}
        kept |= {"claimed_by": None, "claimed_until": None, "status": "cancelled"}
        told = {"reason": reason, "resolved_by": self.agent}
        self.move(item, f"{noun}.cancelled", self.actor, told, **kept)

    def _comments(self, item: Item, body: str, reply_to: str = "", user_id: str = "") -> Json:
        written = {"comment_id": f"com_{len(self.events)}", "author": self.agent, "body": body.strip()}
        known = {event["data"].get("comment_id") for event in item.history}
        if reply_to and reply_to not in known:
            raise invalid({"reply_to": ["There is no such comment here."]})
        written |= {"reply_to": reply_to} if reply_to else {}
        self.record(item, "item.commented", self.actor, written)
        return {"comment": written, "history": item.history}

    def _revise(self, item: Item, **content: Any) -> None:
        arguments = content.get("tool_args", item.doc["tool_args"])
        if item.doc["args_schema"] is not None:
            check(item.doc["args_schema"], arguments, "tool_args")
        self._must_be_open(item)
        if item.doc["changes_requested_at"] is None:
            raise self.conflict(item, "unasked")
        title = item.doc["title"]
        item.doc |= {**content, "revision": item.doc["revision"] + 1, "changes_requested_at": None}
        item.rehash()
        names = ("reason", "tool_args", "data", "content_hash")
        told = {name: item.doc[name] for name in names}
        self.move(item, "item.revised", self.actor, {"title": title, **told})

    def _consume(self, item: Item, tool_args: Json, receipt: str | None = None, attempt: str = "") -> None:
        doc = item.doc
        final = doc["tool_args"] if doc["modifications"] is None else doc["modifications"]
        if sha256(tool_args) != sha256(final):
            raise refused(412, "arguments_differ", "These are not the arguments that were approved.")
        if doc["consumed_at"] is None and receipt not in (None, item.receipt):
            told = "This is not the receipt that was signed for this approval."
            raise refused(412, "receipt_differs", told, current=dict(item.refresh()))
        if doc["status"] != "approved":
            raise self.conflict(item, "not_approved")
        if doc["consumed_at"] is not None:
            if attempt and attempt == item.attempt and not doc["outcome"]:
                return
            raise self.conflict(item, "spent")
        if doc["response"] is not None:
            raise self.conflict(item, "answered")
        item.attempt = attempt
        self.move(item, "item.consumed", self.actor, {"tool_args": tool_args}, consumed_at=iso(self.now))

    def _outcome(self, item: Item, status: str, result: Any = None) -> None:
        if item.doc["status"] != "approved":
            raise self.conflict(item, "not_approved")
        if item.doc["outcome"]:
            raise self.conflict(item, "reported")
        told = {"outcome": status, "result": result}
        self.move(item, "item.outcome", self.actor, told, outcome=status, outcome_result=result)

    def _reveal(self, item: Item) -> Json:
        secrets = self._secrets(item)
        if secrets["lease_expires_at"] and dt.datetime.fromisoformat(secrets["lease_expires_at"]) > self.now:
            why = "These answers were revealed a moment ago."
            raise refused(410, "leased", why, current=dict(item.refresh()))
        until = iso(self.now + dt.timedelta(seconds=LEASE_SECONDS))
        told = {"fields": secrets["fields"], "key": "hitl_fake…"}
        kept = {**secrets, "state": "revealed", "lease_expires_at": until}
        self.move(item, "item.revealed", self.actor, told, secrets=kept)
        return {"values": item.secrets, "lease_expires_at": until}

    def _ack(self, item: Item) -> None:
        secrets = self._secrets(item)
        if secrets["state"] == "sealed":
            raise refused(409, "not_revealed", "Nothing was revealed, so there is nothing to acknowledge.")
        told = {"destroyed": secrets["fields"]}
        self.move(item, "item.consumed", self.actor, told, secrets={**secrets, "state": "acknowledged"})
        item.secrets = {}

    def _secrets(self, item: Item) -> Json:
        if item.doc["status"] != "fulfilled":
            raise self.conflict(item, "not_fulfilled")
        secrets: Json | None = item.doc["secrets"]
        if secrets is None:
            raise refused(409, "no_secrets", "This has no secret answers; everything is in response_data.")
        if secrets["state"] in ("acknowledged", "purged"):
            raise refused(410, secrets["state"], "These answers are destroyed.", current=dict(item.refresh()))
        return secrets

    def attach(self, item: Item, actor: str, name: str, content: bytes) -> Json:
        """Put a file to an open item."""
        self._must_be_open(item)
        pk = f"att_{sum(len(one.files) for one in self.items.values())}"
        shown = {
            "name": name,
            "content_type": FILE_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream"),
            "size": len(content),
        }
        shown["sha256"] = hashlib.sha256(content).hexdigest()
        item.doc["version"] += 1
        told = {"status": item.doc["status"], "attachment_id": pk, **shown}
        self.record(item, "item.attachment_added", actor, told)
        kind = "interrupts" if item.is_interrupt else "requests"
        url = f"/api/v1/{kind}/{item.doc['id']}/attachments/{pk}"
        file = {"id": pk, **shown, "added_by": actor, "created_at": iso(self.now), "url": url}
        item.files[pk] = file, content
        return file

    def conflict(self, item: Item, reason: str) -> Exception:
        """Refuse what an item can no longer do, or not yet; `reason` says why where its state does not."""
        doc = item.refresh()
        code, by = reason, doc["resolved_by"]
        if reason in ("", "not_approved", "not_fulfilled") and not item.is_open:
            final = {"cancelled": "cancelled", "expired": "expired"}.get(doc["status"], "already_decided")
            code = "expired" if final == "already_decided" and by == "system" else final
        return refused(
            409, code or "conflict", f"{item.label} is {doc['status']} (by {by}).", current=dict(doc)
        )
