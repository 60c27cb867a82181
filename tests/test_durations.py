"""Durations as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews.durations import parse, write


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4 h", 14_400), ("30 min", 1_800), ("2 d", 172_800), ("1 d 12 h", 129_600), ("45s", 45),
        ("1.5 hours", 5_400), ("2 weeks", 1_209_600), ("  1 Day, 3 Hours ", 97_200), ("90m", 5_400),
    ],
)  # fmt: skip
def test_what_people_type_is_read(text: str, seconds: int) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "4", "soon", "4 x", "h", "-4 h", "4 h and", "0 s", "0.1 s", "٤ h", "1e3 s"]
)
def test_what_is_no_duration_is_told_how_one_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="Write it like"):
        parse(text)


@given(st.integers(1, 10**9))
def test_what_is_written_reads_back_the_same(seconds: int) -> None:
    assert parse(write(seconds)) == seconds


def test_it_is_written_as_people_would() -> None:
    assert [write(n) for n in (14_400, 5_400, 129_600, 61)] == ["4 h", "1 h 30 min", "1 d 12 h", "1 min 1 s"]
