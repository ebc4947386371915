"""The report in real Chromium: complete, silent, and quiet on the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from support.chromium import executable

from watchers.report import build

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable(), headless=True, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page_file(report_data, tmp_path_factory):
    """The report as a file."""
    folder = Path(os.environ.get("MLLOG_SCREENSHOTS") or tmp_path_factory.mktemp("report"))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "report.html"
    target.write_text(build(report_data), encoding="utf-8")
    return target


@pytest.mark.parametrize(("scheme", "width"), [("light", 1240), ("dark", 1240), ("light", 420)])
def test_the_page_is_whole(browser, page_file, scheme, width):
    """No error, no request beyond the file, pictures with a size, nothing wider than the window."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    page.screenshot(path=page_file.parent / f"report-{scheme}-{width}.png", full_page=True)
    page.screenshot(path=page_file.parent / f"top-{scheme}-{width}.png")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    sizes = page.eval_on_selector_all(
        "svg", "all => all.map(e => { const b = e.getBoundingClientRect(); return [b.width, b.height] })"
    )
    assert len(sizes) >= 20
    assert all(wide > 100 and high > 20 for wide, high in sizes)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("img, script, link[rel=stylesheet]").count() == 0
    page.close()


def test_bars_lead_to_their_cards(browser, page_file):
    """Each bar of the timeline leads to a card that is there."""
    page = browser.new_page(viewport={"width": 1240, "height": 900})
    page.goto(page_file.as_uri())
    targets = page.eval_on_selector_all("#timeline-t ~ a", "all => all.map(a => a.getAttribute('href'))")
    assert len(targets) == 6
    assert all(page.locator(target).count() == 1 for target in targets)
    page.locator("#timeline-t ~ a").first.click()
    assert page.evaluate("location.hash") == targets[0]
    page.close()
