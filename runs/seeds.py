"""The models that an installation begins with: made after each migrate, theirs to change afterwards."""

import json
from pathlib import Path
from typing import Any

from django.apps import apps as installed
from django.db import transaction

SHIPPED = Path(__file__).with_name("shipped_models.json")


def install(sender: Any, apps: Any = installed, **kwargs: Any) -> None:
    """Describe the shipped models that are not in the database yet; one that somebody changed stays."""
    try:
        models, inputs = apps.get_model("runs", "RegisteredModel"), apps.get_model("runs", "ModelInput")
    except LookupError:  # migrated to a state before them
        return
    there = set(models.objects.values_list("tool", "pattern"))
    for told in json.loads(SHIPPED.read_text()):
        takes = told.pop("inputs")
        if (told["tool"], told["pattern"]) not in there:
            with transaction.atomic():
                model = models.objects.create(**told)
                inputs.objects.bulk_create(
                    inputs(model=model, position=number, **given) for number, given in enumerate(takes)
                )
