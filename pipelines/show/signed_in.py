"""Who may see the dashboard where a sign-in is asked for: the users that NEXUDUS_DASHBOARD_USERS lists."""

import streamlit as st

from pipelines.settings import Settings, listed
from pipelines.show import page_frame


def may_see(settings: Settings) -> bool:
    """Whether the page may be drawn. Where it may not, it is drawn what to do instead."""
    users = listed(settings.dashboard_users)
    if not users:
        return True
    if not st.user.get("is_logged_in"):
        page_frame.nothing("Please sign in", "These figures are shown to the users of this account only.")
        st.button("Sign in", on_click=st.login)
        return False
    address = str(st.user.get("email") or "").lower()
    # An address that the provider has not checked may be anybody's.
    if st.user.get("email_verified") is not False and (address in users or f"@{address.partition('@')[2]}" in users):
        return True
    page_frame.nothing("You have no access", "Ask for your address to be added to NEXUDUS_DASHBOARD_USERS.")
    st.button("Sign out", on_click=st.logout)
    return False
