"""Keep how long people looked, and count all items anew: what tallies there are is what the code writes today."""

from django.db import migrations, models
from django.db.models import Q

from reviews.recount import OURS, count_items
from reviews.tallies import EVER


def count(apps, schema_editor):
    """Count all items, whatever was counted of them before."""
    tally = apps.get_model("events", "Tally")
    tally.objects.filter(OURS | Q(name__startswith=EVER)).delete()
    items = apps.get_model("reviews", "ReviewItem").objects
    tally.objects.bulk_create(
        [
            tally(stream=stream, name=name, count=number)
            for (stream, name), number in count_items(items).items()
        ],
        batch_size=1_000,
    )


class Migration(migrations.Migration):
    dependencies = [("reviews", "0009_how_people_decide"), ("interrupts", "0003_attempt")]

    operations = [
        migrations.AddField(
            model_name="reviewitem",
            name="looked_time",
            field=models.DurationField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
