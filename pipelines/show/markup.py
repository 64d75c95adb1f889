"""HTML that the dashboard and the report share. Everything that comes from data is escaped here, and only here."""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path

from pipelines.publish.snapshot import Row
from pipelines.show.columns import Column


def table(caption: str, columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """A table; the first cell of each row is its heading. It scrolls where it is wider than the screen."""
    head = "".join(f'<th scope="col"{_number(one)}>{escape(one.heading)}</th>' for one in columns)
    body = "".join(f"<tr>{''.join(_cells(row, columns))}</tr>" for row in rows)
    return (
        f'<div class="nb-scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f'<table class="nb-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Row, columns: Sequence[Column]) -> Iterable[str]:
    for number, column in enumerate(columns):
        tag, scope = ("th", ' scope="row"') if number == 0 else ("td", "")
        yield f"<{tag}{scope}{_number(column)}>{escape(column.text(row))}</{tag}>"


def _number(column: Column) -> str:
    return ' class="number"' if column.is_number else ""


def notice(text: str, tone: str = "note", leads_to: Iterable[tuple[str, str]] = ()) -> str:
    """A highlighted sentence: `note`, `warning` or `good`; with links (text, address) to what is behind it."""
    more = "".join(f" {link(*one)}" for one in leads_to)
    return f'<p class="nb-notice nb-{tone}" role="status"><span>{escape(text)}</span>{more}</p>'


def link(text: str, address: str, target: str = "_self") -> str:
    """A link; to another program's page in a tab of its own."""
    return f'<a href="{escape(address, quote=True)}" target="{target}" rel="noreferrer">{escape(text)}</a>'


def links(*pairs: tuple[str, str]) -> str:
    """Links to other pages, in a line."""
    return f'<p class="nb-nav">{" · ".join(link(*one) for one in pairs)}</p>'


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of terms and their values or meanings."""
    return f'<dl class="nb-list">{"".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in pairs)}</dl>'


def paragraph(text: str, css: str = "nb-small") -> str:
    """A sentence."""
    return f'<p class="{css}">{escape(text)}</p>'


@cache
def style(name: str = "look.css") -> str:
    """A style sheet: of the dashboard, for light and dark, or of the report."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
