"""Every page of the admin, from its own addresses, with a row behind each: a new page cannot be forgotten."""

import json
from typing import Any

import httpx

from tests.live import LiveServer, Operator

HOSTILE = (
    "Harmless \u202egpj.exe\u202c\u200b <script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
)
FIELDS: dict[str, Any] = {
    "key": {"label": "Restricted key", "type": "secret"},
    "region": {"label": "Region", "type": "choice", "choices": list("ABCDEF"), "required": False},
    "account": "Account",
}
CALL: dict[str, Any] = {"tool_name": "refund", "tool_args": {"amount": 100000, "order": "A-1"}}
SEED = """
import datetime as dt
from django.contrib.auth.models import Group, User
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, SolarSchedule
from agents.callers import Caller
from events import receivers
from events.models import Delivery, Event
from requests_app.models import Probe, RequestTemplate
from reviews import policy_services
from reviews.models import Delegation

User.objects.filter(username="ada").update(is_superuser=True)  # who is shown everything there is
cleo, dan = (User.objects.create_user(name, is_staff=True) for name in ("cleo", "dan"))
for person in (cleo, dan):
    person.groups.set([Group.objects.get(name="reviewer"), Group.objects.get_or_create(name="finance")[0]])
now, day = timezone.now(), dt.timedelta(days=1)
Delegation.objects.create(absent=cleo, substitute=dan, starts_at=now - day, ends_at=now + day, note="Holiday")
policy_services.create_policy(
    Caller("user:ada", "ada"), name="Large refunds", pattern="large_refund", when="args.amount > 100",
    stages=[{"reviewers": ["finance"], "required_approvals": 2}], high_risk=True, expires_in=14_400,
    escalation=[{"to": "administrator", "after": 3_600}], sla={"high": 3_600}, priority=10,
)
policy_services.create_policy(Caller("user:ada", "ada"), name="Off", pattern="x", is_active=False)
ClockedSchedule.objects.create(clocked_time=now)
IntervalSchedule.objects.create(every=1, period="days")
SolarSchedule.objects.create(event="sunrise", latitude=52, longitude=13)
RequestTemplate.objects.create(name="stripe", title="A key for Stripe", description="To read invoices.")
Probe.objects.create(name="stripe", url="https://api.stripe.com/v1/account")
webhook, _secret = receivers.create("https://ledger.invalid/hooks/1", label="Ledger", actor="user:ada")
told = {"event": Event.objects.last(), "subject_id": webhook.pk}
Delivery.objects.create(webhook=webhook, **told, status="dead", answer="503", ended_at=now)
"""
ADDRESSES = """
import json
from django.contrib import admin
from django.urls import URLPattern

def walk(patterns, prefix=""):
    for one in patterns:
        if isinstance(one, URLPattern):
            yield f"{prefix}{one.pattern}"
        else:
            yield from walk(one.url_patterns, f"{prefix}{one.pattern}")

rows = {}
for model in admin.site._registry:
    first = model._default_manager.order_by("pk").first()
    rows[f"{model._meta.app_label}/{model._meta.model_name}"] = None if first is None else str(first.pk)
print(json.dumps([rows, list(walk(admin.site.get_urls()))]))
"""
# Not pages: an address with two rows in it that is only posted to, a redirect, and what is not there; nor can
# who looks at the pages here have a second factor to remove: tests/test_passkeys_browser.py does.
NO_PAGES = (
    "r/<path",
    "record/<subject>",
    "runs/registeredmodel/<int:model_pk>/offers",
    "security/<int:pk>/remove",
    "logout/",
    "(?P<url>",
)


def seed(server: LiveServer, key: str, ann: Operator, called: str) -> dict[str, str]:
    """Make a row behind every page; return the pages of items in all their states, by name."""
    server.manage("shell", "-v", "0", "-c", SEED)
    with httpx.Client(
        base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
    ) as agent:

        def post(path: str, **body: Any) -> Any:
            answer = agent.post(path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

        def ask(**fields: Any) -> str:
            return str(post("/interrupts", **{"reason": "Refund 100 EUR?", **fields})["id"])

        granted, rejected = ask(**CALL, session_id="s-7"), ask(**CALL)
        ann.decide(granted, grant="session")
        ann.decide(rejected, "reject", reason=HOSTILE)
        everything = ["approve", "edit", "respond", "reject"]
        deep = {"script": "echo\n" * 60, "deep": {"a": [1]}, HOSTILE: HOSTILE, "long": "W" * 400}
        full = {
            "amount": 100000,
            "rtl": "\u0645\u0631\u062d\u0628\u0627 " * 30,
            "emoji": "\U0001f389" * 10_000,
            **deep,
        }
        hostile = ask(
            reason=HOSTILE + "very " * 20, tool_name="refund", tool_args=full, data={"d": HOSTILE},
            priority="critical", type="feedback", allowed_decisions=everything, session_id="W" * 200,
        )  # fmt: skip
        alike = [ask(tool_name="mail", tool_args={"to": n, HOSTILE: "W" * 200}) for n in range(3)]
        need = {"request_type": "api_key", "title": "A rather long title " * 8, "description": HOSTILE}
        request = post("/requests", **need, required_fields=FIELDS, checklist=["Call"], priority="high")["id"]
        done = post("/requests", **need, required_fields={"account": "Account"})["id"]
        ann.decide(done, "fulfill", response_data={"account": "A-1"}, notes="Fine.")
        sent = {"tool": "http", "inputs": {"url": called, "width": 640, "caption": HOSTILE}}
        runs = {
            name: post("/run", run_input=one, hitl_config={"policy": policy})["run_id"]
            for name, one, policy in (
                ("waits", sent, "require_human"),
                ("done", sent, "auto"),
                ("failed", {"tool": "openai", "model": "gpt-4o-mini", "prompt": "Hi"}, "auto"),
                (
                    "missing",
                    {"tool": "replicate", "model": "ann/background-replace", "inputs": {"seed": 4}},
                    "auto",
                ),
            )
        }
        (question,) = ann.wait_for(1, run_id=runs["missing"])
        ann.wait_for(1, run_id=runs["waits"])
        click = post(
            "/browser_approvals", run_id=runs["waits"], action_description="Click “Pay” " * 8,
            browser_context={"url": "https://pay.example.com/a"},
        )  # fmt: skip
    interrupts = {"granted": granted, "rejected": rejected, "hostile": hostile, "question": question["id"],
                  "click": click["id"]}  # fmt: skip
    ticked = "&".join(f"item={pk}" for pk in alike)
    return {
        **{name: f"/admin/interrupts/interrupt/{pk}/change/" for name, pk in interrupts.items()},
        **{name: f"/admin/runs/run/{pk}/change/" for name, pk in runs.items()},
        "record": f"/admin/record/{rejected}/",
        "request": f"/admin/requests_app/actionrequest/{request}/change/",
        "fulfilled": f"/admin/requests_app/actionrequest/{done}/change/",
        "together": f"/admin/inbox/together/?{ticked}",
        "refused together": f"/admin/inbox/together/?{ticked}&item={hostile}",
        "policy of an item": f"/admin/reviews/policy/add/?item={hostile}",
    }


def addresses(server: LiveServer) -> list[str]:
    """Return the path of every address of the admin's site, with a row in place of what stands for one."""
    rows, patterns = json.loads(server.manage("shell", "-v", "0", "-c", ADDRESSES).splitlines()[-1])
    assert all(rows.values()), f"No row to show a page of: {[name for name, pk in rows.items() if not pk]}"
    found = []
    for pattern in patterns:
        if pattern.startswith(NO_PAGES):
            continue
        if pattern.startswith("^(?P<app_label>"):
            found += sorted({f"/admin/{name.split('/')[0]}/" for name in rows})
            continue
        path = pattern
        if "<" in path:
            row = rows["/".join(path.split("/")[:2])]
            for place in ("<path:object_id>", "<int:pk>", "<str:pk>", "<id>"):
                path = path.replace(place, row)
        assert "<" not in path, f"No row for {pattern}: say in tests/every_page.py what stands there"
        found.append(f"/admin/{path}")
    return found
