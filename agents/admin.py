"""Agents and keys. Every change goes through :mod:`agents.keys`; the text of a key is shown once, by the
answer to the request that made it, and is kept nowhere."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import keys, presence, webhook_admin  # noqa: F401 - Django looks for pages here
from agents.callers import operator
from agents.forms import KeyForm, RotationForm
from agents.models import Agent, Key
from events.changelist import ReadOnlyAdmin
from events.clock import local

OPERATE = "reviews.view_reviewitem"


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin[Agent]):
    list_display = ("name", "description", "owner", "is_active", "made")
    list_filter = ("is_active",)
    list_select_related = ("owner",)
    search_fields = ("name", "description")
    fields = ("name", "description", "owner", "is_active")
    actions = None
    show_full_result_count = False
    change_form_template = "admin/agents/agent/change_form.html"

    @admin.display(description=gettext_lazy("Made"), ordering="created_at")
    def made(self, agent: Agent) -> str:
        return local(agent.created_at)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deactivate instead: what an agent asked stays on the record."""
        return False

    def get_fields(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        return self.fields if obj else ("name", "description", "owner")

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Let an owner be chosen, and not made in passing."""
        field: Any = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name == "owner" and field is not None:
            field.widget = field.widget.widget
        return field

    def save_model(self, request: HttpRequest, obj: Agent, form: ModelForm[Agent], change: bool) -> None:
        actor = operator(request).actor
        if change:
            keys.change_agent(obj, actor=actor)
        else:
            keys.create_agent(obj.name, description=obj.description, owner=obj.owner, actor=actor)

    def response_add(
        self, request: HttpRequest, obj: Agent, post_url_continue: str | None = None
    ) -> HttpResponse:
        if not request.user.has_perm("agents.add_key"):
            return super().response_add(request, obj, post_url_continue)
        messages.success(request, _("The agent %(name)s exists. Now give it a key.") % {"name": obj.name})
        return HttpResponseRedirect(f"{reverse('admin:agents_key_add')}?agent={obj.name}")


@admin.register(Key)
class KeyAdmin(ReadOnlyAdmin):
    """List keys by their prefixes; make, rotate and revoke. An operator without more sees only their own."""

    list_display = ("short", "whose", "label", "may", "state", "last_used")
    list_display_links = ("short",)
    search_fields = ("prefix", "label", "agent__name", "user__username")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("short", "whose", "label", "may", "state", "made", "last_used")
    readonly_fields = fields
    change_form_template = "admin/agents/key/change_form.html"

    # -- Who may --------------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Key | None = None) -> bool:
        if request.user.has_perm("agents.view_key"):
            return True
        return request.user.has_perm(OPERATE) and (obj is None or obj.user_id == request.user.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("agents.add_key") or request.user.has_perm(OPERATE))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Key]:
        rows = super().get_queryset(request).select_related("user")
        return rows if request.user.has_perm("agents.view_key") else rows.filter(user=operator(request).user)

    def may_end(self, request: HttpRequest, key: Key) -> bool:
        """Say whether *key* may be rotated and revoked: one's own, or any by an administrator."""
        return bool(request.user.has_perm("agents.change_key") or key.user_id == request.user.pk)

    # -- Columns --------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("Key"))
    def short(self, key: Key) -> SafeString:
        return format_html("<code>{}</code>", str(key))

    @admin.display(description=gettext_lazy("Holder"))
    def whose(self, key: Key) -> str:
        return (
            _("agent %(name)s") % {"name": key.agent_id}
            if key.agent_id
            else _("%(name)s (personal)") % {"name": key.user}
        )

    @admin.display(description=gettext_lazy("May"))
    def may(self, key: Key) -> str:
        return ", ".join(key.scopes) if key.agent_id else _("what its user may")

    @admin.display(description=gettext_lazy("State"))
    def state(self, key: Key) -> SafeString:
        if key.revoked_at:
            return format_html('<span class="chip status-rejected">{}</span>', _("revoked"))
        if key.expires_at and key.expires_at <= timezone.now():
            return format_html('<span class="chip">{}</span>', _("expired"))
        until = _("until %(day)s") % {"day": local(key.expires_at)} if key.expires_at else ""
        return format_html('<span class="chip status-approved">{}</span> {}', _("valid"), until)

    @admin.display(description=gettext_lazy("Made"))
    def made(self, key: Key) -> str:
        return local(key.created_at)

    @admin.display(description=gettext_lazy("Last used"))
    def last_used(self, key: Key) -> str:
        return local(key.last_used_at) if key.last_used_at else _("never")

    # -- Verbs ----------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/rotate/", wrap(self.rotate_view), name="agents_key_rotate"),
            path("<int:pk>/revoke/", wrap(self.revoke_view), name="agents_key_revoke"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        presence.must_be_recent(request.session)
        by = operator(request)
        user: User = by.user
        preset = {"holder": f"agent:{request.GET['agent']}"} if "agent" in request.GET else {}
        form = KeyForm(request.POST or None, user=user, initial=preset)
        if not form.is_valid():
            return self._page(request, "form.html", _("Make a key"), form=form)
        holder: Agent | User = user
        if form.is_for_agent():
            holder = Agent.objects.get(name=form.cleaned_data["holder"].removeprefix("agent:"))
        key, text = keys.create_key(
            holder,
            scopes=form.cleaned_data.get("scopes", ()),
            label=form.cleaned_data["label"],
            expires_at=form.expires_at(),
            actor=by.actor,
        )
        return self._shown_once(request, key, text)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        key = self.get_object(request, object_id)
        context = {
            "may_end": key is not None and key.revoked_at is None and self.may_end(request, key),
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = self._key_to_end(request, pk)
        presence.must_be_recent(request.session)
        form = RotationForm(request.POST or None)
        if not form.is_valid():
            return self._page(request, "form.html", _("Rotate %(key)s") % {"key": key}, form=form, key=key)
        successor, text = keys.rotate(key, overlap=form.overlap(), actor=operator(request).actor)
        return self._shown_once(request, successor, text, predecessor=key)

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = self._key_to_end(request, pk)
        if request.method != "POST":
            return self._page(request, "revoke.html", _("Revoke %(key)s?") % {"key": key}, key=key)
        keys.revoke(key, actor=operator(request).actor)
        messages.success(request, _("%(key)s is revoked; its sockets close within seconds.") % {"key": key})
        return HttpResponseRedirect(reverse("admin:agents_key_changelist"))

    def _key_to_end(self, request: HttpRequest, pk: int) -> Key:
        key = self.get_queryset(request).select_related("agent", "user").filter(pk=pk).first()
        if key is None:
            raise Http404(_("There is no such key."))
        if not self.may_end(request, key):
            raise PermissionDenied
        if key.revoked_at is not None:
            raise Http404(_("This key is revoked already."))
        return key

    def _shown_once(
        self, request: HttpRequest, key: Key, text: str, predecessor: Key | None = None
    ) -> HttpResponse:
        response = self._page(
            request, "made.html", _("Your new key"), key=key, text=text, predecessor=predecessor
        )
        response["Cache-Control"] = "no-store"
        return response

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": Key._meta, "title": title, **context}
        return TemplateResponse(request, f"admin/agents/key/{template}", context)
