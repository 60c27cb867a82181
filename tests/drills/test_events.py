"""Events come in order and without gaps, whoever writes and however late they commit."""

import json

import pytest

from tests.drills.sites import Site, counts


@pytest.mark.production
def test_readers_by_cursor_miss_nothing_of_late_and_failing_writers(site: Site) -> None:
    site.environment["HITL_POOL_SIZE"] = "32"

    told = json.loads(
        site.run("-m", "tests.drills.races", "write", site.agent().name, str(counts(2_000, 100_000)))
    )

    assert told["written"] > 0
    assert told["gapless"] == [True] * 4
    assert told["replays"]
