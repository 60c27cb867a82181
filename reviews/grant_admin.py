"""The pages of grants: what people have allowed in advance, to be looked at and revoked."""

from collections.abc import Iterator
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.callers import of_user
from events.changelist import ReadOnlyAdmin
from reviews import grants
from reviews.models import Grant


class ReachFilter(admin.SimpleListFilter):
    """Show what holds now; what was is one click away."""

    title = gettext_lazy("which")
    parameter_name = "show"
    template = "hitl/tabs.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", gettext_lazy("All"))]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for name, word in (("", _("In force")), ("all", _("All"))):
            yield {
                "selected": (self.value() or "") == name,
                "query_string": changelist.get_query_string({"show": name or None}, ["p"]),
                "display": word,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Grant]) -> QuerySet[Grant]:
        return queryset if self.value() == "all" else queryset & grants.all_in_force()


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    """List grants; revoke one. They are given on the page of an item."""

    change_list_template = "admin/reviews/grant/list.html"
    list_filter = (ReachFilter,)
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
            grants.revoke(grant, by=of_user(cast(User, request.user)))
            messages.success(request, _("Revoked: %(tool)s asks again.") % {"tool": grant.tool_name})
            return HttpResponseRedirect(reverse("admin:reviews_grant_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Revoke?"),
            "grant": grant,
        }
        return TemplateResponse(request, "admin/reviews/grant/revoke.html", context)
