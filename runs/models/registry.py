"""What is known of the models that runs call: their inputs, and how people correct these."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class InputKind(models.TextChoices):
    """What an input of a model is; files are named by ``attachment:att_…``, a URL or a data URL."""

    TEXT = "text", _("Text")
    URL = "url", _("Url")
    NUMBER = "number", _("Number")
    INTEGER = "integer", _("Integer")
    BOOLEAN = "boolean", _("Boolean")
    CHOICE = "choice", _("Choice")
    IMAGE = "image", _("Image")
    AUDIO = "audio", _("Audio")
    VIDEO = "video", _("Video")
    FILE = "file", _("File")
    JSON = "json", _("Json")


FILES = frozenset({InputKind.IMAGE, InputKind.AUDIO, InputKind.VIDEO, InputKind.FILE})
"""The kinds of input that are given as a file."""


class RegisteredModel(models.Model):
    """Say what one model of one tool needs. ``pattern`` is a glob over model names, without case.

    The longest pattern that matches is in force; a tool without a model has the pattern ``""``.
    """

    tool = models.CharField(max_length=64)
    pattern = models.CharField(max_length=255, blank=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)

    class Meta:
        db_table = "hitl_models"
        ordering = ["tool", "pattern"]
        constraints = [models.UniqueConstraint(fields=["tool", "pattern"], name="model_once")]

    def __str__(self) -> str:
        return self.title


class ModelInput(models.Model):
    """Describe one input. ``rules`` is a JSON Schema for its value; ``aliases`` are names people use for it.

    ``default`` stands in where nobody said anything; None is none.
    """

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="inputs")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=InputKind, default=InputKind.TEXT)
    required = models.BooleanField(default=False)
    label = models.CharField(max_length=200, blank=True)
    help = models.CharField(max_length=500, blank=True)
    rules: Any = models.JSONField(default=dict, blank=True)
    unit = models.CharField(max_length=16, blank=True)
    aliases: Any = models.JSONField(default=list, blank=True)
    default: Any = models.JSONField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "hitl_model_inputs"
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["model", "name"], name="input_once"),
            models.CheckConstraint(name="input_kind_known", condition=Q(kind__in=list(InputKind))),
        ]

    def __str__(self) -> str:
        return self.label or self.name


class Correction(models.Model):
    """Count how often people set one input to one value. It is offered as a default, and never applied."""

    input = models.ForeignKey(ModelInput, on_delete=models.CASCADE, related_name="corrections")
    digest = models.CharField(max_length=64)
    value: Any = models.JSONField()
    count = models.PositiveIntegerField(default=0)
    dismissed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "hitl_corrections"
        constraints = [models.UniqueConstraint(fields=["input", "digest"], name="correction_once")]

    def __str__(self) -> str:
        return f"{self.input}: {self.value}"
