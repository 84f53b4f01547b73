"""Watches a browser while it is used, for what no page of ours may do."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, WebError

_TRAP = """
Object.defineProperty(window, "__pwned", {
  get() { return false; },
  set() { console.error("a script of the data ran"); },
});
"""
_REFUSED = re.compile(
    r"(?:Failed to load resource: the server responded with a status of|Response Status Error Code) (\d+)"
)


class Watch:
    """Collects complaints about all pages of a context. Each test that uses the context ends with `assert_calm`.

    `refusals` are status codes of answers that the test provokes, of which Chromium and htmx make console errors.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.refusals: set[str] = set()
        self._context = context
        self._host = urlsplit(url).netloc
        self._complaints: list[str] = []
        context.add_init_script(_TRAP)
        context.on("request", self._requested)
        context.on("console", self._said)
        context.on("weberror", self._failed)
        context.on("dialog", self._asked)
        context.on("page", lambda page: page.on("crash", self._crashed))

    def assert_calm(self) -> None:
        """Fails with everything that was seen so far, and begins anew."""
        for page in self._context.pages:
            page.title()  # whatever a page said before it answers this has come in by then
        seen, self._complaints = self._complaints, []
        self.refusals.clear()
        assert not seen, "\n".join(seen)

    def _requested(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme != "data" and url.netloc != self._host:
            self._complaints.append(f"a request to another host: {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        refused = _REFUSED.match(message.text)
        if message.type in ("error", "warning") and not (refused and refused[1] in self.refusals):
            self._complaints.append(f"{message.type} in the console: {message.text}")

    def _failed(self, error: WebError) -> None:
        self._complaints.append(f"an error that no script caught: {error.error}")

    def _asked(self, dialog: Dialog) -> None:
        self._complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _crashed(self, page: Page) -> None:
        self._complaints.append(f"{page.url} crashed")
