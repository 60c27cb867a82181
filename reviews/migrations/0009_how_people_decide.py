"""Count what is new in the tallies for all that there is."""

from django.db import migrations

from reviews.recount import count_items
from reviews.tallies import BY, LATE, UNANSWERED


def count(apps, schema_editor):
    """Count of all items who has decided how, and what came too late."""
    tally = apps.get_model("events", "Tally")
    items = apps.get_model("reviews", "ReviewItem").objects
    new = (BY, LATE, UNANSWERED)
    for prefix in new:
        tally.objects.filter(name__startswith=prefix).delete()
    tally.objects.bulk_create(
        [
            tally(stream=stream, name=name, count=number)
            for (stream, name), number in count_items(items).items()
            if name.startswith(new)
        ],
        batch_size=1_000,
    )


class Migration(migrations.Migration):
    dependencies = [("reviews", "0008_response_times"), ("interrupts", "0003_attempt")]

    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
