"""To come."""

from postback.dashboard.page import Page

ROUTES: tuple[Page, ...] = ()
