"""People and their roles: Django's own pages, without the way from administrator to superuser."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.validators import RegexValidator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from events.models import SYSTEM

not_the_clock = RegexValidator(
    rf"^{SYSTEM}$",
    _("The record calls the clock so; take another name."),
    inverse_match=True,
    flags=re.IGNORECASE,
)

admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    """Let administrators make and change people; superusers, and who is one, are for superusers alone."""

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
