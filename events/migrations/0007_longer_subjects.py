"""Names of agents and people are longer than the ids of items."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0006_mail_subscription"),
    ]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="subject_id",
            field=models.CharField(db_index=True, max_length=255),
        ),
    ]
