"""Steps on the pages of the admin."""

import re
from typing import Any

from tests.conftest import Door

LIST, REQUESTS = "/admin/interrupts/interrupt/", "/admin/requests_app/actionrequest/"
HUMAN_ACTIONS = "/admin/human-actions/"


def page_of(asked: dict[str, Any]) -> str:
    """Return the path of an item's page."""
    return f"{LIST if asked['id'].startswith('int_') else REQUESTS}{asked['id']}/change/"


def form_of(html: str) -> dict[str, Any]:
    """Return what the decision form of a page would send without a person touching it."""
    sent: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r' name="([^"]*)"', tag), re.search(r' value="([^"]*)"', tag)
        if 'type="checkbox"' in tag or 'type="radio"' in tag:
            if name and value and " checked" in tag:
                sent.setdefault(name[1], []).append(value[1])
        elif name and value and ('type="hidden"' in tag or 'form="decide"' in tag):
            sent[name[1]] = _unescaped(value[1])
    for name, text in re.findall(r'<textarea name="([^"]*)"[^>]*>\r?\n?(.*?)</textarea>', html, re.S):
        if name.startswith("argument"):
            sent[name] = _unescaped(text)
    for name, options in re.findall(r'<select name="(argument[^"]*)"[^>]*>(.*?)</select>', html, re.S):
        if chosen := re.search(r'value="([^"]*)" selected', options):
            sent[name] = _unescaped(chosen[1])
    return sent


def decide(door: Door, asked: dict[str, Any], verb: str, *, page: str = "", **typed: Any) -> Any:
    """Open the page of *asked*, or use *page*, type what is given and press the button *verb*."""
    path = page_of(asked)
    html = page or door.get(path).content.decode()
    return door.post(path, {**form_of(html), "verb": verb, **typed})


def text_of(answer: Any) -> str:
    """Return the words on a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def _unescaped(text: str) -> str:
    for entity, character in (("&quot;", '"'), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text
