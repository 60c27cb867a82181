"""The page on which a person decides an interrupt."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.untrusted import marked
from interrupts import presentation, selectors, services
from interrupts.forms import AnswerForm, ArgumentsForm, InterruptForm, fits_a_form, length_of
from interrupts.lifecycle import Decision
from interrupts.models import Interrupt
from interrupts.serializers import document
from reviews.deciding import ItemView
from reviews.forms import DecisionForm, Verb
from reviews.grants import Reach
from reviews.models import INTERRUPTS
from reviews.presentation import arguments, changes, has_long_text


class InterruptView(ItemView):
    """Approve, edit, answer or reject what an agent asks."""

    kinds = INTERRUPTS
    templates = "admin/interrupts/interrupt"
    route = "interrupt"
    places = {"modifications": "arguments_form", "response": "answer_form"}
    done = {
        Verb.APPROVE: gettext_lazy("Approved: %(title)s"),
        Verb.EDIT: gettext_lazy("Approved with edits: %(title)s"),
        Verb.RESPOND: gettext_lazy("Answered: %(title)s"),
        Verb.REJECT: gettext_lazy("Rejected: %(title)s"),
        Verb.CHANGES: gettext_lazy("Changes asked for: %(title)s"),
        Verb.CANCEL: gettext_lazy("Cancelled: %(title)s"),
    }
    item: Interrupt

    def read(self, pk: str) -> Interrupt:
        return selectors.interrupt(self.caller, pk)

    def document(self) -> dict[str, Any]:
        return document(vars(self.item))

    def decision_form(self, data: Any = None, **options: Any) -> InterruptForm:
        shown = [*arguments(self.item.tool_args), *arguments(self.item.data)]
        is_long = has_long_text(self.item.reason, shown)
        return InterruptForm(data, item=self.item, by=self.caller, has_long_text=is_long, **options)

    def content_forms(self, data: Any = None) -> dict[str, Any]:
        # Nobody edits what several approve: then the page has no fields to send back.
        edits = data if data and any(name.startswith("argument-") for name in data) else None
        made = {
            "arguments_form": (Decision.EDIT, ArgumentsForm, edits),
            "answer_form": (Decision.RESPOND, AnswerForm, data),
        }
        return {
            name: form(sent, interrupt=self.item) if self._takes(decision) else None
            for name, (decision, form, sent) in made.items()
        }

    def carry_out(self, verb: Verb, form: DecisionForm, note: str, **told: Any) -> bool:
        edits, answer = self.forms["arguments_form"], self.forms["answer_form"]
        reach = form.cleaned_data["grant"]
        match verb:
            case Verb.APPROVE:
                if edits and edits.is_bound and (not edits.is_valid() or edits.is_changed()):
                    form.add_error(None, _("The arguments were edited. Approve with edits, or undo them."))
                    return False
                services.approve(self.item, comment=note, grant=reach, **told)
            case Verb.EDIT if edits:
                if not edits.is_valid():
                    return False
                if not edits.is_changed():
                    form.add_error(None, _("Nothing was edited. Approve as it is, or edit an argument."))
                    return False
                edited = edits.result()
                services.approve(self.item, modifications=edited, comment=note, grant=reach, **told)
            case Verb.RESPOND if answer:
                if not answer.is_valid():
                    return False
                services.respond(self.item, response=answer.result(), comment=note, **told)
            case Verb.REJECT:
                services.reject(self.item, reason=note, **told)
            case Verb.CHANGES:
                services.request_changes(self.item, by=self.caller, comment=note)
            case Verb.CANCEL:
                services.cancel(self.item, by=self.caller, reason=note)
            case _:
                form.add_error(None, _("This cannot be answered in this way."))
                return False
        return True

    def told(self, verb: Verb) -> str:
        said, reach = super().told(verb), self.forms["decision_form"].cleaned_data["grant"]
        if not reach or verb not in (Verb.APPROVE, Verb.EDIT):
            return said
        words = {
            Reach.SESSION: _("It is allowed in this session for %(length)s."),
            Reach.ARGUMENTS: _("With exactly these arguments it is allowed for %(length)s."),
        }[reach]
        grants_url, link = f"{reverse('admin:index')}reviews/grant/", _("See what is allowed in advance")
        told = words % {"length": length_of(reach)}
        return format_html('{} · {} <a href="{}">{}</a>', said, told, grants_url, link)

    def verbs(self) -> dict[str, Any]:
        takes = {decision.value: self._offers(decision) for decision in Decision}
        may_refuse = self.ballot is not None and self.ballot.may_refuse
        return {
            "takes": {**takes, "changes": may_refuse},
            "can_allow": takes["approve"] or takes["edit"] or takes["respond"],
            "lacks_edit": self._takes(Decision.EDIT) and takes["approve"] and not takes["edit"],
        }

    def shown(self) -> dict[str, Any]:
        only_said, only_meant = presentation.contradictions(self.item)
        headline, edited = presentation.headline(self.item), self.item.modifications
        return {
            "title": f"{headline} · {marked(self.item.title)}",
            "headline": headline,
            "headline_arguments": presentation.headline_arguments(self.item),
            "arguments": arguments(self.item.tool_args),
            "attached": arguments(self.item.data),
            "only_said": only_said,
            "only_meant": only_meant,
            "edits": [] if edited is None else changes(self.item.tool_args, edited),
            "suggests_policy": True,
            "receipt": presentation.receipt(self.item),
        }

    def _offers(self, decision: Decision) -> bool:
        """Say whether the reader could answer by *decision* now."""
        ballot, takes = self.ballot, self._takes(decision)
        if ballot is None:
            return False
        match decision:
            case Decision.REJECT:
                return takes and ballot.may_refuse
            case Decision.EDIT:
                takes = takes and not ballot.of_several
            case Decision.RESPOND:
                takes = takes and ballot.is_last
            case Decision.APPROVE:
                # Who comes before the last agrees that it is answered; the last one writes the answer.
                takes = takes or (not ballot.is_last and self._takes(Decision.RESPOND))
        return takes and ballot.may_approve

    def _takes(self, decision: Decision) -> bool:
        if decision == Decision.EDIT and not fits_a_form(self.item.tool_args):
            return False
        return decision in self.item.allowed_decisions
