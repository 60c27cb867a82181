"""Take the record out of the database, so that it can be proved anywhere."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.export import exported
from events.models import Stream
from events.selectors import BadCursor, CursorReset, position_after
from events.verification import REPORT_EVERY


class Command(BaseCommand):
    help = "Write every event as a line of JSON; verify_events --file proves what was written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--stream", default="", help="an agent's name, or system; all without it")
        parser.add_argument("--after", default="", metavar="CURSOR", help="only what is newer in the stream")

    def handle(self, *args: Any, **options: Any) -> None:
        after = self._position(options["stream"], options["after"])
        count = 0
        for count, line in enumerate(exported(options["stream"], after), start=1):
            self.stdout.write(line.decode())
            if count % REPORT_EVERY == 0 and sys.stderr.isatty():
                self.stderr.write(f"\r{count:>12,} events", ending="")
        self.stderr.write(f"{count:,} events exported.")

    def _position(self, name: str, cursor: str) -> int:
        stream = Stream.objects.filter(name=name).first()
        if name and stream is None:
            raise CommandError(f"There is no stream {name!r}.")
        if not cursor:
            return 0
        if stream is None:
            raise CommandError("A cursor is a place in one stream: name it with --stream.")
        try:
            return position_after(stream, cursor)
        except (BadCursor, CursorReset) as error:
            raise CommandError(f"{cursor!r} is no place in stream {name!r}: {error}") from None
