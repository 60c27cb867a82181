"""What a caller may do, as a table in each view.

An agent's key needs the scope, an operator the permission. Where a row names no scope, agents may not call
at all; where it names no permission, operators may not.
"""

from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from agents.callers import Caller


@dataclass(frozen=True, slots=True)
class Access:
    """Name what opens a route: a *scope* for agents' keys, a *permission* for operators."""

    scope: str = ""
    permission: str = ""

    def check(self, caller: Caller) -> None:
        """Raise PermissionDenied, with a sentence that says what is missing, unless *caller* may."""
        if caller.user is not None:
            if not self.permission:
                raise PermissionDenied("Only an agent's key may do this.")
            if not caller.has_perm(self.permission):
                raise PermissionDenied(f"This needs the permission {self.permission}.")
        elif not self.scope:
            raise PermissionDenied("An agent may not do this; an operator may.")
        elif self.scope not in caller.scopes:
            raise PermissionDenied(f"This key lacks the scope {self.scope}.")


class MayCall(BasePermission):
    """Hold the caller against the view's ``access`` table; an action that is not in it is open to nobody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, Caller):
            return False
        if str(request.method).lower() not in view.action_map:
            return True  # nothing to protect: DRF answers 405
        access = view.access.get(view.action)
        if access is None:
            return False
        access.check(request.auth)
        return True
