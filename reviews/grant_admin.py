"""The pages of grants: what people have allowed in advance, to be looked at and revoked."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.callers import operator
from events.changelist import ReadOnlyAdmin, TabsFilter
from reviews import grants
from reviews.models import Grant


class InForceFilter(TabsFilter):
    """Show what holds now; what was is one click away."""

    title = gettext_lazy("which")
    parameter_name = "show"
    tabs = {"": (gettext_lazy("In force"), grants.IN_FORCE), "all": (gettext_lazy("All"), Q())}


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    """List grants; revoke one. They are given on the page of an item."""

    change_list_template = "admin/reviews/grant/list.html"
    list_filter = (InForceFilter,)
    search_fields = ("tool_name", "agent__name", "session_id", "granted_by__username")
    search_help_text = gettext_lazy("Tool, agent, session or person")
    list_display = ("id",)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name="reviews_grant_changelist"),
            path("<str:pk>/revoke/", wrap(self.revoke_view), name="reviews_grant_revoke"),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        return Grant.objects.select_related("granted_by")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("reviews.delete_grant"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = {
            "title": _("Allowed in advance"),
            "now": timezone.now(),
            "may_revoke": self.has_delete_permission(request),
        }
        return super().changelist_view(request, told)

    def revoke_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Ask once more, then revoke."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        grant = self.get_queryset(request).filter(pk=pk).first() if pk.isprintable() else None
        if grant is None or grant.revoked_at is not None:
            raise Http404(_("There is no such grant, or it is revoked already."))
        if request.method == "POST":
            grants.revoke(grant, by=operator(request))
            messages.success(request, _("Revoked: %(tool)s asks again.") % {"tool": grant.tool_name})
            return HttpResponseRedirect(reverse("admin:reviews_grant_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Revoke?"),
            "grant": grant,
        }
        return TemplateResponse(request, "admin/reviews/grant/revoke.html", context)
