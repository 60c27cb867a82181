"""The pages of policies: their order, one to change with what it would have done, its history, its people.

Every change goes through :mod:`reviews.policy_services`; to look, to try a call and to test change nothing.
"""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _

from agents.callers import operator
from events.problems import Problem
from reviews import delegation_admin, grant_admin, policy_services, rehearsal, rules  # noqa: F401 - pages
from reviews import policy_presentation as presentation
from reviews.models import VIEW, Policy, ReviewItem
from reviews.policy_forms import CallForm, PolicyForm, initial_of
from reviews.selectors import is_open
from reviews.suggestion import suggestion

TEST = "_test"
"""The button that tests what is typed, and saves nothing."""


@admin.register(Policy)
class PolicyAdmin(admin.ModelAdmin[Policy]):
    """Serve pages of our own: what is stock here is who may see them."""

    def get_urls(self) -> list[Any]:
        def page(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"reviews_policy_{name}")

        return [
            page("", self.list_page, "changelist"),
            page("add/", self.add_page, "add"),
            page("reviewers/", self.reviewers_page, "reviewers"),
            page("<path:object_id>/history/", self.history_page, "history"),
            page("<path:object_id>/delete/", self.delete_page, "delete"),
            page("<path:object_id>/change/", self.change_page, "change"),
        ]

    # -- Looking --------------------------------------------------------------------------------------

    def list_page(self, request: HttpRequest) -> HttpResponse:
        """Show the policies in the order in which they are tried; a call that is posted is tried."""
        self._must(request, "view")
        policies = list(Policy.objects.all())
        active = [policy for policy in policies if policy.is_active]
        form = CallForm(request.POST or None)
        context = {
            "rows": self._rows(active),
            "inactive": self._rows([policy for policy in policies if not policy.is_active]),
            "form": form,
            "trial": self._trial(form, active) if form.is_valid() else None,
            "may_add": self.has_add_permission(request),
        }
        return self._page(request, "list", _("Policies"), **context)

    def reviewers_page(self, request: HttpRequest) -> HttpResponse:
        """Show each group that policies ask: who is in it, who stands in, and where it is needed."""
        self._must(request, "view")
        groups = presentation.groups_shown(Policy.objects.all())
        return self._page(request, "reviewers", _("Reviewers"), groups=groups)

    def history_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what the record says of a policy, also when it is deleted."""
        self._must(request, "view")
        pk = unquote(object_id)
        lines = presentation.history(pk) if pk.isprintable() else []
        if not lines:
            raise Http404(_("There is no such policy."))
        policy = Policy.objects.filter(pk=pk).first()
        name = policy.name if policy else lines[0]["name"]
        title = _("History of %(name)s") % {"name": name}
        return self._page(request, "history", title, lines=lines, policy=policy)

    # -- Changing -------------------------------------------------------------------------------------

    def add_page(self, request: HttpRequest) -> HttpResponse:
        """Take a new policy; one for calls like that of an item is suggested with ``?item=``."""
        self._must(request, "add")
        item = self._item(request)
        initial = suggestion(item) if item else None
        form = PolicyForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            if TEST in request.POST:
                return self._form(request, form, None, report=self._report(request, form, None))
            try:
                made = policy_services.create_policy(operator(request), **form.fields_said())
            except Problem as problem:
                form.tell(problem.extra["errors"])
            else:
                messages.success(request, _("The policy “%(name)s” is made.") % {"name": made.name})
                return HttpResponseRedirect(reverse("admin:reviews_policy_changelist"))
        return self._form(request, form, None, item=item)

    def change_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show a policy to be changed; a viewer sees the same, and cannot change it."""
        self._must(request, "change" if request.method == "POST" else "view")
        policy = self._policy(object_id)
        form = PolicyForm(request.POST or None, initial=initial_of(policy))
        if request.method != "POST" or not form.is_valid():
            return self._form(request, form, policy)
        if TEST in request.POST:
            return self._form(request, form, policy, report=self._report(request, form, policy))
        return self._save(request, form, policy)

    def delete_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask once more, and say on how many open items it is in force."""
        self._must(request, "delete")
        policy = self._policy(object_id)
        if request.method == "POST":
            policy_services.delete_policy(policy, operator(request))
            messages.success(request, _("The policy “%(name)s” is deleted.") % {"name": policy.name})
            return HttpResponseRedirect(reverse("admin:reviews_policy_changelist"))
        count = ReviewItem.objects.filter(is_open(), policy__id=policy.pk).count()
        title = _("Delete “%(name)s”?") % {"name": policy.name}
        return self._page(request, "delete", title, policy=policy, count=count)

    def _save(self, request: HttpRequest, form: PolicyForm, policy: Policy) -> HttpResponse:
        seen = form.cleaned_data["version"]
        try:
            if seen != policy.version:
                raise policy_services.changed_meanwhile()
            policy_services.change_policy(policy, operator(request), **form.fields_said())
        except Problem as problem:
            stored = self._policy(policy.pk)
            if problem.status == 409:
                return self._stale(request, form, stored, seen or 0)
            form.tell(problem.extra["errors"])
            return self._form(request, form, stored)
        messages.success(request, _("The policy “%(name)s” is saved.") % {"name": policy.name})
        return HttpResponseRedirect(reverse("admin:reviews_policy_changelist"))

    def _stale(self, request: HttpRequest, form: PolicyForm, policy: Policy, seen: int) -> HttpResponse:
        """Say what somebody else has changed; what was typed stays, and may be saved over it knowingly."""
        typed = cast(QueryDict, form.data).copy()
        typed["version"] = str(policy.version)
        form.data = typed
        newer = presentation.history(policy.pk)[: max(policy.version - seen, 1)]
        return self._form(request, form, policy, newer=newer)

    def _form(
        self, request: HttpRequest, form: PolicyForm, policy: Policy | None, **more: Any
    ) -> HttpResponse:
        may = self.has_add_permission(request) if policy is None else self.has_change_permission(request)
        context = {
            "form": form,
            "policy": policy,
            "may_save": may,
            "may_test": may and request.user.has_perm(VIEW),
            "may_delete": policy is not None and self.has_delete_permission(request),
            "problems": presentation.problems(policy) if policy else [],
            **more,
        }
        return self._page(request, "form", policy.name if policy else _("New policy"), **context)

    def _report(self, request: HttpRequest, form: PolicyForm, policy: Policy | None) -> dict[str, Any]:
        """Return what the policy as typed would have done in the last days."""
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        kept = {"pk": policy.pk, "created_at": policy.created_at} if policy else {}
        return presentation.report(rehearsal.rehearse(Policy(**form.fields_said(), **kept)))

    # -- What the pages share -------------------------------------------------------------------------

    def _rows(self, policies: list[Policy]) -> list[tuple[Policy, list[presentation.Stage]]]:
        members = presentation.members_for(policies)
        return [(policy, presentation.stages_shown(policy, members)) for policy in policies]

    def _trial(self, form: CallForm, active: list[Policy]) -> dict[str, Any]:
        call = form.call()
        return {"ruling": rules.rule(call), "tried": presentation.tried(active, call)}

    def _item(self, request: HttpRequest) -> ReviewItem | None:
        """Return the item that ``?item=`` names, with what its kind adds; None without one."""
        pk = request.GET.get("item", "")
        if not (pk and pk.isprintable() and request.user.has_perm(VIEW)):
            return None
        found = (model._base_manager.filter(pk=pk).first() for model in ReviewItem.__subclasses__())
        return next((item for item in found if item is not None), None)

    def _policy(self, object_id: str) -> Policy:
        pk = unquote(object_id)
        found = Policy.objects.filter(pk=pk).first() if pk.isprintable() else None
        if found is None:
            raise Http404(_("There is no such policy. Its history may still be on the record."))
        return found

    def _must(self, request: HttpRequest, verb: str) -> None:
        if not getattr(self, f"has_{verb}_permission")(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **context}
        return TemplateResponse(request, f"admin/reviews/policy/{template}.html", context)
