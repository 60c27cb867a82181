"""The page on which a person decides an interrupt."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.problems import Problem
from events.untrusted import marked, visible
from interrupts import presentation, questions, selectors, services
from interrupts.forms import AnswerForm, ArgumentsForm, InterruptForm, fits_a_form, length_of
from interrupts.lifecycle import Decision
from interrupts.models import Interrupt
from interrupts.serializers import document
from reviews.attachments import attach
from reviews.deciding import ItemView
from reviews.forms import DecisionForm, Verb
from reviews.grants import Reach
from reviews.lifecycle import OPEN
from reviews.models import Kind
from reviews.presentation import arguments, changes, has_long_text

_FILES_AT_ONCE = 10


class InterruptView(ItemView):
    """Approve, edit, answer or reject what an agent asks."""

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
        Verb.ATTACH: gettext_lazy("The file is attached. Nothing was decided yet."),
    }
    staying = frozenset({Verb.ATTACH})
    item: Interrupt
    refused: tuple[str, ...] = ()
    """Why files that came with the form were not taken."""

    @property
    def question(self) -> questions.RunQuestion | None:
        """What the server says of it, where a run of its own asks."""
        return questions.run_question(self.item)

    def read(self, pk: str) -> Interrupt:
        return selectors.interrupt(self.caller, pk)

    def document(self) -> dict[str, Any]:
        return document(vars(self.item))

    def decision_form(self, data: Any = None, **options: Any) -> InterruptForm:
        attached = {} if self.question else self.item.data
        shown = [*arguments(self.item.tool_args), *arguments(attached)]
        is_long = has_long_text(self.item.reason, shown)
        return InterruptForm(data, item=self.item, by=self.caller, has_long_text=is_long, **options)

    def content_forms(self, data: Any = None) -> dict[str, Any]:
        # Nobody edits what several approve: then the page has no fields to send back.
        edits = data if data and any(name.startswith("argument-") for name in data) else None
        missing, item = self.question.missing if self.question else (), self.item
        return {
            "arguments_form": ArgumentsForm(edits, interrupt=item, missing=missing)
            if self._takes(Decision.EDIT)
            else None,
            "answer_form": AnswerForm(data, interrupt=item) if self._takes(Decision.RESPOND) else None,
        }

    def take_files(self) -> None:
        """Attach what is uploaded before anything is judged: what is refused need not be uploaded again."""
        uploads, refused = self.request.FILES.getlist("upload")[:_FILES_AT_ONCE], []
        if self.request.POST.get("verb") not in (Verb.ATTACH, Verb.APPROVE, Verb.EDIT):
            return
        if not self._takes_files() or self.held_by_other:
            return
        for upload in uploads:
            try:
                attach(self.item, by=self.caller, upload=upload)
            except Problem as problem:
                why = problem.extra.get("errors", {}).get("file", [problem.detail])
                refused += [f"{upload.name}: {text}" for text in why]
        self.refused = tuple(refused)

    def carry_out(self, verb: Verb, form: DecisionForm, note: str, **told: Any) -> bool:
        edits, answer = self.forms["arguments_form"], self.forms["answer_form"]
        reach = form.cleaned_data["grant"]
        if why := self.refused or self._why_no_file(verb):
            for text in why:
                form.add_error("upload", visible(text))
            return False
        match verb:
            case Verb.ATTACH if self._takes_files():
                return True
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
        edits, asked = self._takes(Decision.EDIT), self.question
        return {
            # Nobody revises what a run asks: whoever wants it otherwise edits it, or rejects it.
            "takes": {**takes, "changes": may_refuse and not asked},
            "can_allow": takes["approve"] or takes["edit"] or takes["respond"],
            "lacks_edit": edits and takes["approve"] and not takes["edit"] and not asked,
            "answers_instead": takes["respond"] and self.item.kind in (Kind.APPROVAL, Kind.CONFIRMATION),
            "must_edit": takes["edit"] and not takes["approve"],
            "nobody_edits": edits and may_refuse and not takes["edit"] and not takes["approve"],
            "takes_files": self._takes_files() and (takes["edit"] or takes["approve"]),
        }

    def shown(self) -> dict[str, Any]:
        item, asked, browsing = self.item, self.question, questions.browser_action(self.item)
        # What the server writes itself counts things: no number in it stands against the arguments.
        only_said, only_meant = ([], []) if asked else presentation.contradictions(item)
        headline, in_words = presentation.headline(item), presentation.headline_arguments(item)
        if asked or browsing:
            headline, in_words = asked.headline if asked else _("Wants to do this in a browser:"), []
        return {
            "title": f"{headline} · {marked(item.title)}",
            "headline": headline,
            "headline_arguments": in_words,
            "question": asked,
            "browsing": browsing,
            "files_first": browsing or (asked and asked.is_of_response),
            "is_multipart": self._takes_files(),
            "arguments": arguments(item.tool_args),
            "attached": [] if asked or questions.says_it_twice(item) else arguments(item.data),
            "only_said": only_said,
            "only_meant": only_meant,
            "edits": [] if item.modifications is None else changes(item.tool_args, item.modifications),
            "suggests_policy": not asked,
            "receipt": presentation.receipt(item),
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

    def _takes_files(self) -> bool:
        """Say whether files put to this reach the run that asks it."""
        asked = self.question
        return asked is not None and not asked.is_of_response and self.item.status in OPEN

    def _why_no_file(self, verb: Verb) -> tuple[str, ...]:
        if verb == Verb.ATTACH and not self.request.FILES.getlist("upload"):
            return (_("Choose a file first."),)
        waits = verb == Verb.APPROVE and self.question is not None and self.question.needs_files_only
        if waits and not self.item.attachments.filter(added_by__startswith="user:").exists():
            return (_("The run would ask again: attach the file that is missing, or edit its input."),)
        return ()

    def _takes(self, decision: Decision) -> bool:
        if decision == Decision.EDIT and not fits_a_form(self.item.tool_args):
            return False
        return decision in self.item.allowed_decisions
