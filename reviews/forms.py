"""The forms of every item's page: the verb with its note, a comment, fields under a stranger's names."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from events.untrusted import visible
from reviews.fields import MISSING
from reviews.models import Priority, ReviewItem
from reviews.presentation import confirmation_word
from reviews.services import COMMENT_LIMIT


class Verb(models.TextChoices):
    """What a panel can do; each is the value of one of its buttons."""

    APPROVE = "approve", _("Approve")
    EDIT = "edit", _("Approve with edits")
    RESPOND = "respond", _("Send answer")
    FULFILL = "fulfill", _("Fulfill")
    PROGRESS = "progress", _("Save progress")
    ATTACH = "attach", _("Attach")
    REJECT = "reject", _("Reject")
    CHANGES = "changes", _("Ask for changes")
    CANCEL = "cancel", _("Cancel request")
    CLAIM = "claim", _("Claim")
    RENEW = "renew", _("Renew")
    RELEASE = "release", _("Release")
    REASSIGN = "reassign", _("Hand over")
    ESCALATE = "escalate", _("Escalate")
    COMMENT = "comment", _("Comment")


ALLOWING = {Verb.APPROVE, Verb.EDIT, Verb.RESPOND, Verb.FULFILL}
"""The verbs that let the agent go on, and so need that everything was read."""
REASONS = {
    Verb.REJECT: _("Say why: the agent is told this reason."),
    Verb.CHANGES: _("Say what should change: the agent is told."),
}
"""What the note is for, where there has to be one."""
COUNTED = _("Your approval is counted: %(title)s")
"""What is said of an approval where others have to approve as well."""


class DecisionForm(forms.Form):
    """Take a verb and the note that goes with it. What was on the page then is sent beside it."""

    verb = forms.ChoiceField(choices=Verb)
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=COMMENT_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    word = forms.CharField(
        required=False,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    to = forms.CharField(required=False)
    has_read = forms.BooleanField(label=_("I have opened and read all of it"), required=False)

    def __init__(
        self, data: Any = None, *, item: ReviewItem, has_long_text: bool = False, **options: Any
    ) -> None:
        super().__init__(data, auto_id="decide_%s", **options)
        self.is_critical = item.priority == Priority.CRITICAL
        self.word_to_type = confirmation_word(item)
        self.has_long_text = has_long_text

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        verb, note = cleaned.get("verb"), (cleaned.get("note") or "").strip()
        if verb in REASONS and not note:
            self.add_error("note", REASONS[verb])
        if verb in ALLOWING:
            if self.is_critical and (cleaned.get("word") or "").strip() != self.word_to_type:
                self.add_error("word", _("This is critical. Type the word as shown to allow it."))
            if self.has_long_text and not cleaned.get("has_read"):
                self.add_error("has_read", _("Part of this is folded. Open and read it first."))
        return cleaned

    def kept(self) -> dict[str, Any]:
        """Return what was typed and should survive a page that has to be shown anew."""
        return {"note": self.data.get("note", ""), "has_read": bool(self.data.get("has_read"))}


class CommentForm(forms.Form):
    """Take a comment, perhaps as the answer to one of *comments*, each an id and how it is called."""

    body = forms.CharField(
        label=_("Comment"), max_length=COMMENT_LIMIT, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, comments: Iterable[tuple[str, str]] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [("", _("nobody in particular")), *comments]
        self.fields["reply_to"] = forms.ChoiceField(label=_("In answer to"), required=False, choices=choices)


class NamedFieldsForm(forms.Form):
    """Have a field for each name of a JSON object, whatever the name is made of.

    The names themselves are a stranger's; fields are called ``<prefix>-0``, ``<prefix>-1``, … after them.
    """

    def __init__(self, *args: Any, fields: Iterable[tuple[str, forms.Field]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.names: list[str] = []
        for number, (name, field) in enumerate(fields):
            self.names.append(name)
            self.fields[str(number)] = field

    def values(self) -> dict[str, Any]:
        """Return the object that was filled in, without what was left empty."""
        filled = {name: self.cleaned_data.get(str(number)) for number, name in enumerate(self.names)}
        return {name: value for name, value in filled.items() if value is not MISSING}

    def blame(self, path: str, messages: list[str]) -> bool:
        """Put *messages* beside the field that the first steps of *path* name; say whether there is one."""
        named = [name for name in self.names if path == name or path.startswith(f"{name}.")]
        if not named:
            return False
        number = self.names.index(max(named, key=len))
        for message in messages:
            self.add_error(str(number), visible(message))
        return True
