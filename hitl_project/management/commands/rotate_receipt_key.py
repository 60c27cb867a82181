"""Change the key that signs receipts."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hitl_project.environment import drop_key, new_key, prepend_key

VARIABLE = "HITL_RECEIPT_KEYS"


class Command(BaseCommand):
    help = (
        "Draw the next key that signs receipts; those that an older one has signed stay good while it is "
        "listed. With --retire, take an older one off the list: what it has signed is refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--retire", type=int, metavar="KID", help="take this key off the list instead")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["retire"] is None:
            self._draw()
        else:
            self._retire(options["retire"])

    def _draw(self) -> None:
        if VARIABLE in settings.HITL_DRAWN:
            version = prepend_key(settings.DATA_DIR, VARIABLE)
            self.stdout.write(f"Key {version} comes first now. Restart the server, and it signs.")
        else:
            self.stdout.write(f"{max(settings.HITL_RECEIPT_KEYS) + 1}:{new_key()}")
            self.stderr.write(
                f"Put this at the end of {VARIABLE}, with a comma, and restart every server; then put it in"
                " front and restart them again, and it signs."
            )

    def _retire(self, version: int) -> None:
        in_use, *older = settings.HITL_RECEIPT_KEYS
        if version == in_use:
            raise CommandError(f"Key {version} is the one that signs. Draw the next one first.")
        if version not in older:
            listed = ", ".join(map(str, settings.HITL_RECEIPT_KEYS))
            raise CommandError(f"There is no key {version}; there are {listed}.")
        if VARIABLE not in settings.HITL_DRAWN:
            raise CommandError(f"Take key {version} out of {VARIABLE} yourself, then restart every server.")
        drop_key(settings.DATA_DIR, VARIABLE, version)
        self.stdout.write(f"Key {version} is off the list. Restart the server: what it signed is refused.")
