"""Mail is one of several channels by which people hear of what waits."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0007_longer_subjects"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameModel(old_name="MailSubscription", new_name="Subscription"),
        migrations.RenameField(model_name="subscription", old_name="mailed_at", new_name="told_at"),
        migrations.AlterField(
            model_name="subscription",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="subscriptions",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="channel",
            field=models.CharField(
                choices=[("mail", "Mail"), ("slack", "Slack"), ("apprise", "Apprise")],
                default="mail",
                max_length=10,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="subscription",
            name="address",
            field=models.CharField(blank=True, default="", max_length=2_000),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                fields=("user", "channel"), name="subscription_once_a_channel"
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                condition=models.Q(("channel", "slack")),
                fields=("address",),
                name="subscription_of_one_member",
            ),
        ),
    ]
