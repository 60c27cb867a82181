"""The page of one item. GET shows it, and never decides; POST carries out one verb.

Whatever is refused comes back as the same page: with why, with the item as it now is, with what was typed.
A subclass says how its kind is read, which forms it has and what its verbs do.
"""

from collections.abc import Callable
from typing import Any, cast

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

from agents.callers import Caller, of_user
from events.problems import Problem
from events.selectors import history
from events.transitions import TransitionConflict
from events.untrusted import marked, visible
from reviews import presentation, services
from reviews.admin import FRAGMENT
from reviews.attachments import of_item
from reviews.conflicts import conflict
from reviews.forms import CommentForm, DecisionForm, Verb
from reviews.lifecycle import CLAIM, OPEN
from reviews.models import DECIDE, Kind
from reviews.selectors import claim_is_free_for, inbox
from reviews.templatetags.items import page_of


# What is typed may be a secret: no error report repeats it.
@method_decorator(sensitive_post_parameters(), name="dispatch")
class ItemView(View):
    """Show one item and carry out what its panel asks for."""

    model_admin: Any = None
    kinds: tuple[Kind, ...] = ()
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
        self.caller = of_user(cast(User, request.user))
        self.may_decide = self.caller.has_perm(DECIDE)
        self.item = self._read(kwargs["pk"])
        self.forms: dict[str, Any] = {}
        self.problem: Problem | None = None
        self.since_shown: dict[str, Any] = {}

    @property
    def held_by_other(self) -> bool:
        return bool(self.item.holder and self.item.holder != self.caller.name)

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

    # -- Verbs ----------------------------------------------------------------------------------------

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        return self._page(fragment=FRAGMENT in request.headers)

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        verb = request.POST.get("verb", "")
        if verb == Verb.COMMENT:
            return self._comment()
        if not self.may_decide:
            raise PermissionDenied
        self.forms = {"decision_form": self.decision_form(request.POST), **self.content_forms(request.POST)}
        try:
            if verb in (Verb.CLAIM, Verb.RELEASE):
                (self.claim if verb == Verb.CLAIM else self.release)(self.item, by=self.caller)
                return self._stay()
            return self._decide()
        except TransitionConflict as error:
            return self._conflict(error)

    def _comment(self) -> HttpResponse:
        form = CommentForm(self.request.POST)
        if not form.is_valid():
            self.forms["comment_form"] = form
            return self._page(status=400)
        services.comment(self.item, by=self.caller, body=form.cleaned_data["body"])
        return HttpResponseRedirect(f"{page_of(self.item)}#history")

    def _decide(self) -> HttpResponse:
        form: DecisionForm = self.forms["decision_form"]
        if self.item.effective_status not in OPEN:
            raise TransitionConflict(CLAIM, self.item.pk)
        shown = (form.data.get("content_hash"), form.data.get("version"))
        if shown != (self.item.content_hash, str(self.item.version)):
            return self._stale(form.data.get("content_hash", ""), form.data.get("seen", ""))
        self.take_files()
        if not self._is_carried_out(form):
            messages.error(self.request, _("Not done yet: see what is marked."))
            return self._page(status=400)
        verb = Verb(form.cleaned_data["verb"])
        messages.success(self.request, str(self.done[verb]) % {"title": marked(self.item.title)})
        return self._stay() if verb in self.staying else HttpResponseRedirect(self._next_url())

    def _is_carried_out(self, form: DecisionForm) -> bool:
        if not form.is_valid():
            return False
        note, shown = form.cleaned_data["note"].strip(), form.data["content_hash"]
        try:
            return self.carry_out(
                Verb(form.cleaned_data["verb"]), form, note, by=self.caller, content_hash=shown
            )
        except Problem as problem:
            self._blame(problem)
            return False

    def _stay(self) -> HttpResponse:
        """Show the page with the item as it now is, and everything that was typed."""
        self.item = self._read(self.item.pk)
        self._keep()
        return self._page()

    # -- Refusals -------------------------------------------------------------------------------------

    def _conflict(self, error: TransitionConflict) -> HttpResponse:
        form = self.forms["decision_form"]
        seen = form.data.get("seen", "")
        self.item = self._read(self.item.pk)
        self.problem = conflict(error, self.document())
        if self.problem.code == "stale":
            return self._stale(form.data.get("content_hash", ""), seen)
        self._keep()
        return self._page(status=self.problem.status)

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
        if self.item.effective_status not in OPEN and typed["note"]:
            self.forms["comment_form"] = CommentForm(initial={"body": typed["note"]})

    # -- The page -------------------------------------------------------------------------------------

    def _read(self, pk: str) -> Any:
        try:
            return self.read(pk)
        except Problem:
            raise Http404(_("There is no such item, or it was cleaned up.")) from None

    def _page(self, *, status: int = 200, fragment: bool = False) -> HttpResponse:
        item, record = self.item, history(self.item.pk)
        files_url = reverse(f"api-v1:{self.route}-attachments", args=[item.pk])
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            "comment_form": CommentForm(),
            "decision_form": self.decision_form(),
            **self.content_forms(),
            **self.forms,
            "opts": self.model_admin.opts,
            "list_url": self._list_url(),
            "list_title": self.model_admin.list_title,
            "item": item,
            "files": of_item(item.pk, files_url),
            "history": [presentation.history_line(event) for event in record],
            "last_event": record[-1]["id"] if record else "",
            "is_open": item.effective_status in OPEN,
            "may_decide": self.may_decide,
            "held_by_other": self.held_by_other,
            "may_release": self.may_decide
            and (item.holder == self.caller.name or self.caller.has_perm("agents.change_agent")),
            "problem": self.problem,
            "since_shown": self.since_shown,
            "next_url": "" if fragment else self._next_item(),
            "outcome_template": f"{self.templates}/outcome.html",
            **self.shown(),
        }
        template = "hitl/item/standing.html" if fragment else f"{self.templates}/page.html"
        response = TemplateResponse(self.request, template, context, status=status)
        response["Cache-Control"] = "no-store"
        return response

    def _next_item(self) -> str:
        """Return where the next item that waits is decided; empty when there is none."""
        waiting = inbox().filter(claim_is_free_for(self.caller.user), kind__in=self.kinds)
        found = waiting.exclude(pk=self.item.pk).only("pk", "kind").first()
        return page_of(found) if found else ""

    def _list_url(self) -> str:
        return reverse(self.model_admin.list_view)

    def _next_url(self) -> str:
        return self._next_item() or self._list_url()
