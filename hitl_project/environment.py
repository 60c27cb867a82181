"""Read what a deployment may choose from environment variables, and keep what it must not lose.

Secrets that nobody set are drawn once and kept beside the data, readable by the owner alone, so that
sessions and keys survive a restart without a value in the code.
"""

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


def token() -> str:
    """Draw a secret text."""
    return secrets.token_urlsafe(48)


def new_key() -> str:
    """Draw a key that seals or signs: 32 bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def generated_secret(folder: Path, name: str, draw: Callable[[], str] = token) -> str:
    """Return the secret called *name* from ``folder/secrets.json``, drawing it on first use."""
    with _kept_secrets(folder) as kept:
        if name not in kept:
            kept[name] = draw()
        return kept[name]


def keys_by_version(folder: Path, variable: str, chosen: str) -> dict[int, str]:
    """Return the keys of *variable*, the one in use first: those *chosen*, or those drawn and kept."""
    return read_keys(
        variable, chosen or generated_secret(folder, _kept_as(variable), lambda: f"1:{new_key()}")
    )


def one_key(folder: Path, variable: str, chosen: str) -> str:
    """Return the only key of *variable*: the one *chosen*, or the one drawn and kept."""
    key = chosen.strip() or generated_secret(folder, _kept_as(variable), new_key)
    if not _is_key(key):
        raise ImproperlyConfigured(f"{variable} must be {_A_KEY}")
    return key


def mail_server(url: str) -> dict[str, Any]:
    """Read ``smtp+tls://user:password@host:587`` into Django's settings; also ``smtp`` and ``smtp+ssl``."""
    found: dict[str, Any] = environ.Env.email_url_config(url) if url.startswith(MAIL_SCHEMES) else {}
    if not found.get("EMAIL_HOST"):
        raise ImproperlyConfigured("HITL_EMAIL_URL must read smtp+tls://user:password@mail.example.com:587.")
    return {name: value for name, value in found.items() if name in MAIL_SETTINGS and value is not None}


MAIL_SCHEMES = ("smtp://", "smtp+tls://", "smtp+ssl://")
MAIL_SETTINGS = {
    *(f"EMAIL_{name}" for name in ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL"))
}


def prepend_key(folder: Path, variable: str) -> int:
    """Put a new key in front of those that ``folder/secrets.json`` keeps; return its version."""
    name = _kept_as(variable)
    with _kept_secrets(folder) as kept:
        version = max(read_keys(variable, kept[name])) + 1
        kept[name] = f"{version}:{new_key()},{kept[name]}"
        return version


def drop_key(folder: Path, variable: str, version: int) -> None:
    """Take the key of *version* from those that ``folder/secrets.json`` keeps."""
    name = _kept_as(variable)
    with _kept_secrets(folder) as kept:
        left = {number: key for number, key in read_keys(variable, kept[name]).items() if number != version}
        kept[name] = ",".join(f"{number}:{key}" for number, key in left.items())


@contextmanager
def _kept_secrets(folder: Path) -> Iterator[dict[str, str]]:
    """Lend what ``folder/secrets.json`` holds, and write it back, all or nothing, where it was changed."""
    path = folder / "secrets.json"
    try:
        with (folder / "secrets.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two that start at once must not draw two
            kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
            before = dict(kept)
            yield kept
            if kept != before:
                draft = path.with_suffix(f".{os.getpid()}")
                draft.touch(mode=0o600)
                with draft.open("w") as file:
                    file.write(json.dumps(kept, indent=2))
                    file.flush()
                    os.fsync(file.fileno())  # a key that seals must not be lost with the power
                draft.replace(path)
    except (OSError, ValueError) as problem:
        raise ImproperlyConfigured(f"Cannot read or write {path}: {problem}. Set HITL_DATA_DIR.") from problem


def data_folder(chosen: str, default: Path) -> Path:
    """Return the folder that holds everything written, creating it."""
    folder = Path(chosen).expanduser().resolve() if chosen else default
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ImproperlyConfigured(f"HITL_DATA_DIR {folder} cannot be created: {problem}.") from problem
    return folder


def read_keys(variable: str, text: str) -> dict[int, str]:
    """Read ``2:key,1:key``, what *variable* says: keys by version, of which the first is the one in use."""
    keys: dict[int, str] = {}
    for part in text.split(","):
        version, colon, key = part.strip().partition(":")
        number = int(version) if version.isascii() and version.isdigit() else 0
        if not (colon and number > 0 and number not in keys and _is_key(key)):
            raise ImproperlyConfigured(
                f"{variable} must read version:key,version:key, each version once; a key is {_A_KEY}"
            )
        keys[number] = key
    return keys


_A_KEY = "32 random bytes in URL-safe base64. Make one with: openssl rand -base64 32 | tr +/ -_"


def _is_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text)) == 32
    except ValueError:
        return False


def _kept_as(variable: str) -> str:
    return variable.removeprefix("HITL_").lower()
