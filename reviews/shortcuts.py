"""The keys of the operators' pages, as the dialog behind ``?`` lists them."""

from typing import Any

from django.utils.translation import gettext as _


def shortcuts() -> dict[str, Any]:
    """Return the words of that dialog: its title, and each group of keys with what they do."""
    return {
        "title": _("Keyboard shortcuts"),
        "promise": _("No single key decides anything: it leads to the button that does."),
        "close": _("Close"),
        "groups": [
            {"title": _("On the page of an item"), "keys": _of_item()},
            {"title": _("In a list"), "keys": _of_list()},
            {"title": _("Everywhere"), "keys": _everywhere()},
        ],
    }


def _of_list() -> list[tuple[str, str]]:
    return [
        ("J K", _("Move down and up")),
        ("Enter", _("Open")),
        ("X", _("Select")),
        ("M", _("Claim")),
        (".", _("Show what is new")),
    ]


def _of_item() -> list[tuple[str, str]]:
    return [
        ("A", _("Go to the verb that allows it, or to what is still missing")),
        ("R", _("Go to the reason of a rejection; Tab and Enter reject")),
        ("E", _("Edit")),
        ("1 … 9", _("Choose an option of the answer")),
        ("Ctrl Enter", _("Carry out what A, R or E chose, on a Mac with ⌘")),
        ("M", _("Claim")),
        ("Shift E", _("Go to asking more people")),
        ("N", _("Next item")),
        ("U", _("Back to the list")),
    ]


def _everywhere() -> list[tuple[str, str]]:
    return [
        ("/", _("Search")),
        ("G I", _("Inbox")),
        ("G D", _("Overview")),
        ("G R", _("Runs")),
        ("G H", _("Human actions")),
        ("Esc", _("Leave a field")),
        ("?", _("These keys")),
    ]
