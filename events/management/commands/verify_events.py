"""Prove that the record was not altered."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.export import prove
from events.verification import Broken, TooOld, beginnings, checkpoint, verify


class Command(BaseCommand):
    help = (
        "Follow the chain of every stream. Against a checkpoint kept elsewhere, a cut tail and a rewritten "
        "chain are found too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--checkpoint", type=Path, help="a file that --write-checkpoint made earlier")
        parser.add_argument("--write-checkpoint", type=Path, help="where to keep the heads as they are now")
        parser.add_argument(
            "--write-beginning", type=Path, help="where to keep what the record goes on from, for --goes-on"
        )
        parser.add_argument("--file", type=Path, help="prove what export_events wrote, not the database")
        parser.add_argument("--stream", default="", help="the only stream that the file is of")
        parser.add_argument(
            "--goes-on", action="store_true", help="the file begins right behind the checkpoint"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        kept = self._read(options["checkpoint"])
        if options["file"]:
            self._prove(kept, **options)
            return
        count = 0
        try:
            for stream, done, total in verify(kept):
                count = done
                if sys.stderr.isatty():
                    self.stderr.write(f"\r{done:>12,} of {total:,} events  {stream[:40]:<40}", ending="")
        except Broken as fault:
            raise CommandError(f"The record was altered. {fault}") from None
        except TooOld as problem:
            raise CommandError(str(problem)) from None
        finally:
            if sys.stderr.isatty():
                self.stderr.write("")
        for option, heads in (("write_checkpoint", checkpoint), ("write_beginning", beginnings)):
            if options[option]:
                options[option].write_text(json.dumps(heads(), indent=2) + "\n")
        self.stdout.write(f"{count:,} events, every chain whole.")

    def _prove(
        self, kept: dict[str, dict[str, Any]], *, file: Path, stream: str, goes_on: bool, **_: Any
    ) -> None:
        if stream:
            kept = {name: head for name, head in kept.items() if name == stream}
        count = 0
        try:
            with file.open("rb") as lines:
                for count in prove(lines, kept, goes_on=goes_on):
                    if sys.stderr.isatty():
                        self.stderr.write(f"\r{count:>12,} events", ending="")
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error}") from None
        except Broken as fault:
            raise CommandError(f"The record was altered. {fault}") from None
        self.stdout.write(f"{count:,} events in the file, every chain whole.")

    def _read(self, path: Path | None) -> dict[str, dict[str, Any]]:
        if path is None:
            return {}
        try:
            kept = json.loads(path.read_text())
            return {
                name: {"position": int(head["position"]), "hash": str(head["hash"])}
                for name, head in kept.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CommandError(f"{path} is not a checkpoint: {error}") from None
