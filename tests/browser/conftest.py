"""One Chromium and one house for the folder: both stop when its last test is over, so that no other test meets them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from e2e.server import unexpected
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chromium import PATIENCE_MS, ChromiumMissing, chromium, sign_in
from tests.browser.place import Place, opened
from tests.browser.seed import Ids, seed
from tests.browser.watch import Watch

OpenContext = Callable[..., tuple[BrowserContext, Watch]]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(chromium())
        except ChromiumMissing as error:
            reason = f"no browser: {error}"
            if os.environ.get("CI"):
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
        yield found


@pytest.fixture(scope="package")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running house and what is around it."""
    with opened(tmp_path_factory.mktemp("browser")) as place:
        yield place
        assert unexpected(place.server.log) == []


@pytest.fixture(scope="package")
def ids(place: Place) -> Ids:
    """The ids of what the house was filled with."""
    return seed(place)


@pytest.fixture
def open_context(browser: Browser, place: Place) -> Iterator[OpenContext]:
    """Opens browser contexts, signed in unless `key` is None. At the end none of them may have complained."""
    with ExitStack() as stack:
        watches: list[Watch] = []

        def open_one(key: str | None = place.server.key, **options: Any) -> tuple[BrowserContext, Watch]:
            context = stack.enter_context(browser.new_context(base_url=place.url, **options))
            context.set_default_timeout(PATIENCE_MS)
            if key is not None:
                sign_in(context, place.url, key)
            watches.append(Watch(context, place.url))
            return context, watches[-1]

        yield open_one
        for watch in watches:
            watch.assert_calm()


@pytest.fixture
def _own(open_context: OpenContext, ids: Ids) -> tuple[BrowserContext, Watch]:
    return open_context()


@pytest.fixture
def page(_own: tuple[BrowserContext, Watch]) -> Page:
    """A page of a context of this test's own, signed in with the server's key."""
    return _own[0].new_page()


@pytest.fixture
def watch(_own: tuple[BrowserContext, Watch]) -> Watch:
    """What watches `page`."""
    return _own[1]
