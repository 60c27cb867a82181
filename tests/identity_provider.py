"""An identity provider on this machine that speaks OpenID Connect, and misbehaves when told to.

with IdentityProvider() as provider:
    provider.person = {"sub": "42", "groups": ["reviewers"]}
    provider.lies = {"aud": "somebody-else"}        # claims that it signs in place of the right ones,
                                                    # or how they follow from the moment
    provider.trouble = "unsigned"                   # or another of TROUBLE
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET, KID = "hitl", "the-clients-own-secret", "key-1"
TROUBLE = (
    "unsigned",
    "signed by another",
    "signed by the public key",
    "of no key that is published",
    "without id_token",
    "no token at all",
    "token nonsense",
    "token fails",
    "token redirects",
    "discovery nonsense",
    "discovery is a list",
    "discovery fails",
    "discovery redirects",
    "discovery of another",
    "discovery unencrypted",
    "keys nonsense",
    "keys fail",
)


class IdentityProvider:
    """Know one person at a time."""

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    other_key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    def __init__(self) -> None:
        self.person: dict[str, Any] = {}
        self.lies: dict[str, Any] = {}
        self.trouble = ""
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/realms/main"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- What it answers --------------------------------------------------------------------------------

    def discovery(self) -> Any:
        if self.trouble == "discovery is a list":
            return [1, 2]
        base = "http://login.example.com" if self.trouble == "discovery unencrypted" else self.url
        return {
            "issuer": "https://evil.example" if self.trouble == "discovery of another" else self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
        }

    def keys(self) -> Any:
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": KID, "alg": "RS256", "use": "sig"}]}

    def authorized(self, query: dict[str, str]) -> str:
        """Return where the browser goes on."""
        self.asked.append(query)
        code = secrets.token_urlsafe(8)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str]) -> tuple[int, Any]:
        query = self._codes.pop(form["code"], None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        known = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if query is None or not known or query["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        if self.trouble == "no token at all":
            return 200, {"error": "server_error"}
        found = {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "expires_in": 60}
        if self.trouble != "without id_token":
            found["id_token"] = self.id_token(query)
        return 200, found

    def id_token(self, query: dict[str, str]) -> str:
        now = int(time.time())
        lies = {name: lie(now) if callable(lie) else lie for name, lie in self.lies.items()}
        claims = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": query["nonce"],
            **({"auth_time": now} if "max_age" in query else {}), **self.person, **lies,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.trouble == "unsigned":
            return jwt.encode(claims, "", algorithm="none", headers={"kid": KID})
        if self.trouble == "signed by the public key":
            head, body = ({"alg": "HS256", "kid": KID, "typ": "JWT"}, claims)
            text = ".".join(_b64(json.dumps(part).encode()) for part in (head, body))
            secret = json.dumps(self.keys()["keys"][0]).encode()
            return f"{text}.{_b64(hashlib.sha256(secret + text.encode()).digest())}"
        key = self.other_key if self.trouble == "signed by another" else self.key
        kid = "key-9" if self.trouble == "of no key that is published" else KID
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def _b64(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            match url.path.removeprefix("/realms/main"):
                case "/.well-known/openid-configuration":
                    self._answer("discovery", 200, provider.discovery())
                case "/keys":
                    self._answer("keys", 200, provider.keys())
                case "/authorize":
                    query = {name: values[0] for name, values in parse_qs(url.query).items()}
                    self._redirect(provider.authorized(query))
                case _:
                    self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer("token", *provider.token(form))

        def _answer(self, what: str, status: int, found: Any) -> None:
            trouble = provider.trouble
            if trouble == f"{what} redirects":
                self._redirect(f"{provider.url}/elsewhere")
                return
            body = b"<html>nonsense" if trouble == f"{what} nonsense" else json.dumps(found).encode()
            self.send_response(503 if trouble in (f"{what} fails", f"{what} fail") else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _redirect(self, place: str) -> None:
            self.send_response(302)
            self.send_header("Location", place)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


def go_there(client: Client, query: str = "") -> Any:
    """Press the button; return where the provider sends the browser back to, or our own refusal."""
    answer = client.get(f"/admin/login/sso/{query}")
    if answer.status_code != 302:
        return answer
    return httpx.get(answer["Location"], follow_redirects=False).headers["Location"]


def log_in(client: Client, query: str = "") -> Any:
    """Go to the provider and come back; return our answer."""
    place = go_there(client, query)
    return client.get(place.removeprefix("http://testserver")) if isinstance(place, str) else place
