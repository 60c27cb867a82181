"""Tell people through a channel of Apprise's that they named: a line that says how much waits, and where.

The address is kept sealed for its owner: by most of them whoever has it could write to this person.
"""

from collections.abc import Callable, Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from events import sealing
from events.models import Channel, Subscription
from events.sealing import Sealed, Unreadable
from events.transports import apprise
from reviews import notifying, telling
from reviews.telling import Outcome, Telling, address_of, subject_of
from reviews.templatetags.items import priority_word

ADDRESS_LIMIT, SHOWN = 1_000, 4
BELONGS_TO = "subscription"


def tell_by_apprise() -> int:
    """Tell people of what is newer than they know; return how many messages were taken."""
    return telling.tell(_Apprise())


class _Apprise:
    name = Channel.APPRISE

    def is_on(self) -> bool:
        return bool(settings.HITL_APPRISE_SCHEMES)

    def write(self, about: Telling) -> Callable[[], Outcome]:
        title, body = subject_of(about.items), _words(about)
        try:
            url = address_kept(about.subscription)
        except Unreadable:
            return lambda: Outcome("its key is not in HITL_SECRETS_KEYS")
        return lambda: Outcome(send(url, title, body))

    def keep(self, about: Telling, outcome: Outcome) -> None:
        """Keep nothing: what was sent is its reader's."""


def send(url: str, title: str, body: str) -> str:
    """Send to *url*; return why it was not taken."""
    if why_not(url):  # the list was made shorter since
        return "not one of HITL_APPRISE_SCHEMES"
    return apprise.send(url, title, body)


def send_test(one: Subscription) -> str:
    """Send a line that says nothing but that it arrived; return why it was not taken."""
    try:
        url = address_kept(one)
    except Unreadable as problem:
        return str(problem)
    return send(url, _("This is a test"), _("This is how you hear that a question waits.") + _place())


def why_not(url: str) -> str:
    """Say why nothing is sent to *url*; an empty text when it may be."""
    scheme = apprise.scheme_of(url)
    if scheme not in settings.HITL_APPRISE_SCHEMES:
        named = ", ".join(f"{name}://" for name in settings.HITL_APPRISE_SCHEMES)
        return _("This server sends to addresses that begin with one of: %(schemes)s.") % {"schemes": named}
    try:
        apprise.read(url)
    except apprise.Unusable:
        return _("This is no complete address of %(scheme)s://.") % {"scheme": scheme}
    return ""


def _words(about: Telling) -> str:
    highest = max(item.priority for item in about.items)
    return _("Priority: %(priority)s") % {"priority": priority_word(highest)} + _place()


def _place() -> str:
    inbox = address_of(notifying.INBOX)
    return f"\n{inbox}" if inbox else ""


# -- The address ----------------------------------------------------------------------------------------


def sealed(url: str, user: User) -> str:
    """Return what is kept of *url*, an address of *user*."""
    return str(sealing.seal(url, BELONGS_TO, user.pk))


def address_kept(one: Subscription) -> str:
    """Return the address of *one*.

    Raises:
        Unreadable: the key that sealed it is gone.
    """
    return sealing.unseal(Sealed.of(one.address), BELONGS_TO, one.user_id)


def masked(one: Subscription) -> str:
    """Return of the address of *one* as much as its owner needs to know it again: ``tgram://…wxyz``."""
    try:
        url = address_kept(one)
    except Unreadable:
        return "…"
    return f"{apprise.scheme_of(url)}://…{url.rstrip('/')[-SHOWN:]}"


def outdated() -> list[Subscription]:
    """Return those whose address another key than the present one has wrapped."""
    kept = Subscription.objects.filter(channel=Channel.APPRISE).order_by("pk")
    return list(kept.exclude(address__startswith=f"{sealing.present_version()}."))


def rewrap_all() -> Iterator[tuple[int, int]]:
    """Rewrap what is :func:`outdated`, one by one; yield (rewrapped, unreadable) of each."""
    for one in outdated():
        try:
            address = sealing.rewrap(Sealed.of(one.address), BELONGS_TO, one.user_id)
        except Unreadable:
            yield 0, 1
            continue
        # What its owner changed meanwhile is left alone.
        same = Subscription.objects.filter(pk=one.pk, address=one.address)
        yield same.update(address=str(address)), 0
