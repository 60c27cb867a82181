"""What somebody can log in with besides a password: to see, to set up, to take away; and to confirm by it.

All of it is about who is logged in, so nobody sets up another's; and every change needs that they have lately
shown who they are.
"""

import base64
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.webauthn.internal import auth as webauthn
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from agents import presence
from agents.callers import operator
from events import sealing
from events.sealing import Sealed, Unreadable
from hitl_project import sessions
from hitl_project.identity import factors, sso
from hitl_project.identity.forms import AppForm, CodeForm, PasskeyForm, PasskeyToAddForm, PasswordForm

PENDING = "app_to_add"
"""Where the secret of an application that is being set up waits, sealed, for its first code."""


def pages(site: AdminSite) -> dict[str, Callable[..., HttpResponse]]:
    """Return the pages of this module by their places."""
    found = {
        "security": overview,
        "security/confirm": confirm,
        "security/app": app,
        "security/passkey": passkey,
        "security/codes": codes,
    }
    return {place: sensitive_post_parameters()(partial(page, site)) for place, page in found.items()}


def overview(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Show what is set up, since when, and when it was last used."""
    found = factors.of(request.user)
    told: dict[str, Any] = {
        "app": next((one for one in found if one.type == factors.APP), None),
        "passkeys": [(one, factors.called(one)) for one in found if one.type == factors.PASSKEY],
        "codes": next((one for one in found if one.type == factors.CODES), None),
        "codes_left": _codes_left(found),
        "has_any": any(one.type != factors.CODES for one in found),
        "is_required": settings.HITL_SECOND_FACTOR == "REQUIRED",
        "is_enough": presence.is_enough(request.session),
        "ends_at": sessions.ends_at(request.session) if sessions.ENDS in request.session else None,
        "idle_minutes": settings.HITL_SESSION_IDLE_MINUTES,
        "elsewhere": sso.name() if sso.is_bound(request.user) else "",
    }
    return _page(site, request, "page.html", _("Security"), **told)


def confirm(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Ask who is logged in to show again who they are, by whatever they have."""
    user, found = _user(request), {one.type for one in factors.of(request.user)}
    data = request.POST if request.method == "POST" else None
    by_password = PasswordForm(data if data and "password" in data else None, user=user)
    by_code = CodeForm(data if data and "code" in data else None, user=user)
    by_passkey = PasskeyForm(data if data and "credential" in data else None, user=user)
    if by_password.is_bound and by_password.is_valid():
        return _confirmed(request)
    for form in (by_code, by_passkey):
        if form.is_bound and form.is_valid():
            form.used.record_usage()
            return _confirmed(request, strongly=True)
    weak = not presence.is_enough(request.session)
    told: dict[str, Any] = {
        "by_password": by_password if user.has_usable_password() and not weak else None,
        "by_code": by_code if {factors.APP, factors.CODES} & found else None,
        "by_passkey": by_passkey if factors.PASSKEY in found else None,
        "elsewhere": sso.name() if sso.is_bound(user) else "",
        "next": _next(request),
    }
    if factors.PASSKEY in found:
        told["options"] = webauthn.begin_authentication(user)
    status = 400 if data else 200
    return _page(site, request, "confirm.html", _("Confirm that it is you"), status=status, **told)


def app(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Set up an application that shows codes."""
    user = _recently_shown(request)
    if any(one.type == factors.APP for one in factors.of(user)):
        return HttpResponseRedirect(reverse("admin:security"))
    secret = _pending_secret(request)
    form = AppForm(request.POST or None, user=user, secret=secret)
    if form.is_valid():
        factors.add_app(user, secret, form.cleaned_data["code"], actor=operator(request).actor)
        del request.session[PENDING]
        return _added(site, request, _("The application is set up."))
    url = get_adapter().build_totp_url(user, secret)
    picture = base64.b64encode(get_adapter().build_totp_svg(url).encode()).decode()
    told = {"form": form, "secret": secret, "url": url, "picture": f"data:image/svg+xml;base64,{picture}"}
    status = 400 if form.is_bound else 200
    return _page(site, request, "app.html", _("Set up an application"), status=status, **told)


def passkey(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Set up a passkey: a device, or a stick, that answers for its holder."""
    user = _recently_shown(request)
    form = PasskeyToAddForm(request.POST or None, user=user)
    if form.is_valid():
        told = form.cleaned_data
        factors.add_passkey(user, told["name"], told["credential"], actor=operator(request).actor)
        return _added(site, request, _("The passkey is set up."))
    options = webauthn.begin_registration(user, False)
    status = 400 if form.is_bound else 200
    return _page(
        site, request, "passkey.html", _("Set up a passkey"), status=status, form=form, options=options
    )


def codes(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Draw recovery codes, which only this answer shows."""
    user = _recently_shown(request)
    found = factors.of(user)
    if not any(one.type != factors.CODES for one in found):
        return HttpResponseRedirect(reverse("admin:security"))
    if request.method == "POST":
        return _show_codes(site, request)
    return _page(site, request, "draw.html", _("Draw recovery codes"), left=_codes_left(found))


def remove(site: AdminSite, request: HttpRequest, pk: int) -> HttpResponse:
    """Take away one factor, after a question."""
    user = _recently_shown(request)
    factor = Authenticator.objects.filter(user=user, pk=pk).exclude(type=factors.CODES).first()
    if factor is None:
        raise Http404(_("There is no such second factor."))
    if request.method == "POST":
        factors.remove(factor, actor=operator(request).actor)
        if not factors.of(user):
            request.session.pop(presence.STRONG, None)
        messages.success(request, _("It is removed."))
        return HttpResponseRedirect(reverse("admin:security"))
    told = {"factor": factor, "name": factors.called(factor) if factor.type == factors.PASSKEY else ""}
    told["is_last"] = sum(one.type != factors.CODES for one in factors.of(user)) == 1
    return _page(site, request, "remove.html", _("Remove this second factor?"), **told)


def remove_all(site: AdminSite, request: HttpRequest, person: User) -> HttpResponse:
    """Take away all of another's factors, who has lost them."""
    presence.must_be_recent(request.session)
    back = reverse("admin:auth_user_change", args=[person.pk])
    if request.method == "POST":
        number = factors.remove_all(person, actor=operator(request).actor)
        if number:
            messages.success(request, _("%(name)s logs in by password alone now.") % {"name": person})
        return HttpResponseRedirect(back)
    found = [factors.called(one) for one in factors.of(person) if one.type != factors.CODES]
    title = _("Remove the second factors of %(name)s?") % {"name": person}
    return _page(site, request, "remove_all.html", title, person=person, factors=found, back=back)


def to_confirm(request: HttpRequest) -> HttpResponse:
    """Lead to where people confirm who they are, and from there back."""
    query = urlencode({"next": request.get_full_path()})
    return HttpResponseRedirect(f"{reverse('admin:security_confirm')}?{query}")


def is_open_to_weak(request: HttpRequest) -> bool:
    """Say whether the page may be used before a second factor that is required is set up."""
    places = {reverse(f"admin:{name}") for name in ("logout", "password_change", "password_change_done")}
    return request.path in places or request.path.startswith(reverse("admin:security"))


def _confirmed(request: HttpRequest, *, strongly: bool = False) -> HttpResponse:
    presence.shown(request.session, strongly=strongly)
    return HttpResponseRedirect(_next(request) or reverse("admin:security"))


def _next(request: HttpRequest) -> str:
    """Return where to go on: a page of ours, or nothing."""
    place = request.POST.get("next") or request.GET.get("next") or ""
    return place if url_has_allowed_host_and_scheme(place, allowed_hosts=None) else ""


def _recently_shown(request: HttpRequest) -> User:
    presence.must_be_recent(request.session)
    user = _user(request)
    if not presence.is_enough(request.session) and factors.of(user):
        raise presence.NotRecent  # whoever has a second factor adds no other by password alone
    return user


def _user(request: HttpRequest) -> User:
    user: User = operator(request).user
    return user


def _pending_secret(request: HttpRequest) -> str:
    """Return the secret that is being set up: the same until its first code, kept sealed."""
    belongs_to = (factors.BELONGS_TO, PENDING, request.user.pk)
    try:
        return sealing.unseal(Sealed.of(request.session.get(PENDING, "")), *belongs_to)
    except Unreadable:
        secret: str = generate_totp_secret()
        request.session[PENDING] = str(sealing.seal(secret, *belongs_to))
        return secret


def _added(site: AdminSite, request: HttpRequest, told: str) -> HttpResponse:
    """Say that a factor is there; with the first one come the recovery codes."""
    request.session[presence.STRONG] = True
    messages.success(request, told)
    if any(one.type == factors.CODES for one in factors.of(request.user)):
        return HttpResponseRedirect(reverse("admin:security"))
    return _show_codes(site, request)


def _show_codes(site: AdminSite, request: HttpRequest) -> HttpResponse:
    drawn = factors.draw_codes(_user(request), actor=operator(request).actor)
    text = "\n".join((f"{request.get_host()} · {request.user.get_username()}", *drawn, ""))
    file = base64.b64encode(text.encode()).decode()
    return _page(
        site,
        request,
        "codes.html",
        _("Your recovery codes"),
        codes=drawn,
        file=f"data:text/plain;charset=utf-8;base64,{file}",
    )


def _codes_left(found: list[Authenticator]) -> int | None:
    try:
        return factors.codes_left(found)
    except Unreadable:
        return None


def _page(
    site: AdminSite, request: HttpRequest, template: str, title: str, status: int = 200, **told: Any
) -> HttpResponse:
    context = {**site.each_context(request), "title": title, **told}
    response = TemplateResponse(request, f"hitl/security/{template}", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
