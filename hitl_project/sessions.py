"""Sessions in the database, asked only for keys that can be one."""

from typing import Any

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Take what is no key for no session: PostgreSQL would fail on a NUL in it."""

    def _validate_session_key(self, key: Any) -> bool:
        return bool(super()._validate_session_key(key)) and key.isalnum()  # type: ignore[misc]
