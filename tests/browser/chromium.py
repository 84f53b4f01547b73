"""The browser: the system's Chromium, which asks nobody but the pages' own server for anything."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 20_000
"""How long a condition is waited for. Met ones do not wait, so it is generous."""

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class ChromiumMissing(Exception):
    """There is no Chromium here."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser without a window. Raises `ChromiumMissing`."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise ChromiumMissing(f"none of {', '.join(NAMES)} is on the PATH")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def sign_in(context: BrowserContext, url: str, key: str) -> None:
    """Signs a context in, without drawing a page."""
    answer = context.request.post(f"{url}/sign-in", form={"key": key}, headers={"Origin": url}, max_redirects=0)
    assert answer.status == 303, answer.text()
