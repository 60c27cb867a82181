"""The pages of delegations: who is away, and who answers in their place."""

import datetime as dt
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.callers import Caller, operator
from events.problems import Problem
from reviews import delegations
from reviews.models import DECIDE, Delegation

PAST = 50
_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class DelegationForm(forms.Form):
    """Take who is away, from when to when, and who stands in.

    ``zone`` is the one that the times are meant in: as chosen, else the browser's, which its script fills in.
    """

    absent = forms.ModelChoiceField(
        User.objects.none(), label=gettext_lazy("Who is away"), to_field_name="username", empty_label=None
    )
    substitute = forms.ModelChoiceField(
        User.objects.none(), label=gettext_lazy("Who stands in"), to_field_name="username"
    )
    starts_at = forms.CharField(label=gettext_lazy("From"), widget=_MOMENT)
    ends_at = forms.CharField(label=gettext_lazy("Until"), widget=_MOMENT)
    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=200)
    zone = forms.CharField(
        required=False, max_length=60, widget=forms.HiddenInput(attrs={"data-time-zone": ""})
    )

    def __init__(self, data: Any = None, *, by: Caller) -> None:
        super().__init__(data, initial={"absent": by.name, "zone": timezone.get_current_timezone_name()})
        people = User.objects.filter(is_active=True).order_by("username")
        speaks_for_all = by.has_perm(delegations.MANAGE)
        self._let("absent", people if speaks_for_all else people.filter(pk=by.user.pk))
        self._let("substitute", people)

    def clean_zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.cleaned_data["zone"] or timezone.get_current_timezone_name())
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        for name in ("starts_at", "ends_at"):
            if name in found:
                found[name] = self._moment(name, found[name], found.get("zone", ZoneInfo("UTC")))
        return found

    def _moment(self, name: str, text: str, zone: ZoneInfo) -> dt.datetime | None:
        try:
            return dt.datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            self.add_error(name, _("Write a day and a time."))
            return None

    def _let(self, name: str, people: Any) -> None:
        cast(forms.ModelChoiceField[User], self.fields[name]).queryset = people


@admin.register(Delegation)
class DelegationAdmin(admin.ModelAdmin[Delegation]):
    """List who is away; name a substitute, for oneself or (administrators) for anybody; end it early."""

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.list_page), name="reviews_delegation_changelist"),
            path("add/", wrap(self.add_page), name="reviews_delegation_add"),
            path("<int:pk>/end/", wrap(self.end_page), name="reviews_delegation_end"),
        ]

    def list_page(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows, now = Delegation.objects.select_related("absent", "substitute"), timezone.now()
        coming = rows.filter(starts_at__gt=now).order_by("starts_at", "pk")
        current = rows.filter(starts_at__lte=now, ends_at__gt=now).order_by("ends_at", "pk")
        sections = [
            ("now", _("Away now"), current),
            ("coming", _("Coming"), coming),
            ("past", _("Past"), rows.filter(ends_at__lte=now)[:PAST]),
        ]
        shown = [
            (name, title, [(row, self._may_end(request, row)) for row in found])
            for name, title, found in sections
        ]
        return self._page(
            request, "list", _("Delegations"), sections=shown, may_add=self.has_add_permission(request)
        )

    def add_page(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        by = operator(request)
        form = DelegationForm(request.POST or None, by=by)
        if request.method == "POST" and form.is_valid():
            said = {name: value for name, value in form.cleaned_data.items() if name != "zone"}
            try:
                made = delegations.delegate(by, **said)
            except Problem as problem:
                for name, texts in problem.extra.get("errors", {"": [problem.detail]}).items():
                    form.add_error(name or None, texts)
            else:
                told = {"substitute": made.substitute, "absent": made.absent}
                messages.success(request, _("%(substitute)s stands in for %(absent)s.") % told)
                return HttpResponseRedirect(reverse("admin:reviews_delegation_changelist"))
        return self._page(request, "form", _("Name a substitute"), form=form)

    def end_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask once more, then end the delegation."""
        rows = Delegation.objects.select_related("absent", "substitute")
        found = rows.filter(pk=pk, ends_at__gt=timezone.now()).first() if pk < 2**63 else None
        if found is None:
            raise Http404(_("There is no such delegation, or it has ended."))
        if not self._may_end(request, found):
            raise PermissionDenied
        if request.method == "POST":
            delegations.end(found, operator(request))
            messages.success(request, _("%(name)s answers again.") % {"name": found.absent})
            return HttpResponseRedirect(reverse("admin:reviews_delegation_changelist"))
        return self._page(request, "end", _("End this delegation?"), delegation=found)

    def _may_end(self, request: HttpRequest, delegation: Delegation) -> bool:
        own = delegation.absent == request.user and request.user.has_perm(DECIDE)
        return bool(own or request.user.has_perm(delegations.MANAGE))

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **context}
        return TemplateResponse(request, f"admin/reviews/delegation/{template}.html", context)
