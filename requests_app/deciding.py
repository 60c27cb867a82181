"""The page on which a person does what an agent needs done."""

from typing import Any

from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.problems import Problem
from events.untrusted import marked
from requests_app import selectors, services
from requests_app.forms import AnswersForm, RequestForm
from requests_app.models import ActionRequest
from requests_app.serializers import document
from reviews.attachments import attach
from reviews.deciding import ItemView
from reviews.forms import Verb
from reviews.models import Kind
from reviews.presentation import Argument, argument, arguments, has_long_text
from reviews.selectors import one

HEADLINES = {
    Kind.API_KEY: gettext_lazy("Needs an API key"),
    Kind.ACCOUNT_CREATION: gettext_lazy("Needs an account"),
    Kind.LEGAL_DOCUMENT: gettext_lazy("Needs a legal document"),
    Kind.PAYMENT_AUTHORIZATION: gettext_lazy("Needs a payment authorized"),
    Kind.BUSINESS_SETUP: gettext_lazy("Needs a business set up"),
    Kind.STRATEGIC_DECISION: gettext_lazy("Needs a decision of direction"),
    Kind.CUSTOM: gettext_lazy("Needs something done"),
}


class RequestView(ItemView):
    """Review, fulfill or turn down what an agent needs."""

    templates = "admin/requests_app/actionrequest"
    claim, release = staticmethod(services.start_review), staticmethod(services.release)
    route = "request"
    places = {"response_data": "answer_form"}
    staying = frozenset({Verb.PROGRESS})
    done = {
        Verb.FULFILL: gettext_lazy("Fulfilled: %(title)s"),
        Verb.APPROVE: gettext_lazy("Approved: %(title)s"),
        Verb.REJECT: gettext_lazy("Rejected: %(title)s"),
        Verb.CANCEL: gettext_lazy("Cancelled: %(title)s"),
        Verb.PROGRESS: gettext_lazy("Progress saved: %(title)s"),
    }
    item: ActionRequest

    def read(self, pk: str) -> ActionRequest:
        found: ActionRequest = one(selectors.list_requests(self.caller), pk)
        return found

    def document(self) -> dict[str, Any]:
        return document(vars(self.item))

    def decision_form(self, data: Any = None, **options: Any) -> RequestForm:
        is_long = has_long_text(self.item.description, arguments(self.item.context))
        return RequestForm(data, item=self.item, has_long_text=is_long, **options)

    def content_forms(self, data: Any = None) -> dict[str, Any]:
        # Only to fulfill must everything be there; every other verb keeps what was typed so far.
        sent = data if data and data.get("verb") == Verb.FULFILL else None
        return {"answer_form": AnswersForm(sent, item=self.item, typed=data or MultiValueDict())}

    def take_files(self) -> None:
        """Attach what is uploaded before anything is judged: what is refused need not be uploaded again."""
        answers, typed = self.forms["answer_form"], self.request.POST.copy()
        if not answers.is_bound or self.held_by_other:
            return
        refused = {}
        for name, place in answers.file_fields().items():
            if upload := self.request.FILES.get(place):
                try:
                    typed[place] = attach(self.item, by=self.caller, upload=upload).pk
                except Problem as problem:
                    refused[name] = problem.extra.get("errors", {}).get("file", [problem.detail])
        self.forms["answer_form"] = answers = AnswersForm(typed, item=self.item, typed=typed)
        for name, why in refused.items():
            answers.errors.pop(str(answers.names.index(name)), None)
            answers.blame(name, why)

    def carry_out(self, verb: Verb, form: Any, note: str, **told: Any) -> bool:
        answers = self.forms["answer_form"]
        match verb:
            case Verb.FULFILL:
                if not answers.is_valid():
                    return False
                services.fulfill(self.item, response_data=answers.answers, notes=note, **told)
            case Verb.APPROVE:
                services.approve(self.item, comment=note, **told)
            case Verb.REJECT:
                code = form.cleaned_data["code"] or "other"
                services.reject(self.item, reason=note, code=code, **told)
            case Verb.CANCEL:
                services.cancel(self.item, by=self.caller, reason=note)
            case Verb.PROGRESS if self.item.checklist:
                self._note_progress(form.cleaned_data)
            case _:
                form.add_error(None, _("This cannot be answered in this way."))
                return False
        return True

    def _note_progress(self, said: dict[str, Any]) -> None:
        ticked = set(said["steps"])
        was = {number for number, step in enumerate(self.item.checklist) if step["done"]}
        services.note_progress(
            self.item, by=self.caller, done=sorted(ticked - was), undone=sorted(was - ticked),
            note=said["progress"].strip(),
        )  # fmt: skip

    def verbs(self) -> dict[str, Any]:
        ballot = self.ballot
        may_approve = ballot is not None and ballot.may_approve
        return {
            "can_allow": may_approve,
            "can_fulfill": may_approve and ballot is not None and ballot.is_last,
            "can_reject": ballot is not None and ballot.may_refuse,
        }

    def shown(self) -> dict[str, Any]:
        headline = HEADLINES[Kind(self.item.kind)]
        return {
            "title": f"{headline} · {marked(self.item.title)}",
            "headline": headline,
            "attached": arguments(self.item.context),
            "has_secrets": bool(self.item.names_of("secret")),
            "answers": self._answers(),
            "sealed": [field.label for field in self.item.fields if field.name in self.item.sealed_fields],
            "is_multipart": bool(self.item.names_of("file")),
            "secrets": self.document()["secrets"],
            "steps_done": sum(step["done"] for step in self.item.checklist),
        }

    def _answers(self) -> list[Argument]:
        given = self.item.response_data or {}
        names = dict(self.item.attachments.values_list("pk", "name")) if self.item.names_of("file") else {}
        return [
            argument(field.label, names.get(given[field.name], given[field.name]))
            for field in self.item.fields
            if field.name in given
        ]
