"""How the tests read a page of the dashboard."""

DRAWN = "text=/Published .* as release/"


def go(page, address, view, query=""):
    """Open a view and wait until it is drawn to the end."""
    page.goto(f"{address}/?view={view}{query}")
    drawn(page)


def drawn(page):
    page.wait_for_selector(DRAWN)
    page.wait_for_selector("[data-testid=stStatusWidget]", state="detached")
    page.wait_for_function("!document.querySelector('[data-stale=true]')")


def table(page, caption):
    """The rows of the grid whose caption begins so, as a screen reader is told of them: values by heading."""
    page.wait_for_selector(f'[role=region][aria-label^="{caption}"] canvas td', state="attached")
    return page.evaluate(
        """caption => {
            const grid = document.querySelector(`[role=region][aria-label^="${caption}"] canvas table`);
            const headings = [...grid.tHead.rows[0].cells].map(cell => cell.innerText);
            return [...grid.tBodies[0].rows].map(row => Object.fromEntries(
                [...row.cells].map((cell, place) => [headings[place], cell.innerText])));
        }""",
        caption,
    )


def grid_of(app, heading):
    """The rows of the first grid with such a column, of a page that is drawn without a browser; all of them."""
    (found, *_) = [one.value for one in app.dataframe if heading in one.value]
    return found.astype(object).where(found.notna(), None).to_dict("records")


def choose(page, label, option):
    """Choose an option of a filter, by keyboard."""
    box = page.get_by_role("combobox", name=label, exact=False).first
    box.click()
    box.press_sequentially(option)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
