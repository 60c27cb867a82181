"""Prove that the record was not altered."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.verification import Broken, checkpoint, verify


class Command(BaseCommand):
    help = (
        "Follow the chain of every stream. Against a checkpoint kept elsewhere, a cut tail and a rewritten "
        "chain are found too."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--checkpoint", type=Path, help="a file that --write-checkpoint made earlier")
        parser.add_argument("--write-checkpoint", type=Path, help="where to keep the heads as they are now")

    def handle(self, *args: Any, **options: Any) -> None:
        kept = self._read(options["checkpoint"])
        count = 0
        try:
            for stream, done, total in verify(kept):
                count = done
                if sys.stderr.isatty():
                    self.stderr.write(f"\r{done:>12,} of {total:,} events  {stream[:40]:<40}", ending="")
        except Broken as fault:
            raise CommandError(f"The record was altered. {fault}") from None
        finally:
            if sys.stderr.isatty():
                self.stderr.write("")
        if options["write_checkpoint"]:
            options["write_checkpoint"].write_text(json.dumps(checkpoint(), indent=2) + "\n")
        self.stdout.write(f"{count:,} events, every chain whole.")

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
