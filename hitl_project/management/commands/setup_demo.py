"""Make a first operator and a first agent, once."""

import os
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand

from agents import keys
from agents.models import Agent

OPERATOR, AGENT = "operator", "janitor"


class Command(BaseCommand):
    help = "On a fresh database: make a demo operator and a demo agent key, and print both this once."

    def handle(self, *args: Any, **options: Any) -> None:
        port = os.environ.get("PORT", "8000")
        url = f"http://127.0.0.1:{port}"
        if User.objects.exists() or Agent.objects.exists():
            self.stdout.write(
                f"\n  Decide at   {url}/admin/   (user names and keys are those of the first run)\n"
                "  A new key:  .venv/bin/python manage.py create_agent NAME\n"
                "  A password: .venv/bin/python manage.py changepassword NAME\n"
            )
            return
        password = secrets.token_urlsafe(9)
        user = User.objects.create_superuser(OPERATOR, password=password)
        user.groups.set(Group.objects.filter(name__in=["administrator", "reviewer"]))
        _, key = keys.create_key(keys.create_agent(AGENT, description="The example agent.", owner=user))
        elsewhere = "" if port == "8000" else f" --url {url}"
        self.stdout.write(
            f"\n  Decide at   {url}/admin/\n"
            f"  User        {OPERATOR}\n"
            f"  Password    {password}\n"
            f"  Agent key   {key}\n"
            "\n  Both are shown this once. Now let an agent ask, from a second terminal:\n\n"
            f"  HITL_API_KEY={key} .venv/bin/python"
            f" examples/file_janitor.py --make-sample /tmp/sample{elsewhere}\n"
        )
        if not settings.HITL_ENABLED:
            self.stdout.write(self.style.WARNING("  HITL_ENABLED is off: approvals pass unseen."))
