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

from django.core.exceptions import ImproperlyConfigured


def token() -> str:
    """Draw a secret text."""
    return secrets.token_urlsafe(48)


def secrets_key() -> str:
    """Draw a key that seals secret answers: 32 bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def generated_secret(folder: Path, name: str, draw: Callable[[], str] = token) -> str:
    """Return the secret called *name* from ``folder/secrets.json``, drawing it on first use."""
    with _kept_secrets(folder) as kept:
        if name not in kept:
            kept[name] = draw()
        return kept[name]


def prepend_secrets_key(folder: Path) -> int:
    """Put a new key in front of those that ``folder/secrets.json`` keeps; return its version."""
    with _kept_secrets(folder) as kept:
        keys = kept["secrets_keys"]
        version = max(secrets_keys(keys)) + 1
        kept["secrets_keys"] = f"{version}:{secrets_key()},{keys}"
        return version


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


def secrets_keys(text: str) -> dict[int, str]:
    """Read ``2:key,1:key``, the keys that seal secret answers by version; the first is the one in use."""
    keys: dict[int, str] = {}
    for part in text.split(","):
        version, colon, key = part.strip().partition(":")
        try:
            fits = len(base64.urlsafe_b64decode(key)) == 32
        except ValueError:
            fits = False
        if not (colon and version.isascii() and version.isdigit() and int(version) > 0 and fits):
            raise ImproperlyConfigured(
                "HITL_SECRETS_KEYS must read version:key,version:key; a key is 32 bytes in URL-safe base64."
                " Make one with: manage.py rotate_secrets_key --new"
            )
        keys[int(version)] = key
    return keys
