"""Read what a deployment may choose from environment variables, and keep what it must not lose.

Secrets that nobody set are drawn once and kept beside the data, readable by the owner alone, so that
sessions and keys survive a restart without a value in the code.
"""

import json
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def generated_secret(folder: Path, name: str) -> str:
    """Return the secret called *name* from ``folder/secrets.json``, drawing it on first use."""
    path = folder / "secrets.json"
    try:
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if name not in kept:
            kept[name] = secrets.token_urlsafe(48)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(kept, indent=2))
            draft.replace(path)
    except (OSError, ValueError) as problem:
        raise ImproperlyConfigured(f"Cannot read or write {path}: {problem}. Set HITL_DATA_DIR.") from problem
    return kept[name]


def data_folder(chosen: str, default: Path) -> Path:
    """Return the folder that holds everything written, creating it."""
    folder = Path(chosen).expanduser().resolve() if chosen else default
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ImproperlyConfigured(f"HITL_DATA_DIR {folder} cannot be created: {problem}.") from problem
    return folder
