"""The page on which a person decides. GET shows it, and never decides; POST carries out one verb.

Whatever is refused comes back as the same page: with why, with the item as it now is, with what was typed.
"""

from typing import Any, cast

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View

from agents.callers import Caller, of_user
from events.problems import Problem
from events.selectors import history
from events.transitions import TransitionConflict
from events.untrusted import marked, visible
from interrupts import presentation, selectors, services
from interrupts.forms import AnswerForm, ArgumentsForm, CommentForm, DecisionForm, Verb, fits_a_form
from interrupts.lifecycle import APPROVE, DECISIONS, Decision
from interrupts.models import Interrupt
from interrupts.serializers import document
from reviews import services as reviews
from reviews.admin import FRAGMENT
from reviews.api import DECIDE
from reviews.conflicts import conflict
from reviews.lifecycle import OPEN
from reviews.selectors import claim_is_free_for, inbox

DONE = {
    Verb.APPROVE: gettext_lazy("Approved: %(title)s"),
    Verb.EDIT: gettext_lazy("Approved with edits: %(title)s"),
    Verb.RESPOND: gettext_lazy("Answered: %(title)s"),
    Verb.REJECT: gettext_lazy("Rejected: %(title)s"),
    Verb.CANCEL: gettext_lazy("Cancelled: %(title)s"),
}


class DecisionView(View):
    """Show one interrupt and carry out what the panel asks for."""

    model_admin: Any = None
    template_name = "admin/interrupts/interrupt/decide.html"
    fragment_template_name = "admin/interrupts/interrupt/standing.html"
    caller: Caller
    interrupt: Any

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        self.caller = of_user(cast(User, request.user))
        self.may_decide = self.caller.has_perm(DECIDE)
        self.interrupt = self._read(kwargs["pk"])
        self.forms: dict[str, Any] = {}
        self.problem: Problem | None = None
        self.since_shown: dict[str, Any] = {}

    # -- Verbs ----------------------------------------------------------------------------------------

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        return self._page(fragment=FRAGMENT in request.headers)

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        verb = request.POST.get("verb", "")
        if verb == Verb.COMMENT:
            return self._comment()
        if not self.may_decide:
            raise PermissionDenied
        self._take(request)
        try:
            if verb in (Verb.CLAIM, Verb.RELEASE):
                return self._hold(Verb(verb))
            return self._decide()
        except TransitionConflict as error:
            return self._conflict(error)

    def _comment(self) -> HttpResponse:
        form = CommentForm(self.request.POST)
        if not form.is_valid():
            self.forms["comment_form"] = form
            return self._page(status=400)
        reviews.comment(self.interrupt, by=self.caller, body=form.cleaned_data["body"])
        return HttpResponseRedirect(f"{item_url(self.interrupt.pk)}#history")

    def _hold(self, verb: Verb) -> HttpResponse:
        """Claim or release, and stay on the page with everything that was typed."""
        (reviews.claim if verb == Verb.CLAIM else reviews.release)(self.interrupt, by=self.caller)
        self.interrupt = self._read(self.interrupt.pk)
        self._keep()
        return self._page()

    def _decide(self) -> HttpResponse:
        form: DecisionForm = self.forms["decision_form"]
        if self.interrupt.effective_status not in OPEN:
            raise TransitionConflict(APPROVE, self.interrupt.pk)
        shown = (form.data.get("content_hash"), form.data.get("version"))
        if shown != (self.interrupt.content_hash, str(self.interrupt.version)):
            return self._stale(form.data.get("content_hash", ""), form.data.get("seen", ""))
        if not form.is_valid():
            return self._page(status=400)
        try:
            done = self._carry_out(Verb(form.cleaned_data["verb"]), form)
        except Problem as problem:
            self._blame(problem)
            done = False
        if not done:
            return self._page(status=400)
        title = marked(self.interrupt.title)
        messages.success(self.request, str(DONE[Verb(form.cleaned_data["verb"])]) % {"title": title})
        return HttpResponseRedirect(self._next_url())

    def _carry_out(self, verb: Verb, form: DecisionForm) -> bool:
        note = form.cleaned_data["note"].strip()
        told: dict[str, Any] = {"by": self.caller, "content_hash": form.data["content_hash"]}
        edits, answer = self.forms.get("arguments_form"), self.forms.get("answer_form")
        match verb:
            case Verb.APPROVE:
                if edits and (not edits.is_valid() or edits.is_changed()):
                    form.add_error(None, _("The arguments were edited. Approve with edits, or undo them."))
                    return False
                services.approve(self.interrupt, comment=note, **told)
            case Verb.EDIT if edits:
                if not edits.is_valid():
                    return False
                if not edits.is_changed():
                    form.add_error(None, _("Nothing was edited. Approve as it is, or edit an argument."))
                    return False
                services.approve(self.interrupt, modifications=edits.result(), comment=note, **told)
            case Verb.RESPOND if answer:
                if not answer.is_valid():
                    return False
                services.respond(self.interrupt, response=answer.result(), comment=note, **told)
            case Verb.REJECT:
                services.reject(self.interrupt, reason=note, **told)
            case Verb.CANCEL:
                services.cancel(self.interrupt, by=self.caller, reason=note)
            case _:
                form.add_error(None, _("This cannot be answered in this way."))
                return False
        return True

    # -- Refusals -------------------------------------------------------------------------------------

    def _conflict(self, error: TransitionConflict) -> HttpResponse:
        form = self.forms["decision_form"]
        seen = form.data.get("seen", "")
        self.interrupt = self._read(self.interrupt.pk)
        self.problem = conflict(error, document(vars(self.interrupt)))
        if self.problem.code == "stale":
            return self._stale(form.data.get("content_hash", ""), seen)
        self._keep()
        return self._page(status=self.problem.status)

    def _stale(self, content_hash: str, seen: str) -> HttpResponse:
        """Show what has changed since the page was made, and ask to decide again."""
        record = history(self.interrupt.pk)
        self.since_shown = presentation.since(record, seen)
        self.problem = Problem(412, "stale", _("This page was out of date. Nothing was decided."))
        self._keep(with_content=content_hash == self.interrupt.content_hash)
        return self._page(status=412)

    def _blame(self, problem: Problem) -> None:
        """Put each error of a refused body beside its field."""
        form = self.forms["decision_form"]
        places = {
            "modifications": self.forms.get("arguments_form"),
            "response": self.forms.get("answer_form"),
        }
        for path, why in problem.extra.get("errors", {"": [problem.detail]}).items():
            root, _dot, rest = path.partition(".")
            place = places.get(root)
            if place is None or not place.blame(rest, why):
                for message in why:
                    form.add_error(None, visible(f"{rest}: {message}" if rest else message))

    # -- The page -------------------------------------------------------------------------------------

    def _read(self, pk: str) -> Interrupt:
        try:
            return selectors.interrupt(self.caller, pk)
        except Problem:
            raise Http404(_("There is no such interrupt, or it was cleaned up.")) from None

    def _take(self, request: HttpRequest) -> None:
        """Read what was sent into the forms that this item has."""
        self.forms["decision_form"] = DecisionForm(request.POST, interrupt=self.interrupt)
        if self._takes(Decision.EDIT):
            self.forms["arguments_form"] = ArgumentsForm(request.POST, interrupt=self.interrupt)
        if self._takes(Decision.RESPOND):
            self.forms["answer_form"] = AnswerForm(request.POST, interrupt=self.interrupt)

    def _keep(self, *, with_content: bool = True) -> None:
        """Show the item as it now is; keep what was typed where it still has a place."""
        typed = self.forms.pop("decision_form").kept()
        if not with_content:
            typed["has_read"] = False
            self.forms.clear()
        self.forms["decision_form"] = self._decision_form(**typed)
        if self.interrupt.effective_status not in OPEN and typed["note"]:
            self.forms["comment_form"] = CommentForm(initial={"body": typed["note"]})

    def _decision_form(self, **typed: Any) -> DecisionForm:
        return DecisionForm(initial=typed, interrupt=self.interrupt)

    def _takes(self, decision: Decision) -> bool:
        if decision == Decision.EDIT and not fits_a_form(self.interrupt.tool_args):
            return False
        return decision in self.interrupt.allowed_decisions

    def _page(self, *, status: int = 200, fragment: bool = False) -> HttpResponse:
        interrupt, record = self.interrupt, history(self.interrupt.pk)
        is_open = interrupt.effective_status in OPEN
        held_by_other = bool(interrupt.holder and interrupt.holder != self.caller.name)
        forms = {
            "decision_form": self._decision_form(),
            "arguments_form": ArgumentsForm(interrupt=interrupt) if self._takes(Decision.EDIT) else None,
            "answer_form": AnswerForm(interrupt=interrupt) if self._takes(Decision.RESPOND) else None,
            "comment_form": CommentForm(),
            **self.forms,
        }
        only_said, only_meant = presentation.contradictions(interrupt)
        headline = presentation.headline(interrupt)
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            **forms,
            "opts": Interrupt._meta,
            "title": f"{headline} · {marked(interrupt.title)}",
            "headline": headline,
            "headline_arguments": presentation.headline_arguments(interrupt),
            "interrupt": interrupt,
            "arguments": presentation.arguments(interrupt.tool_args),
            "attached": presentation.arguments(interrupt.data),
            "only_said": only_said,
            "only_meant": only_meant,
            "history": [presentation.history_line(event) for event in record],
            "last_event": record[-1]["id"] if record else "",
            "edits": []
            if interrupt.modifications is None
            else presentation.changes(interrupt.tool_args, interrupt.modifications),
            "is_open": is_open,
            "may_decide": self.may_decide,
            "held_by_other": held_by_other,
            "may_release": self.may_decide
            and (interrupt.holder == self.caller.name or self.caller.has_perm("agents.change_agent")),
            "takes": {decision.value: self._takes(decision) for decision in Decision},
            "problem": self.problem,
            "since_shown": self.since_shown,
            "next_pk": self._next_pk() if not fragment else "",
        }
        template = self.fragment_template_name if fragment else self.template_name
        response = TemplateResponse(self.request, template, context, status=status)
        response["Cache-Control"] = "no-store"
        return response

    def _next_pk(self) -> str:
        waiting = inbox().filter(claim_is_free_for(self.caller.user), kind__in=list(DECISIONS))
        return waiting.exclude(pk=self.interrupt.pk).values_list("pk", flat=True).first() or ""

    def _next_url(self) -> str:
        pk = self._next_pk()
        return item_url(pk) if pk else reverse("admin:interrupts_interrupt_changelist")


def item_url(pk: str) -> str:
    """Return the address of an item's page, with its plain id."""
    return reverse("admin:interrupts_interrupt_change", args=[pk])


def view(model_admin: ModelAdmin[Any]) -> Any:
    """Return the view of *model_admin*'s decision page."""
    return DecisionView.as_view(model_admin=model_admin)
