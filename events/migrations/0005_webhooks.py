"""Addresses that are told what happens, and what is on its way to them."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0004_tally_but_waits"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("url", models.CharField(max_length=1000)),
                ("label", models.CharField(blank=True, max_length=100)),
                ("stream", models.CharField(blank=True, max_length=255)),
                ("types", models.JSONField(default=list)),
                ("key_version", models.PositiveIntegerField(default=1)),
                ("previous_until", models.DateTimeField(null=True)),
                ("is_active", models.BooleanField(default=True)),
                ("rests_until", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name": "webhook",
                "verbose_name_plural": "webhooks",
            },
        ),
        migrations.CreateModel(
            name="Place",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "webhook", "stream", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stream", models.CharField(max_length=255)),
                ("position", models.BigIntegerField()),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="places",
                        to="events.webhook",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("subject_id", models.CharField(max_length=255)),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "waiting"), ("delivered", "delivered"), ("dead", "given up")],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("not_before", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "answer",
                    models.CharField(blank=True, help_text="What came of the last attempt.", max_length=200),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="events.event",
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="events.webhook",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["webhook", "not_before"],
                        name="delivery_due",
                    ),
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["webhook", "subject_id", "id"],
                        name="delivery_in_order",
                    ),
                    models.Index(
                        condition=models.Q(("status", "dead")), fields=["webhook"], name="delivery_dead"
                    ),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", False)),
                        fields=["ended_at"],
                        name="delivery_ended",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("webhook", "event"), name="delivery_once")],
            },
        ),
    ]
