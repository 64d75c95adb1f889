"""Takes the pictures of docs/images anew.

    PYTHONPATH=tests uv run python tests/show/screenshots.py data/demo/analytics.duckdb

Each is kept below 60 KB, in as many colours as that allows.
"""

import io
import sys
from pathlib import Path

from conftest import CHROMIUM, served
from looking import go
from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 60_000
SHOTS = (
    ("overview", "overview", 1280, 1000, "light"),
    ("overview-dark", "overview", 1280, 1000, "dark"),
    ("overview-narrow", "overview", 390, 900, "light"),
    ("trends", "trends", 1280, 1000, "light"),
    ("reasons", "reasons", 1280, 1000, "light"),
    ("recovery", "recovery", 1280, 1000, "light"),
    ("worklist", "worklist", 1280, 800, "light"),
    ("entries", "entries", 1280, 800, "light"),
    ("health", "health", 1280, 1000, "light"),
)


def keep(picture: bytes, file: Path) -> None:
    """Keep a picture small."""
    for colours in (128, 64, 32, 16):
        Image.open(io.BytesIO(picture)).convert("RGB").quantize(colours).save(file, optimize=True)
        if file.stat().st_size < MOST_BYTES:
            return


def main() -> None:
    """Take them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served(Path(sys.argv[1]).absolute()) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for name, view, width, height, scheme in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            go(page, address, view)
            page.wait_for_timeout(1000)
            keep(page.screenshot(), FOLDER / f"dashboard-{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
