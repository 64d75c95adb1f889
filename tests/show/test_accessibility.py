"""Everybody can read it: axe finds nothing serious, in light and dark, wide and narrow; and keys suffice."""

import json
from pathlib import Path

import axe_playwright_python
import pytest
from looking import drawn, go

AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
RUN = """async () => {
    const found = await axe.run(document, {resultTypes: ['violations']});
    return found.violations.map(one => [one.impact, one.id, one.help, one.nodes.slice(0, 3).map(node => node.html)]);
}"""
PAGES = ("overview", "trends", "reasons", "recovery", "worklist", "entries", "health")


def serious(page):
    page.evaluate(AXE)
    return [found for found in page.evaluate(RUN) if found[0] in {"serious", "critical"}]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, dashboard, scheme, width):
    page = open_page(width, color_scheme=scheme)
    found = {}
    for view in PAGES:
        go(page, dashboard, view)
        found[view] = serious(page)
    assert json.dumps({view: each for view, each in found.items() if each}, indent=1) == "{}"


def test_axe_finds_nothing_serious_on_the_first_page_and_the_worklist(open_page, dashboard):
    page = open_page(390)
    for view in ("overview", "worklist"):
        go(page, dashboard, view)
        assert serious(page) == []


@pytest.mark.parametrize("view", ["overview", "entries"])
def test_a_narrow_page_does_not_scroll_sideways(open_page, dashboard, view):
    page = open_page(390)
    go(page, dashboard, view)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


def test_keys_alone_choose_a_page(open_page, dashboard):
    page = open_page()
    go(page, dashboard, "overview")
    for _ in range(14):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip() in {"Problem trends", "Overview"}:
            break
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**view=trends**")
    drawn(page)
