from django.db import migrations
from django.db.models import Value

from reviews.recount import OURS, count_items


def count(apps, schema_editor):
    """Count all items anew: how long people took by kind, group, day and hour, and by day what has ended."""
    tally = apps.get_model("events", "Tally")
    tally.objects.filter(OURS).delete()
    items = apps.get_model("reviews", "ReviewItem").objects
    tally.objects.bulk_create(
        [
            tally(stream=stream, name=name, count=number)
            for (stream, name), number in count_items(items, is_edited=Value(False)).items()
        ],
        batch_size=1_000,
    )


class Migration(migrations.Migration):
    dependencies = [("events", "0002_tally"), ("reviews", "0007_inbox_order")]

    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
