"""The pages of webhooks and their deliveries. A secret is shown once, by the answer that made it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.callers import operator
from agents.models import Agent
from events import delivery, destinations, receivers
from events.changelist import ReadOnlyAdmin, TabsFilter
from events.clock import local
from events.models import SYSTEM, Delivery, Webhook
from events.untrusted import visible

PENDING, DELIVERED, DEAD = Delivery.Status.PENDING, Delivery.Status.DELIVERED, Delivery.Status.DEAD
CHIPS = {PENDING: "status-pending", DELIVERED: "status-approved", DEAD: "status-rejected"}
NOUNS = {
    "hitl.interrupt.": gettext_lazy("Interrupts: asked, decided, expired"),
    "hitl.request.": gettext_lazy("Action requests: asked, fulfilled, rejected"),
    "hitl.item.": gettext_lazy("Items: claims, comments, votes, files"),
    "hitl.run.": gettext_lazy("Runs"),
    "hitl.policy.": gettext_lazy("Policies"),
}


class WebhookForm(forms.ModelForm[Webhook]):
    """Take where to send, and of what. Whose events cannot be changed: its places are those of streams."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=1_000,
        help_text=gettext_lazy("Where events are posted to: https, and a host that the world can reach."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    label = forms.CharField(label=gettext_lazy("Label"), max_length=100, required=False)
    stream = forms.ChoiceField(label=gettext_lazy("Of"), required=False)
    types = forms.MultipleChoiceField(
        label=gettext_lazy("Told about"),
        choices=list(NOUNS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked is everything."),
    )
    is_active = forms.BooleanField(
        label=gettext_lazy("Switched on"),
        required=False,
        initial=True,
        help_text=gettext_lazy("What happens while it is off is sent when it is on again."),
    )

    class Meta:
        model = Webhook
        fields = ["url", "label", "stream", "types", "is_active"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            del self.fields["stream"]
            return
        del self.fields["is_active"]
        names = Agent.objects.order_by("name").values_list("name", flat=True)
        offered = [("", _("all agents, and the system")), (SYSTEM, _("the system: policies, people, keys"))]
        stream: Any = self.fields["stream"]
        stream.choices = [*offered, *((name, _("agent %(name)s") % {"name": name}) for name in names)]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if reason := destinations.why_not(url):
            raise forms.ValidationError(reason)
        return url


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin[Webhook]):
    """Make webhooks, change, switch off, give a new secret and delete them."""

    list_display = ("name", "of", "told_about", "state", "waiting", "given_up")
    search_fields = ("url", "label")
    ordering = ("-id",)
    sortable_by = ()
    actions = None
    show_full_result_count = False

    # -- Columns --------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        rows = Delivery.objects.filter(webhook=OuterRef("pk")).order_by().values("webhook")
        # Each by a small index of its own: what was delivered is not passed.
        count = {
            name: Coalesce(Subquery(rows.filter(status=status).annotate(n=Count("pk")).values("n")), 0)
            for name, status in (("pending", PENDING), ("dead", DEAD))
        }
        return super().get_queryset(request).annotate(**count)

    @admin.display(description=gettext_lazy("Webhook"))
    def name(self, webhook: Webhook) -> SafeString:
        return visible(webhook.label or webhook.url.split("/")[2])

    @admin.display(description=gettext_lazy("Of"))
    def of(self, webhook: Webhook) -> Any:
        return visible(webhook.stream) if webhook.stream else _("all")

    @admin.display(description=gettext_lazy("Told about"))
    def told_about(self, webhook: Webhook) -> str:
        words = [str(NOUNS.get(name, name)).partition(":")[0] for name in webhook.types]
        return ", ".join(words) or _("everything")

    @admin.display(description=gettext_lazy("State"))
    def state(self, webhook: Webhook) -> SafeString:
        if webhook.is_active:
            return format_html('<span class="chip status-approved">{}</span>', _("on"))
        return format_html('<span class="chip status-rejected">{}</span>', _("off"))

    @admin.display(description=gettext_lazy("Waiting"))
    def waiting(self, webhook: Any) -> int:
        return int(webhook.pending)

    @admin.display(description=gettext_lazy("Given up"))
    def given_up(self, webhook: Any) -> int:
        return int(webhook.dead)

    # -- Pages ----------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        pages = {"rotate": self.rotate_view, "redeliver": self.redeliver_view}
        return [
            *(
                path(f"<str:pk>/{verb}/", wrap(page), name=f"events_webhook_{verb}")
                for verb, page in pages.items()
            ),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = WebhookForm(request.POST or None)
        if not form.is_valid():
            return self._page(request, "form.html", _("Add a webhook"), form=form)
        webhook, secret = receivers.create(**form.cleaned_data, actor=operator(request).actor)
        return self._shown_once(request, webhook, secret)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        webhook = self._found(request, object_id, "view")
        may_change = self.has_change_permission(request)
        form = WebhookForm(request.POST or None, instance=webhook)
        if request.method == "POST" and not may_change:
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            receivers.change(webhook, actor=operator(request).actor)
            messages.success(request, _("The webhook is saved."))
            return HttpResponseRedirect(reverse("admin:events_webhook_changelist"))
        for field in form.fields.values() if not may_change else ():
            field.disabled = True
        return self._page(
            request, "form.html", self.name(webhook), form=form, webhook=webhook, may_change=may_change
        )

    def rotate_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        webhook = self._found(request, pk, "change")
        if request.method != "POST":
            return self._page(request, "rotate.html", _("A new secret?"), webhook=webhook)
        return self._shown_once(
            request, webhook, receivers.rotate(webhook, actor=operator(request).actor), is_new=False
        )

    def redeliver_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Send everything once more that was given up."""
        webhook = self._found(request, pk, "change")
        if request.method == "POST":
            count = delivery.redeliver(webhook.deliveries.filter(status=DEAD))
            messages.success(request, _("%(count)d are sent once more.") % {"count": count})
        return HttpResponseRedirect(reverse("admin:events_webhook_change", args=[webhook.pk]))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        webhook = self._found(request, object_id, "delete")
        if request.method != "POST":
            return self._page(request, "delete.html", _("Delete this webhook?"), webhook=webhook)
        receivers.delete(webhook, actor=operator(request).actor)
        messages.success(request, _("The webhook is deleted."))
        return HttpResponseRedirect(reverse("admin:events_webhook_changelist"))

    def _found(self, request: HttpRequest, pk: str, verb: str) -> Any:
        if not getattr(self, f"has_{verb}_permission")(request):
            raise PermissionDenied
        webhook = self.get_queryset(request).filter(pk=pk).first() if pk.isprintable() else None
        if webhook is None:
            raise Http404(_("There is no such webhook."))
        return webhook

    def _shown_once(
        self, request: HttpRequest, webhook: Webhook, secret: str, is_new: bool = True
    ) -> HttpResponse:
        response = self._page(
            request, "made.html", _("The secret"), webhook=webhook, secret=secret, is_new=is_new
        )
        response["Cache-Control"] = "no-store"
        return response

    def _page(self, request: HttpRequest, template: str, title: Any, **context: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **context}
        return TemplateResponse(request, f"admin/events/webhook/{template}", context)


class StatusFilter(TabsFilter):
    title = gettext_lazy("status")
    parameter_name = "status"
    tabs = {
        "": (gettext_lazy("All"), Q()),
        PENDING.value: (gettext_lazy("Waiting"), Q(status=PENDING)),
        DEAD.value: (gettext_lazy("Given up"), Q(status=DEAD)),
        DELIVERED.value: (gettext_lazy("Delivered"), Q(status=DELIVERED)),
    }

    def matching(self, name: str) -> Q:
        return self.tabs.get(name, self.tabs[""])[1]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """List deliveries, and have one sent once more."""

    list_display = ("made", "event_id", "subject_id", "whom", "state", "attempts", "answered")
    list_display_links = ("made",)
    list_filter = (StatusFilter,)
    list_select_related = ("webhook",)
    search_fields = ("subject_id",)
    search_help_text = gettext_lazy("Whole id of an event, an item or a webhook")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("made", "whom", "event_id", "subject_id", "state", "attempts", "answered", "next", "ended")
    readonly_fields = fields
    change_form_template = "admin/events/delivery/change_form.html"

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.redeliver_view)
        return [
            path("<int:pk>/redeliver/", page, name="events_delivery_redeliver"),
            *super().get_urls(),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if word := search_term.strip():
            queryset = queryset.filter(Q(event=word) | Q(subject_id=word) | Q(webhook=word))
        return queryset, False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        may = found is not None and found.status != PENDING and self._may_redeliver(request)
        return super().change_view(request, object_id, form_url, {"may_redeliver": may})

    def redeliver_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self._may_redeliver(request):
            raise PermissionDenied
        if not (rows := Delivery.objects.filter(pk=pk)).exists():
            raise Http404(_("There is no such delivery."))
        if request.method == "POST" and delivery.redeliver(rows):
            messages.success(request, _("It is sent once more."))
        return HttpResponseRedirect(reverse("admin:events_delivery_change", args=[pk]))

    def _may_redeliver(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("events.change_delivery"))

    @admin.display(description=gettext_lazy("Made"))
    def made(self, row: Delivery) -> str:
        return local(row.created_at, seconds=True)

    @admin.display(description=gettext_lazy("Webhook"))
    def whom(self, row: Delivery) -> SafeString:
        return visible(row.webhook.label or row.webhook.url.split("/")[2])

    @admin.display(description=gettext_lazy("State"))
    def state(self, row: Delivery) -> SafeString:
        status = Delivery.Status(row.status)
        return format_html('<span class="chip {}">{}</span>', CHIPS[status], status.label)

    @admin.display(description=gettext_lazy("Last answer"))
    def answered(self, row: Delivery) -> SafeString:
        return visible(row.answer or "—")

    @admin.display(description=gettext_lazy("Next attempt"))
    def next(self, row: Delivery) -> str:
        return local(row.not_before, seconds=True) if row.status == PENDING else "—"

    @admin.display(description=gettext_lazy("Ended"))
    def ended(self, row: Delivery) -> str:
        return local(row.ended_at, seconds=True) if row.ended_at else "—"
