"""Every row of docs/requirements.md names a test that exists."""

import re

import pytest

from tests.live import ROOT

ROWS = re.findall(
    r"^\| (S\d-\d+) \| .+? \| (\S+?)::(\w+) \|$", (ROOT / "docs/requirements.md").read_text(), re.M
)


@pytest.mark.parametrize(("row", "path", "test"), ROWS, ids=[row for row, _, _ in ROWS])
def test_a_promise_is_shown_by_a_test(row: str, path: str, test: str) -> None:
    assert re.search(rf"^\s*(async )?def {test}\(", (ROOT / "tests" / path).read_text(), re.M), (
        f"{row}: {path}::{test}"
    )


def test_no_row_is_left_out_by_a_slip_of_the_pen() -> None:
    lines = (ROOT / "docs/requirements.md").read_text().splitlines()
    assert len(ROWS) == sum(line.startswith("| S") for line in lines) >= 60
