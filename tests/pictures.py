"""Take the pictures of the pages: `make pictures`, or `python -m tests.pictures inbox run`.

They lie in docs/pictures. A server on data of its own lives through a day (:mod:`tests.day`), and a browser
looks at each page, light and dark, on a desk and on a phone: ``<page>-<theme>-<width>.png``.
"""

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import MISSING, QUIET, find_chromium
from tests.day import PASSWORD, Day, live_through
from tests.live import ROOT, running
from tests.providers import HTTPService

FOLDER = ROOT / "docs/pictures"
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = ((1440, 900), (390, 844))
COLOURS = 256
BAR = 30

Address = str | Callable[[Day], str]


def _item(name: str) -> Callable[[Day], str]:
    def path(day: Day) -> str:
        kind = "requests_app/actionrequest" if day.ids[name].startswith("har_") else "interrupts/interrupt"
        return f"{kind}/{day.ids[name]}/change/"

    return path


def _together(day: Day) -> str:
    return "inbox/together/?" + "&".join(f"item={day.ids[f'refund {number}']}" for number in range(3))


PAGES: dict[str, Address] = {
    "login": "login/",
    "overview": "",
    "charts": "#charts",
    "inbox": "inbox/",
    "human-actions": "human-actions/",
    "interrupt": _item("letter"),
    "critical": _item("critical"),
    "votes": _item("votes"),
    "request": _item("secret"),
    "together": _together,
    "decisions": "decisions/",
    "record": lambda day: f"record/{day.ids['edited']}/",
    "response-times": "response-times/",
    "oversight": "oversight/",
    "runs": "runs/run/?state=all",
    "run": lambda day: f"runs/run/{day.ids['run cover']}/change/",
    "policies": "reviews/policy/",
    "policy": lambda day: f"reviews/policy/{day.ids['Large transfers']}/change/",
    "agents": "agents/agent/",
    "keys": "agents/key/",
    "events": "events/event/",
    "webhooks": "events/webhook/",
    "preferences": "preferences/",
    "security": "security/",
    "shortcuts": "inbox/",
    "offline": "offline/",
}


def take(names: list[str], folder: Path) -> None:
    """Take the pictures of *names* into *folder*."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit(f"There is {MISSING}.")
    folder.mkdir(parents=True, exist_ok=True)
    _draw(0, 1, "a day goes by")
    with HTTPService() as service, running(HITL_RUN_HOSTS="127.0.0.1") as server:
        day = live_through(server, service.url)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
            of = len(THEMES) * len(SIZES) * len(names)
            for done, (file, picture) in enumerate(_pictures(browser, day, names), 1):
                folder.joinpath(file).write_bytes(picture)
                _draw(done, of, file)
            browser.close()
    sys.stdout.write("\n")


def _pictures(browser: Browser, day: Day, names: list[str]) -> Iterator[tuple[str, bytes]]:
    for theme in THEMES:
        for width, height in SIZES:
            context = browser.new_context(
                color_scheme=theme, viewport={"width": width, "height": height}, reduced_motion="reduce"
            )
            page = context.new_page()
            for name in names:
                _open(page, day, name)
                yield f"{name}-{theme}-{width}.png", small(page.screenshot())
            context.close()


def _open(page: Page, day: Day, name: str) -> None:
    path = PAGES[name]
    address = f"{day.server.url}/admin/{path if isinstance(path, str) else path(day)}"
    page.goto(address)
    if name != "login" and "/login/" in page.url:
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.goto(address)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#site-name")).to_be_visible()  # and no failure instead of a page
    if name == "shortcuts":
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
    if name == "charts":
        page.locator(".chart").first.scroll_into_view_if_needed()


def small(png: bytes) -> bytes:
    """Return the picture in few colours, which a page has anyway; the rare ones are those that matter."""
    few = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1)
    written = io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return written.getvalue()


def _draw(done: int, of: int, what: str) -> None:
    if sys.stdout.isatty():
        bar = "━" * (BAR * done // of)
        sys.stdout.write(f"\r\x1b[K{bar:─<{BAR}} {100 * done // of:3}%  {what}")
        sys.stdout.flush()


def main() -> None:
    options = argparse.ArgumentParser(
        prog="python -m tests.pictures", description="Take pictures of the pages."
    )
    options.add_argument("pages", nargs="*", help="all of them, where none is named")
    options.add_argument("--to", type=Path, default=FOLDER, help="the folder")
    said = options.parse_args()
    if unknown := set(said.pages) - set(PAGES):
        options.error(f"There is no page {', '.join(sorted(unknown))}. Choose from {', '.join(PAGES)}.")
    take(said.pages or list(PAGES), said.to)


if __name__ == "__main__":
    main()
