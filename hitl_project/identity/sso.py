"""Single sign-on: an identity provider, by OpenID Connect, says who somebody is and in which groups.

An account is bound to the provider's address and its ``sub``, and to nothing else: never to a name or a mail,
which others can take. Roles come from the groups, anew at each login. What the provider says is believed only
signed by its own key, for us, in answer to what this very browser asked.

    the button ──▶ login ──▶ the provider ──▶ callback ──▶ Visitors.pre_social_login ──▶ in, or why not
"""

import secrets
import time
from typing import Any

import jwt
import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.base.constants import AuthError
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from requests import RequestException, Session

from agents import presence
from events import log as record
from events import outbound
from hitl_project.identity import names
from hitl_project.pages.readers import reading

PROVIDER = "openid_connect"
SIGNED_BY = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that nobody makes who can only read the key."""
LEEWAY = 60
"""By how many seconds the clocks may differ."""
SECONDS = 5
NONSENSE = (
    RequestException,
    OAuth2Error,
    jwt.PyJWTError,
    ImproperlyConfigured,
    SuspiciousOperation,
    IntegrityError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
)
"""What comes of a provider that is away, or that says what no provider should."""
log = structlog.get_logger(__name__)


def name() -> str:
    """Return what the button says; empty where there is no provider."""
    return str(settings.HITL_OIDC_NAME) if settings.HITL_OIDC_URL else ""


def is_bound(user: Any) -> bool:
    """Say whether *user* comes in by the provider."""
    return bool(name()) and SocialAccount.objects.filter(user=user, provider=settings.HITL_OIDC_URL).exists()


def login(request: HttpRequest) -> HttpResponse:
    """Lead to the provider; with ``again``, have it ask even whom it knows.

    A link does: a form that ends at another site is what the pages' policy forbids, and what a stranger could
    gain by leading somebody here is that they log in as themselves.
    """
    if not name():
        raise Http404
    place = request.GET.get("next", "")
    told: dict[str, Any] = {"nonce": secrets.token_urlsafe(24), "again": "again" in request.GET}
    asked = {"nonce": told["nonce"], **({"prompt": "login", "max_age": "0"} if told["again"] else {})}
    try:
        provider = Visitors().get_provider(request, settings.HITL_OIDC_URL)
        provider.oauth2_adapter_class = Provider
        answer: HttpResponse = provider.redirect(
            request,
            AuthProcess.LOGIN,
            next_url=place if url_has_allowed_host_and_scheme(place, allowed_hosts=None) else None,
            auth_params=asked,
            asked_at=time.time(),
            **told,
        )
    except NONSENSE as problem:
        return _away(request, problem)
    return answer


def callback(request: HttpRequest) -> HttpResponse:
    """Take what the provider sends somebody back with."""
    if not name():
        raise Http404
    try:
        view = OAuth2CallbackView.adapter_view(Provider(request, settings.HITL_OIDC_URL))
        answer: HttpResponse = view(request)
    except NONSENSE as problem:
        return _away(request, problem)
    return answer


class Provider(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """Speak to the provider: at the address in the settings, and believe what it has signed."""

    @property
    def openid_config(self) -> dict[str, Any]:
        found: dict[str, Any] = super().openid_config
        if found["issuer"].rstrip("/") != settings.HITL_OIDC_URL:
            raise OAuth2Error("issuer")
        for endpoint in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            address = outbound.read(found[endpoint])
            if address is None or outbound.why_not_secure(address):
                raise OAuth2Error(endpoint)
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("sso_callback"))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **told: Any) -> Any:
        claims = self._claims(app, told["response"]["id_token"])
        found = self.get_provider().sociallogin_from_response(request, {"id_token": claims})
        found.account.extra_data, found.email_addresses = {}, []
        found.claims = claims
        return found

    def _claims(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        """Return what the provider has signed; allauth would believe it unsigned, having fetched it."""
        with Visitors().get_requests_session() as calls:
            answer = calls.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        try:
            wanted = jwt.get_unverified_header(id_token).get("kid")
            (key,) = [one for one in keys if wanted in (None, one.key_id)]
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=SIGNED_BY,
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as problem:
            raise OAuth2Error(type(problem).__name__) from None
        if claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("azp")
        return claims


class Visitors(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Judge whom the provider sends: who is in a group of ours gets in, with the roles of their groups."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        state, claims, user = sociallogin.state, sociallogin.claims, sociallogin.user
        if not secrets.compare_digest(str(claims.get("nonce", "")), state["nonce"]):
            raise OAuth2Error("nonce")
        if state["again"]:
            raise ImmediateHttpResponse(_confirmed(request, sociallogin))
        roles = _roles(claims)
        if sociallogin.is_existing:
            _give(user, roles)
        if not roles:
            raise _refusal(request, "no_group", _("You are in none of the groups that may come in here."))
        if not user.is_active:
            raise _refusal(request, "inactive", _("Your account here is switched off."))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True  # who is in none of the groups was refused before

    def authenticate_by_email(self, sociallogin: Any) -> None:
        """Bind nobody by what others could claim."""

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        user: User = sociallogin.user
        claims = sociallogin.claims
        user.username = names.free(claims.get("preferred_username"), claims.get("email"))
        user.email = ""  # so that nothing is kept of it beside the account
        with record.unit_of_work():
            sociallogin.save(request)
            if claims.get("email_verified") is True:
                user.email = str(claims.get("email", ""))[:254]
                user.save(update_fields=["email"])
            _give(user, _roles(claims))
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, **_told: Any
    ) -> None:
        if error == AuthError.CANCELLED:
            raise _refusal(request, "cancelled", _("You were not let in there, or went back."))
        if exception is not None:
            raise ImmediateHttpResponse(_away(request, exception))
        told = _("This login was begun elsewhere or too long ago, or was refused. Begin again.")
        raise _refusal(request, "state", told, status=400)

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """Return the one that the settings name: no other can be made in the database."""
        if not name() or client_id not in (None, settings.HITL_OIDC_CLIENT_ID):
            return []
        app = SocialApp(
            provider=PROVIDER,
            provider_id=settings.HITL_OIDC_URL,
            name=name(),
            client_id=settings.HITL_OIDC_CLIENT_ID,
            secret=settings.HITL_OIDC_CLIENT_SECRET,
            settings={"server_url": settings.HITL_OIDC_URL, "oauth_pkce_enabled": True, "uid_field": "sub"},
        )
        return [app] if provider in (None, PROVIDER, settings.HITL_OIDC_URL) else []

    def get_requests_session(self) -> Session:
        return Calls()


class Calls(Session):
    """Call the provider where it is: for so long, through nothing in between, and wherever it points not."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def request(self, method: Any, url: Any, *args: Any, **told: Any) -> Any:
        return super().request(method, url, *args, **{**told, "timeout": SECONDS, "allow_redirects": False})


def _roles(claims: dict[str, Any]) -> set[str]:
    """Return the names of our groups for those of *claims*."""
    theirs = claims.get(settings.HITL_OIDC_GROUPS_CLAIM)
    found = [theirs] if isinstance(theirs, str) else theirs if isinstance(theirs, list) else []
    return {settings.HITL_OIDC_GROUPS[group] for group in found if group in settings.HITL_OIDC_GROUPS}


def _give(user: User, roles: set[str]) -> None:
    """Put *user* into *roles* and no other that the provider decides on; what was given by hand stays."""
    decided = set(settings.HITL_OIDC_GROUPS.values())
    with record.unit_of_work():
        groups = {group.name: group for group in Group.objects.filter(name__in=decided)}
        user.groups.remove(*(group for name, group in groups.items() if name not in roles))
        user.groups.add(*(group for name, group in groups.items() if name in roles))
        is_staff = bool(roles) or user.is_superuser
        if user.is_staff != is_staff:
            user.is_staff = is_staff
            user.save(update_fields=["is_staff"])


def _confirmed(request: HttpRequest, sociallogin: Any) -> HttpResponse:
    """Take it that who is logged in has just shown there that they are."""
    is_same = request.user.is_authenticated and sociallogin.user.pk == request.user.pk
    if not is_same:
        return refused(request, "another", _("That is another account than the one you work under here."))
    shown = sociallogin.claims.get("auth_time")
    if not isinstance(shown, int | float) or shown < sociallogin.state["asked_at"] - LEEWAY:
        told = _("You were not asked anew there. Confirm by a second factor of your own.")
        return refused(request, "not_anew", told)
    presence.shown(request.session)
    return HttpResponseRedirect(sociallogin.state.get("next") or reverse("admin:security"))


def _away(request: HttpRequest, problem: BaseException) -> HttpResponse:
    """Answer where the provider gave no answer that could be believed; log what kind, and nothing of it."""
    log.warning("sso_failed", problem=type(problem).__name__, detail=_harmless(problem))
    told = _("%(name)s gave no answer that can be used. Try again; if it lasts, tell an administrator.")
    return _page(request, told % {"name": name()}, status=400)


def _harmless(problem: BaseException) -> str:
    """Return what we say ourselves of *problem*; what others say may hold a token."""
    text = str(problem)
    return text if isinstance(problem, OAuth2Error) and text.isidentifier() else ""


def _refusal(request: HttpRequest, why: str, told: str, status: int = 403) -> ImmediateHttpResponse:
    return ImmediateHttpResponse(refused(request, why, told, status=status))


def refused(request: HttpRequest, why: str, told: str, status: int = 403) -> HttpResponse:
    """Say on a page why somebody is not let in."""
    log.warning("sso_refused", why=why)
    return _page(request, told, status=status)


def _page(request: HttpRequest, told: str, status: int) -> HttpResponse:
    with reading(request):
        context = {**admin.site.each_context(request), "title": _("Not logged in"), "told": told}
        response = TemplateResponse(request, "hitl/login/refused.html", context, status=status).render()
    response["Cache-Control"] = "no-store"
    return response
