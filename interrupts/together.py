"""Several alike at once: the page that lists what was ticked in the inbox, and decides it in one go.

It takes only what one glance can judge: yes or no, one tool, at most twenty, nothing high or critical,
nothing that is folded. GET shows them, and never decides; POST carries what was shown of each.
"""

from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import View

from agents.callers import Caller, operator
from events.problems import Problem
from events.transitions import TransitionConflict
from events.untrusted import marked
from interrupts import selectors, services
from interrupts.models import Interrupt
from interrupts.presentation import contradictions
from interrupts.questions import browser_action, run_question
from reviews import looking
from reviews.forms import COUNTED, REASONS, Verb
from reviews.lifecycle import OPEN
from reviews.models import DECIDE, YES_OR_NO, Attachment, Priority
from reviews.presentation import Argument, arguments, has_long_text
from reviews.services import COMMENT_LIMIT

AT_MOST = 20
PAGE = "together"
Shown = tuple[str, str]


class TogetherForm(forms.Form):
    """Take one verb and one note for all of them."""

    verb = forms.ChoiceField(choices=[(verb.value, verb.label) for verb in (Verb.APPROVE, Verb.REJECT)])
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=COMMENT_LIMIT,
        widget=forms.Textarea(attrs={"rows": 1}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("verb") == Verb.REJECT and not (cleaned.get("note") or "").strip():
            self.add_error("note", REASONS[Verb.REJECT])
        return cleaned


@dataclass(frozen=True, slots=True)
class Line:
    """Show one of them: the arguments that not all share, what was attached, whether its words contradict."""

    item: Any
    differs: list[Argument]
    attached: list[Argument]
    is_contradicted: bool
    left_because: str
    out_of_reach: str


class TogetherView(View):
    """Decide what was ticked."""

    model_admin: Any = None
    caller: Caller

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        self.caller = operator(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(self._chosen(request.GET.getlist("item")))

    def post(self, request: HttpRequest) -> HttpResponse:
        shown = dict(_shown(text) for text in request.POST.getlist("item")[: AT_MOST + 1])
        chosen = self._chosen(list(shown))
        form = TogetherForm(request.POST)
        if why_not(chosen) or not form.is_valid():
            return self._page(chosen, form, status=400)
        looked = looking.looked(request.POST.get("opened", ""), PAGE, self.caller)
        by = replace(self.caller, looked=looked and looked / len(chosen))
        left = {
            item.pk: why for item in chosen if (why := self._left_because(item, shown[item.pk], form, by))
        }
        done = [item for item in chosen if item.pk not in left]
        # Where others have to approve as well it was one vote, and is still open.
        counted = [item for item in done if item.status in OPEN]
        if len(done) > len(counted):
            messages.success(request, _told(form.cleaned_data["verb"], len(done) - len(counted)))
        for item in counted:
            messages.success(request, str(COUNTED) % {"title": marked(item.title)})
        if not left:
            return HttpResponseRedirect(reverse("admin:inbox"))
        messages.error(request, ngettext("%d was left.", "%d were left.", len(left)) % len(left))
        return self._page(self._chosen(list(left)), None if done else form, left, status=409)

    def _left_because(self, item: Interrupt, shown: str, form: TogetherForm, by: Caller) -> str:
        """Decide *item*; return why it could not be."""
        if why := out_of_reach(item, self.caller):
            return why
        if shown != _state(item):
            return _("It has changed since it was shown.")
        verb, note = form.cleaned_data["verb"], form.cleaned_data["note"].strip()
        told: dict[str, Any] = {"by": by, "content_hash": item.content_hash}
        try:
            if verb == Verb.APPROVE:
                services.approve(item, comment=note, **told)
            else:
                services.reject(item, reason=note, **told)
        except TransitionConflict:
            return _("Somebody else was at it, or has decided it.")
        except Problem as problem:
            return problem.detail
        return ""

    def _chosen(self, ids: list[str]) -> list[Any]:
        """Return what was ticked and can be seen, in the order of asking."""
        wanted = [pk for pk in ids if pk.isprintable()][: AT_MOST + 1]
        return list(selectors.interrupts(self.caller).filter(pk__in=wanted).order_by("pk"))

    def _page(
        self,
        chosen: list[Any],
        form: TogetherForm | None = None,
        left: dict[str, str] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        shared, left, refusals = _shared(chosen), left or {}, why_not(chosen)
        lines = [
            Line(
                item,
                [found for found in arguments(item.tool_args) if found not in shared],
                arguments(item.data),
                not refusals and any(contradictions(item)),
                left.get(item.pk, ""),
                out_of_reach(item, self.caller),
            )
            for item in chosen
        ]
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            "title": _("Decide together"),
            "lines": lines,
            "shared": shared,
            "refusals": refusals,
            "number": sum(not line.out_of_reach for line in lines),
            "form": form or TogetherForm(),
            "opened": self.request.POST.get("opened") or looking.stamp(PAGE, self.caller),
            "tool": chosen[0].tool_name if chosen else "",
        }
        response = TemplateResponse(self.request, "admin/interrupts/together.html", context, status=status)
        response["Cache-Control"] = "no-store"
        return response


def why_not(chosen: list[Any]) -> list[str]:
    """Return why *chosen* cannot be decided together; nothing where it can."""
    if not chosen:
        return [_("Nothing is ticked that you may decide.")]
    rules = [
        (len(chosen) > AT_MOST, _("At most %(number)d at a time.") % {"number": AT_MOST}),
        (
            any(not _is_plain(item) for item in chosen) or _have_files(chosen),
            _("Some need more than a yes or a no."),
        ),
        (len({item.tool_name for item in chosen}) > 1, _("They are calls of different tools.")),
        (
            any(item.priority >= Priority.HIGH for item in chosen),
            _("What is high or critical is decided one by one."),
        ),
        (any(_is_folded(item) for item in chosen), _("Some hold long text, which has to be opened first.")),
    ]
    return [why for applies, why in rules if applies]


def out_of_reach(item: Any, caller: Caller) -> str:
    """Return why *item* alone cannot be decided now; the others still can."""
    if item.effective_status not in OPEN:
        return _("It is no longer open.")
    if item.holder not in (None, caller.name):
        return _("%(name)s holds it.") % {"name": item.holder}
    return ""


def _is_plain(item: Interrupt) -> bool:
    if run_question(item) is not None or browser_action(item) is not None:
        return False  # a run asks, and has more to say than a line holds
    return item.kind in YES_OR_NO and {"approve", "reject"} <= {*item.allowed_decisions}


def _have_files(chosen: list[Any]) -> bool:
    """Say whether a file was put to any of them, which has to be opened first."""
    return Attachment.objects.filter(item_id__in=[item.pk for item in chosen]).exists()


def _is_folded(item: Interrupt) -> bool:
    return has_long_text(item.reason, [*arguments(item.tool_args), *arguments(item.data)])


def _shared(chosen: list[Any]) -> list[Argument]:
    """Return the arguments that all of several have, with the same value."""
    first, *others = [arguments(item.tool_args) for item in chosen] or [[]]
    return [found for found in first if others and all(found in other for other in others)]


def _state(item: Interrupt) -> str:
    return f"{item.version}:{item.content_hash}"


def _shown(text: str) -> Shown:
    """Return the id and the state that a ticked line was shown with: ``int_…:3:ab12…``."""
    pk, _colon, state = text.partition(":")
    return pk, state


def _told(verb: str, number: int) -> str:
    if verb == Verb.APPROVE:
        return ngettext("%d approved.", "%d approved.", number) % number
    return ngettext("%d rejected.", "%d rejected.", number) % number
