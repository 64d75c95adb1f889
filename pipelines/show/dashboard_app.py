"""The dashboard, as Streamlit runs it: at each change of a filter, from top to bottom."""

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
    trends_page,
)
from pipelines.show.followed_file import FollowedFile
from pipelines.show.page_frame import Frame
from pipelines.show.url_filters import Choices, read_view

_LOOK_EVERY_SECONDS = 5
_PAGES = {
    "overview": ("Overview", overview_page.FILTERS, overview_page.draw),
    "trends": ("Problem trends", trends_page.FILTERS, trends_page.draw),
    "reasons": ("Reasons", reasons_page.FILTERS, reasons_page.draw),
    "recovery": ("Recovery", recovery_page.FILTERS, recovery_page.draw),
    "entries": ("Entries", entries_page.FILTERS, entries_page.draw),
    "health": ("Health", health_page.FILTERS, health_page.draw),
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
        known[snapshot] = page_frame.read_choices(snapshot)
    return known[snapshot]


def _draw(name: str) -> None:
    followed = _followed(load_settings().analytics_path)
    shown: Stamp | None = None
    try:
        snapshot = followed.now()
        shown = snapshot.stamp
        _page(name, snapshot, followed)
    except NotPublishedError as trouble:
        page_frame.nothing("Nothing is published yet", _first_steps(followed.path, trouble))
    except MissingTableError as trouble:
        page_frame.nothing("This file lacks something that the page needs", str(trouble))
    except PipelineError as trouble:
        page_frame.nothing("The published file cannot be read", str(trouble))
    _follow(followed, shown)


def _page(name: str, snapshot: Snapshot, followed: FollowedFile) -> None:
    _, shown, draw = _PAGES[name]
    if not snapshot.about.entry_count:
        _navigation(name, {})
        page_frame.nothing("The published file holds no entries", "Sync first: `nexudus-billing sync`.")
        return
    choices = _choices(snapshot)
    _navigation(name, read_view(page_frame.address(), choices)[0].shared_query())
    if followed.trouble:
        page_frame.html(markup.notice(f"The newest file is not shown: {followed.trouble}", "warning"))
    view = page_frame.filters(choices, name, shown) if shown else read_view(page_frame.address(), choices)[0]
    frame = Frame(snapshot, choices, view, utc_now())
    page_frame.freshness(frame)
    draw(frame)
    page_frame.footer(frame)


def _navigation(name: str, query: dict[str, list[str]]) -> None:
    """The pages, at the top of each; the filters go along."""
    if st.session_state.get("page") != name:
        st.session_state["page"] = name

    def changed() -> None:
        page_frame.go_to(st.session_state["page"] or name, query)

    st.segmented_control(
        "Page",
        list(_PAGES),
        format_func=lambda one: _PAGES[one][0],
        key="page",
        required=True,
        on_change=changed,
        label_visibility="collapsed",
    )


def _follow(followed: FollowedFile, shown: Stamp | None) -> None:
    """Look now and then whether another file was swapped in, and draw anew if so."""

    @st.fragment(run_every=_LOOK_EVERY_SECONDS)
    def look() -> None:
        if followed.has_changed(shown):
            st.rerun()

    look()


def _first_steps(path: Path, trouble: NotPublishedError) -> str:
    demo = path.parent / "demo" / path.name
    if demo.exists():
        return f"{trouble} Or look at the demo's: `nexudus-billing dashboard --file {demo}`."
    return f"{trouble} This page then fills by itself."


def main() -> None:
    """Draw the page that the address names."""
    asked = st.query_params.get("view", "overview")
    name = asked if asked in _PAGES else "overview"
    st.set_page_config(page_title=f"{_PAGES[name][0]} · Payment failures", page_icon="📉", layout="wide")
    page_frame.html(f"<style>{markup.style()}</style>")
    st.title("Payment failures", anchor=False)
    if asked != name:
        page_frame.html(markup.notice(f"There is no page “{asked}” here; this is the overview.", "warning"))
    _draw(name)


if __name__ == "__main__":
    main()
