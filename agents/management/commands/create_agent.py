"""Make an agent and a key for it."""

import datetime as dt
import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents import keys
from agents.models import DEFAULT_SCOPES


class Command(BaseCommand):
    help = "Make an agent (or find it) and a new key for it. The key is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scopes", default=",".join(DEFAULT_SCOPES), help="separated by commas")
        parser.add_argument("--label", default="")
        parser.add_argument("--days", type=int, help="let the key expire after so many days")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope for scope in options["scopes"].split(",") if scope]
        if not scopes:
            raise CommandError("Name at least one scope, or leave --scopes out.")
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("A key lives for one day or more; leave --days out for one without an end.")
        expires_at = timezone.now() + dt.timedelta(days=options["days"]) if options["days"] else None
        try:
            keys.check_scopes(scopes)
            agent = keys.create_agent(options["name"])
            _, text = keys.create_key(agent, scopes=scopes, label=options["label"], expires_at=expires_at)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if options["json"]:
            self.stdout.write(json.dumps({"agent": agent.name, "key": text}))
        else:
            self.stdout.write(f"Agent {agent.name}\nKey   {text}\nKeep the key now: it is not shown again.")
