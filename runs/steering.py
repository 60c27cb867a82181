"""The page of one run. GET shows it and changes nothing; POST pauses it, lets it go on, or cancels it.

Whatever is refused comes back as the same page: with why, with the run as it now is, with what was typed.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View

from agents.callers import Caller, operator
from events.problems import Problem
from events.selectors import history
from events.transitions import TransitionConflict
from events.untrusted import marked
from interrupts.models import Interrupt
from reviews import attachments
from reviews.admin import FRAGMENT
from reviews.lifecycle import OPEN
from reviews.models import DECIDE, Attachment
from reviews.presentation import arguments
from reviews.selectors import one, with_effective_status
from reviews.services import COMMENT_LIMIT
from runs import presentation, selectors, serializers, services
from runs.conflicts import conflict
from runs.lifecycle import CANCEL, PAUSE, RESUME, RETRY, RunStatus
from runs.models import Checkpoint, Run

STEPS_SHOWN = QUESTIONS_SHOWN = 100
ROWS_SHOWN = 50
TEMPLATES = "admin/runs/run"
DEFERRED = ("data", "tool_args", "args_schema", "response_schema", "modifications", "response")
"""What of an interrupt may be large, and is shown on its own page."""


class Verb(models.TextChoices):
    """What the panel can do; each is the value of one of its buttons."""

    PAUSE = "pause", gettext_lazy("Paused. The step under way is still finished.")
    RESUME = "resume", gettext_lazy("It goes on.")
    RETRY = "retry", gettext_lazy("It tries again.")
    CANCEL = "cancel", gettext_lazy("Cancelled. What it asked is taken back.")


_LIFECYCLE = {Verb.PAUSE: PAUSE, Verb.RESUME: RESUME, Verb.RETRY: RETRY, Verb.CANCEL: CANCEL}


class SteeringForm(forms.Form):
    """Take a verb, and why."""

    verb = forms.ChoiceField(choices=Verb)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=COMMENT_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        if told.get("verb") == Verb.CANCEL and not told.get("reason"):
            self.add_error("reason", _("Say why: the agent is told this reason."))
        return told


class RunView(View):
    """Show one run and carry out what its panel asks for."""

    model_admin: Any = None
    caller: Caller
    run: Run

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        self.caller = operator(request)
        self.may_decide = self.caller.has_perm(DECIDE)
        self._look(kwargs["pk"])
        self.form = SteeringForm()
        self.problem: Problem | None = None

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        return self._page(fragment=FRAGMENT in request.headers)

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        if not self.may_decide:
            raise PermissionDenied
        self.form = SteeringForm(request.POST)
        if not self.form.is_valid():
            return self._page(status=400)
        verb = Verb(self.form.cleaned_data["verb"])
        try:
            self._carry_out(verb, self.form.cleaned_data["reason"])
        except TransitionConflict as error:
            self._look(pk)
            return self._refused(conflict(error, serializers.status(self.run)))
        except Problem as problem:
            self._look(pk)
            return self._refused(problem)
        messages.success(request, verb.label)
        return HttpResponseRedirect(request.path)

    def _carry_out(self, verb: Verb, reason: str) -> None:
        match verb:
            case Verb.PAUSE:
                services.pause(self.run, by=self.caller, reason=reason)
            case Verb.CANCEL:
                services.cancel(self.run, by=self.caller, reason=reason)
            case Verb.RESUME | Verb.RETRY:
                services.resume(self.run, by=self.caller)

    def _refused(self, problem: Problem) -> HttpResponse:
        self.problem = problem
        return self._page(status=problem.status)

    def _look(self, pk: str) -> None:
        """Read the run as it now is."""
        try:
            self.run = one(selectors.runs(self.caller), pk)
        except Problem:
            raise Http404(_("There is no such run, or it was cleaned up.")) from None

    # -- The page -------------------------------------------------------------------------------------

    def _page(self, *, status: int = 200, fragment: bool = False) -> HttpResponse:
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            **self._shown(),
            "opts": self.model_admin.opts,
            "list_title": self.model_admin.list_title,
            "list_url": reverse(self.model_admin.list_view),
            "form": self.form,
            "problem": self.problem,
            "may_decide": self.may_decide,
            "takes": self._takes(),
        }
        template = f"{TEMPLATES}/{'body' if fragment else 'page'}.html"
        response = TemplateResponse(self.request, template, context, status=status)
        response["Cache-Control"] = "no-store"
        return response

    def _takes(self) -> dict[str, bool]:
        """Say which verbs the life cycle of the run allows now."""
        return {verb.value: self.run.status in transition.sources for verb, transition in _LIFECYCLE.items()}

    def _shown(self) -> dict[str, Any]:
        run, interrupts, files = self.run, self._interrupts(), self._files()
        record = history(run.pk)
        steps = list(run.steps.order_by("-number")[:STEPS_SHOWN])[::-1]
        questions = list(run.checkpoints.order_by("-pk")[:QUESTIONS_SHOWN])[::-1]
        return {
            "title": f"{_('Run')} {marked(str(run))}",
            "run": run,
            "version": f"{run.version}.{sum(row.version for row in interrupts)}."
            f"{sum(row.effective_status in OPEN for row in interrupts)}.{len(files)}",
            "headline_arguments": presentation.headline_arguments(run),
            "segments": presentation.track(run),
            "question": self._question,
            "stays": presentation.timeline(steps, questions, interrupts),
            "checks": presentation.checks(run.validation),
            "fixes": presentation.fixes(run.validation),
            "payload": arguments(run.payload),
            "output": presentation.output(run.response),
            "files": files,
            "interrupts": interrupts,
            "answers": [presentation.asked(row) for row in self._answers()],
            "history": presentation.history_lines(record),
            "pause": presentation.pause(record) if run.status == RunStatus.PAUSED else {},
        }

    @cached_property
    def _question(self) -> Any:
        """Return what the run asks and a person can answer now, as the interrupt it is."""
        found: list[Checkpoint] = self.run.questions  # type: ignore[attr-defined]
        rows = with_effective_status(Interrupt.objects.filter(pk__in=[row.approval_id for row in found]))
        return next((row for row in rows if row.effective_status in OPEN), None)

    def _interrupts(self) -> list[Any]:
        """Return what the run, or its agent beside it, has asked; newest first."""
        asked = Interrupt.objects.filter(agent_id=self.run.agent_id, run_id=self.run.pk)
        found = with_effective_status(asked.defer(*DEFERRED)).order_by("-pk")
        return list(found[:ROWS_SHOWN])

    def _answers(self) -> QuerySet[Checkpoint]:
        """Return what people said to runs of the same session; newest first."""
        run = self.run
        rows = Checkpoint.objects.filter(settled_at__isnull=False).select_related("run")
        same = Q(run__agent=run.agent_id, run__session_id=run.session_id) if run.session_id else Q(run=run)
        return rows.filter(same).order_by("-pk")[:ROWS_SHOWN]

    def _files(self) -> list[dict[str, Any]]:
        """Return the files of the session and of the run's own questions, newest first."""
        run = self.run
        rows = {file.pk: file for file in attachments.of_session(run.agent_id, run.session_id)}
        results = [file["id"] for file in run.response.get("files", [])]
        own = Q(item__interrupt__checkpoint__run=run) | Q(pk__in=results)
        rows |= {file.pk: file for file in Attachment.objects.filter(own)}
        newest = sorted(rows.values(), key=lambda file: file.pk, reverse=True)[:ROWS_SHOWN]
        return [{"file": file, "url": _url(file), "is_result": file.pk in results} for file in newest]


def _url(file: Attachment) -> str:
    """Return where a file is to be had; empty where that is nowhere."""
    if file.session_id:
        return reverse("api-v1:session-file", args=[file.session_id, file.pk])
    if file.added_by.startswith("run_"):
        return reverse("api-v1:run-file", args=[file.added_by, file.pk])
    if file.item_id and file.item_id.startswith("int_"):
        return f"{reverse('api-v1:interrupt-attachments', args=[file.item_id])}/{file.pk}"
    return ""
