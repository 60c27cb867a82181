"""Change the key that seals secret answers, second factors, and the addresses where people are told."""

import sys
from argparse import ArgumentParser
from itertools import chain
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events.sealing import present_version
from hitl_project.environment import new_key, prepend_key
from hitl_project.identity import factors
from requests_app import secrets
from reviews import apprising

KEEPERS = (secrets, factors, apprising)
"""Who keeps something sealed."""


class Command(BaseCommand):
    help = (
        "Wrap all that is sealed by the key in use: secret answers, second factors, people's addresses."
        " With --new, draw the next key first. Safe to stop and to run again; what is sealed stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--new", action="store_true", help="draw the next key, and rewrap nothing yet")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"]:
            self._draw()
        else:
            self._rewrap()

    def _draw(self) -> None:
        if "HITL_SECRETS_KEYS" in settings.HITL_DRAWN:
            version = prepend_key(settings.DATA_DIR, "HITL_SECRETS_KEYS")
            self.stdout.write(f"Key {version} comes first now. Restart the server, then run this again.")
        else:
            self.stdout.write(f"{max(settings.HITL_SECRETS_KEYS) + 1}:{new_key()}")
            self.stderr.write(
                "Put this in front of HITL_SECRETS_KEYS, with a comma. Restart every server, then run again."
            )

    def _rewrap(self) -> None:
        total, changed, unreadable = sum(len(keeper.outdated()) for keeper in KEEPERS), 0, 0
        for rewrapped, refused in chain.from_iterable(keeper.rewrap_all() for keeper in KEEPERS):
            changed, unreadable = changed + rewrapped, unreadable + refused
            if sys.stderr.isatty():
                self.stderr.write(f"\r{changed + unreadable:>12,} of {total:,} secrets", ending="")
        if sys.stderr.isatty():
            self.stderr.write("")
        if unreadable:
            raise CommandError(
                f"{changed:,} secrets rewrapped; {unreadable:,} cannot be read: their key is not in"
                " HITL_SECRETS_KEYS, or HITL_DEPLOYMENT_ID has changed."
            )
        self.stdout.write(f"{changed:,} secrets rewrapped; all are under key {present_version()}.")
