"""HTML that the dashboard and the report share. Everything that comes from data is escaped here, and only here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Cell:
    """A table cell: its text, tooltip, link, CSS class, and the length of a bar or depth of a shade (0 to 1)."""

    text: str
    hover: str = ""
    link: str = ""
    tone: str = ""
    bar_ratio: float | None = None
    shade_ratio: float | None = None


@dataclass(frozen=True)
class Column:
    """A column: its heading, whether it holds numbers, its tooltip."""

    heading: str
    is_number: bool = False
    hover: str = ""


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell | str]], *, css: str = "") -> str:
    """A table; the first cell of each row is its heading. It scrolls where it is wider than the screen."""
    head = "".join(
        f'<th scope="col"{_class("number" if one.is_number else "")}{_title(one.hover)}>{escape(one.heading)}</th>'
        for one in columns
    )
    body = "".join(f"<tr>{''.join(_cells(row, columns))}</tr>" for row in rows)
    return (
        f'<div class="nb-scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f'<table class="nb-table {escape(css, quote=True)}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def notice(text: str, tone: str = "note", leads_to: Iterable[tuple[str, str]] = ()) -> str:
    """A highlighted sentence: `note`, `warning` or `good`; with links (text, address) to what is behind it."""
    more = "".join(f" {_linked(Cell(said, link=address))}" for said, address in leads_to)
    return f'<p class="nb-notice nb-{tone}" role="status"><span>{escape(text)}</span>{more}</p>'


def card(heading: str, figure: str, lines: Sequence[Cell], hover: str = "") -> str:
    """A large figure with its heading and lines of detail."""
    said = "".join(f"<p{_class(line.tone)}{_title(line.hover)}>{_linked(line)}</p>" for line in lines)
    return (
        f'<article class="nb-card"><h3>{escape(heading)}</h3>'
        f'<p class="nb-figure"{_title(hover)}>{escape(figure)}</p>{said}</article>'
    )


def cards(made: Iterable[str]) -> str:
    """Cards in a grid, as many in a row as the width allows."""
    return f'<div class="nb-cards">{"".join(made)}</div>'


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of terms and their values or meanings."""
    return f'<dl class="nb-list">{"".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in pairs)}</dl>'


def paragraph(text: str, css: str = "nb-small") -> str:
    """A sentence."""
    return f'<p class="{css}">{escape(text)}</p>'


@cache
def style() -> str:
    """The style sheet, for light and dark."""
    return Path(__file__).with_name("look.css").read_text(encoding="utf-8")


def _cells(row: Sequence[Cell | str], columns: Sequence[Column]) -> Iterable[str]:
    for number, (value, column) in enumerate(zip(row, columns, strict=True)):
        cell = Cell(value) if isinstance(value, str) else value
        tag, scope = ("th", ' scope="row"') if number == 0 else ("td", "")
        css = " ".join(filter(None, ("number" if column.is_number else "", cell.tone)))
        yield f"<{tag}{scope}{_class(css)}{_title(cell.hover)}{_painted(cell)}>{_linked(cell)}</{tag}>"


def _painted(cell: Cell) -> str:
    if cell.shade_ratio is not None:
        return f' style="--shade:{min(1.0, max(0.0, cell.shade_ratio)):.3f}" data-shade="1"'
    if cell.bar_ratio is not None:
        return f' style="--bar:{min(1.0, max(0.0, cell.bar_ratio)):.3f}" data-bar="1"'
    return ""


def _linked(cell: Cell) -> str:
    text = escape(cell.text)
    return f'<a href="{escape(cell.link, quote=True)}" target="_self">{text}</a>' if cell.link else text


def _title(text: str) -> str:
    return f' title="{escape(text, quote=True)}"' if text else ""


def _class(css: str) -> str:
    return f' class="{escape(css, quote=True)}"' if css else ""
