"""The pages of figures in a real browser: drawn, coloured, told in words, and right after a decision."""

import csv
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests import desk as at
from tests import live
from tests.desk import Log, connected
from tests.live import LiveServer, Operator

server, key, ann = live.server, live.key, live.ann
password, log, desk = at.password, at.log, at.desk
PAGES = ("/admin/", "/admin/decisions/", "/admin/response-times/")
COLOURS = """canvas => {
    const { width, height } = canvas;
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const found = new Set();
    for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] === 255) found.add(data.slice(at, at + 3).join());
    }
    return [...found];
}"""
COLOUR = "place => getComputedStyle(place).color.match(/\\d+/g).slice(0, 3).join()"


@pytest.fixture(scope="module")
def agent(server: LiveServer, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def ask(agent: httpx.Client, **fields: Any) -> str:
    answer = agent.post("/api/v1/interrupts", json={"reason": "Delete the old report?", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def decided(agent: httpx.Client, ann: Operator) -> None:
    """Something of each verdict, and something that waits."""
    ann.decide(ask(agent, tool_name="refund", tool_args={"amount": 4}), modifications={"amount": 1})
    ann.decide(ask(agent), "reject", reason="Not today")
    agent.post(f"/api/v1/interrupts/{ask(agent)}/cancel", json={}).raise_for_status()
    ask(agent, priority="high")


def drawn_in(page: Page, chart: str) -> list[str]:
    """Return the colours of a chart's drawing, once there are any."""
    canvas = page.locator(f"#chart-{chart} canvas")
    page.wait_for_function(f"canvas => ({COLOURS})(canvas).length > 2", arg=canvas.element_handle())
    found: list[str] = canvas.evaluate(COLOURS)
    return found


def row(page: Page, chart: str, number: int = -1) -> list[str]:
    """Return what a row of a chart's table says."""
    return page.locator(f"#chart-{chart} tbody tr").nth(number).locator("td").all_text_contents()


@pytest.mark.usefixtures("decided")
def test_charts_are_drawn_in_their_colours_and_follow_the_theme(
    desk: Page, server: LiveServer, log: Log
) -> None:
    for path, charts in (
        ("/admin/", ("decided", "priorities")),
        ("/admin/response-times/", ("kinds", "hours")),
    ):
        desk.goto(f"{server.url}{path}")
        for chart in charts:
            series = desk.locator(f"#chart-{chart} .legend i")
            light = series.first.evaluate(COLOUR)
            assert light in drawn_in(desk, chart)

        desk.evaluate("document.documentElement.dataset.theme = 'dark'")
        for chart in charts:
            dark = desk.locator(f"#chart-{chart} .legend i").first.evaluate(COLOUR)
            assert dark != light
            desk.wait_for_function(
                f"([canvas, colour]) => ({COLOURS})(canvas).includes(colour)",
                arg=[desk.locator(f"#chart-{chart} canvas").element_handle(), dark],
            )

    assert log == []


@pytest.mark.usefixtures("decided")
def test_a_decision_changes_the_chart_in_place_and_what_is_unfolded_stays(
    desk: Page, server: LiveServer, agent: httpx.Client, ann: Operator, log: Log
) -> None:
    desk.goto(f"{server.url}/admin/")
    connected(desk)
    drawn_in(desk, "decided")
    desk.locator("#chart-decided summary").click()
    desk.evaluate("document.querySelector('#chart-decided canvas').dataset.same = 'yes'")
    before = int(row(desk, "decided")[0])

    ann.decide(ask(agent))

    today = desk.locator("#chart-decided tbody tr").last.locator("td").first
    expect(today).to_have_text(str(before + 1))
    expect(today).to_be_visible()
    expect(desk.locator("#chart-decided canvas[data-same=yes]")).to_be_attached()
    shown = "globalThis.Chart.getChart(document.querySelector('#chart-decided canvas')).data.datasets[0].data"
    assert desk.evaluate(f"{shown}.at(-1)") == before + 1
    expect(desk.get_by_role("img", name="Waiting by priority: 1 wait; 1 of them")).to_be_attached()
    assert log == []


@pytest.mark.usefixtures("decided")
def test_the_filters_work_by_keyboard_and_the_file_comes_from_the_real_server(
    desk: Page, server: LiveServer, log: Log
) -> None:
    desk.goto(f"{server.url}/admin/decisions/")
    desk.get_by_label("Verdict").select_option("edited")
    desk.get_by_role("button", name="Show", exact=True).press("Enter")
    expect(desk.locator("#rows > li")).to_have_count(1)
    desk.get_by_text("What was changed").first.press("Enter")
    expect(desk.locator("#rows del")).to_have_text("4")

    with desk.expect_download() as coming:
        desk.get_by_role("link", name="Export as CSV").press("Enter")

    lines = list(csv.DictReader(coming.value.path().read_text("utf-8-sig").splitlines()))
    assert [(line["verdict"], line["edited"], line["decided_by"]) for line in lines] == [
        ("approved", "yes", "ann")
    ]
    assert log == []
