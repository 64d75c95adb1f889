"""What every page has: filters, freshness, a footer, and its empty, stale and error states."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from pipelines.extract.businesses import HOW_TO_NAME
from pipelines.foundation.shown_text import shown_in_spreadsheet
from pipelines.publish.snapshot import Row
from pipelines.show import markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.charts import Chart
from pipelines.show.columns import Column
from pipelines.show.url_filters import NO_CURRENCY, Choices, View, read_view

# Rows up to which a grid is as high as its rows, and the height in pixels of a longer one.
_SHORT, _HEIGHT = 12, 430
_NUMBER, _DATE = st.column_config.NumberColumn, st.column_config.DateColumn
_CONFIGS: dict[str, Callable[..., Any]] = {
    "percent": partial(_NUMBER, format="%.1f %%"),
    "points": partial(_NUMBER, format="%+.1f pts"),
    "count": partial(_NUMBER, format="localized"),
    "money": partial(_NUMBER, format="localized"),
    "day": partial(_DATE, format="D MMM YYYY"),
    "month": partial(_DATE, format="MMMM YYYY"),
    "moment": partial(st.column_config.DatetimeColumn, format="YYYY-MM-DD HH:mm"),
    "mark": partial(st.column_config.TextColumn, width=90),
    "flag": st.column_config.CheckboxColumn,
    "link": partial(st.column_config.LinkColumn, display_text="Open", width=70),
    "trend": partial(st.column_config.LineChartColumn, y_min=0),
}


def html(text: str) -> None:
    """Put HTML on the page. `markup` has escaped everything in it that comes from data."""
    st.html(text)


def address() -> dict[str, list[str]]:
    """The query of the page's address."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def go_to(page: str, query: dict[str, list[str]]) -> None:
    """Change the address."""
    st.query_params.from_dict({"view": [page]} | query)


def _stamp(query: dict[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted((name, tuple(values)) for name, values in query.items()))


def filters(choices: Choices, page: str, shown: Iterable[str]) -> View:
    """Draw a page's filters and return the view that the address asks for; unknown values are reported.

    The address decides: changing a widget changes the address, and an address that comes from elsewhere (a link, the
    back button) sets the widgets.
    """
    shown = [name for name in shown if len(_options(choices)[name]) > 1]
    query = address()
    view, said = read_view(query, choices)
    for sentence in said:
        html(markup.notice(sentence, "warning"))
    stamp = _stamp(query)
    fields = {
        "period": view.period,
        "business": list(view.businesses),
        "currency": list(view.currencies),
        "kind": list(view.kinds),
        "reason": list(view.reasons),
    }
    if st.session_state.get("address") != stamp:
        st.session_state["address"] = stamp
        for name in shown:
            st.session_state[f"filter-{name}"] = fields[name]

    def changed() -> None:
        chosen = {name: st.session_state[f"filter-{name}"] for name in shown}
        new = replace(
            view,
            period=chosen.get("period") or choices.default_period,
            is_default_period=(chosen.get("period") or choices.default_period) == choices.default_period,
            businesses=tuple(chosen.get("business", view.businesses)),
            currencies=tuple(chosen.get("currency", view.currencies)),
            kinds=tuple(chosen.get("kind", view.kinds)),
            reasons=tuple(chosen.get("reason", view.reasons)),
        )
        go_to(page, new.query())
        st.session_state["address"] = _stamp(address())

    if shown:
        _widgets(choices, shown, changed)
    return read_view(address(), choices)[0]


def _options(choices: Choices) -> dict[str, tuple[Any, ...]]:
    """What can be chosen by each filter; one with nothing to choose, as of a single business, is not drawn."""
    return {
        "period": choices.periods,
        "business": tuple(choices.businesses),
        "currency": choices.currencies,
        "kind": choices.kinds,
        "reason": choices.reasons,
    }


def _widgets(choices: Choices, shown: list[str], changed: Callable[[], None]) -> None:
    for column, name in zip(st.columns(len(shown)), shown, strict=True):
        key = f"filter-{name}"
        with column:
            match name:
                case "period":
                    st.selectbox(
                        "Period", choices.periods, format_func=lambda one: one.label, key=key, on_change=changed
                    )
                case "business":
                    _several("Business", tuple(choices.businesses), choices.businesses.__getitem__, key, changed)
                case "currency":
                    _several("Currency", choices.currencies, _currency, key, changed)
                case "kind":
                    _several("Kind", choices.kinds, as_text.words, key, changed)
                case "reason":
                    _several("Reason", choices.reasons, as_text.words, key, changed)


def _several(label: str, options: tuple[Any, ...], name: Callable[[Any], str], key: str, changed: Any) -> None:  # noqa: ANN401
    st.multiselect(label, options, format_func=name, key=key, on_change=changed, placeholder="All")


def _currency(code: str) -> str:
    return "no currency" if code == NO_CURRENCY else code


def freshness(frame: Frame) -> None:
    """How recent the data is, with a warning where it is old or has gaps."""
    about = frame.snapshot.about
    said = f"Data up to {as_text.ago(about.data_as_of_at, frame.now)}"
    when = f"({as_text.moment(about.data_as_of_at, frame.zone)} {frame.zone})"
    html(markup.paragraph(f"{said} {when}.", "nb-fresh"))
    if as_text.is_stale(about.data_as_of_at, frame.now):
        html(
            markup.notice(
                f"These figures are out of date: the data ends {as_text.ago(about.data_as_of_at, frame.now)} "
                f"({as_text.moment(about.data_as_of_at, frame.zone)}). Run a sync: "
                "`nexudus-billing sync`.",
                "warning",
            )
        )
    if about.gap_count:
        html(
            markup.notice(
                f"{as_text.count(about.gap_count)} ranges of the history have not been read yet, so figures may be too "
                "low; see Health.",
                "warning",
            )
        )


def footer(frame: Frame) -> None:
    """Which release, rules and program the page comes from."""
    about = frame.snapshot.about
    published = f"Published {as_text.ago(about.published_at, frame.now)} as release {about.release_number}"
    html(markup.paragraph(f"{published} · rules {about.rules_version} · program {about.program_version}."))
    if not about.named_business_count and about.business_count:
        html(markup.paragraph(HOW_TO_NAME))


def draw_chart(chart: Chart, alternative: str) -> None:
    """A chart with its text for screen readers."""
    st.vega_lite_chart(spec=chart, alt=alternative)


def places(count: int, wide: int) -> list[Any]:
    """`count` places, `wide` in a row; on a narrow screen one below the other in the same order."""
    wide = min(wide, count)
    return [place for _ in range(0, count, max(1, wide)) for place in st.columns(wide)]


def grid(caption: str, shown: Sequence[Column], rows: Sequence[Row], zone: str = "UTC") -> None:
    """A table in Streamlit's grid, which sorts, searches and downloads; below it what its columns mean."""
    if not rows:
        return
    # Of all businesses together there is no name to show.
    columns = [one for one in shown if one.source != "business_name" or any(row["business_name"] for row in rows)]
    html(markup.paragraph(caption, "nb-caption"))
    st.dataframe(
        {one.heading: [_value(one, row) for row in rows] for one in columns},
        hide_index=True,
        height="content" if len(rows) <= _SHORT else _HEIGHT,
        column_config={one.heading: _config(one, zone) for one in columns},
        placeholder=as_text.NOTHING,
        alt=caption,
    )
    meanings = [(one.heading, one.meaning) for one in columns if one.meaning]
    if meanings:
        with st.expander("What the columns mean"):
            html(markup.definitions(meanings))


def _value(column: Column, row: Row) -> Any:  # noqa: ANN401 - what a cell can hold
    value = row[column.source]
    match column.kind:
        case "text" | "words":
            # What is downloaded is opened in a spreadsheet.
            return shown_in_spreadsheet(column.text(row)) if value is not None else None
        case "id":
            return None if value is None else str(value)
        case "percent" | "points":
            # Rounded as it is shown: a screen reader reads out the value itself.
            return None if value is None else round(100 * float(value), 1)
    return value


def _config(column: Column, zone: str) -> Any:  # noqa: ANN401 - Streamlit's kinds of columns
    more = {"timezone": zone} if column.kind == "moment" else {}
    return _CONFIGS.get(column.kind, st.column_config.TextColumn)(help=column.meaning or None, **more)


def search(view: View) -> None:
    """A field for words to look for in titles, texts and invoice numbers; the address keeps them."""
    if st.session_state.get("searched") != view.text:
        st.session_state["searched"] = st.session_state["search"] = view.text

    def changed() -> None:
        go_to("entries", replace(view, text=st.session_state["search"]).query())
        st.session_state["searched"] = st.session_state["search"]

    st.text_input("Search titles, texts and invoice numbers", key="search", on_change=changed)


def nothing(heading: str, advice: str) -> None:
    """An empty state: what is missing, and what to do."""
    html(f'<section class="nb-empty"><h2>{escape(heading)}</h2>{markup.paragraph(advice, "")}</section>')
