"""A believable day at a house with three agents, for pictures of the pages: asked and decided over HTTP.

What was decided before today is decided now, and its moments are moved back afterwards.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.live import LiveServer

PASSWORD = "a-password-of-the-pictures"
AGENTS = {
    "deploy-bot": "Ships releases and keeps the servers tidy.",
    "finance-agent": "Refunds, pays and books.",
    "support-agent": "Answers what customers write.",
}
PEOPLE = {
    "ada": ["administrator", "reviewer", "finance", "operations"],
    "ann": ["reviewer", "finance"],
    "bob": ["reviewer", "operations"],
    "cleo": ["reviewer", "finance"],
    "olga": ["reviewer"],  # the agents are hers, and so nobody else's to be kept from
}
MAKE_PEOPLE = """
import json, sys
from django.contrib.auth.models import Group, User
from agents import keys

said = json.loads({said!r})
made = {{}}
for name, groups in said["people"].items():
    user = User.objects.create_user(name, password=said["password"], is_staff=True)
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    made[name] = keys.create_key(user, label="Scripts")[1]
for name, text in said["agents"].items():
    owner = User.objects.get(username="olga")
    agent = keys.create_agent(name, description=text, owner=owner)
    made[name] = keys.create_key(agent, label="Production")[1]
print(json.dumps(made))
"""
MOVE_BACK = """
import datetime as dt, json
from django.db.models import F
from django.utils import timezone
from agents.models import Agent, Key
from events import receivers
from events.log import CHAINED, digest
from events.models import Event, Stream
from reviews import recount
from reviews.models import ReviewItem
from runs.models import Checkpoint, Run, StepEvent

now = timezone.now()
morning = now.replace(hour=8, minute=0)
for number, (pk, (days, minutes)) in enumerate(json.loads({said!r}).items()):
    took = dt.timedelta(minutes=minutes)
    ended = ReviewItem.objects.get(pk=pk).resolved_at
    if days:
        ended = morning - dt.timedelta(days=days) + dt.timedelta(minutes=37 * number % 600)
    asked = (ended or now) - took
    answered = {{"resolved_at": ended, "response_time": took, "looked_time": took / 6}}
    moved = answered if ended else {{"due_at": F("due_at") - took}}
    ReviewItem.objects.filter(pk=pk).update(created_at=asked, **moved)
    for event in Event.objects.filter(subject_id=pk):
        moment = asked if "requested" in event.type or not ended else ended
        Event.objects.filter(pk=event.pk).update(occurred_at=moment)
recount.repair(recount.differences(lambda done: None))

asked = dt.timedelta(minutes=14)
for run in Run.objects.all():
    taken_up, reviewed = run.steps.all()[:2]
    Run.objects.filter(pk=run.pk).update(created_at=F("created_at") - asked)
    StepEvent.objects.filter(pk=taken_up.pk).update(
        started_at=F("started_at") - asked, finished_at=F("finished_at") - asked
    )
    StepEvent.objects.filter(pk=reviewed.pk).update(started_at=F("started_at") - asked)
    Checkpoint.objects.filter(run=run).exclude(settled_at=None).update(opened_at=F("opened_at") - asked)
Key.objects.filter(agent__owner=None).exclude(agent=None).delete()
Agent.objects.filter(owner=None).delete()

receivers.create("https://ledger.example.com/hooks/hitl", label="Ledger", actor="user:ada")
narrowed = {{"stream": "deploy-bot", "types": ["hitl.interrupt"]}}
receivers.create("https://chat.example.com/in", label="Chat", **narrowed, actor="user:ada")
for stream in Stream.objects.all():  # the record is what it would have been
    head = ""
    for event in Event.objects.filter(stream=stream.name).order_by("position"):
        head = digest(head, tuple(getattr(event, name) for name in CHAINED))
        Event.objects.filter(pk=event.pk).update(hash=head)
    Stream.objects.filter(pk=stream.pk).update(head_hash=head)
"""
LARGE = {
    "name": "Large transfers", "pattern": "transfer", "when": "args.amount > 1000", "require_approval": True,
    "stages": [{"reviewers": ["finance"], "required_approvals": 2}], "priority": 10,
    "note": "Two people of finance look at what costs more than 1,000.", "sla": {"high": 2_400},
}  # fmt: skip
POLICIES = (
    LARGE,
    {"name": "Refunds", "pattern": "refund", "when": "args.amount >= 20", "require_approval": True,
     "reviewers": ["finance"], "priority": 15, "note": "What costs more than a voucher is looked at."},
    {"name": "Deploys", "pattern": "deploy", "require_approval": True, "reviewers": ["operations"],
     "priority": 20, "note": "Operations looks at each release."},
    {"name": "Small refunds", "pattern": "refund", "when": "args.amount < 20", "allow_auto": True,
     "priority": 30},
    {"name": "No wiping of disks", "pattern": "wipe_*", "deny": True, "priority": 40},
)  # fmt: skip
RESET_LETTER = (
    "Dear Mrs Okafor,\n\nthank you for writing. Your parcel has reached us, and the refund is on its way."
    "\n\nKind regards"
)


@dataclass
class Day:
    """Hold the doors of agents and people, and the ids of what was asked, by a short name."""

    server: LiveServer
    doors: dict[str, httpx.Client] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)

    def say(self, who: str, path: str, **body: Any) -> dict[str, Any]:
        """Send *body* as *who* and return the answer, which must be a good one."""
        answer = self.doors[who].post(path, json=body)
        assert answer.is_success, (path, body, answer.text)
        return dict(answer.json())

    def ask(self, who: str, name: str = "", minutes: int = 4, **body: Any) -> str:
        """Ask as *who*, as long ago as *minutes* say; what has a title is an action request."""
        kind = "requests" if "title" in body else "interrupts"
        made = str(self.say(who, f"/{kind}", **body)["id"])
        self.ids[name or made] = made
        self.moved[made] = (0, minutes)
        return made

    def past(self, days: int, minutes: int, who: str, verb: str, ask: dict[str, Any], **body: Any) -> str:
        """Have something asked and decided *days* ago, after *minutes*; return its id."""
        made = self.ask(ask.pop("agent"), **ask)
        kind = "requests" if made.startswith("har_") else "interrupts"
        self.say(who, f"/{kind}/{made}/{verb}", **body)
        self.moved[made] = (days, minutes)
        return made


def live_through(server: LiveServer, service: str) -> Day:
    """Let the day go by on *server*; runs call *service*."""
    said = json.dumps({"people": PEOPLE, "agents": AGENTS, "password": PASSWORD})
    keys = json.loads(server.manage("shell", "-v", "0", "-c", MAKE_PEOPLE.format(said=said)).splitlines()[-1])
    day = Day(server)
    for name, key in keys.items():
        headers = {"Authorization": f"Bearer {key}"}
        day.doors[name] = httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=30)
    for policy in POLICIES:
        day.ids[str(policy["name"])] = str(day.say("ada", "/policies", **policy)["id"])
    _decided_before(day)
    _asked_today(day)
    _wanted_today(day)
    _runs(day, service)
    server.manage("shell", "-v", "0", "-c", MOVE_BACK.format(said=json.dumps(day.moved)))
    return day


def _decided_before(day: Day) -> None:
    releases = ("checkout", "search", "mail", "basket", "login")
    for number in range(42):
        days, who = 14 - number // 3, ("ann", "bob", "cleo")[number % 3]
        minutes = (3, 11, 26, 5, 74, 8, 19)[number % 7]
        order, amount = f"A-{960 + number}", (24.9, 129.0, 61.5, 240.0)[number % 4]
        refund = {
            "agent": "finance-agent", "tool_name": "refund",
            "reason": f"Refund {amount} for order {order}? The parcel never arrived.",
            "tool_args": {"order": order, "amount": amount, "currency": "EUR"},
            "session_id": f"refunds-week-{45 + number // 14}",
        }  # fmt: skip
        version = f"4.{number // 6}.{number % 6}"
        deploy = {
            "agent": "deploy-bot", "reason": f"Deploy {releases[number % 5]} {version} to production?",
            "tool_name": "deploy", "session_id": "release-40",
            "tool_args": {"service": releases[number % 5], "version": version, "replicas": 3},
            "priority": ("medium", "high")[number % 2],
        }  # fmt: skip
        mail = {
            "agent": "support-agent", "reason": f"Send the answer to ticket {8700 + number}?",
            "tool_name": "send_mail", "tool_args": {"ticket": 8700 + number, "template": "late-parcel"},
        }  # fmt: skip
        ask: dict[str, Any] = (refund, deploy, mail)[number % 3]
        if number % 9 == 4:
            day.past(days, minutes, who, "reject", ask, reason="Not before the freeze is over.")
        elif number % 12 == 6:
            fewer = {**ask["tool_args"], "amount": 20.0}
            words = "The voucher comes off."
            day.ids["edited"] = day.past(
                days, minutes, who, "approve", ask, modifications=fewer, comment=words
            )
        else:
            notes = ("", "Checked against the shop.", "", "Go ahead.")
            day.past(days, minutes, who, "approve", ask, comment=notes[number % 4])
    for number, days in enumerate((12, 9, 6, 4, 2)):
        question = {
            "agent": "finance-agent", "reason": "Which cost centre is this trip booked on?", "type": "input",
            "response_schema": {"type": "string", "enum": ["Sales", "Research"]}, "session_id": "travel",
        }  # fmt: skip
        day.past(days, 20 + 9 * number, "cleo", "respond", question, response="Sales")
        draft = {
            "agent": "support-agent", "reason": "Is the tone of this draft right?", "type": "feedback",
            "data": {"draft": "We are sorry about that."},
        }  # fmt: skip
        day.past(days, 33 + 12 * number, "ann", "respond", draft, response="A little shorter, please.")
    for number, days in enumerate((11, 8, 5, 3, 2, 1)):
        wanted = {
            "agent": "support-agent", "request_type": "strategic_decision",
            "title": f"May we answer ticket {8740 + number} with a voucher?",
            "description": "The parcel came four days late.",
            "required_fields": {"yes": {"label": "Decision", "type": "choice", "choices": ["Yes", "No"]}},
        }  # fmt: skip
        day.past(days, 45 + 20 * number, "ann", "fulfill", wanted, response_data={"yes": "Yes"})


def _asked_today(day: Day) -> None:
    deploys = (("checkout", "4.2.0", "medium", 7200), ("search", "1.18.3", "high", 2400))
    for service, version, priority, seconds in deploys:
        arguments = {"service": service, "version": version, "replicas": 3}
        day.ask(
            "deploy-bot", f"deploy {service}", 12, reason=f"Deploy {service} {version} to production?",
            tool_name="deploy", tool_args=arguments, priority=priority, session_id="release-41",
            expires_in=seconds,
        )  # fmt: skip
    day.ask(
        "deploy-bot", "critical", 31, priority="critical", session_id="cleanup", expires_in=5400,
        reason="Drop the table customers_2019? It has not been read since March.", tool_name="drop_table",
        tool_args={"table": "customers_2019", "database": "analytics", "rows": 1842203},
    )  # fmt: skip
    day.ask(
        "deploy-bot", minutes=3, reason="Restart the cache?", type="confirmation", priority="low",
        tool_name="restart_service", tool_args={"service": "cache", "graceful": True},
    )  # fmt: skip
    for number, (order, amount) in enumerate((("A-1007", 129.0), ("A-1011", 89.5), ("A-1013", 35.0))):
        day.ask(
            "finance-agent", f"refund {number}", 20 - 5 * number, session_id="refunds-week-47",
            reason=f"Refund {amount} for order {order}? The parcel never arrived.", tool_name="refund",
            tool_args={"order": order, "amount": amount, "currency": "EUR", "notify": True},
            expires_in=3600 * (number + 2),
        )  # fmt: skip
    day.ask(
        "finance-agent", "votes", 48, reason="Pay 12,000.00 to Northwind for the offsite",
        tool_args={"to": "DE89 3704 0044 0532 0130 00", "amount": 12000.0, "reference": "INV-2291"},
        tool_name="transfer", priority="high", expires_in=10000, session_id="offsite",
    )  # fmt: skip
    day.say("cleo", f"/interrupts/{day.ids['votes']}/approve", comment="The invoice is the one we ordered.")
    day.ask(
        "finance-agent", minutes=9, reason="Which cost centre is the Lisbon trip booked on?", type="input",
        response_schema={"type": "string", "enum": ["Sales", "Research", "People"]}, session_id="travel",
    )  # fmt: skip
    day.ask(
        "support-agent", "letter", 6, reason="Send this answer to Mrs Okafor?", tool_name="send_mail",
        tool_args={"to": "okafor@example.com", "subject": "Your return", "body": RESET_LETTER},
        session_id="ticket-8812", expires_in=1500,
    )  # fmt: skip
    day.ask(
        "support-agent", minutes=15, reason="Send a newsletter to 18,400 people?", tool_name="send_campaign",
        tool_args={"list": "all-customers", "subject": "Winter is coming", "recipients": 18400},
        priority="high", expires_in=870,
    )  # fmt: skip
    day.ask(
        "support-agent", minutes=22, reason="Is the tone of this draft right?", type="feedback",
        data={"draft": "Hi there! We messed up, sorry about that."}, session_id="ticket-8813",
    )  # fmt: skip
    day.ask(
        "support-agent", minutes=95, reason="Close the account of user 5531?", tool_name="close_account",
        tool_args={"user_id": 5531, "reason": "asked by mail"}, type="confirmation",
    )  # fmt: skip
    day.say("bob", f"/interrupts/{day.ids['deploy checkout']}/claim")


def _wanted_today(day: Day) -> None:
    day.ask(
        "finance-agent", "secret", 55, request_type="api_key", title="A Stripe key for the test account",
        description="I need to read charges to reconcile November.", priority="high", expires_in=5000,
        required_fields={
            "publishable": {"label": "Publishable key", "type": "text"},
            "secret": {"label": "Secret key", "type": "secret", "help": "Restricted, read only"},
        },
    )  # fmt: skip
    day.ask(
        "finance-agent", minutes=70, request_type="payment_authorization",
        priority="critical", expires_in=9000,
        title="Authorise the yearly licence of 2,400 EUR", description="The mail service's ends on Friday.",
        required_fields={
            "approved_amount": {"label": "Amount you authorise", "type": "number", "min": 0},
            "card": {"label": "Which card", "type": "choice", "choices": ["Company", "Marketing"]},
        },
    )  # fmt: skip
    day.ask(
        "deploy-bot", minutes=130, request_type="account_creation",
        title="An account at the new DNS provider",
        description="I can move the zones once there is an account.",
        required_fields={"user": "User name", "password": {"label": "Password", "type": "secret"}},
    )  # fmt: skip
    day.ask(
        "support-agent", minutes=240, request_type="legal_document", priority="low",
        title="The signed data processing agreement", description="Our customer asks for it before Monday.",
        required_fields={"document": {"label": "The signed PDF", "type": "file"}},
    )  # fmt: skip
    day.ask(
        "support-agent", minutes=33, request_type="strategic_decision", title="May we answer in French?",
        description="A third of the new tickets is in French.",
        required_fields={
            "decision": {"label": "Decision", "type": "choice", "choices": ["Yes", "No", "Later"]},
            "why": {"label": "Why", "type": "textarea", "required": False},
        },
    )  # fmt: skip
    day.ask(
        "deploy-bot", minutes=180, request_type="business_setup",
        description="Needed before the first invoice.", title="Register the sandbox with the tax office",
        required_fields={"number": "Tax number"},
    )  # fmt: skip


def _runs(day: Day, service: str) -> None:
    for name, policy in (("banner", "auto"), ("poster", "auto"), ("cover", "require_human")):
        inputs = {"url": f"{service}/resize", "width": 640, "caption": f"The winter {name}"}
        sent = {"tool": "http", "inputs": inputs}
        body = {"run_input": sent, "hitl_config": {"policy": policy}, "session_id": name, "user_id": "ann"}
        run = str(day.say("support-agent", "/run", **body)["run_id"])
        day.ids[f"run {name}"] = run
        wanted = "completed" if policy == "auto" else "awaiting_human"
        approval = _stands(day, run, wanted).get("approval_id")
        if approval:
            day.say("ann", f"/interrupts/{approval}/approve", comment="The caption is right.")
            day.moved[str(approval)] = (0, 12)
            _stands(day, run, "awaiting_human", "payload_review")


def _stands(day: Day, run: str, status: str, step: str = "") -> dict[str, Any]:
    """Return how the run stands as soon as it is *status*, at *step*."""
    for _ in range(600):
        answer = day.doors["support-agent"].get(f"/runs/{run}/wait", params={"timeout": 1})
        found: dict[str, Any] = day.doors["support-agent"].get(f"/runs/{run}/status").json()
        if found["status"] == status and step in ("", found["step"]):
            return found
        assert answer.is_success, answer.text
    raise AssertionError(found)
