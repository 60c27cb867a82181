"""Compare the statistics' tallies with the items, and put them right."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reviews.recount import differences, repair


class Command(BaseCommand):
    help = "Count all items anew, name every tally that is wrong, and with --repair put it right."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="put right what is wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = differences(self._progress)
        for (stream, name), number in sorted(wrong.items()):
            self.stdout.write(f"{stream}: {name} is wrong by {-number:+,}")
        if wrong and not options["repair"]:
            raise CommandError(f"{len(wrong):,} tallies are wrong. --repair puts them right.")
        repair(wrong)
        self.stdout.write(f"{len(wrong):,} tallies were put right." if wrong else "Every tally is right.")

    def _progress(self, done: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{done:>12,} items", ending="")
