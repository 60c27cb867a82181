"""People and their roles: Django's own pages, without the way from administrator to superuser."""

import re
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from allauth.account import admin as _of_accounts  # noqa: F401 - so that they are there to be taken away
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa import admin as _of_factors  # noqa: F401
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as _of_sso  # noqa: F401
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.db.models import ManyToManyField
from django.forms import CheckboxSelectMultiple, ModelMultipleChoiceField
from django.forms.models import ModelChoiceIterator
from django.forms.renderers import TemplatesSetting
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.models import SYSTEM
from hitl_project.identity import security

not_the_clock = RegexValidator(
    rf"^{SYSTEM}$",
    _("The record calls the clock so; take another name."),
    inverse_match=True,
    flags=re.IGNORECASE,
)

admin.site.unregister([User, Group])
for model in (EmailAddress, EmailConfirmation, Authenticator, SocialAccount, SocialApp, SocialToken):
    if admin.site.is_registered(model):  # what these keep is nobody's to read or to write by hand
        admin.site.unregister(model)


class Ticks(CheckboxSelectMultiple):
    """Boxes to tick, under what they belong to."""

    template_name = "hitl/ticks.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        return super().render(name, value, attrs, TemplatesSetting())


class ByModel(ModelChoiceIterator[Permission]):
    def __iter__(self) -> Iterator[Any]:
        for model, found in groupby(self.queryset.all(), attrgetter("content_type")):
            yield str(model), [(self.choice(one)[0], one.name) for one in found]


class PermissionsField(ModelMultipleChoiceField[Permission]):
    iterator = ByModel


class TicksAdmin(admin.ModelAdmin[Any]):
    """Offer boxes to tick in place of two lists, which are no work for a keyboard or a phone."""

    filter_horizontal = ()

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: Any = None, **options: Any
    ) -> Any:
        options["widget"] = Ticks({"label": db_field.verbose_name})
        if db_field.related_model is Permission:
            options["form_class"] = PermissionsField
        return super().formfield_for_manytomany(db_field, request, **options)


@admin.register(Group)
class RoleAdmin(TicksAdmin, GroupAdmin):
    """Let roles be made of permissions."""


@admin.register(User)
class PersonAdmin(TicksAdmin, UserAdmin[User]):
    """Let administrators make and change people; superusers, and who is one, are for superusers alone."""

    readonly_fields = ("last_login", "date_joined")  # what happened, for nobody to write

    def get_urls(self) -> list[URLPattern]:
        lost = path(
            "<int:pk>/factors/", self.admin_site.admin_view(self.remove_factors), name="auth_user_factors"
        )
        return [lost, *super().get_urls()]

    def remove_factors(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let in by password alone who has lost what else they had."""
        person = self.get_object(request, str(pk))
        if person is None:
            raise Http404(gettext("There is no such person."))
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        return security.remove_all(self.admin_site, request, person)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _is_theirs(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _is_theirs(request, obj) and super().has_delete_permission(request, obj)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name == "username" and field is not None:
            field.validators.append(not_the_clock)
        return field


def _is_theirs(request: HttpRequest, user: User | None) -> bool:
    return bool(request.user.is_superuser or user is None or not user.is_superuser)
