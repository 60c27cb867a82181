"""Bring the catalogues of translations up to date: `make messages`.

Every string of our templates and Python files stands in `locale/<language>/LC_MESSAGES/django.po`, with what
was translated before; what is new stands there empty, what is gone is dropped. Then the `.mo` is compiled.
Pure Python, for machines without gettext.
"""

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages import extract, mofile, pofile
from babel.messages.catalog import Catalog
from django.utils.translation.template import templatize

ROOT = Path(__file__).parent.parent
LANGUAGES = ("de", "es")
APPS = ("agents", "events", "hitl_project", "interrupts", "requests_app", "reviews", "runs")
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
WIDTH = 110


def path_of(language: str, ending: str = "po") -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / f"django.{ending}"


def source() -> Catalog:
    """Return every string that our pages can say, without translations."""
    found = Catalog()
    for path, text in _texts():
        keys = extract.extract("python", io.BytesIO(text.encode()), KEYWORDS)
        for _, message, _, context in keys:
            found.add(message, locations=[(str(path.relative_to(ROOT)), 0)], context=context)
    return found


def read(language: str) -> Catalog:
    """Return the catalogue of *language* as it is kept."""
    with path_of(language).open("rb") as file:
        return pofile.read_po(file, locale=language)


def renewed(language: str, strings: Catalog) -> Catalog:
    """Return *strings* with the translations that *language* has for them."""
    kept = read(language) if path_of(language).exists() else Catalog(language)
    new = Catalog(
        language, header_comment=kept.header_comment, project="hitl-server", version="1", fuzzy=False,
        creation_date=kept.creation_date, revision_date=kept.creation_date,
        last_translator="the project", language_team="the project", msgid_bugs_address="the project",
    )  # fmt: skip
    for message in strings:
        if message.id:
            before = kept.get(message.id, message.context)
            string = before.string if before and not before.fuzzy else None
            new.add(message.id, string, locations=message.locations, context=message.context)
    return new


def written(catalogue: Catalog) -> bytes:
    """Return *catalogue* as a ``.po`` names places: by files alone, so that a moved line changes nothing."""
    file = io.BytesIO()
    pofile.write_po(file, catalogue, width=WIDTH, sort_output=True, include_lineno=False)
    return file.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """Return *catalogue* as a ``.mo``."""
    file = io.BytesIO()
    mofile.write_mo(file, catalogue)
    return file.getvalue()


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _files(APPS, "*.py"):
        if "migrations" not in path.parts:
            yield path, path.read_text()
    for path in _files(("templates",), "*.html"):
        # What stands around a tag is no Python: without the blanks before it, it is at least no indentation.
        lines = templatize(path.read_text(), origin=str(path)).splitlines()
        yield path, "\n".join(line.lstrip() for line in lines)


def _files(folders: Iterable[str], pattern: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob(pattern))


def main() -> int:
    strings = source()
    for language in LANGUAGES:
        catalogue = renewed(language, strings)
        path_of(language).parent.mkdir(parents=True, exist_ok=True)
        path_of(language).write_bytes(written(catalogue))
        path_of(language, "mo").write_bytes(compiled(read(language)))
        empty = sum(1 for message in catalogue if message.id and not any(_strings(message.string)))
        sys.stdout.write(f"{language}: {len(catalogue)} strings, {empty} of them not translated\n")
    return 0


def _strings(string: str | tuple[str, ...] | list[str] | None) -> Iterable[str]:
    return (string,) if isinstance(string, str) else string or ()


if __name__ == "__main__":
    sys.exit(main())
