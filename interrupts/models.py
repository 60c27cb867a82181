"""The interrupt: what an agent wants to do or know, and what a person said to it."""

from typing import Any

from django.db import models

from reviews.models import ReviewItem


def one_line(text: str, limit: int) -> str:
    """Return *text* as one line of at most *limit* characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def title_of(reason: str) -> str:
    return one_line(reason, 200)


class Interrupt(ReviewItem):
    """Ask a person for an approval, a confirmation, an input or feedback.

    ``tool_args`` and ``data`` are never changed by a decision: ``modifications`` stand beside them, so that
    the record shows both what was asked and what was allowed.
    """

    judged_column = "tool_args"

    reason = models.CharField(max_length=1000)
    data: Any = models.JSONField(default=dict, blank=True)
    tool_args: Any = models.JSONField(default=dict, blank=True)
    call_id = models.CharField(max_length=255, blank=True)
    step_name = models.CharField(max_length=255, blank=True)
    args_schema: Any = models.JSONField(null=True, blank=True)
    response_schema: Any = models.JSONField(null=True, blank=True)
    allowed_decisions: Any = models.JSONField(default=list)
    modifications: Any = models.JSONField(null=True, blank=True)
    response: Any = models.JSONField(null=True, blank=True)
    rejection_reason = models.TextField(blank=True)
    receipt = models.TextField(blank=True)
    attempt = models.CharField(max_length=255, blank=True)
    outcome_result: Any = models.JSONField(null=True, blank=True)

    class Meta:
        db_table = "agent_interrupts"

    @property
    def content(self) -> dict[str, Any]:
        return {
            "type": self.kind,
            "reason": self.reason,
            "tool_name": self.tool_name,
            "tool_args": self.tool_args,
            "data": self.data,
        }

    @property
    def headline(self) -> dict[str, Any]:
        return {"kind": self.kind, "title": self.title, "tool_name": self.tool_name}

    @property
    def asked(self) -> dict[str, Any]:
        told = {"reason": self.reason, "data": self.data, "tool_args": self.tool_args}
        return {**self.headline, **told, "agent_name": self.agent_name}

    @property
    def is_edited(self) -> bool:
        return self.modifications is not None

    @property
    def final_arguments(self) -> Any:
        """Return the arguments that may run: the modifications where there are any, whole."""
        return self.tool_args if self.modifications is None else self.modifications
