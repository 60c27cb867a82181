"""What people prefer. It is read with their account, by one and the same query."""

import zoneinfo
from functools import cache
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, User

from agents.models import Preferences


class Accounts(ModelBackend):
    """Find who is logged in, together with what they prefer."""

    def get_user(self, user_id: Any) -> User | None:
        user = User.objects.select_related("preferences").filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None


def of(user: User | AnonymousUser) -> Preferences:
    """Return what *user* prefers; the defaults where they never said anything, or are nobody."""
    found: Preferences = getattr(user, "preferences", None) or Preferences()
    return found


def keep(user: User, **chosen: Any) -> None:
    """Keep what *user* has *chosen*, whether or not there was something before."""
    user.preferences, _ = Preferences.objects.update_or_create(user=user, defaults=chosen)


@cache
def zones() -> frozenset[str]:
    """Return the names of all time zones that this machine knows."""
    return frozenset(zoneinfo.available_timezones())


@cache
def offered_zones() -> list[str]:
    """Return those that are named by a place, and UTC, in their order."""
    places = {name for name in zones() if "/" in name and not name.startswith("Etc/")}
    return ["UTC", *sorted(places)]
