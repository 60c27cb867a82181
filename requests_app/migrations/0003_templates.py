"""Templates to begin with, one for each type; operators change, add and retire them in the admin."""

from django.db import migrations

MEDIUM, HIGH, CRITICAL = 2, 3, 4
DAY = 24

TEMPLATES = {
    "service-api-key": {
        "request_type": "api_key",
        "title": "An API key for a service",
        "description": (
            "Make a key of its own for this agent, with the fewest permissions that do: restricted or read-only where"
            " the service offers it, never the account's main key. The context says which service and what for."
        ),
        "required_fields": {
            "api_key": {
                "label": "API key", "type": "secret", "min": 8, "max": 4096, "pattern": r"\S+",
                "help": "Paste the key alone, without blanks or line ends. It is encrypted, and shown to the agent only.",
            },
            "environment": {"label": "Environment", "type": "choice", "choices": ["test", "live"]},
            "permissions": {"label": "What the key may do", "type": "textarea", "max": 2000, "help": "As the service names it."},
            "expires_on": {"label": "Valid until", "type": "date", "required": False, "help": "If the key ends by itself."},
        },
        "priority": HIGH,
        "expires_in_hours": 2 * DAY,
    },
    "service-account": {
        "request_type": "account_creation",
        "title": "An account with a service",
        "description": (
            "Open an account that the agent will work with. Use an address that the team reads, not a personal one, and"
            " keep the means of recovery with a person. The context says which service and which plan."
        ),
        "required_fields": {
            "login_url": {"label": "Where to log in", "type": "url"},
            "username": {"label": "User name or e-mail address", "max": 320},
            "password": {"label": "Password", "type": "secret", "min": 12, "max": 500, "help": "At least 12 characters, used nowhere else."},
            "second_factor": {
                "label": "Second factor", "type": "choice",
                "choices": ["none", "held by a person", "shared secret below"],
            },
            "second_factor_secret": {
                "label": "Shared secret of the second factor", "type": "secret", "required": False,
                "pattern": "[A-Z2-7 ]{16,}=*", "help": "The letters and digits under the QR code (base32).",
            },
            "recovery_email": {"label": "Address for recovery", "type": "email", "required": False},
        },
        "checklist": [
            "Read the terms: may a program use this account?",
            "Sign up with an address that the team reads",
            "Confirm the address",
            "Set up the second factor and keep the recovery codes",
            "Log in once to see that it works",
        ],
        "priority": MEDIUM,
        "expires_in_hours": 3 * DAY,
    },
    "signed-document": {
        "request_type": "legal_document",
        "title": "A document, read and signed",
        "description": (
            "Read the document that the context names, have it looked at by who is responsible, and sign it or say why"
            " not. Whoever signs must be authorised to bind the company."
        ),
        "required_fields": {
            "outcome": {"label": "Outcome", "type": "choice", "choices": ["signed", "signed with changes", "not signed"]},
            "signed_by": {"label": "Signed by", "max": 200, "help": "Full name and role."},
            "signed_on": {"label": "Date of signature", "type": "date", "min": "2000-01-01"},
            "document": {"label": "The signed document", "type": "file", "required": False},
            "reference": {"label": "Where the original is kept", "required": False, "max": 500},
            "remarks": {"label": "Changes and conditions", "type": "textarea", "required": False},
        },
        "checklist": [
            "Check the parties, the date and the version",
            "Have it reviewed by legal",
            "Sign by who is authorised",
            "Have it countersigned",
            "File the original and attach a copy",
        ],
        "priority": MEDIUM,
        "expires_in_hours": 14 * DAY,
    },
    "payment": {
        "request_type": "payment_authorization",
        "title": "A payment to authorise",
        "description": (
            "Hold the amount, the payee and their account against the invoice, through a way of contact that you knew"
            " before. Pay nothing on the strength of what stands here alone. The context has what the agent knows."
        ),
        "required_fields": {
            "amount": {"label": "Amount paid", "type": "number", "min": 0.01, "max": 1_000_000},
            "currency": {"label": "Currency", "pattern": "[A-Z]{3}", "help": "Three capital letters, as in EUR."},
            "payee_checked": {"label": "Payee and account were checked by another channel", "type": "boolean"},
            "transaction_reference": {"label": "Reference of the payment", "max": 140},
            "paid_on": {"label": "Date of the payment", "type": "date", "min": "2000-01-01"},
            "receipt": {"label": "Receipt", "type": "file", "required": False},
        },
        "priority": CRITICAL,
        "expires_in_hours": DAY,
    },
    "business-setup": {
        "request_type": "business_setup",
        "title": "Set up a business",
        "description": (
            "Bring a company into being: register it, open its bank account, sign it up for taxes. Tick off the steps as"
            " they are done, so that the agent can go on with what already stands."
        ),
        "required_fields": {
            "legal_name": {"label": "Registered name", "max": 200},
            "legal_form": {"label": "Legal form", "max": 100, "help": "As in the register: Ltd, GmbH, LLC, …"},
            "registration_number": {"label": "Number in the register", "pattern": "[A-Za-z0-9][A-Za-z0-9 ./-]{2,39}", "help": "3 to 40 letters, digits, blanks, dots, slashes, dashes."},
            "registered_on": {"label": "Registered on", "type": "date", "min": "2000-01-01"},
            "tax_number": {"label": "Tax number", "type": "secret", "required": False, "max": 40},
            "bank_account": {"label": "Bank account (IBAN or number)", "type": "secret", "required": False, "max": 64},
            "certificate": {"label": "Certificate of registration", "type": "file", "required": False},
        },
        "checklist": [
            "Choose the name and see that it is free",
            "Choose the legal form, with advice",
            "Draw up the articles and have them certified",
            "Open the bank account and pay in the capital",
            "File with the register",
            "Register for taxes",
            "Take out insurance",
        ],
        "priority": MEDIUM,
        "expires_in_hours": 60 * DAY,
    },
    "strategic-decision": {
        "request_type": "strategic_decision",
        "title": "A decision that is not the agent's to take",
        "description": (
            "The description and the context lay out the question and what speaks for each way. Decide, and say why:"
            " the agent follows the reason as much as the answer."
        ),
        "required_fields": {
            "decision": {"label": "Decision", "type": "choice", "choices": ["go ahead", "go ahead with changes", "wait", "do not"]},
            "reason": {"label": "Why", "type": "textarea", "min": 10, "max": 10_000},
            "conditions": {"label": "Conditions and limits", "type": "textarea", "required": False},
            "budget": {"label": "Budget", "type": "number", "required": False, "min": 0},
            "review_on": {"label": "Look at it again on", "type": "date", "required": False},
        },
        "priority": HIGH,
        "expires_in_hours": 7 * DAY,
    },
    "errand": {
        "request_type": "custom",
        "title": "Something for a person to do",
        "description": "Do what the context describes, and report what came of it.",
        "required_fields": {
            "done": {"label": "It is done", "type": "boolean"},
            "report": {"label": "What came of it", "type": "textarea", "max": 10_000},
            "link": {"label": "Where to see it", "type": "url", "required": False},
            "contact": {"label": "Whom to ask", "type": "email", "required": False},
            "file": {"label": "A file to go with it", "type": "file", "required": False},
        },
        "priority": MEDIUM,
        "expires_in_hours": 3 * DAY,
    },
}  # fmt: skip


def add(apps, schema_editor):
    template = apps.get_model("requests_app", "RequestTemplate")
    for name, told in TEMPLATES.items():
        template.objects.get_or_create(name=name, defaults=told)


class Migration(migrations.Migration):
    dependencies = [("requests_app", "0002_probes")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
