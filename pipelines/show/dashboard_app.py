"""The dashboard's script: Streamlit runs it from top to bottom at each change of a filter."""

from dataclasses import replace
from pathlib import Path
from weakref import WeakKeyDictionary

import streamlit as st

from pipelines.errors import PipelineError
from pipelines.publish.snapshot import MissingTableError, NotPublishedError, Snapshot, Stamp
from pipelines.settings import load_settings, utc_now
from pipelines.show import (
    entries_page,
    health_page,
    markup,
    overview_page,
    page_frame,
    reasons_page,
    recovery_page,
    signed_in,
    trends_page,
    worklist_page,
)
from pipelines.show.asking import Frame, read_choices
from pipelines.show.followed_file import FollowedFile
from pipelines.show.url_filters import Choices, read_view

_CHECK_EVERY_SECONDS = 5
_PAGES = {
    "overview": ("Overview", overview_page.FILTERS, overview_page.draw),
    "trends": ("Problem trends", trends_page.FILTERS, trends_page.draw),
    "reasons": ("Reasons", reasons_page.FILTERS, reasons_page.draw),
    "recovery": ("Recovery", recovery_page.FILTERS, recovery_page.draw),
    "worklist": ("Worklist", worklist_page.FILTERS, worklist_page.draw),
    "entries": ("Entries", entries_page.FILTERS, entries_page.draw),
    "health": ("Data quality", health_page.FILTERS, health_page.draw),
}


@st.cache_resource
def _followed(path: Path) -> FollowedFile:
    return FollowedFile(path)


@st.cache_resource
def _known_choices() -> WeakKeyDictionary[Snapshot, Choices]:
    return WeakKeyDictionary()


def _choices(snapshot: Snapshot) -> Choices:
    known = _known_choices()
    if snapshot not in known:
        known[snapshot] = read_choices(snapshot)
    return known[snapshot]


def _draw(name: str) -> None:
    followed = _followed(load_settings().analytics_path)
    shown: Stamp | None = None
    try:
        snapshot = followed.now()
        shown = snapshot.stamp
        _page(name, snapshot, followed)
    except NotPublishedError as trouble:
        _instead("Nothing is published yet", _first_steps(followed.path, trouble))
    except MissingTableError as trouble:
        _instead("This file was made by another version", str(trouble))
    except PipelineError as trouble:
        _instead("The published file cannot be read", str(trouble))
    _follow(followed, shown)


def _instead(heading: str, advice: str) -> None:
    st.title("Payment failures", anchor=False)
    page_frame.nothing(heading, advice)


def _page(name: str, snapshot: Snapshot, followed: FollowedFile) -> None:
    _, shown, draw = _PAGES[name]
    if not snapshot.about.entry_count:
        _navigation(name, {})
        page_frame.nothing("The published file has no entries", "Run a sync first: `nexudus-billing sync`.")
        return
    choices = _choices(snapshot)
    _navigation(name, read_view(page_frame.address(), choices)[0].shared_query())
    if followed.trouble:
        page_frame.html(markup.notice(f"The newest file is not shown: {followed.trouble}", "warning"))
    asked = Frame(snapshot, choices, read_view(page_frame.address(), choices)[0], utc_now())
    page_frame.freshness(asked)
    if name == "overview":
        overview_page.lead(asked)
    frame = replace(asked, view=page_frame.filters(choices, name, shown)) if shown else asked
    draw(frame)
    page_frame.footer(frame)


def _navigation(name: str, query: dict[str, list[str]]) -> None:
    """Links to the pages, at the top of each page; the filters are kept."""
    if st.session_state.get("page") != name:
        st.session_state["page"] = name

    def changed() -> None:
        page_frame.go_to(st.session_state["page"] or name, query)

    header = st.container(horizontal=True, vertical_alignment="center")
    header.title("Payment failures", anchor=False, width="content")
    header.segmented_control(
        "Page",
        list(_PAGES),
        format_func=lambda one: _PAGES[one][0],
        key="page",
        required=True,
        on_change=changed,
        label_visibility="collapsed",
    )


def _follow(followed: FollowedFile, shown: Stamp | None) -> None:
    """Check from time to time whether a new file was published, and draw the page again if so."""

    @st.fragment(run_every=_CHECK_EVERY_SECONDS)
    def look() -> None:
        if followed.has_changed(shown):
            st.rerun()

    look()


def _first_steps(path: Path, trouble: NotPublishedError) -> str:
    demo = path.parent / "demo" / path.name
    if demo.exists():
        return f"{trouble} Or open the demo's figures: `nexudus-billing dashboard --file {demo}`."
    return f"{trouble} This page shows the figures as soon as it is done."


def main() -> None:
    """Draw the page that the address names."""
    asked = st.query_params.get("view", "overview")
    name = asked if asked in _PAGES else "overview"
    st.set_page_config(page_title=f"{_PAGES[name][0]} · Payment failures", page_icon="📉", layout="wide")
    page_frame.html(f"<style>{markup.style()}</style>")
    if not signed_in.may_see(load_settings()):
        return
    if asked != name:
        page_frame.html(markup.notice(f"There is no page “{asked}”; this is the overview.", "warning"))
    _draw(name)


if __name__ == "__main__":
    main()
