"""The pictures of the pages: taken by a command, all there, and small."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.live import ROOT
from tests.pictures import FOLDER, PAGES, SIZES, THEMES

SHOWN = re.findall(r"pictures/([a-z-]+)-(light|dark)-(\d+)\.png", (ROOT / "docs/pages.md").read_text())


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_every_page_that_the_command_takes_is_shown_light_and_dark_on_a_desk_and_on_a_phone() -> None:
    wanted = {(name, theme, str(width)) for name in PAGES for theme in THEMES for width, _ in SIZES}

    assert set(SHOWN) == wanted


def test_the_folder_holds_what_is_shown_and_nothing_else() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"-".join(parts) + ".png" for parts in SHOWN}


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}

    assert {name for name, size in sizes.items() if size > 100_000} == set()
    assert sum(sizes.values()) < 30_000 * len(sizes)


@pytest.mark.sqlite
def test_the_command_takes_a_page_light_and_dark_on_a_desk_and_on_a_phone(
    tmp_path: Path, chromium_path: str
) -> None:
    command = [sys.executable, "-m", "tests.pictures", "inbox", "--to", str(tmp_path)]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    taken = {path.name: size_of(path) for path in tmp_path.iterdir()}
    assert taken == {f"inbox-{theme}-{size[0]}.png": size for theme in THEMES for size in SIZES}


def test_a_page_that_is_not_there_is_said_with_those_that_are() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.pictures", "inbxo"], cwd=ROOT, capture_output=True, text=True
    )

    assert ran.returncode == 2
    assert "There is no page inbxo. Choose from login, overview," in ran.stderr
