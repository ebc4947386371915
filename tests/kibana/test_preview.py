"""Pages that are drawn from a node's answers, in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import story

from kibana_objects.bundles import bundles
from kibana_objects.cli import main

SPAN = ["--from", (story.END - story.SHOWN * 24 * story.HOUR).isoformat(), "--to", (story.END + story.HOUR).isoformat()]
PAGES = [one["id"] for one in bundles()["dashboards.ndjson"] if one["type"] == "dashboard"]


@pytest.fixture(scope="module")
def pages(told, tmp_path_factory):
    """The folder that the command wrote."""
    folder = Path(os.environ.get("MLLOG_TEST_PREVIEW") or tmp_path_factory.mktemp("preview"))
    place, *_ = told
    assert main(["preview", "--store", place, *SPAN, "--where", "data_stream.namespace : story", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a network."""
    from playwright.sync_api import sync_playwright
    from support.chromium import executable

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        yield started
        started.close()


def opened(browser, file):
    page = browser.new_page(viewport={"width": 1640, "height": 1000})
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    return page, said


@pytest.mark.parametrize("identity", PAGES)
def test_a_page(pages, browser, identity):
    """Every panel is drawn where the dashboard has it, none is empty or over another, and nothing is fetched."""
    page, said = opened(browser, pages / f"{identity}.html")
    panels = page.locator("section.panel").all()
    assert len(panels) >= 8
    boxes = []
    for panel in panels:
        if panel.get_attribute("aria-label") == "Refused events" and "No results" in panel.inner_text():
            continue  # those of this very hour, see test_queries
        assert "No results" not in panel.inner_text(), panel.get_attribute("aria-label")
        box = panel.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1640
        kind = panel.get_attribute("data-kind")
        if kind == "chart":
            assert panel.locator("svg path, svg rect, svg line").count() > 3
        if kind in {"table", "documents"}:
            assert panel.locator("tbody tr").count() >= 1
        boxes.append(box)
    for one, other in ((a, b) for n, a in enumerate(boxes) for b in boxes[n + 1 :]):
        apart = (
            one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        )  # fmt: skip
        assert apart
    assert said == []
    shots = os.environ.get("MLLOG_TEST_PREVIEW")
    if shots:
        page.screenshot(path=str(Path(shots) / f"{identity}.png"), full_page=True)
    page.close()


def test_links_lead_to_the_others(pages, browser):
    """As the links panel does in Kibana."""
    page, _ = opened(browser, pages / f"{PAGES[0]}.html")
    for name in ("Missing features", "Incidents", "Watcher health", "Overview"):
        page.get_by_role("link", name=name, exact=True).click()
        assert page.locator("h1").inner_text() == f"[mllog] {name}"
        assert page.locator("nav a[aria-current]").inner_text() == name
    page.close()


SEEN = {
    "mllog-overview": ["seats: renamed", "category_shift", "renamed", "@model"],
    "mllog-model": ["seats", "plane_year", "flight-delay"],
    "mllog-missing": ["seats>seat_count", "visibility", "Features that were ever missing altogether"],
    "mllog-categories": ["carrier", "tailnum"],
    "mllog-text": ["wx", "rte", "cfmd"],
    "mllog-predictions-made": ["on time", "late", "2013.01.28"],
    "mllog-versions": ["2013.01.28", "champion"],
    "mllog-operations": ["TimeoutError", "join weather and aircraft", "process.memory.usage", "on-time arrivals"],
    "mllog-incidents": ["critical", "visibility: missing more often where origin = LGA", "LGA", "`seats` looks renamed to"],
    "mllog-watchers": ["no card", "unseen_tokens"],
}


@pytest.mark.parametrize("identity", PAGES)
def test_what_somebody_on_call_sees(pages, browser, identity):
    """The broken feature, the segment, the new words and the changed package are there to read."""
    page, _ = opened(browser, pages / f"{identity}.html")
    text = page.locator("main").inner_text()
    assert [word for word in SEEN[identity] if word not in text] == []
    page.close()


def test_what_is_bad_is_red(pages, browser):
    """And what is fine is green, what is worth a look yellow; its text can be read on it."""
    page, _ = opened(browser, pages / "mllog-overview.html")
    colours = {
        title: page.locator(f"section[aria-label='{title}'] .figure").get_attribute("style") or ""
        for title in ("Critical ones", "Open incidents", "Failures", "Predictions")
    }
    assert colours == {
        "Critical ones": "background:#cc5642;color:#fff", "Open incidents": "background:#d6bf57;color:#343741",
        "Failures": "background:#d6bf57;color:#343741", "Predictions": "",
    }  # fmt: skip
    assert page.locator("section[aria-label='Critical ones'] b").inner_text() == "1"
    page.close()


@pytest.mark.parametrize("identity", ["mllog-operations", "mllog-versions", "mllog-watchers"])
def test_names_are_text(pages, browser, identity):
    """A model whose name is HTML is shown as it is called, in tables and charts, and not run."""
    page, said = opened(browser, pages / f"{identity}.html")
    assert story.YOUNG in page.locator("main").inner_text()
    assert page.locator("img").count() == 0
    assert said == []
    page.close()
