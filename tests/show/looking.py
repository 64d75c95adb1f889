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
    """The rows of the table whose caption begins so, as texts."""
    return page.evaluate(
        """caption => {
            const found = [...document.querySelectorAll('table.nb-table')]
                .find(one => one.caption.innerText.startsWith(caption));
            return found && [...found.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText.trim()));
        }""",
        caption,
    )


def choose(page, label, option):
    """Choose an option of a filter, by keyboard."""
    box = page.get_by_role("combobox", name=label, exact=False).first
    box.click()
    box.press_sequentially(option)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
