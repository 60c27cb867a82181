from django.db import migrations


class Migration(migrations.Migration):
    """Once counted how people decide; 0010 counts all of it."""

    dependencies = [("reviews", "0008_response_times"), ("interrupts", "0003_attempt")]

    operations = []
