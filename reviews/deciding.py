"""The page of one item. GET shows it, and never decides; POST carries out one verb.

Whatever is refused comes back as the same page: with why, with the item as it now is, with what was typed.
A subclass says how its kind is read, which forms it has and what its verbs do.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from agents.callers import Caller, operator
from events.problems import Problem
from events.selectors import history
from events.transitions import TransitionConflict
from events.untrusted import marked, visible
from reviews import confirming, looking, precedents, presentation, services, surroundings
from reviews.admin import FRAGMENT
from reviews.attachments import of_item
from reviews.ballots import Ballot, ballot, steps
from reviews.conflicts import conflict
from reviews.follow_up import escalate_now
from reviews.forms import COUNTED, CommentForm, DecisionForm, Verb
from reviews.lifecycle import CLAIM, OPEN, Status
from reviews.models import DECIDE, INTERRUPTS, ReviewItem
from reviews.reviewers import candidates
from reviews.rules import granter_of, is_denied
from reviews.selectors import claim_is_free_for, first_of, inbox
from reviews.templatetags.items import page_of

HANDED_TO_AT_MOST = 200
CANDIDATES_FOR_NEXT = 50


# What is typed may be a secret: no error report repeats it.
@method_decorator(sensitive_post_parameters(), name="dispatch")
class ItemView(View):
    """Show one item and carry out what its panel asks for."""

    model_admin: Any = None
    templates = ""
    claim: Callable[..., None] = staticmethod(services.claim)
    release: Callable[..., None] = staticmethod(services.release)
    done: dict[Verb, Any] = {}
    """What is said of a verb that was carried out."""
    staying: frozenset[Verb] = frozenset()
    """The verbs that do not lead to the next item."""
    route = ""
    """How the API calls this kind."""
    places: dict[str, str] = {}
    """Which form the errors below a name of the API's body belong to."""
    caller: Caller
    item: Any

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        self.caller = operator(request)
        self.may_decide = self.caller.has_perm(DECIDE)
        self._look(kwargs["pk"])
        self.forms: dict[str, Any] = {}
        self.problem: Problem | None = None
        self.since_shown: dict[str, Any] = {}

    @property
    def held_by_other(self) -> bool:
        return bool(self.item.holder and self.item.holder != self.caller.name)

    @cached_property
    def ballot(self) -> Ballot | None:
        """What an approval by the reader would be; none where they decide nothing, or nothing is left to."""
        is_open = self.item.effective_status in OPEN
        return ballot(self.item, self.caller) if is_open and self.may_decide else None

    # -- What a kind says -----------------------------------------------------------------------------

    def read(self, pk: str) -> Any:
        """Return the item; raise a ``Problem`` when there is none that the caller may see."""
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """Return the item as the API writes it."""
        raise NotImplementedError

    def decision_form(self, data: Any = None, **options: Any) -> DecisionForm:
        """Return the form of the verb, its note and what goes with them."""
        raise NotImplementedError

    def content_forms(self, data: Any = None) -> dict[str, Any]:
        """Return the forms of what can be filled in, by name."""
        raise NotImplementedError

    def take_files(self) -> None:
        """Keep the files that came with the form, whatever becomes of it."""

    def carry_out(self, verb: Verb, form: DecisionForm, note: str, **told: Any) -> bool:
        """Do what *verb* says; or say in a form why not, and return False."""
        raise NotImplementedError

    def shown(self) -> dict[str, Any]:
        """Return what the templates of this kind need besides."""
        raise NotImplementedError

    def verbs(self) -> dict[str, Any]:
        """Return what the panel of this kind offers its reader."""
        raise NotImplementedError

    def told(self, verb: Verb) -> str:
        """Return what is said of *verb*, which was carried out."""
        is_counted = verb == Verb.APPROVE and self.item.status in OPEN
        return str(COUNTED if is_counted else self.done[verb]) % {"title": marked(self.item.title)}

    # -- Verbs ----------------------------------------------------------------------------------------

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        return self._page(fragment=FRAGMENT in request.headers)

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        verb = request.POST.get("verb", "")
        if verb == Verb.COMMENT:
            return self._comment()
        if not self.may_decide:
            raise PermissionDenied
        if verb == Verb.RENEW:
            return HttpResponse(status=204 if services.renew(self.item, by=self.caller) else 409)
        self.forms = {"decision_form": self.decision_form(request.POST), **self.content_forms(request.POST)}
        try:
            if verb in (Verb.CLAIM, Verb.RELEASE):
                (self.claim if verb == Verb.CLAIM else self.release)(self.item, by=self.caller)
                return self._stay()
            if verb == Verb.ESCALATE:
                return self._escalate()
            return self._hand_over() if verb == Verb.REASSIGN else self._decide()
        except TransitionConflict as error:
            return self._conflict(error)
        except Problem as problem:
            return self._refused(problem)

    def _comment(self) -> HttpResponse:
        form = self._comment_form(history(self.item.pk), self.request.POST)
        if not form.is_valid():
            self.forms["comment_form"] = form
            return self._page(status=400)
        services.comment(self.item, by=self.caller, **form.cleaned_data)
        return HttpResponseRedirect(f"{page_of(self.item)}#history")

    def _hand_over(self) -> HttpResponse:
        form: DecisionForm = self.forms["decision_form"]
        form.is_valid()
        name = form.cleaned_data.get("to", "")
        to = User.objects.filter(username=name, is_active=True).first()
        if to is None:
            form.add_error("to", _("Choose who is to have it."))
            return self._page(status=400)
        try:
            services.reassign(self.item, by=self.caller, to=to)
        except Problem:
            form.add_error("to", _("%(name)s may not answer this.") % {"name": name})
            return self._page(status=400)
        messages.success(self.request, _("%(name)s has it now.") % {"name": name})
        return self._stay()

    def _escalate(self) -> HttpResponse:
        """Ask somebody besides; the note is told to everybody who then looks at it."""
        form: DecisionForm = self.forms["decision_form"]
        if not form.is_valid():
            return self._page(status=400)
        group = escalate_now(self.item, by=self.caller, note=form.cleaned_data["note"].strip())
        messages.success(self.request, _("%(group)s is asked as well now.") % {"group": marked(group)})
        return HttpResponseRedirect(page_of(self.item))

    def _decide(self) -> HttpResponse:
        form: DecisionForm = self.forms["decision_form"]
        if self.item.effective_status not in OPEN:
            raise TransitionConflict(CLAIM, self.item.pk)
        shown = (form.data.get("content_hash"), form.data.get("version"))
        if shown != (self.item.content_hash, str(self.item.version)):
            return self._stale(form.data.get("content_hash", ""), form.data.get("seen", ""))
        self.take_files()
        try:
            is_done = self._is_carried_out(form)
        except Problem as problem:
            return self._unconfirmed(problem) if problem.code == confirming.CODE else self._refused(problem)
        if not is_done:
            messages.error(self.request, _("Not done yet: see what is marked."))
            return self._page(status=400)
        verb = Verb(form.cleaned_data["verb"])
        messages.success(self.request, self.told(verb))
        return self._stay() if verb in self.staying else HttpResponseRedirect(self._next_url())

    def _is_carried_out(self, form: DecisionForm) -> bool:
        if not form.is_valid():
            return False
        note, shown = form.cleaned_data["note"].strip(), form.data["content_hash"]
        looked = looking.looked(form.data.get("opened", ""), self.item.pk, self.caller)
        by = replace(self.caller, looked=looked)
        try:
            return self.carry_out(Verb(form.cleaned_data["verb"]), form, note, by=by, content_hash=shown)
        except Problem as problem:
            if problem.status == HTTPStatus.FORBIDDEN:
                raise
            self._blame(problem)
            return False

    def _stay(self) -> HttpResponse:
        """Show the page with the item as it now is, and everything that was typed."""
        self._look(self.item.pk)
        self._keep()
        return self._page()

    # -- Refusals -------------------------------------------------------------------------------------

    def _conflict(self, error: TransitionConflict) -> HttpResponse:
        form = self.forms["decision_form"]
        self._look(self.item.pk)
        problem = conflict(error, self.document())
        if problem.code == "stale":
            return self._stale(form.data.get("content_hash", ""), form.data.get("seen", ""))
        return self._refused(problem)

    def _refused(self, problem: Problem) -> HttpResponse:
        self.problem = problem
        self._keep()
        return self._page(status=problem.status)

    def _unconfirmed(self, problem: Problem) -> HttpResponse:
        """Ask to confirm in another tab: what was typed stays in this one, all of it."""
        self.problem = problem
        return self._page(status=problem.status)

    def _stale(self, content_hash: str, seen: str) -> HttpResponse:
        """Show what has changed since the page was made, and ask to decide again."""
        self.since_shown = presentation.since(history(self.item.pk), seen)
        self.problem = Problem(412, "stale", _("This page was out of date. Nothing was decided."))
        self._keep(with_content=content_hash == self.item.content_hash)
        return self._page(status=412)

    def _blame(self, problem: Problem) -> None:
        """Put each error of a refused body beside its field."""
        form = self.forms["decision_form"]
        for path, why in problem.extra.get("errors", {"": [problem.detail]}).items():
            root, _dot, rest = path.partition(".")
            place = self.forms.get(self.places.get(root, ""))
            if place is None or not place.blame(rest, why):
                for message in why:
                    form.add_error(None, visible(f"{rest}: {message}" if rest else message))

    def _keep(self, *, with_content: bool = True) -> None:
        """Show the item as it now is; keep what was typed where it still has a place."""
        typed = self.forms.pop("decision_form").kept()
        if not with_content:
            typed["has_read"] = False
            self.forms.clear()
        self.forms["decision_form"] = self.decision_form(initial=typed)
        if typed["note"] and not (self.ballot and self.ballot.may_act):
            comments = self._comment_form(history(self.item.pk), initial={"body": typed["note"]})
            self.forms["comment_form"] = comments

    def _comment_form(self, record: list[dict[str, Any]], data: Any = None, **options: Any) -> CommentForm:
        return CommentForm(data, comments=presentation.comments(record), **options)

    # -- The page -------------------------------------------------------------------------------------

    def _look(self, pk: str) -> None:
        """Read the item as it now is."""
        self.__dict__.pop("ballot", None)
        try:
            self.item = self.read(pk)
        except Problem:
            raise Http404(_("There is no such item, or it was cleaned up.")) from None

    def _page(self, *, status: int = 200, fragment: bool = False) -> HttpResponse:
        item, record = self.item, history(self.item.pk)
        files_url = reverse(f"api-v1:{self.route}-attachments", args=[item.pk])
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            "comment_form": self._comment_form(record),
            "decision_form": self.decision_form(),
            **self.content_forms(),
            **self.forms,
            "opts": self.model_admin.opts,
            "list_url": self._list_url(),
            "list_title": self.model_admin.back_title or self.model_admin.list_title,
            "item": item,
            "files": of_item(item.pk, files_url),
            "history": presentation.history_lines(record),
            "steps": steps(item),
            "is_denied": is_denied(item),
            "granter": granter_of(item),
            "revised": presentation.revised(record),
            "last_event": record[-1]["id"] if record else "",
            "opened": self.request.POST.get("opened") or looking.stamp(item.pk, self.caller),
            "is_open": item.effective_status in OPEN,
            "may_decide": self.may_decide,
            "held_by_other": self.held_by_other,
            "must_confirm": self.may_decide and confirming.must_confirm(item, self.caller),
            "problem": self.problem,
            "since_shown": self.since_shown,
            "next_url": "" if fragment else self._next_item(),
            "outcome_template": f"{self.templates}/outcome.html",
            **self.shown(),
            **(
                {}
                if fragment
                else {
                    "ballot": self.ballot,
                    "people": self._people,
                    "past": precedents.of(item),
                    "around": surroundings.of(item),
                    **self._holding(),
                    **self.verbs(),
                }
            ),
        }
        template = "hitl/item/standing.html" if fragment else f"{self.templates}/page.html"
        response = TemplateResponse(self.request, template, context, status=status)
        response["Cache-Control"] = "no-store"
        return response

    def _holding(self) -> dict[str, bool]:
        """Say what the reader may do about who holds the item."""
        holder, mine = self.item.holder, self.item.holder == self.caller.name
        # A request that was handed over is held before its review has started.
        is_held = bool(holder) and (self.item.kind in INTERRUPTS or self.item.status == Status.IN_REVIEW)
        is_free = not holder or (mine and not is_held)
        return {
            "may_claim": is_free and self.ballot is not None and self.ballot.may_act,
            "may_release": is_held and (mine or self.caller.has_perm("agents.change_agent")),
        }

    def _next_item(self) -> str:
        """Return where the next item that waits is decided; empty when there is none."""
        waiting = inbox().filter(claim_is_free_for(self.caller.user)).exclude(pk=self.item.pk)
        first = first_of(waiting.only("pk", "kind", "votes"), CANDIDATES_FOR_NEXT)
        return next((page_of(item) for item in first if not self._has_voted(item)), "")

    def _has_voted(self, item: ReviewItem) -> bool:
        return any(self.caller.name in (vote["by"], vote["seat"]) for vote in item.votes)

    def _people(self) -> list[str]:
        """Return who could be handed the item; asked for by the panel alone."""
        others = candidates(self.item).exclude(username=self.item.holder or "")
        return list(others.values_list("username", flat=True)[:HANDED_TO_AT_MOST])

    def _list_url(self) -> str:
        return reverse(self.model_admin.list_view)

    def _next_url(self) -> str:
        return self._next_item() or self._list_url()
