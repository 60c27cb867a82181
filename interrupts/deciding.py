"""The page on which a person decides an interrupt."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.untrusted import marked
from interrupts import presentation, selectors, services
from interrupts.forms import AnswerForm, ArgumentsForm, fits_a_form
from interrupts.lifecycle import Decision
from interrupts.models import Interrupt
from interrupts.serializers import document
from reviews.deciding import ItemView
from reviews.forms import DecisionForm, Verb
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
        Verb.CANCEL: gettext_lazy("Cancelled: %(title)s"),
    }
    item: Interrupt

    def read(self, pk: str) -> Interrupt:
        return selectors.interrupt(self.caller, pk)

    def document(self) -> dict[str, Any]:
        return document(vars(self.item))

    def decision_form(self, data: Any = None, **options: Any) -> DecisionForm:
        shown = [*arguments(self.item.tool_args), *arguments(self.item.data)]
        is_long = has_long_text(self.item.reason, shown)
        return DecisionForm(data, item=self.item, has_long_text=is_long, **options)

    def content_forms(self, data: Any = None) -> dict[str, Any]:
        made = {
            "arguments_form": (Decision.EDIT, ArgumentsForm),
            "answer_form": (Decision.RESPOND, AnswerForm),
        }
        return {
            name: form(data, interrupt=self.item) if self._takes(decision) else None
            for name, (decision, form) in made.items()
        }

    def carry_out(self, verb: Verb, form: DecisionForm, note: str, **told: Any) -> bool:
        edits, answer = self.forms["arguments_form"], self.forms["answer_form"]
        match verb:
            case Verb.APPROVE:
                if edits and (not edits.is_valid() or edits.is_changed()):
                    form.add_error(None, _("The arguments were edited. Approve with edits, or undo them."))
                    return False
                services.approve(self.item, comment=note, **told)
            case Verb.EDIT if edits:
                if not edits.is_valid():
                    return False
                if not edits.is_changed():
                    form.add_error(None, _("Nothing was edited. Approve as it is, or edit an argument."))
                    return False
                services.approve(self.item, modifications=edits.result(), comment=note, **told)
            case Verb.RESPOND if answer:
                if not answer.is_valid():
                    return False
                services.respond(self.item, response=answer.result(), comment=note, **told)
            case Verb.REJECT:
                services.reject(self.item, reason=note, **told)
            case Verb.CANCEL:
                services.cancel(self.item, by=self.caller, reason=note)
            case _:
                form.add_error(None, _("This cannot be answered in this way."))
                return False
        return True

    def shown(self) -> dict[str, Any]:
        takes = {decision.value: self._takes(decision) for decision in Decision}
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
            "takes": takes,
            "can_allow": takes["approve"] or takes["edit"] or takes["respond"],
        }

    def _takes(self, decision: Decision) -> bool:
        if decision == Decision.EDIT and not fits_a_form(self.item.tool_args):
            return False
        return decision in self.item.allowed_decisions
