"""A mail server on this machine that keeps what it takes, or refuses."""

import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from hitl_project.environment import mail_server


class MailServer:
    """Speak SMTP; ``refusal`` is what is answered to a mail instead of taking it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusal = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusal:
            return self.refusal
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@pytest.fixture
def mailbox(settings: Any) -> Iterator[MailServer]:
    """A server that mails are sent through."""
    taken = MailServer()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(taken, hostname="127.0.0.1", port=port)
    controller.start()
    settings.HITL_EMAIL_URL = url = f"smtp://127.0.0.1:{port}"
    for name, value in mail_server(url).items():
        setattr(settings, name, value)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.HITL_EMAIL_FROM = "HITL <hitl@example.com>"
    settings.HITL_PUBLIC_URL = "https://hitl.example.com"
    yield taken
    controller.stop()


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Return what *mail* says, as text or as HTML."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())
