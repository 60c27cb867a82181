"""Declare every cursor void after a backup was restored."""

from typing import Any

from django.core.management.base import BaseCommand

from events.models import Stream, new_epoch


class Command(BaseCommand):
    help = (
        "Run this after restoring a backup: readers that had seen more than the backup holds are told to "
        "reset instead of silently missing what comes next."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for stream in Stream.objects.all():
            Stream.objects.filter(pk=stream.pk).update(epoch=new_epoch())
            count += 1
        self.stdout.write(f"{count:,} streams have a new epoch.")
