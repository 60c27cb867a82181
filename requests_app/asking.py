"""How an action request comes to be: what was sent, or a template says, is checked and drafted."""

from typing import Any

from agents.callers import Caller
from events.canonical import fingerprint
from events.problems import invalid
from requests_app import fields
from requests_app.lifecycle import REJECT
from requests_app.models import ActionRequest, RequestTemplate
from reviews import rules
from reviews.asking import Asking, Draft, draft
from reviews.models import Kind, Priority
from reviews.policies import Call

CREATED = "hitl.request.created"


def create_request(by: Caller, *, key: str = "", **body: Any) -> tuple[ActionRequest, bool]:
    """Ask a person to do what *body* says (contract: ``POST requests``); return it and whether it is new.

    The same agent asking with the same *key* gets the request it made before.

    Raises:
        Problem: 400 for a template that does not exist or fields that cannot be, and what
            :class:`reviews.asking.Asking` raises.
    """
    return _asking.one(_draft(by, body, key))


def _draft(by: Caller, body: dict[str, Any], key: str) -> Draft[ActionRequest]:
    digest = fingerprint(body) if key else ""
    body = _filled_in(body) if "template" in body else body
    if missing := [name for name in ("request_type", "title", "description") if name not in body]:
        raise invalid({name: ["This field is required."] for name in missing})
    required_fields = body.get("required_fields", {})
    if "template" not in body:
        fields.admit(required_fields)
        if checked := [field.name for field in fields.fields_of(required_fields) if field.check]:
            told = ["Only a template may say how an answer is checked."]
            raise invalid({f"required_fields.{name}.check": told for name in checked})
    label, context = body.get("session_id", ""), body.get("context", {})
    return draft(
        ActionRequest,
        by,
        body,
        "har",
        rules.rule(Call(body["request_type"], body["request_type"], context, by.agent, label)),
        kind=Kind(body["request_type"]),
        title=body["title"],
        agent_name=body.get("agent_id") or by.agent,
        idempotency_key=key,
        body_digest=digest,
        description=body["description"],
        required_fields=required_fields,
        context=context,
        workflow_id=body.get("workflow_id", ""),
        template=body.get("template", ""),
        checklist=[{"step": step, "done": False} for step in body.get("checklist", [])],
    )


def _filled_in(body: dict[str, Any]) -> dict[str, Any]:
    """Return *body* with what its template says and the agent does not.

    The fields are the template's alone: an operator who knows the template must not be asked for others.
    """
    templates = RequestTemplate.objects.filter(is_active=True)
    template = templates.filter(name=body["template"]).first()
    if template is None:
        names = ", ".join(templates.values_list("name", flat=True))
        raise invalid({"template": [f"There is no such template. There are: {names}."]})
    if "required_fields" in body:
        raise invalid({"required_fields": ["The template says what is asked for; send no fields."]})
    if body.get("request_type", template.request_type) != template.request_type:
        raise invalid({"request_type": [f"This template is for {template.request_type}."]})
    filled: dict[str, Any] = {
        "request_type": template.request_type,
        "title": template.title,
        "description": template.description,
        "required_fields": template.required_fields,
        "checklist": template.checklist,
        "priority": Priority(template.priority).label,
    }
    if "expires_at" not in body:
        filled["expires_in"] = template.expires_in_hours * 3600
    return {**filled, **body}


def _settle(request: ActionRequest) -> None:
    """Reject at once what a policy denies."""
    if rules.is_denied(request):
        rules.deny(REJECT, request)


_asking: Asking[ActionRequest] = Asking(CREATED, after=_settle)
