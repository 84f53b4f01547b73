"""Every page: opens without a complaint, is accessible in light and dark, takes no data for markup, fits a phone."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.chromium import sign_in
from tests.browser.pages import FROM_DATA, PAGES
from tests.browser.place import Place
from tests.browser.seed import Ids
from tests.browser.watch import Watch

DESK: ViewportSize = {"width": 1280, "height": 720}
PHONE: ViewportSize = {"width": 360, "height": 740}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

OPEN_ALL = """
document.querySelectorAll("main details:not(.confirm)").forEach((details) => { details.open = true; });
"""
TOO_WIDE = """
(width) => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll("html, body *")]
  .filter((one) => one.scrollWidth > width || one.getBoundingClientRect().right > width)
  .map((one) => `${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 60)}`)
"""


@pytest.fixture(scope="module")
def looked_at(browser: Browser, place: Place, ids: Ids) -> Iterator[tuple[Page, Watch]]:
    """One page for all tests of this file, signed in."""
    with browser.new_context(base_url=place.url) as context:
        sign_in(context, place.url, place.server.key)
        watch = Watch(context, place.url)
        yield context.new_page(), watch


@pytest.fixture(params=PAGES)
def opened(request: pytest.FixtureRequest, looked_at: tuple[Page, Watch], ids: Ids) -> Iterator[Page]:
    """Each page in turn, with all its details open. It must not have complained at the end."""
    page, watch = looked_at
    answer = page.goto(PAGES[request.param].format_map(ids))
    assert answer is not None
    assert answer.status == 200
    page.evaluate(OPEN_ALL)
    yield page
    page.set_viewport_size(DESK)
    watch.assert_calm()


def serious(page: Page, scheme: Literal["light", "dark"]) -> list[str]:
    """What axe finds that keeps somebody from using the page. In the dark only contrasts differ from light."""
    page.emulate_media(color_scheme=scheme)
    only = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    found = Axe().run(page, options={"resultTypes": ["violations"], **only}).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_is_accessible_safe_and_fits_a_phone(opened: Page) -> None:
    expect(opened.get_by_role("heading", level=1)).to_have_count(1)
    expect(opened.locator(FROM_DATA)).to_have_count(0)
    for scheme in SCHEMES:
        assert serious(opened, scheme) == [], scheme
    assert too_wide(opened) == []


def too_wide(page: Page) -> list[str]:
    """What makes the page scroll sideways on a phone."""
    page.set_viewport_size(PHONE)
    found: list[str] = page.evaluate(TOO_WIDE, PHONE["width"])
    return found


@pytest.mark.parametrize("path", ["/sign-in", "/nothing/here"])
def test_pages_for_strangers(browser: Browser, place: Place, path: str) -> None:
    with browser.new_context(base_url=place.url) as context:
        watch = Watch(context, place.url)
        watch.refusals.add("404")
        page = context.new_page()
        page.goto(path)
        for scheme in SCHEMES:
            assert serious(page, scheme) == [], scheme
        assert too_wide(page) == []
        watch.assert_calm()
