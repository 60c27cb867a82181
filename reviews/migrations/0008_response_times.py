from django.db import migrations


class Migration(migrations.Migration):
    """Once counted how long people took; 0010 counts all of it."""

    dependencies = [("events", "0002_tally"), ("reviews", "0007_inbox_order")]

    operations = []
