"""How fast the dashboard is, through a real browser: the first view of each page, and a change of a filter.

    uv run python tests/bench/publish_speed.py 10000000 --keep /tmp/shown
    uv run python tests/bench/dashboard_speed.py /tmp/shown/analytics.duckdb [--times 5]

A first view is a new browser tab's, from the request to the last chart; what it costs to start a browser's first tab
(the page's own scripts, compiled once) is printed apart. A filter change runs from the key press to the redrawn page.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PAGES = ("overview", "trends", "reasons", "recovery", "entries", "health")
OPTIONS = {
    "Currency": ("GBP", "EUR", "USD", "JPY", "KWD"),
    "Kind": ("payment failed", "payment pending", "invoice sent", "payment succeeded", "einvoice failed"),
}
CHANGES = {
    "overview": "Currency",
    "trends": "Currency",
    "reasons": "Currency",
    "recovery": "Currency",
    "entries": "Kind",
}
GOAL_VIEW_SECONDS, GOAL_CHANGE_SECONDS = 1.5, 0.7
DRAWN = """() => {
    const app = document.querySelector('.stApp');
    const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
    return app && app.dataset.testScriptState === 'notRunning'
        && [...document.querySelectorAll('.nb-small')].some(one => one.innerText.startsWith('Published'))
        && !document.querySelector('[data-stale=true]')
        && charts.every(one => one.querySelector('canvas, svg'));
}"""


def drawn(page: Page) -> None:
    """Wait until the page is drawn to the end."""
    page.wait_for_function(DRAWN, polling="raf", timeout=60_000)


def first_view(context: BrowserContext, address: str, view: str) -> float:
    """Seconds until a page is drawn in a new tab."""
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(f"{address}/?view={view}", wait_until="commit")
    drawn(page)
    seconds = time.perf_counter() - begun
    page.close()
    return seconds


def filter_change(page: Page, label: str, option: str) -> float:
    """Seconds from the choice of one more option to the page drawn anew."""
    box = page.get_by_role("combobox", name=label).first
    box.click()
    box.press_sequentially(option)
    before = page.url
    begun = time.perf_counter()
    page.keyboard.press("Enter")
    page.wait_for_function("before => location.href !== before", arg=before, polling="raf")
    drawn(page)
    seconds = time.perf_counter() - begun
    page.keyboard.press("Escape")
    return seconds


def measure(browser: Browser, address: str, times: int) -> None:
    """Print the medians."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    print(f"a browser's very first tab: {first_view(context, address, 'overview'):.2f} s")
    for view in PAGES:
        seconds = [first_view(context, address, view) for _ in range(times)]
        print(f"{view:<10} first view {statistics.median(seconds):.2f} s (goal {GOAL_VIEW_SECONDS})", end="")
        if view in CHANGES:
            page = context.new_page()
            page.goto(f"{address}/?view={view}")
            drawn(page)
            seconds = [filter_change(page, CHANGES[view], option) for option in OPTIONS[CHANGES[view]]]
            print(f", filter change {statistics.median(seconds):.2f} s (goal {GOAL_CHANGE_SECONDS})", end="")
            page.close()
        print()


def main() -> None:
    """Serve the file and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("nexudus-billing")), "dashboard", "--port", str(port)]
    server = subprocess.Popen([*command, "--file", str(options.file)], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        with sync_playwright() as playwright:
            path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            measure(browser, address, options.times)
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
